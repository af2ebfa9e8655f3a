#include "group_pass.hpp"

#include <algorithm>

#include "factorec/parallel.hpp"
#include "gathering.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kFrozenRows = 1024;  // rows of a block between two steps of the frozen features

}  // namespace

void GroupPass::reserve(std::size_t n_sums) {
  const std::int64_t n_frozen = data_.rows.n_features - n_live_;
  while (gradient_sums_.size() < n_sums) gradient_sums_.emplace_back(n_frozen, table_.padded());
}

PassSums GroupPass::run_round(std::span<const std::int32_t> blocks, const Schedule& schedule, float bias,
                              Control& control) {
  // As many blocks at a time as there are threads: their sums are still in the cache when they are merged.
  const auto at_once =
      std::min(static_cast<std::size_t>(schedule.threads_for(blocks, options_.n_threads)), blocks.size());
  reserve(at_once + 1);
  GradientSums& merged = gradient_sums_.front();
  std::int64_t longest = 0;
  for (std::int32_t block : blocks) longest = std::max(longest, schedule.end(block) - schedule.begin(block));
  std::vector<PassSums> of_block(blocks.size());
  for (std::int64_t done = 0; done < longest; done += kFrozenRows) {
    for (std::size_t first = 0; first < blocks.size(); first += at_once) {
      const std::size_t n = std::min(at_once, blocks.size() - first);
      parallel_for(static_cast<std::int64_t>(n), static_cast<int>(n), control, [&](std::int64_t i, int) {
        const std::size_t at = first + static_cast<std::size_t>(i);
        const std::int64_t begin = schedule.begin(blocks[at]) + done;
        run_places(begin, std::min(begin + kFrozenRows, schedule.end(blocks[at])), schedule, bias,
                   gradient_sums_[static_cast<std::size_t>(i) + 1], of_block[at], control);
      });
      for (std::size_t i = 1; i <= n; ++i) {
        merged.add(gradient_sums_[i]);
        gradient_sums_[i].clear();
      }
    }
    step_merged(merged);
  }
  PassSums sums;
  for (const PassSums& block : of_block) sums.add(block);
  return sums;
}

PassSums GroupPass::run_rows(std::int64_t begin, std::int64_t end, const Schedule& schedule, float bias,
                             Control& control) {
  reserve(1);
  PassSums sums;
  run_places(begin, end, schedule, bias, gradient_sums_.front(), sums, control);
  step_merged(gradient_sums_.front());
  return sums;
}

void GroupPass::run_places(std::int64_t begin, std::int64_t end, const Schedule& schedule, float bias,
                           GradientSums& gradients, PassSums& sums, Control& control) const {
  const auto run = kernels().training.group_rows[static_cast<int>(options_.solver)][static_cast<int>(options_.loss)];
  GatheredRows rows;
  const AlignedFloats scratch = aligned_floats(kGroupRows * table_.padded());
  for (std::int64_t place = begin; place < end; place += kGroupRows) {
    control.throw_if_stopped();  // each time: rows of many entries take long
    gather_rows(data_, schedule, table_, n_live_, place, std::min(place + kGroupRows, end), gradients, rows);
    GroupJob job;
    job.table = table_.view();
    job.clip = options_.clip;
    job.bias = bias;
    job.n_rows = rows.n_rows;
    job.frozen = rows.frozen.list();
    job.live = rows.live.list();
    job.slot = rows.slot.data();
    job.target = rows.target;
    job.weight = rows.weight;
    job.gradients = gradients.gradients();
    job.gradient_stride = gradients.stride();
    job.scratch = scratch.get();
    run(job, &sums);
  }
}

void GroupPass::step_merged(GradientSums& gradients) const {
  const auto step = kernels().training.merged_step[static_cast<int>(options_.solver)];
  for (std::size_t s = 0; s < gradients.features().size(); ++s)
    step({table_.view(), gradients.features()[s] + n_live_, gradients.gradient(s), gradients.counted(s)});
  gradients.clear();
}

}  // namespace factorec
