#include "factorec/rows.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "factorec/validation.hpp"
#include "finding.hpp"

namespace factorec {

bool check_rows(const Rows& rows, int n_threads, Control& control) {
  bool all_ones = true;
  for (std::size_t b = 0; b < rows.blocks.size(); ++b) {
    const RowBlock& block = rows.blocks[b];
    const std::string name = "block " + std::to_string(b) + ": ";
    if (block.entities.n_columns != rows.n_features)
      throw std::invalid_argument(name + "has " + std::to_string(block.entities.n_columns) + " columns, expected " +
                                  std::to_string(rows.n_features));
    all_ones = check_csr(block.entities, n_threads, control).all_ones && all_ones;
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
    const std::int64_t row = with_array(block.index, [&](const auto* index) {
      const auto bad = [&](std::int64_t r) { return (index[r] < 0) | (index[r] >= n_entities); };
      return find_first(
          rows.n_rows, n_threads, control,
          [&](std::int64_t begin, std::int64_t end) {
            bool any = false;
            for (std::int64_t r = begin; r < end; ++r) any |= bad(r);
            return any;
          },
          bad);
    });
    if (row < rows.n_rows)
      throw std::invalid_argument(name + "index[" + std::to_string(row) + "] is " + std::to_string(block.entity(row)) +
                                  ", outside 0.." + std::to_string(n_entities - 1));
  }
  return all_ones;
}

std::vector<double> feature_weights(const Rows& rows, std::span<const float> weights, int n_threads, Control& control) {
  std::vector<double> sums(static_cast<std::size_t>(rows.n_features), 0.0);
  for (const RowBlock& block : rows.blocks) {
    const bool by_entity = block.index.size() != 0;
    // With an index: per entity first, whose features are then visited once, however often it occurs.
    const std::int64_t n_bins = by_entity ? block.entities.n_rows() : rows.n_features;
    // No more bins in all than rows, so that sparse ones cost no more than the rows do.
    const std::int64_t n_parts = std::clamp<std::int64_t>(rows.n_rows / std::max<std::int64_t>(1, n_bins), 1, 16);
    const Chunks parts(rows.n_rows, (rows.n_rows + n_parts - 1) / n_parts);
    std::vector<std::vector<double>> of_part(static_cast<std::size_t>(parts.count()));
    parallel_for(parts.count(), n_threads, control, [&](std::int64_t part, int) {
      std::vector<double>& bins = of_part[static_cast<std::size_t>(part)];
      bins.assign(static_cast<std::size_t>(n_bins), 0.0);
      for (std::int64_t begin = parts.begin(part); begin < parts.end(part); begin += Chunks::kSize) {
        if (control.stop()) return;
        const std::int64_t end = std::min(begin + Chunks::kSize, parts.end(part));
        for (std::int64_t row = begin; row < end; ++row) {
          const double weight = weights.empty() ? 1.0 : weights[static_cast<std::size_t>(row)];
          if (by_entity)
            bins[static_cast<std::size_t>(block.index[static_cast<std::size_t>(row)])] += weight;
          else
            Rows::visit_entity(block, row, [&](std::int64_t column, float) {
              bins[static_cast<std::size_t>(column)] += weight;
            });
        }
      }
    });
    std::vector<double> total(static_cast<std::size_t>(n_bins), 0.0);
    for (const std::vector<double>& bins : of_part)
      for (std::size_t bin = 0; bin < bins.size(); ++bin) total[bin] += bins[bin];
    if (!by_entity) {
      for (std::size_t feature = 0; feature < sums.size(); ++feature) sums[feature] += total[feature];
      continue;
    }
    for (std::int64_t entity = 0; entity < n_bins; ++entity)
      Rows::visit_entity(block, entity, [&](std::int64_t column, float) {
        sums[static_cast<std::size_t>(column)] += total[static_cast<std::size_t>(entity)];
      });
  }
  return sums;
}

}  // namespace factorec
