// The rows of a design matrix, flat or put together from blocks.
#pragma once

#include <vector>

#include "factorec/control.hpp"
#include "factorec/views.hpp"

namespace factorec {

// A part of every row: row r holds row index[r] of `entities`, or row r itself where there is no index.
struct RowBlock {
  IndexView index;
  CsrView entities;

  std::int64_t entity(std::int64_t row) const {
    return index.size() ? index[static_cast<std::size_t>(row)] : row;
  }
};

// Row r is the blocks' parts one after the other. Everything that reads rows sums entry by entry in this
// order, so that a flat matrix and the same rows in blocks give the same bits.
struct Rows {
  std::vector<RowBlock> blocks;
  std::int64_t n_rows = 0;
  std::int64_t n_features = 0;

  // Calls visit(column, value) for each entry of a row.
  template <class Visit>
  void for_each(std::int64_t row, Visit&& visit) const {
    for (const RowBlock& block : blocks) visit_entity(block, block.entity(row), visit);
  }

  template <class Visit>
  static void visit_entity(const RowBlock& block, std::int64_t entity, Visit&& visit) {
    for (std::int64_t e = block.entities.begin(entity); e < block.entities.end(entity); ++e)
      visit(block.entities.column(e), block.entities.value(e));
  }
};

// Throws std::invalid_argument where a block is not sound: a bad CSR, an index outside its entities or of the
// wrong length. All later access is then within bounds. Returns whether every stored value is 1.
bool check_rows(const Rows& rows, int n_threads, Control& control);

// Sum of `weights` (1 where empty) over the rows in which each feature is stored, (n_features,). Rows are cut into
// parts whose number depends on the sizes alone, and the parts' sums added in order.
std::vector<double> feature_weights(const Rows& rows, std::span<const float> weights, int n_threads, Control& control);

}  // namespace factorec
