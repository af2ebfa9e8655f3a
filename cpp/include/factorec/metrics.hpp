// How good scores are: the figures that training records every epoch.
#pragma once

#include <span>

#include "factorec/control.hpp"

namespace factorec {

struct ClassificationMetrics {
  double log_loss = 0;
  double accuracy = 0;
  double f1 = 0;   // 0 where neither a label nor a prediction is positive
  double auc = 0;  // NaN where only one class carries weight
};

struct RegressionMetrics {
  double rmse = 0;
  double mae = 0;
};

// Rows are cut into chunks whose size depends on their number alone, and sums are doubles added in chunk order:
// the result has the same bits for any n_threads. An empty `weight` means 1 for every row. Both throw
// std::invalid_argument for no rows, sizes that differ, values that are not finite, negative weights and
// weights that are all 0; positions are of the first bad row.

// `scores` are log-odds, positive from 0 on; `target` is 0 or 1. Tied scores share their mean rank.
ClassificationMetrics classification_metrics(std::span<const float> scores, std::span<const float> target,
                                             std::span<const float> weight, int n_threads, Control& control);

RegressionMetrics regression_metrics(std::span<const float> predictions, std::span<const float> target,
                                     std::span<const float> weight, int n_threads, Control& control);

}  // namespace factorec
