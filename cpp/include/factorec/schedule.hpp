// In which order one epoch visits the rows.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "factorec/control.hpp"
#include "factorec/rows.hpp"
#include "factorec/sampling.hpp"

namespace factorec {

// A range of columns.
struct Field {
  std::int64_t start = 0;
  std::int64_t stop = 0;
  std::int64_t size() const { return stop - start; }
};

// Two fields of which every row has exactly one entry each, of value 1; `first` has the lower columns.
struct GridFields {
  Field first;
  Field second;
};

// The two one-hot fields with the most columns among `candidates`. Without candidates: rows of equal length
// with values 1 whose columns at each position keep to disjoint ranges; the two widest ranges. Throws
// std::invalid_argument where the chosen candidates overlap or leave the columns.
std::optional<GridFields> choose_grid(const Rows& rows, const std::vector<Field>& candidates);

// Columns dealt to a number of groups so that their counts balance, and their numbers in group order.
struct Deal {
  std::vector<std::uint8_t> group;      // of each column
  std::vector<std::int32_t> position;   // of each column: its rank by (group, order of dealing)
};

// Longest-processing-time dealing: columns by descending count (ties: lower column first), each to the lightest
// group (ties: lower group first).
Deal deal_columns(const std::vector<std::int64_t>& counts, int n_groups);

// Rows grouped into blocks that an epoch visits in rounds. Without a grid there is one block in one round.
struct Schedule {
  int n_groups = 1;                          // per side: n_groups rounds of n_groups blocks
  std::vector<std::int64_t> block_begin;     // (n_groups^2 + 1,), block (p, q) at p * n_groups + q
  std::vector<std::int64_t> row;             // the row visited at each place
  std::vector<std::int32_t> negative_item;   // its item entity instead of the row's own, -1: its own; or empty

  std::int64_t size() const { return block_begin.empty() ? 0 : block_begin.back(); }
  std::int64_t begin(std::int32_t block) const { return block_begin[static_cast<std::size_t>(block)]; }
  std::int64_t end(std::int32_t block) const { return block_begin[static_cast<std::size_t>(block) + 1]; }

  // Threads, at most n_threads, that are worth waking for the given blocks.
  int threads_for(std::span<const std::int32_t> blocks, int n_threads) const;
};

// The blocks of each round of one epoch: blocks[round * n_groups + i]. Blocks of a round share no column of
// either grid field. Permuted by `rng` unless null.
std::vector<std::int32_t> order_blocks(int n_groups, const CounterRng* rng);

// Where each row falls in the grid.
struct Grid {
  GridFields fields;
  std::vector<std::int32_t> first;           // local column of each row in fields.first
  std::vector<std::int32_t> second;          // ... in fields.second
  std::vector<std::int32_t> second_of_item;  // ... of each entity of the last block, -1 where it has none
  Deal first_deal;
  Deal second_deal;
  int n_groups = 1;
};

// Builds the grid: 8 groups a side below 2^20 rows, else 16.
Grid build_grid(const Rows& rows, const GridFields& fields, Control& control);

// The negatives of one epoch, for the rows of target 1.
struct EpochNegatives {
  NegativeSampler::Epoch draws;
  std::int64_t per_positive = 0;
  std::span<const float> target;
};

// Groups `order` (row numbers) by block, keeping their order inside each. With `negatives`, each positive row is
// followed by its own, each in the block of its item. `grid` null: one block.
Schedule build_schedule(const Rows& rows, const Grid* grid, const std::vector<std::int64_t>& order,
                        const EpochNegatives* negatives, int n_threads, Control& control);

}  // namespace factorec
