// The pass over rows that are their two grid features and nothing else.
#pragma once

#include <vector>

#include "factorec/control.hpp"
#include "factorec/schedule.hpp"
#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "kernels/training_kernel.hpp"

namespace factorec {

class PairPass {
 public:
  // Takes the scheduled rows over, in the form that the kernel reads; empties the schedule's own lists of rows.
  void gather(const TrainingData& data, const Grid& grid, Schedule& schedule, Control& control);

  // Runs the blocks of one round, which share no feature: sums of the blocks, added in their order.
  PassSums run_round(std::span<const std::int32_t> blocks, const Schedule& schedule, const FeatureTable& table,
                     const TrainingOptions& options, float bias, Control& control) const;

 private:
  std::vector<PairRow> rows_;
  std::vector<float> weights_;  // empty: all 1
};

}  // namespace factorec
