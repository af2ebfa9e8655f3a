// What a ranking kernel must offer; see ranking_kernel.inc.
#pragma once

#include <cstdint>

#include "kernels/training_kernel.hpp"

namespace factorec {

// Vectors of entities: each the sum of its features' parts, and its offset, its score with an empty query.
struct EntityVectors {
  GroupJob features;                     // table and entries; the rest has no meaning
  const std::int32_t* entity = nullptr;  // whose entries, of each slot
  std::int64_t first = 0, end = 0;       // slots
  float* vectors = nullptr;              // of slot 0; padded factors each
  float* offsets = nullptr;
};

// A row of a batch: a query, its positive item and the candidates for its negatives.
struct RankedRow {
  std::int32_t vectors = 0;             // vectors of factors
  const float* entities = nullptr;      // EntityVectors::vectors
  const float* offsets = nullptr;
  const std::int32_t* query = nullptr;  // slots that the query is the sum of
  std::int32_t n_query = 0;
  const std::int32_t* item = nullptr;   // slots: the positive's, then the candidates'
  std::int32_t n_items = 0;
  float weight = 1;
  std::int64_t n_unseen = 0;            // items that the candidates were drawn from (WARP)
  float* query_vector = nullptr;        // out: padded factors
  float* query_gradient = nullptr;      // out: padded factors
  float* slopes = nullptr;              // out, of each item: of the weighted loss; room for n_items + kGroupRows
};

// What belongs to an entity: a vector of the batch times a slope.
struct Touch {
  std::uint32_t vector;
  float slope;
};

// Sums over the touches of entities in the form that a merged step takes them in, as of a feature of value 1.
struct EntitySums {
  std::int32_t vectors = 0;
  const float* touched = nullptr;       // vector 0 of the batch: the queries', then their gradients
  const float* weights = nullptr;       // of each of these vectors
  const Touch* touches = nullptr;
  const std::int64_t* begin = nullptr;  // touches of slot i: [begin[i], begin[i + 1])
  std::int64_t first = 0, end = 0;      // slots
  std::int64_t first_item = 0;          // slots below are of queries, whose own terms cancel
  const float* entities = nullptr;      // EntityVectors::vectors
  float* sums = nullptr;                // of slot 0: see SumOffset
  std::int64_t sum_stride = 0;
};

struct RankingKernels {
  void (*entity_vectors)(const EntityVectors&);
  // Indexed by [loss]; returns the loss, not weighted.
  float (*ranked_row[3])(const RankedRow&);
  void (*entity_sums)(const EntitySums&);
  // to += the sums `from` of an entity, for a feature that it holds with value x.
  void (*add_entity)(const float* from, float x, std::int32_t vectors, float* to);
};

}  // namespace factorec
