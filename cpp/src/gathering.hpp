// The entries of scheduled rows, brought together for the kernels.
#pragma once

#include <cstdint>
#include <vector>

#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "kernels/training_kernel.hpp"
#include "schedule.hpp"

namespace factorec {

constexpr std::int64_t kChunkRows = 128;  // rows that are gathered at once, a multiple of the kernels' groups

// Entries of up to kChunkRows rows, flat, as the kernels read them.
struct GatheredRows {
  std::int64_t n_rows = 0;
  std::int64_t n_entries = 0;
  std::int64_t begin[kChunkRows + 1] = {};
  std::vector<std::int32_t> feature;  // place in the table after the first one that is gathered
  std::vector<float> value;           // without meaning where all values are 1
  std::vector<std::uint8_t> row;      // of each entry: its row's number in the group
  bool ones = true;

  EntryList list() const { return {begin, feature.data(), ones ? nullptr : value.data(), row.data()}; }
};

// Brings the rows of a schedule into the order in which they are visited, but for their features: these are listed
// once per entity and copied from there chunk by chunk. Rows of a flat matrix are read where they are.
class Gathering {
 public:
  // Only entries of features at places of the table from `first_place` on are gathered. Grid null: without one.
  Gathering(const TrainingData& data, const FeatureTable& table, const Grid* grid, std::int64_t first_place);

  // Takes the rows of a schedule over and empties its own lists of rows.
  void follow(Schedule& schedule, int n_threads, Control& control);

  const GroupRow* rows() const { return rows_.data(); }
  // Of each place, or null: all 1.
  const float* weights() const { return weights_.empty() ? nullptr : weights_.data(); }

  // Gathers rows at places from `begin` on, not beyond `end`: whole groups, until there is work for a while.
  void gather(std::int64_t begin, std::int64_t end, GatheredRows& out) const;

 private:
  // A block of every row's entries. Lists belong to a feature of the grid where that tells the entity, else to the
  // entities themselves.
  struct Source {
    enum class Key { first, second, entity } key = Key::entity;
    bool flat = false;                  // each row is its own entity: no lists
    const RowBlock* block = nullptr;
    std::vector<std::int64_t> begin;    // list i: [begin[i], begin[i + 1])
    std::vector<std::int32_t> feature;
    std::vector<float> value;           // empty: all 1
    std::vector<std::uint32_t> entity;  // of each place of the schedule, where it is the key
    bool exceeds_cache = false;         // worth asking for ahead of time
  };

  void find_key(Source& source) const;
  void list_features(Source& source) const;
  std::size_t list_at(const Source& source, std::int64_t place) const;
  void prefetch(const Source& source, std::int64_t place, std::int64_t end) const;
  void touch(const Source& source, std::int64_t begin, std::int64_t end) const;
  std::int64_t append(const Source& source, std::int64_t place, std::int64_t n, GatheredRows& out) const;
  std::int64_t append_flat(const Source& source, std::int64_t place, std::int64_t n, GatheredRows& out) const;

  const TrainingData& data_;
  const FeatureTable& table_;
  const Grid* grid_;
  std::int64_t first_place_;
  bool ones_ = true;
  std::vector<Source> sources_;  // in the order of the blocks
  std::vector<GroupRow> rows_;
  std::vector<float> weights_;
};

}  // namespace factorec
