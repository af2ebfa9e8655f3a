// The two fields that training rows are cut into blocks by.
#pragma once

#include <optional>
#include <vector>

#include "factorec/buffer.hpp"
#include "factorec/control.hpp"
#include "factorec/rows.hpp"

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
std::optional<GridFields> choose_grid(const Rows& rows, const std::vector<Field>& candidates, int n_threads,
                                      Control& control);

// Columns dealt to a number of groups so that their counts balance, and their numbers in group order.
struct Deal {
  std::vector<std::uint8_t> group;      // of each column
  std::vector<std::int32_t> position;   // of each column: its rank by (group, order of dealing)
};

// Longest-processing-time dealing: columns by descending count (ties: lower column first), each to the lightest
// group (ties: lower group first).
Deal deal_columns(const std::vector<std::int64_t>& counts, int n_groups);

// Where each row falls in the grid.
struct Grid {
  GridFields fields;
  Buffer<std::int32_t> first;                // local column of each row in fields.first
  Buffer<std::int32_t> second;               // ... in fields.second
  std::vector<std::int32_t> second_of_item;  // ... of each entity of the last block, -1 where it has none
  Deal first_deal;
  Deal second_deal;
  int n_groups = 1;
};

// Builds the grid: 8 groups a side below 2^20 rows, else 16.
Grid build_grid(const Rows& rows, const GridFields& fields, int n_threads, Control& control);

}  // namespace factorec
