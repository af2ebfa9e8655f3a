// Negatives drawn and grouped by block each epoch.
#include <algorithm>
#include <stdexcept>

#include "factorec/chunks.hpp"
#include "schedule.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsPerChunk = 4096;
constexpr std::size_t kAhead = 8;  // rows whose users' seen items are asked for ahead of time

}  // namespace

DrawingRows::DrawingRows(const ScheduledRows& rows, std::span<const RowNumber> order, int n_threads, Control& control)
    : n_groups_(rows.grid ? rows.grid->n_groups : 1), pairs_(rows.pairs) {
  const Grid* grid = rows.grid;
  const TrainingData& data = rows.data;
  const std::size_t n = order.size();
  const std::size_t n_items = static_cast<std::size_t>(data.rows.blocks.back().entities.n_rows());
  group_of_item_.assign(n_items, 0);
  if (grid) {
    number_of_item_.resize(n_items);
    second_mask_ = (std::uint32_t{1} << grid->second_bits) - 1;
    for (std::size_t item = 0; item < n_items; ++item) {
      const std::int32_t column = grid->second_of_item[item];
      if (column < 0) throw std::invalid_argument("negatives need item ids in the last block");
      group_of_item_[item] = grid->second_deal.group[static_cast<std::size_t>(column)];
      number_of_item_[item] = grid->second_deal.number(static_cast<std::size_t>(column));
    }
  }
  row_.resize(n);
  user_.resize(n);
  second_group_.resize(n);
  pair_.resize(pairs_ ? n : 0);
  weight_.resize(pairs_ && !data.weight.empty() ? n : 0);

  const RowBlock& users = data.rows.blocks.front();
  const auto column_of = [&](std::int64_t i) { return static_cast<std::size_t>(order[static_cast<std::size_t>(i)]); };
  const auto key = [&](std::int64_t i) {
    return grid ? grid->first_deal.group[static_cast<std::size_t>(grid->first[column_of(i)])] : std::uint8_t{0};
  };
  begin_ = group_stably(static_cast<std::int64_t>(n), n_groups_, n_threads, control, key,
                        [&](std::int64_t place, std::int64_t i) {
                          const std::size_t row = column_of(i);
                          const auto at = static_cast<std::size_t>(place);
                          row_[at] = static_cast<RowNumber>(row);
                          user_[at] = data.target[row] == 1.0f ? static_cast<std::int32_t>(users.entity(
                                                                     static_cast<std::int64_t>(row)))
                                                               : -1;
                          second_group_[at] = 0;
                          if (!grid) return;
                          const auto first = static_cast<std::size_t>(grid->first[row]);
                          const auto second = static_cast<std::size_t>(grid->second[row]);
                          second_group_[at] = grid->second_deal.group[second];
                          if (!pairs_) return;
                          pair_[at] = {grid->pair(first, second), data.target[row]};
                          if (!weight_.empty()) weight_[at] = data.weight[row];
                        });
}

void DrawingRows::put(Schedule& schedule, std::int64_t place, std::size_t at, std::int32_t item) const {
  const auto to = static_cast<std::size_t>(place);
  if (!pairs_) {
    schedule.row[to] = row_[at];
    schedule.negative_item[to] = item;
    return;
  }
  PairRow pair = pair_[at];
  if (item >= 0) {
    pair.columns = (pair.columns & ~second_mask_) | number_of_item_[static_cast<std::size_t>(item)];
    pair.target = 0.0f;
  }
  schedule.pair[to] = pair;
  if (!weight_.empty()) schedule.pair_weight[to] = weight_[at];
}

void DrawingRows::schedule(const NegativeSampler& sampler, std::uint64_t epoch, int n_threads, Control& control,
                           Schedule& schedule) {
  const NegativeSampler::Epoch draws = sampler.epoch(epoch);
  const auto m = static_cast<std::size_t>(sampler.per_positive());
  const std::size_t n = row_.size();
  schedule.n_groups = n_groups_;
  drawn_.resize(n * m);

  // Chunks keep to one group of rows, so that a chunk has n_groups_ blocks to count and to write to.
  struct Chunk {
    int group;
    std::size_t begin, end;
  };
  std::vector<Chunk> chunks;
  std::vector<std::int64_t> first_chunk;
  for (int group = 0; group < n_groups_; ++group) {
    first_chunk.push_back(static_cast<std::int64_t>(chunks.size()));
    const std::int64_t end = begin_[static_cast<std::size_t>(group) + 1];
    for (std::int64_t at = begin_[static_cast<std::size_t>(group)]; at < end; at += kRowsPerChunk)
      chunks.push_back({group, static_cast<std::size_t>(at), static_cast<std::size_t>(std::min(at + kRowsPerChunk, end))});
  }
  first_chunk.push_back(static_cast<std::int64_t>(chunks.size()));

  // First every draw is made and counted, then written where the counts say.
  const auto n_chunks = static_cast<std::int64_t>(chunks.size());
  GroupPlaces places(n_chunks, n_groups_);
  parallel_for(n_chunks, n_threads, control, [&](std::int64_t c, int) {
    const Chunk& chunk = chunks[static_cast<std::size_t>(c)];
    std::int64_t* count = places.of_chunk(c);
    for (std::size_t at = chunk.begin; at < chunk.end; ++at) {
      if (at + kAhead < chunk.end) draws.prefetch(user_[at + kAhead]);
      ++count[second_group_[at]];
      if (user_[at] < 0) continue;
      std::int32_t* items = drawn_.data() + at * m;
      if (!draws.draw_all(user_[at], row_[at], items)) {
        items[0] = -1;  // the user has seen every item
        continue;
      }
      for (std::size_t j = 0; j < m; ++j) ++count[group_of_item_[static_cast<std::size_t>(items[j])]];
    }
  });

  schedule.block_begin.assign(1, 0);
  for (std::size_t group = 0; group < static_cast<std::size_t>(n_groups_); ++group) {
    const auto begin = places.place(first_chunk[group], first_chunk[group + 1], schedule.block_begin.back());
    schedule.block_begin.insert(schedule.block_begin.end(), begin.begin() + 1, begin.end());
  }
  const auto size = static_cast<std::size_t>(schedule.size());
  schedule.pair.resize(pairs_ ? size : 0);
  schedule.pair_weight.resize(weight_.empty() ? 0 : size);
  schedule.row.resize(pairs_ ? 0 : size);
  schedule.negative_item.resize(pairs_ ? 0 : size);
  parallel_for(n_chunks, n_threads, control, [&](std::int64_t c, int) {
    const Chunk& chunk = chunks[static_cast<std::size_t>(c)];
    std::int64_t* next = places.of_chunk(c);
    for (std::size_t at = chunk.begin; at < chunk.end; ++at) {
      put(schedule, next[second_group_[at]]++, at, -1);
      if (user_[at] < 0) continue;
      const std::int32_t* items = drawn_.data() + at * m;
      for (std::size_t j = 0; j < m && items[j] >= 0; ++j)
        put(schedule, next[group_of_item_[static_cast<std::size_t>(items[j])]]++, at, items[j]);
    }
  });
}

}  // namespace factorec
