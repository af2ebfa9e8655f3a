// The pass over rows of any features.
#pragma once

#include <vector>

#include "factorec/control.hpp"
#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "gradient_sums.hpp"
#include "schedule.hpp"

namespace factorec {

class GroupPass {
 public:
  // Features at places of the table below `n_live` are updated row by row, the others by merged steps. All must
  // outlive the pass.
  GroupPass(const TrainingData& data, const TrainingOptions& options, const FeatureTable& table, std::int64_t n_live)
      : data_(data), options_(options), table_(table), n_live_(n_live) {}

  // Runs the blocks of one round, which share no live feature; frozen features take a step after every
  // kFrozenRows rows of each block. Returns the sums of the blocks, added in their order.
  PassSums run_round(std::span<const std::int32_t> blocks, const Schedule& schedule, float bias, Control& control);

  // Rows at places [begin, end) of the schedule; frozen features then take their step.
  PassSums run_rows(std::int64_t begin, std::int64_t end, const Schedule& schedule, float bias, Control& control);

 private:
  void run_places(std::int64_t begin, std::int64_t end, const Schedule& schedule, float bias, GradientSums& gradients,
                  PassSums& sums, Control& control) const;
  void step_merged(GradientSums& gradients) const;
  void reserve(std::size_t n_sums);

  const TrainingData& data_;
  const TrainingOptions& options_;
  const FeatureTable& table_;
  std::int64_t n_live_;
  std::vector<GradientSums> gradient_sums_;  // the merged one, then one per thread
};

}  // namespace factorec
