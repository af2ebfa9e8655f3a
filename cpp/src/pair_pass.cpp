#include "pair_pass.hpp"

#include <algorithm>
#include <atomic>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsPerPoll = 16384;   // between two looks at Control
constexpr std::int64_t kRowsPerThread = 8192;  // of an epoch; fewer are done sooner than a thread wakes up

}  // namespace

PairPass::PairPass(const Grid& grid, const ParameterArrays& start, const FeatureSettings& settings,
                   const TrainingOptions& options, const Cuts* cuts)
    : options_(options),
      cuts_(cuts),
      table_(grid, start, settings, options, kernels().training.width),
      finite_(table_.finite(0, 1)) {}

// `place`: the block's among those of its round.
PassSums PairPass::run_block(std::int32_t block, std::size_t place, const Schedule& schedule, float bias,
                             Control& control) const {
  const auto run = kernels().training.pair_rows[static_cast<int>(options_.solver)][static_cast<int>(options_.loss)];
  PairJob job = table_.job(block / schedule.n_groups, block % schedule.n_groups);
  job.bias = bias;
  if (cuts_) job.cuts = cuts_->view(place);
  PassSums sums;
  const std::int64_t end = schedule.end(block);
  for (std::int64_t at = schedule.begin(block); at < end; at += kRowsPerPoll) {
    if (control.stop()) break;
    job.rows = schedule.pair.data() + at;
    job.weights = schedule.pair_weight.empty() ? nullptr : schedule.pair_weight.data() + at;
    job.n_rows = std::min(kRowsPerPoll, end - at);
    job.n_ahead = table_.exceeds_cache() ? end - at - job.n_rows : -job.n_rows;
    run(job, &sums);
  }
  return sums;
}

void PairPass::run_epoch(const std::vector<std::int32_t>& blocks, const Schedule& schedule, float bias,
                         const std::function<float(const PassSums&)>& end_round, Control& control) {
  const std::int64_t n_groups = schedule.n_groups, n_blocks = std::ssize(blocks);
  const std::int64_t n_rows = schedule.size();
  const auto n_threads = static_cast<int>(std::clamp<std::int64_t>(n_rows / kRowsPerThread, 1, options_.n_threads));
  // Unit i of a round is its block in column i of the grid, so that a thread keeps the second field's features in
  // its cache from round to round.
  std::vector<std::int32_t> place_of(blocks.size());
  for (std::int64_t at = 0; at < n_blocks; ++at)
    place_of[static_cast<std::size_t>(at / n_groups * n_groups + blocks[static_cast<std::size_t>(at)] % n_groups)] =
        static_cast<std::int32_t>(at % n_groups);
  std::vector<PassSums> of_block(static_cast<std::size_t>(n_groups));
  std::atomic<bool> all_finite{true};
  const auto body = [&](std::int64_t round, std::int64_t i, int) {
    if (round == n_groups) {  // after the last
      if (!table_.finite(i, n_groups)) all_finite = false;
      return;
    }
    const auto place = static_cast<std::size_t>(place_of[static_cast<std::size_t>(round * n_groups + i)]);
    of_block[place] =
        run_block(blocks[static_cast<std::size_t>(round * n_groups) + place], place, schedule, bias, control);
  };
  const auto finish = [&](std::int64_t round) {
    if (round == n_groups) return;
    PassSums sums;
    for (const PassSums& block : of_block) sums.add(block);
    bias = end_round(sums);
  };
  parallel_rounds(n_groups + 1, n_groups, n_threads, control, body, finish);
  finite_ = all_finite;
}

}  // namespace factorec
