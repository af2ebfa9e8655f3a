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
  std::vector<std::int32_t> group_begin;  // the position of each group's first column; then the number of columns

  // A column's number in its group.
  std::uint32_t number(std::size_t column) const {
    return static_cast<std::uint32_t>(position[column] - group_begin[group[column]]);
  }
  std::int32_t largest_group() const;
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
  // Both columns of a row fit 32 bits by their numbers in their groups: the second's in the lowest `second_bits`.
  bool pairs_fit = false;
  int second_bits = 0;

  std::uint32_t pair(std::size_t first_column, std::size_t second_column) const {
    return first_deal.number(first_column) << second_bits | second_deal.number(second_column);
  }
};

// Builds the grid: 8 groups a side below 2^20 rows, else 16.
Grid build_grid(const Rows& rows, const GridFields& fields, int n_threads, Control& control);

}  // namespace factorec
