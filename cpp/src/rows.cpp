#include "factorec/rows.hpp"

#include <stdexcept>
#include <string>

#include "factorec/validation.hpp"

namespace factorec {

void check_rows(const Rows& rows) {
  for (std::size_t b = 0; b < rows.blocks.size(); ++b) {
    const RowBlock& block = rows.blocks[b];
    const std::string name = "block " + std::to_string(b) + ": ";
    if (block.entities.n_columns != rows.n_features)
      throw std::invalid_argument(name + "has " + std::to_string(block.entities.n_columns) + " columns, expected " +
                                  std::to_string(rows.n_features));
    check_csr(block.entities);
    const std::int64_t n_entities = block.entities.n_rows();
    if (block.index.size() == 0) {
      if (n_entities != rows.n_rows)
        throw std::invalid_argument(name + "has " + std::to_string(n_entities) + " rows, expected " +
                                    std::to_string(rows.n_rows));
      continue;
    }
    if (static_cast<std::int64_t>(block.index.size()) != rows.n_rows)
      throw std::invalid_argument(name + "the index has " + std::to_string(block.index.size()) + " entries, expected " +
                                  std::to_string(rows.n_rows));
    for (std::int64_t row = 0; row < rows.n_rows; ++row) {
      const std::int64_t entity = block.index[static_cast<std::size_t>(row)];
      if (entity < 0 || entity >= n_entities)
        throw std::invalid_argument(name + "index[" + std::to_string(row) + "] is " + std::to_string(entity) +
                                    ", outside 0.." + std::to_string(n_entities - 1));
    }
  }
}

std::vector<double> feature_weights(const Rows& rows, std::span<const float> weights) {
  std::vector<double> sums(static_cast<std::size_t>(rows.n_features), 0.0);
  const auto weight = [&](std::int64_t row) { return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(row)]; };
  for (const RowBlock& block : rows.blocks) {
    // Per entity first: an entity's features are then visited once, however often it occurs.
    std::vector<double> of_entity(static_cast<std::size_t>(block.entities.n_rows()), 0.0);
    for (std::int64_t row = 0; row < rows.n_rows; ++row)
      of_entity[static_cast<std::size_t>(block.entity(row))] += weight(row);
    for (std::int64_t entity = 0; entity < block.entities.n_rows(); ++entity)
      Rows::visit_entity(block, entity, [&](std::int64_t column, float) {
        sums[static_cast<std::size_t>(column)] += of_entity[static_cast<std::size_t>(entity)];
      });
  }
  return sums;
}

}  // namespace factorec
