#include <stdexcept>

#include "check.hpp"
#include "factorec/cpu.hpp"

using namespace factorec;

FACTOREC_TEST(cpu, levels_rise_from_the_baseline) {
  const auto levels = available_levels();
  CHECK(levels.front() == SimdLevel::baseline);
  for (std::size_t i = 1; i < levels.size(); ++i) CHECK(levels[i - 1] < levels[i]);
}

FACTOREC_TEST(cpu, pinning) {
  const SimdLevel before = active_level();
  CHECK(before == available_levels().back());
  for (const SimdLevel level : available_levels()) {
    pin_level(name(level));
    CHECK(active_level() == level);
  }
  CHECK_THROWS(std::invalid_argument, pin_level("sse9"), "unknown SIMD level 'sse9'");
  CHECK(active_level() == available_levels().back());
}
