// The cuts between ordered levels while a model is trained (ordinal loss).
#pragma once

#include <span>
#include <vector>

#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "kernels/training_kernel.hpp"

namespace factorec {

// Constant in a round, then stepped once by the round's mean slopes, as the bias is for the other losses. Every cut
// steps by the log loss of its own, whatever it weighs in the sum. What blocks of rows run at once have sums of their
// own, which are added in the blocks' order.
class Cuts {
 public:
  // Checks everything but the targets (std::invalid_argument).
  explicit Cuts(const LevelCuts& start);

  // Makes room for the sums of `n_blocks`, all zero.
  void reserve(std::size_t n_blocks);

  // What the kernels read, and where those of a block add what they sum. Valid until the next step.
  CutsView view(std::size_t block) const;

  // One step by the blocks' sums over rows of this weight in all. No gap loses more than half of its width, so that
  // the cuts keep their order.
  void step(double weight, const TrainingOptions& options);

  std::span<const double> values() const { return value_; }
  std::span<const double> accumulators() const { return accumulator_; }
  bool finite() const;

 private:
  static constexpr double kMinGap = 1e-6;

  void refresh();
  std::size_t size() const { return value_.size(); }

  std::vector<double> value_, accumulator_;
  std::vector<float> cut_, weight_, distance_, constant_;  // see CutsView
  std::size_t n_blocks_ = 0;
  std::size_t stride_ = 0;  // doubles of a block's sums
  AlignedFloats lanes_;
  std::vector<double> slopes_;
};

}  // namespace factorec
