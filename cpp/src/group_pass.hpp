// The pass over rows of any features.
#pragma once

#include <vector>

#include "factorec/control.hpp"
#include "factorec/training.hpp"
#include "cuts.hpp"
#include "feature_table.hpp"
#include "gathering.hpp"
#include "gradient_sums.hpp"
#include "schedule.hpp"

namespace factorec {

class GroupPass {
 public:
  // Features at places of the table below `n_live` are updated row by row, the others by merged steps. With a grid
  // the live ones are those of its fields; without, all are or none is. `cuts`: null unless the loss is ordinal. All
  // must outlive the pass.
  GroupPass(const TrainingData& data, const TrainingOptions& options, const FeatureTable& table, const Grid* grid,
            std::int64_t n_live, const Cuts* cuts);

  // Takes the rows of a schedule over: before the first epoch and whenever it is a new one.
  void follow(Schedule& schedule, Control& control) { gathering_.follow(schedule, options_.n_threads, control); }

  // Runs the blocks of one round, which share no live feature; frozen features take a step after every
  // kFrozenRows rows of each block. Returns the sums of the blocks, added in their order.
  PassSums run_round(std::span<const std::int32_t> blocks, const Schedule& schedule, float bias, Control& control);

  // Rows at places [begin, end) of the schedule of a pass without a grid; frozen features then take their step.
  PassSums run_rows(std::int64_t begin, std::int64_t end, float bias, Control& control);

 private:
  // What runs at once has one each.
  struct Work {
    GradientSums sums;
    GatheredRows rows;
    std::vector<std::int32_t> slot;
    AlignedFloats scratch;
  };

  bool live_only() const { return !grid_ && n_live_ > 0; }
  void reserve(std::size_t n);
  void run_places(std::int64_t begin, std::int64_t end, float bias, std::size_t block, PassSums& sums,
                  Control& control);
  void step_part(std::int64_t i, std::int64_t n, std::size_t n_sums);

  const TrainingOptions& options_;
  const FeatureTable& table_;
  const Cuts* cuts_;
  bool grid_;
  std::int64_t n_features_;
  std::int64_t n_live_;
  Gathering gathering_;
  std::vector<Work> work_;  // one for each block of a round
};

}  // namespace factorec
