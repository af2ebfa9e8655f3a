// Draws from distributions other than the uniform, keyed by a counter-based generator.
#pragma once

#include <cmath>
#include <cstdint>

#include "factorec/rng.hpp"

namespace factorec {

// Gamma(shape, rate) by Marsaglia and Tsang (2000).
inline double draw_gamma(const CounterRng& rng, double shape, double rate) {
  const double boost = shape < 1.0 ? std::pow(rng.uniform(0), 1.0 / shape) : 1.0;
  const double d = (shape < 1.0 ? shape + 1.0 : shape) - 1.0 / 3.0;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (std::uint64_t attempt = 1;; ++attempt) {
    const CounterRng tries = rng.fork(attempt);
    const double x = tries.normal(0);
    const double v = std::pow(1.0 + c * x, 3);
    if (v <= 0.0) continue;
    if (std::log(tries.uniform(2)) < 0.5 * x * x + d - d * v + d * std::log(v)) return boost * d * v / rate;
  }
}

}  // namespace factorec
