// The rows of a Gibbs sampler: by entity of each block, and entities by feature.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "factorec/control.hpp"
#include "factorec/gibbs.hpp"
#include "gradient_sums.hpp"

namespace factorec {

using AlignedVector = std::vector<float, AlignedAllocator<float>>;

// Features that share a prior.
struct PriorField {
  Field columns;
  bool one_hot = true;                 // no entity has two of its features
  std::vector<float> mean, precision;  // of the prior, (padded,)
};

// A part of every row, as in Rows.
struct GibbsBlock {
  struct Entry {
    std::int32_t entity;
    float value;
  };

  std::int64_t n_entities = 0;
  std::span<PriorField> fields;             // their columns follow each other
  bool ids = false;                         // one field, each entity has one feature and each feature one entity at most
  std::vector<std::int64_t> row_begin;      // rows by entity
  std::vector<std::int32_t> row;            // ... their places; empty: one after the other
  std::vector<std::int32_t> entity;         // of the row at each place
  std::vector<std::int64_t> feature_begin;  // entries by feature, from the first column of the first field
  std::vector<Entry> entry;
  std::vector<std::int32_t> id;             // of ids: each entity's feature from the first column on, -1: none
  std::vector<std::int64_t> unit;           // where each unit of parallel work begins among the entities, and the end
  AlignedVector sum;                        // [sum of x V, 1, 0 ...] of each entity, (n_entities, padded)
  AlignedVector gram, moment, change;       // of each entity, see feature_draws.cpp; empty for ids
  std::vector<float> noise;                 // each entity's factor of its rows' noise precision; empty: all 1

  std::int64_t first_column() const { return fields.empty() ? 0 : fields.front().columns.start; }
  std::int64_t n_columns() const { return static_cast<std::int64_t>(feature_begin.size()) - 1; }
  std::span<const Entry> entries(std::int64_t column) const {
    const auto at = static_cast<std::size_t>(column);
    return {entry.data() + feature_begin[at], entry.data() + feature_begin[at + 1]};
  }
  std::int64_t n_rows(std::int64_t e) const {
    return row_begin[static_cast<std::size_t>(e) + 1] - row_begin[static_cast<std::size_t>(e)];
  }
  float noise_of(std::int64_t e) const { return noise.empty() ? 1.0f : noise[static_cast<std::size_t>(e)]; }
};

// Everything that a sweep changes. Rows are at places in the order of the first block's entities.
struct GibbsModel {
  GibbsModel() = default;
  GibbsModel(GibbsModel&&) = default;  // blocks look into `fields`: no copies

  std::int64_t size = 0;    // of a feature's vector: factors and linear weight
  std::int64_t padded = 0;  // ... with zeros up to whole SIMD vectors
  std::int64_t n_rows = 0;
  std::int64_t n_features = 0;
  bool bipartite = false;
  double bias = 0;
  double precision = 1;           // of the noise, before the factors of entities
  AlignedVector table;            // [V_f, w_f, 0 ...] of each feature
  std::vector<PriorField> fields;
  std::vector<GibbsBlock> blocks;
  std::vector<float> target;      // by place
  std::vector<float> weight;      // by place, in this sweep; empty: all 1
  std::vector<float> residual;    // by place
  std::vector<float> spread;      // by place: of the draws that a residual is the mean of, mean square around it; or empty

  float* feature(std::int64_t f) { return table.data() + f * padded; }
  const float* feature(std::int64_t f) const { return table.data() + f * padded; }
  const float* sum(std::size_t block, std::int64_t e) const { return blocks[block].sum.data() + e * padded; }
  // Whether the pairs of features of two blocks count.
  bool pairs(std::size_t b, std::size_t c) const {
    return b != c && (!bipartite || b + 1 == blocks.size() || c + 1 == blocks.size());
  }
};

// Checks everything and brings it into form; residuals are target - score.
GibbsModel make_gibbs_model(const GibbsData& data, const GibbsOptions& options, double bias,
                            std::span<const float> linear, ConstMatrix factors, Control& control);

}  // namespace factorec
