// In which order one epoch visits the rows.
#pragma once

#include <span>
#include <vector>

#include "factorec/buffer.hpp"
#include "factorec/control.hpp"
#include "factorec/grid.hpp"
#include "factorec/training.hpp"
#include "kernels/training_kernel.hpp"

namespace factorec {

using RowNumber = std::uint32_t;

// Rows grouped into blocks that an epoch visits in rounds. Without a grid there is one block in one round.
struct Schedule {
  int n_groups = 1;                       // per side: n_groups rounds of n_groups blocks
  std::vector<std::int64_t> block_begin;  // (n_groups^2 + 1,), block (p, q) at p * n_groups + q
  // What is visited at each place. For the pair pass, ready for its kernel:
  Buffer<PairRow> pair;
  Buffer<float> pair_weight;              // empty: all 1
  // Otherwise:
  Buffer<RowNumber> row;
  Buffer<std::int32_t> negative_item;     // its item entity instead of the row's own, -1: its own; or empty

  std::int64_t size() const { return block_begin.empty() ? 0 : block_begin.back(); }
  std::int64_t begin(std::int32_t block) const { return block_begin[static_cast<std::size_t>(block)]; }
  std::int64_t end(std::int32_t block) const { return block_begin[static_cast<std::size_t>(block) + 1]; }

  // Threads, at most n_threads, that are worth waking for the given blocks.
  int threads_for(std::span<const std::int32_t> blocks, int n_threads) const;
};

// The blocks of each round of one epoch: blocks[round * n_groups + i]. Blocks of a round share no column of
// either grid field. Permuted by `rng` unless null.
std::vector<std::int32_t> order_blocks(int n_groups, const CounterRng* rng);

// Training rows on their way into blocks. `grid` null: one block. `pairs`: every row is its two grid features and
// nothing else.
struct ScheduledRows {
  const TrainingData& data;
  const Grid* grid = nullptr;
  bool pairs = false;
};

// Groups the rows in `order` by block, keeping their order inside each.
void schedule_rows(const ScheduledRows& rows, std::span<const RowNumber> order, int n_threads, Control& control,
                   Schedule& schedule);

// Rows in the order in which negatives are drawn for them: grouped by the group of their first column, so that the
// seen items of a group's users stay in the cache. All that an epoch reads of a row stands in this order.
class DrawingRows {
 public:
  DrawingRows(const ScheduledRows& rows, std::span<const RowNumber> order, int n_threads, Control& control);

  // The schedule of one epoch: each row of target 1 is followed by its negatives, each in the block of its item.
  void schedule(const NegativeSampler& sampler, std::uint64_t epoch, int n_threads, Control& control,
                Schedule& schedule);

 private:
  // A negative, or the row itself, at a place of the schedule.
  void put(Schedule& schedule, std::int64_t place, std::size_t at, std::int32_t item) const;

  int n_groups_ = 1;
  bool pairs_ = false;
  std::vector<std::int64_t> begin_;         // of each group's rows
  Buffer<RowNumber> row_;
  Buffer<std::int32_t> user_;               // -1: no negatives for this row
  Buffer<std::uint8_t> second_group_;
  Buffer<PairRow> pair_;                    // empty unless all rows are pairs
  Buffer<float> weight_;                    // ... empty: all 1
  std::vector<std::uint8_t> group_of_item_;
  std::vector<std::uint32_t> number_of_item_;  // of its column in its group
  std::uint32_t second_mask_ = 0;
  Buffer<std::int32_t> drawn_;               // of each row its negatives of this epoch, -1: none
};

}  // namespace factorec
