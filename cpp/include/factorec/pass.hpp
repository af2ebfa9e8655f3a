// What one pass over training rows is told, and what it tells.
#pragma once

#include <cstdint>

namespace factorec {

// Ordinal: the targets are levels 0, 1, ..., which cuts tell apart; the loss is the weighted sum over the cuts of the
// log loss of being above the cut, of which the probability is the logistic function of score - cut.
enum class Loss : std::int8_t { squared, logistic, ordinal };
enum class Solver : std::int8_t { sgd, adagrad, adam };

// Sums over rows, of scores taken before the rows' own updates.
struct PassSums {
  double weight = 0;
  double slope = 0;               // of the loss with respect to the score, times the weight
  double loss = 0;                // log loss, that of the levels for ordinal loss, or squared error
  double absolute = 0;            // absolute error (squared loss), that of the expected target (ordinal loss)
  double squared = 0;             // squared error of the expected target (ordinal loss)
  double positive = 0;            // rows with target 1 (logistic loss)
  double predicted_positive = 0;  // score >= 0
  double true_positive = 0;

  void add(const PassSums& other);  // not inline: kernels include this header
};

}  // namespace factorec
