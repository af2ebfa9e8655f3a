// What a kernel of the standard normal distribution must offer; see normal_kernel.inc.
#pragma once

#include <cstdint>

namespace factorec {

struct NormalKernels {
  // Standard normals by the generator whose key is `key`, counters 0 .. n - 1.
  void (*draw)(std::uint64_t key, std::int64_t n, float* out);

  // For each interval (low, high), low < high, either may be infinite: the logarithm of its probability, and the
  // density at its ends divided by its probability. Relative error about 1e-9, for narrow intervals over their width,
  // however far out they lie.
  void (*interval)(const double* low, const double* high, std::int64_t n, double* log_probability, double* at_low,
                   double* at_high);

  // out = a draw from inside each interval, by uniform numbers u in (0, 1).
  void (*truncated)(const double* low, const double* high, const double* u, std::int64_t n, double* out);
};

}  // namespace factorec
