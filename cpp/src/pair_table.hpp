// The working copy of a model's parameters while it is trained on rows of two ids.
#pragma once

#include <vector>

#include "factorec/grid.hpp"
#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "kernels/training_kernel.hpp"

namespace factorec {

// Factors of all features in one array and what else belongs to a feature in another, both in the order of the
// grid's groups: a block's features lie side by side, and no cache line belongs to two groups. Features outside the
// grid come last, for no row has them.
class PairTable {
 public:
  // `width`: floats in a vector of the kernels that will use the table.
  PairTable(const Grid& grid, const ParameterArrays& start, const FeatureSettings& settings,
            const TrainingOptions& options, int width);

  // A job on the features of block (first_group, second_group), without rows.
  PairJob job(std::int32_t first_group, std::int32_t second_group) const;

  // Whether it is worth asking for factors ahead of time.
  bool exceeds_cache() const { return n_factor_floats_ * static_cast<std::int64_t>(sizeof(float)) > kCacheBytes; }

  void copy_to(const ParameterArrays& arrays) const;

  // Whether part i of n of all parameters is finite.
  bool finite(std::int64_t i, std::int64_t n) const;

  std::int64_t n_factors() const { return n_factors_; }

 private:
  static constexpr std::int64_t kCacheBytes = 1 << 18;

  std::vector<std::int64_t> lay_out(const Field& field, const Deal& deal);
  void take_settings(const Grid& grid, const FeatureSettings& settings);
  PairSide features_from(std::int64_t place, const StepSettings& of_side) const;

  Solver solver_;
  float clip_;
  std::int64_t n_factors_;
  std::int64_t padded_;
  std::int32_t vectors_;
  std::vector<std::int64_t> place_;  // of each feature
  std::int64_t n_places_ = 0;
  std::vector<std::int64_t> first_begin_, second_begin_;  // of each group its first place
  int second_bits_;
  std::int64_t n_factor_floats_ = 0;
  std::int64_t n_state_floats_ = 0;
  AlignedFloats factors_;
  AlignedFloats state_;
  bool plain_ = true;
  StepSettings of_first_, of_second_;   // of every feature of a side, where plain
  std::vector<StepSettings> settings_;  // of each place, where not
  std::vector<float> linear_accumulator_, factors_accumulator_;  // of each feature: SGD only keeps them
};

}  // namespace factorec
