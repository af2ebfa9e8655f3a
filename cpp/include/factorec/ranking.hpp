// Training a factorization machine to rank: items that a query met above items that its user has not seen. One epoch
// at a time, the same bits at any number of threads. See ranking_pass.cpp for the pass.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "factorec/control.hpp"
#include "factorec/rows.hpp"
#include "factorec/training.hpp"

namespace factorec {

enum class RankingLoss : std::int8_t { softmax, bpr, warp };

struct RankingOptions {
  RankingLoss loss = RankingLoss::softmax;
  std::int64_t n_negatives = 20;  // of a row; the tries of WARP
  std::int64_t batch_size = 256;
  bool shuffle = true;
  std::uint64_t seed = 0;
  int n_threads = 1;
};

// Views of everything that fitting reads; the arrays must outlive the trainer. Rows are positives: users in the first
// block, items in the last one.
struct RankingData {
  Rows rows;
  std::span<const float> weight;  // of each row; empty: all 1
  FeatureSettings features;
  CsrView seen;                              // items that each user has seen, strictly rising
  std::span<const std::int64_t> popularity;  // negatives are drawn in proportion to it; empty: all alike
};

// Sums over the rows of an epoch that have negatives, each scored before its own batch's step.
struct RankingSums {
  double weight = 0;
  double loss = 0;
};

class RankingTrainer {
 public:
  // Checks everything (std::invalid_argument) and copies the parameters into the working table.
  RankingTrainer(RankingData data, const RankingOptions& options, const ParameterArrays& start, Control& control);
  ~RankingTrainer();
  RankingTrainer(const RankingTrainer&) = delete;
  RankingTrainer& operator=(const RankingTrainer&) = delete;

  // One pass over the rows; `number` keys their order and the negatives. After an Interrupted the parameters are
  // somewhere inside the epoch, but whole.
  RankingSums epoch(std::uint64_t number, Control& control);

  // Writes the parameters and accumulators into the caller's arrays.
  void copy_to(const ParameterArrays& arrays) const;

  // Whether every parameter is finite.
  bool finite() const;

  // Summed weight of the rows and negatives that L2 of each feature was charged for with this trainer.
  std::span<const double> charged() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace factorec
