// Training a factorization machine by stochastic gradients: one epoch at a time, the same bits at any number of
// threads. See training.cpp for the pass.
#pragma once

#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "factorec/control.hpp"
#include "factorec/grid.hpp"
#include "factorec/pass.hpp"
#include "factorec/rows.hpp"
#include "factorec/sampling.hpp"

namespace factorec {

// What only Solver::adam reads.
struct AdamOptions {
  double epsilon = 1e-8;
  double rescale = 1;              // of the sum of a batch's row gradients
  bool pad_last_batch = false;     // with rows without features of target 0, which count in the sums
  bool padding_moves_bias = true;  // whether these have a part in the gradient of the bias
  bool lazy = true;                // only features of the batch take a step
  std::int64_t report_every = 0;   // batches between two reports, from the first one on; 0: none
};

struct TrainingOptions {
  Loss loss = Loss::logistic;
  Solver solver = Solver::adagrad;
  double rate_bias = 0.1;
  float clip = std::numeric_limits<float>::infinity();  // entries of a gradient are clipped to +-clip
  double l2_bias = 0;
  std::int64_t batch_size = 1;
  bool shuffle = true;
  std::uint64_t seed = 0;
  int n_threads = 1;
  AdamOptions adam;
};

// Moving means of the gradients and of their squares. The caller's arrays: (n_features,), and as the factors.
struct AdamMoments {
  std::span<float> linear_mean;
  std::span<float> linear_square;
  Matrix factors_mean;
  Matrix factors_square;
};

// The caller's arrays of a model's parameters and accumulators; linear and accumulators are (n_features,).
struct ParameterArrays {
  std::span<float> linear;
  Matrix factors;
  std::span<float> linear_accumulator;
  std::span<float> factors_accumulator;
  AdamMoments moments{};  // empty unless the solver is Adam
};

struct BiasState {
  double value = 0;
  double accumulator = 1;
  // Adam's moments, and its steps so far: those of every parameter.
  double mean = 0;
  double square = 0;
  std::int64_t n_steps = 0;
};

// The sums over an epoch's rows up to a batch.
struct BatchReport {
  std::int64_t batch = 0;
  PassSums sums;
};

// The cuts between ordered levels, with AdaGrad's accumulators, what the log loss of each weighs, and the distance
// between the targets of the two levels around it. All (n_levels - 1,); empty unless the loss is ordinal.
struct LevelCuts {
  std::span<const double> cut;
  std::span<const double> accumulator;
  std::span<const double> weight;
  std::span<const double> distance;
};

// Learning rate and L2 of each feature's linear weight and factors, (n_features,) each.
struct FeatureSettings {
  std::span<const float> rate_linear;
  std::span<const float> rate_factors;
  std::span<const float> l2_linear;
  std::span<const float> l2_factors;
};

// Views of everything that fitting reads; the arrays must outlive the trainer.
struct TrainingData {
  Rows rows;
  std::span<const float> target;
  std::span<const float> weight;  // empty: all 1
  FeatureSettings features;
  std::vector<Field> grid_candidates;
  std::optional<NegativeSampler> negatives;
  LevelCuts cuts{};
};

class Trainer {
 public:
  // Checks everything (std::invalid_argument) and copies the parameters into the working table.
  Trainer(TrainingData data, const TrainingOptions& options, const ParameterArrays& start, BiasState bias,
          Control& control);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  // One pass over the rows; `number` keys the order and the negatives. After an Interrupted the parameters are
  // somewhere inside the epoch, but whole.
  PassSums epoch(std::uint64_t number, Control& control);

  // Writes the parameters and accumulators into the caller's arrays.
  BiasState copy_to(const ParameterArrays& arrays) const;

  // Whether every parameter is finite.
  bool finite() const;

  // Adam: the reports of the last epoch, and how many steps each feature has taken with this trainer.
  std::span<const BatchReport> reports() const;
  std::span<const std::int64_t> steps() const;

  // Ordinal loss: the cuts and their accumulators. The bias stays as it is given.
  std::span<const double> cuts() const;
  std::span<const double> cut_accumulators() const;

  // Whether rows are visited by blocks of a grid, and whether by the kernel for rows of two features.
  bool has_grid() const;
  bool has_pairs() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace factorec
