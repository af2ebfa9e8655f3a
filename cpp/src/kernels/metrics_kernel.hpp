// What a metrics kernel must offer; see metrics_kernel.inc.
#pragma once

#include <cstddef>

namespace factorec {

// Sums over rows, each of weight 1 where there are no weights.
struct ClassificationSums {
  double weight = 0, loss = 0, true_positive = 0, false_positive = 0, false_negative = 0;
  bool usable = true;  // every row was; else the sums mean nothing
};

struct RegressionSums {
  double weight = 0, squared = 0, absolute = 0;
  bool usable = true;
};

struct MetricsKernels {
  ClassificationSums (*classification)(const float* scores, const float* target, const float* weight, std::size_t n);
  RegressionSums (*regression)(const float* predictions, const float* target, const float* weight, std::size_t n);
};

}  // namespace factorec
