// The pass over rows that are their two grid features and nothing else.
#pragma once

#include <vector>

#include "factorec/control.hpp"
#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "schedule.hpp"

namespace factorec {

class PairPass {
 public:
  // Runs the blocks of one round, which share no feature: sums of the blocks, added in their order.
  PassSums run_round(std::span<const std::int32_t> blocks, const Schedule& schedule, const FeatureTable& table,
                     const TrainingOptions& options, float bias, Control& control) const;
};

}  // namespace factorec
