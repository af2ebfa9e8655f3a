// Random rows in blocks, with their arrays.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "factorec/rng.hpp"
#include "factorec/rows.hpp"

namespace factorec::testing {

// One block: `n_entities` rows of `per_entity` distinct columns out of [start, stop).
struct BlockShape {
  std::int64_t n_entities;
  std::int64_t start, stop;
  int per_entity = 1;
  bool ones = true;
};

class RandomRows {
 public:
  RandomRows(std::int64_t n_rows, const std::vector<BlockShape>& shapes, std::uint64_t seed) {
    rows.n_rows = n_rows;
    for (std::size_t b = 0; b < shapes.size(); ++b) {
      add(shapes[b], CounterRng(seed).fork(b));
      rows.n_features = std::max(rows.n_features, shapes[b].stop);
    }
    for (RowBlock& block : rows.blocks) block.entities.n_columns = rows.n_features;
  }

  Rows rows;

 private:
  struct Arrays {
    std::vector<std::int32_t> indptr{0}, indices, index;
    std::vector<float> values;
  };

  void add(const BlockShape& shape, const CounterRng& rng) {
    auto arrays = std::make_unique<Arrays>();
    const std::int64_t width = shape.stop - shape.start;
    for (std::int64_t entity = 0; entity < shape.n_entities; ++entity) {
      for (int i = 0; i < shape.per_entity; ++i) {
        // One-hot blocks are identities as far as they go; others spread their columns without repeats.
        const std::int64_t column = (entity + i * (width / shape.per_entity)) % width;
        arrays->indices.push_back(static_cast<std::int32_t>(shape.start + column));
        if (!shape.ones)
          arrays->values.push_back(static_cast<float>(0.5 * rng.fork(1).normal(arrays->indices.size())));
      }
      arrays->indptr.push_back(static_cast<std::int32_t>(arrays->indices.size()));
    }
    for (std::int64_t row = 0; row < rows.n_rows; ++row)
      arrays->index.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint64_t>(shape.n_entities), row)));
    rows.blocks.push_back({{arrays->index.data(), arrays->index.size()},
                           {{arrays->indptr.data(), arrays->indptr.size()},
                            {arrays->indices.data(), arrays->indices.size()},
                            arrays->values,
                            shape.stop}});
    owned_.push_back(std::move(arrays));
  }

  std::vector<std::unique_ptr<Arrays>> owned_;
};

}  // namespace factorec::testing
