// What one pass over training rows is told, and what it tells.
#pragma once

#include <cstdint>

namespace factorec {

enum class Loss : std::int8_t { squared, logistic };
enum class Solver : std::int8_t { sgd, adagrad, adam };

// Sums over rows, of scores taken before the rows' own updates.
struct PassSums {
  double weight = 0;
  double slope = 0;               // of the loss with respect to the score, times the weight
  double loss = 0;                // log loss, or squared error
  double absolute = 0;            // absolute error (squared loss)
  double positive = 0;            // rows with target 1 (logistic loss)
  double predicted_positive = 0;  // score >= 0
  double true_positive = 0;

  void add(const PassSums& other);  // not inline: kernels include this header
};

}  // namespace factorec
