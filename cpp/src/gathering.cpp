#include "gathering.hpp"

#include <iterator>

namespace factorec {
namespace {

constexpr std::int64_t kEntriesPerLine = 8;  // a cache line holds at least so many column numbers

}  // namespace

// Rows and their entities are scattered over memory. What is read is therefore asked for step by step for all rows
// of the group, so that they wait together, not one after the other: entities, where their entries are, entries,
// features. (Reads, since a prefetch may be dropped where an address is not in the TLB.)
void gather_rows(const TrainingData& data, const Schedule& schedule, const FeatureTable& table,
                 std::int64_t n_live_features, std::int64_t begin, std::int64_t end, GradientSums& gradients,
                 GatheredRows& rows) {
  const std::vector<RowBlock>& blocks = data.rows.blocks;
  rows.n_rows = static_cast<std::int32_t>(end - begin);
  rows.spans.resize(kGroupRows * blocks.size());
  const auto of_row = [&](std::int64_t place) { return rows.spans.data() + (place - begin) * std::ssize(blocks); };
  for (std::int64_t place = begin; place < end; ++place) {
    const std::int64_t row = schedule.row[static_cast<std::size_t>(place)];
    const std::int32_t item =
        schedule.negative_item.empty() ? -1 : schedule.negative_item[static_cast<std::size_t>(place)];
    rows.target[place - begin] = item < 0 ? data.target[static_cast<std::size_t>(row)] : 0.0f;
    rows.weight[place - begin] = data.weight.empty() ? 1.0f : data.weight[static_cast<std::size_t>(row)];
    for (std::size_t b = 0; b < blocks.size(); ++b)
      of_row(place)[b].begin = item >= 0 && b + 1 == blocks.size() ? item : blocks[b].entity(row);
  }
  for (std::int64_t place = begin; place < end; ++place)
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const std::int64_t entity = of_row(place)[b].begin;
      of_row(place)[b] = {blocks[b].entities.begin(entity), blocks[b].entities.end(entity)};
    }
  std::size_t most = 0;  // entries of all rows
  for (std::int64_t place = begin; place < end; ++place)
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const EntitySpan span = of_row(place)[b];
      most += static_cast<std::size_t>(span.end - span.begin);
      for (std::int64_t e = span.begin; e < span.end; e += kEntriesPerLine) blocks[b].entities.touch(e);
      if (span.begin < span.end) blocks[b].entities.touch(span.end - 1);
    }

  rows.frozen.reserve(most);
  rows.live.reserve(most);
  if (rows.slot.size() < most) rows.slot.resize(most);
  std::size_t n_frozen = 0, n_live = 0;
  for (std::int64_t place = begin; place < end; ++place) {
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      const EntitySpan span = of_row(place)[b];
      for (std::int64_t e = span.begin; e < span.end; ++e) {
        const std::int64_t at = table.place(blocks[b].entities.column(e));
        const float value = blocks[b].entities.value(e);
        if (at < n_live_features) {
          rows.live.feature[n_live] = at;
          rows.live.value[n_live++] = value;
        } else {
          rows.frozen.feature[n_frozen] = at;
          rows.frozen.value[n_frozen] = value;
          rows.slot[n_frozen++] = gradients.count(at - n_live_features);
        }
      }
    }
    rows.frozen.begin[place - begin + 1] = static_cast<std::int32_t>(n_frozen);
    rows.live.begin[place - begin + 1] = static_cast<std::int32_t>(n_live);
  }
  if (table.exceeds_cache())
    for (std::size_t e = 0; e < n_live; ++e) table.touch(rows.live.feature[e]);
}

}  // namespace factorec
