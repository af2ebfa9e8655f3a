// The pass over rows that are their two grid features and nothing else.
#pragma once

#include <functional>
#include <vector>

#include "factorec/control.hpp"
#include "factorec/training.hpp"
#include "cuts.hpp"
#include "pair_table.hpp"
#include "schedule.hpp"

namespace factorec {

class PairPass {
 public:
  // `cuts`: null unless the loss is ordinal.
  PairPass(const Grid& grid, const ParameterArrays& start, const FeatureSettings& settings,
           const TrainingOptions& options, const Cuts* cuts);

  // Runs the rounds of `blocks` (see order_blocks). `end_round` gets each round's sums, the blocks' added in their
  // order, and returns the bias of the next round.
  void run_epoch(const std::vector<std::int32_t>& blocks, const Schedule& schedule, float bias,
                 const std::function<float(const PassSums&)>& end_round, Control& control);

  void copy_to(const ParameterArrays& arrays) const { table_.copy_to(arrays); }
  bool finite() const { return finite_; }
  std::int64_t n_factors() const { return table_.n_factors(); }

 private:
  PassSums run_block(std::int32_t block, std::size_t place, const Schedule& schedule, float bias, Control& control) const;

  TrainingOptions options_;
  const Cuts* cuts_;
  PairTable table_;
  bool finite_;
};

}  // namespace factorec
