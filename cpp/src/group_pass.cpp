#include "group_pass.hpp"

#include <algorithm>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kFrozenRows = 1024;  // rows of a block between two steps of the frozen features

}  // namespace

GroupPass::GroupPass(const TrainingData& data, const TrainingOptions& options, const FeatureTable& table,
                     const Grid* grid, std::int64_t n_live, const Cuts* cuts)
    : options_(options),
      table_(table),
      cuts_(cuts),
      grid_(grid != nullptr),
      n_features_(data.rows.n_features),
      n_live_(n_live),
      gathering_(data, table, grid, grid ? n_live : 0) {}

void GroupPass::reserve(std::size_t n) {
  while (work_.size() < n)
    work_.push_back(Work{GradientSums(n_features_ - n_live_, table_.padded()), {}, {},
                         aligned_floats(kGroupRows * table_.padded() + kSumSize)});
}

PassSums GroupPass::run_round(std::span<const std::int32_t> blocks, const Schedule& schedule, float bias,
                              Control& control) {
  const auto n = static_cast<std::int64_t>(blocks.size());
  reserve(blocks.size());
  std::int64_t longest = 0;
  for (std::int32_t block : blocks) longest = std::max(longest, schedule.end(block) - schedule.begin(block));
  std::vector<PassSums> of_block(blocks.size());
  // In turns: the rows of all blocks, the steps of frozen features.
  const std::int64_t n_turns = (longest + kFrozenRows - 1) / kFrozenRows * 2;
  const auto run = [&](std::int64_t turn, std::int64_t i, int) {
    if (turn % 2 == 1) return step_part(i, n, blocks.size());
    const auto at = static_cast<std::size_t>(i);
    const std::int64_t begin = schedule.begin(blocks[at]) + turn / 2 * kFrozenRows;
    run_places(begin, std::min(begin + kFrozenRows, schedule.end(blocks[at])), bias, at, of_block[at], control);
  };
  parallel_rounds(n_turns, n, schedule.threads_for(blocks, options_.n_threads), control, run, [](std::int64_t) {});
  PassSums sums;
  for (const PassSums& block : of_block) sums.add(block);
  return sums;
}

PassSums GroupPass::run_rows(std::int64_t begin, std::int64_t end, float bias, Control& control) {
  reserve(1);
  PassSums sums;
  run_places(begin, end, bias, 0, sums, control);
  if (!live_only()) step_part(0, 1, 1);
  return sums;
}

// Rows at places [begin, end), after which their gradients stand in the work of `block`.
void GroupPass::run_places(std::int64_t begin, std::int64_t end, float bias, std::size_t block, PassSums& sums,
                           Control& control) {
  Work& work = work_[block];
  const TrainingKernels& kernel = kernels().training;
  const auto solver = static_cast<int>(options_.solver), loss = static_cast<int>(options_.loss);
  const auto run = grid_ ? kernel.group_rows[solver][loss]
                         : (live_only() ? kernel.live_rows[solver][loss] : kernel.frozen_rows[loss]);
  work.sums.clear();
  for (std::int64_t place = begin; place < end;) {
    control.throw_if_stopped();
    gathering_.gather(place, end, work.rows);
    if (!live_only()) {
      if (work.slot.size() < work.rows.feature.size()) work.slot.resize(work.rows.feature.size());
      for (std::int64_t e = 0; e < work.rows.n_entries; ++e)
        work.slot[static_cast<std::size_t>(e)] = work.sums.take_slot(work.rows.feature[static_cast<std::size_t>(e)]);
    }
    GroupJob job;
    job.table = table_.view();
    job.entry_table = job.table.data + (grid_ ? n_live_ * job.table.stride : 0);
    job.clip = options_.clip;
    job.bias = bias;
    if (cuts_) job.cuts = cuts_->view(block);
    job.rows = gathering_.rows() + place;
    job.weights = gathering_.weights() ? gathering_.weights() + place : nullptr;
    job.n_rows = work.rows.n_rows;
    job.n_ahead = table_.exceeds_cache() ? end - place - job.n_rows : -job.n_rows;
    job.entries = work.rows.list();
    job.slot = work.slot.data();
    job.sums = work.sums.sums();
    job.sum_stride = work.sums.stride();
    job.scratch = work.scratch.get();
    run(job, &sums);
    place += job.n_rows;
  }
}

// Part i of n of the merged steps from the first n_sums works: each feature belongs to the first that has it.
void GroupPass::step_part(std::int64_t i, std::int64_t n, std::size_t n_sums) {
  const auto step = kernels().training.merged_step[static_cast<int>(options_.solver)];
  std::vector<const float*> sums;
  const AlignedFloats scratch = aligned_floats(table_.padded());
  MergedStep job;
  job.table = table_.view();
  job.scratch = scratch.get();
  for (std::size_t first = 0; first < n_sums; ++first) {
    const std::vector<std::int32_t>& features = work_[first].sums.features();
    const auto size = static_cast<std::int64_t>(features.size());
    for (std::int64_t slot = size * i / n; slot < size * (i + 1) / n; ++slot) {
      const std::int32_t feature = features[static_cast<std::size_t>(slot)];
      bool taken = false;
      for (std::size_t before = 0; before < first && !taken; ++before) taken = work_[before].sums.slot(feature) >= 0;
      if (taken) continue;
      sums.clear();
      for (std::size_t s = first; s < n_sums; ++s) {
        const std::int32_t of_sum = work_[s].sums.slot(feature);
        if (of_sum >= 0) sums.push_back(work_[s].sums.sum(of_sum));
      }
      job.row = job.table.data + (n_live_ + feature) * job.table.stride;
      job.sums = sums.data();
      job.n_sums = static_cast<int>(sums.size());
      step(job);
    }
  }
}

}  // namespace factorec
