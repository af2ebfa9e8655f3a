// Runs a check at each SIMD level that this machine has.
#pragma once

#include "factorec/cpu.hpp"

namespace factorec::testing {

template <class Action>
void at_each_level(Action&& action) {
  for (const SimdLevel level : available_levels()) {
    pin_level(name(level));
    action();
  }
}

}  // namespace factorec::testing
