#include "pair_pass.hpp"

#include <algorithm>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsPerPoll = 16384;  // between two looks at Control

}  // namespace

void PairPass::gather(const TrainingData& data, const Grid& grid, Schedule& schedule, Control& control) {
  const auto n = static_cast<std::size_t>(schedule.size());
  const Deal& first = grid.first_deal;
  const Deal& second = grid.second_deal;
  const auto offset = static_cast<std::int32_t>(grid.fields.first.size());
  rows_.resize(n);
  weights_.resize(data.weight.empty() ? 0 : n);
  for (std::size_t i = 0; i < n; ++i) {
    if (i % kRowsPerPoll == 0) control.throw_if_stopped();
    const auto row = static_cast<std::size_t>(schedule.row[i]);
    const std::int32_t item = schedule.negative_item.empty() ? -1 : schedule.negative_item[i];
    const std::int32_t column = item < 0 ? grid.second[row] : grid.second_of_item[static_cast<std::size_t>(item)];
    rows_[i] = {first.position[static_cast<std::size_t>(grid.first[row])],
                offset + second.position[static_cast<std::size_t>(column)], item < 0 ? data.target[row] : 0.0f};
    if (!data.weight.empty()) weights_[i] = data.weight[row];
  }
  // Not `= {}`, which assigns an empty list and keeps the memory.
  std::vector<std::int64_t>().swap(schedule.row);
  std::vector<std::int32_t>().swap(schedule.negative_item);
}

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
      job.rows = rows_.data() + at;
      job.weights = weights_.empty() ? nullptr : weights_.data() + at;
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
