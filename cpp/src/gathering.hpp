// The entries of a group of rows, brought together for the group kernel.
#pragma once

#include <cstdint>
#include <vector>

#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "gradient_sums.hpp"
#include "kernels/training_kernel.hpp"
#include "schedule.hpp"

namespace factorec {

constexpr std::int64_t kGroupRows = 16;  // rows whose scores are taken at once

// Entries of up to 16 rows, flat, as the group kernel reads them.
struct GatheredEntries {
  std::vector<std::int64_t> feature;
  std::vector<float> value;
  std::int32_t begin[kGroupRows + 1] = {};

  // Room for `n` entries; what is beyond those of the last row has no meaning.
  void reserve(std::size_t n) {
    if (feature.size() >= n) return;
    feature.resize(n);
    value.resize(n);
  }
  EntryList list() const { return {begin, feature.data(), value.data()}; }
};

// Entries [begin, end) of one entity.
struct EntitySpan {
  std::int64_t begin;
  std::int64_t end;
};

struct GatheredRows {
  std::vector<EntitySpan> spans;  // of each row's entity in each block
  GatheredEntries frozen;
  GatheredEntries live;
  std::vector<std::int32_t> slot;  // of each frozen entry
  float target[kGroupRows] = {};
  float weight[kGroupRows] = {};
  std::int32_t n_rows = 0;
};

// Gathers the rows at places [begin, end) of the schedule, at most kGroupRows. Features at places of the table below
// `n_live_features` are live; each of the others gets a slot in `gradients` and is counted there.
void gather_rows(const TrainingData& data, const Schedule& schedule, const FeatureTable& table,
                 std::int64_t n_live_features, std::int64_t begin, std::int64_t end, GradientSums& gradients,
                 GatheredRows& rows);

}  // namespace factorec
