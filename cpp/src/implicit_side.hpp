// Queries or items of implicit ALS: their features, their vectors and what was observed of them.
#pragma once

#include <cstdint>
#include <vector>

#include "factorec/implicit_als.hpp"
#include "gradient_sums.hpp"

namespace factorec {

using AlignedVector = std::vector<float, AlignedAllocator<float>>;

struct ImplicitSide {
  struct Entry {
    std::int32_t at;  // an entity or a feature, from first_column on
    float value;
  };

  std::int64_t n_entities = 0;
  std::int64_t first_column = 0;
  std::int64_t n_features = 0;
  std::int64_t padded = 0;                  // factors with zeros up to whole SIMD vectors of any level
  bool ids = false;                         // every feature is of one entity at most, its only one, with the value 1
  std::vector<std::int64_t> feature_begin;  // entities by feature
  std::vector<Entry> of_feature;
  std::vector<std::int64_t> entity_begin;   // features by entity
  std::vector<Entry> of_entity;
  std::vector<std::int64_t> pair_begin;     // observed pairs by entity
  std::vector<std::int32_t> partner;        // ... the entity of the other side
  std::vector<float> weight;
  std::vector<std::int64_t> unit;           // where each unit of parallel work begins among the entities, and the end
  std::vector<float> exposure;              // of entities; empty: all 1
  std::vector<float> penalty;               // of features
  AlignedVector table;                      // factors of features; empty for ids
  AlignedVector vectors;                    // sum of x V of each entity

  std::int64_t n_pairs(std::int64_t e) const {
    return pair_begin[static_cast<std::size_t>(e) + 1] - pair_begin[static_cast<std::size_t>(e)];
  }
  float exposure_of(std::int64_t e) const { return exposure.empty() ? 1.0f : exposure[static_cast<std::size_t>(e)]; }
  float* vector(std::int64_t e) { return vectors.data() + e * padded; }
  const float* vector(std::int64_t e) const { return vectors.data() + e * padded; }
  // The feature of an entity of a side of ids, -1: none.
  std::int64_t id_of(std::int64_t e) const {
    const auto begin = static_cast<std::size_t>(entity_begin[static_cast<std::size_t>(e)]);
    return n_features && entity_begin[static_cast<std::size_t>(e) + 1] > entity_begin[static_cast<std::size_t>(e)]
               ? of_entity[begin].at
               : -1;
  }

  // vectors := sums of x times rows of `factors`, which has a row for each feature.
  void sum_features(const AlignedVector& factors, AlignedVector& sums, int n_threads, Control& control) const;
  // sums := of each feature, sums of x times rows of `of_entities`.
  void sum_entities(const AlignedVector& of_entities, AlignedVector& sums, int n_threads, Control& control) const;
};

struct ImplicitSides {
  ImplicitSide queries, items;
};

// Checks everything and brings it into form.
ImplicitSides make_implicit_sides(const ImplicitAlsData& data, const ImplicitAlsOptions& options, ConstMatrix factors,
                                  Control& control);

}  // namespace factorec
