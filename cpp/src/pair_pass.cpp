#include "pair_pass.hpp"

#include <algorithm>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsPerPoll = 16384;  // between two looks at Control

}  // namespace

PassSums PairPass::run_round(std::span<const std::int32_t> blocks, const Schedule& schedule, const FeatureTable& table,
                             const TrainingOptions& options, float bias, Control& control) const {
  const auto run = kernels().training.pair_rows[static_cast<int>(options.solver)][static_cast<int>(options.loss)];
  std::vector<PassSums> of_block(blocks.size());
  const auto n_blocks = static_cast<std::int64_t>(blocks.size());
  parallel_for(n_blocks, schedule.threads_for(blocks, options.n_threads), control, [&](std::int64_t i, int) {
    const std::int32_t block = blocks[static_cast<std::size_t>(i)];
    const std::int64_t end = schedule.end(block);
    for (std::int64_t at = schedule.begin(block); at < end; at += kRowsPerPoll) {
      if (control.stop()) return;
      PairJob job;
      job.table = table.view();
      job.clip = options.clip;
      job.bias = bias;
      job.rows = schedule.pair.data() + at;
      job.weights = schedule.pair_weight.empty() ? nullptr : schedule.pair_weight.data() + at;
      job.n_rows = std::min(kRowsPerPoll, end - at);
      job.n_ahead = table.exceeds_cache() ? end - at - job.n_rows : -job.n_rows;
      run(job, &of_block[static_cast<std::size_t>(i)]);
    }
  });
  PassSums sums;
  for (const PassSums& block : of_block) sums.add(block);
  return sums;
}

}  // namespace factorec
