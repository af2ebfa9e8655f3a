#include "schedule.hpp"

#include <algorithm>
#include <numeric>

#include "factorec/chunks.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsPerThread = 1024;  // fewer are done sooner than a thread wakes up
constexpr std::size_t kAhead = 16;             // rows that memory is asked for ahead of time

// Of each row, in its own order: its block, and its record for the pair kernel.
struct RowsInGrid {
  Buffer<std::uint8_t> block;
  Buffer<PairRow> pair;              // empty unless all rows are pairs
  std::vector<std::int64_t> begins;  // of each block, and the end of the last
};

RowsInGrid place_in_grid(const ScheduledRows& rows, int n_threads, Control& control) {
  const Grid& grid = *rows.grid;
  const auto n = static_cast<std::size_t>(rows.data.rows.n_rows);
  RowsInGrid placed{Buffer<std::uint8_t>(n), Buffer<PairRow>(rows.pairs ? n : 0), {}};
  const Chunks chunks(rows.data.rows.n_rows);
  GroupPlaces places(chunks.count(), grid.n_groups * grid.n_groups);
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    std::int64_t* count = places.of_chunk(chunk);
    const std::int64_t begin = chunks.begin(chunk), end = chunks.end(chunk);
    for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end); ++row) {
      const auto first = static_cast<std::size_t>(grid.first[row]), second = static_cast<std::size_t>(grid.second[row]);
      placed.block[row] =
          static_cast<std::uint8_t>(grid.first_deal.group[first] * grid.n_groups + grid.second_deal.group[second]);
      ++count[placed.block[row]];
      if (rows.pairs)
        placed.pair[row] = {grid.pair(first, second), rows.data.target[row]};
    }
  });
  placed.begins = places.place(0, chunks.count(), 0);
  return placed;
}

template <class T>
void prefetch(const Buffer<T>& values, std::size_t at) {
#ifdef __GNUC__
  __builtin_prefetch(values.data() + at);
#endif
}

}  // namespace

int Schedule::threads_for(std::span<const std::int32_t> blocks, int n_threads) const {
  std::int64_t n_rows = 0;
  for (std::int32_t block : blocks) n_rows += end(block) - begin(block);
  return static_cast<int>(std::clamp<std::int64_t>(n_rows / kRowsPerThread, 1, n_threads));
}

std::vector<std::int32_t> order_blocks(int n_groups, const CounterRng* rng) {
  std::vector<std::int32_t> rounds(static_cast<std::size_t>(n_groups));
  std::vector<std::int32_t> columns(static_cast<std::size_t>(n_groups));
  std::iota(rounds.begin(), rounds.end(), 0);
  std::iota(columns.begin(), columns.end(), 0);
  if (rng) {
    shuffle(rounds, rng->fork(0));
    shuffle(columns, rng->fork(1));
  }
  // A Latin square: round s pairs row group p with column group columns[(p + rounds[s]) mod n_groups].
  std::vector<std::int32_t> blocks;
  blocks.reserve(static_cast<std::size_t>(n_groups) * static_cast<std::size_t>(n_groups));
  for (std::int32_t shift : rounds)
    for (int p = 0; p < n_groups; ++p)
      blocks.push_back(p * n_groups + columns[static_cast<std::size_t>((p + shift) % n_groups)]);
  return blocks;
}

void schedule_rows(const ScheduledRows& rows, std::span<const RowNumber> order, int n_threads, Control& control,
                   Schedule& schedule) {
  const std::size_t n = order.size();
  schedule.n_groups = rows.grid ? rows.grid->n_groups : 1;
  if (!rows.grid) {
    schedule.block_begin = {0, static_cast<std::int64_t>(n)};
    schedule.row.resize(n);
    std::copy(order.begin(), order.end(), schedule.row.begin());
    return;
  }
  RowsInGrid placed = place_in_grid(rows, n_threads, control);
  const std::span<const float> weight = rows.data.weight;
  schedule.pair.resize(rows.pairs ? n : 0);
  schedule.pair_weight.resize(rows.pairs && !weight.empty() ? n : 0);
  schedule.row.resize(rows.pairs ? 0 : n);
  const auto key = [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    prefetch(placed.block, order[std::min(at + kAhead, n - 1)]);
    return placed.block[order[at]];
  };
  const auto put = [&](std::int64_t to, std::int64_t i) {
    const auto place = static_cast<std::size_t>(to);
    const RowNumber row = order[static_cast<std::size_t>(i)];
    if (rows.pairs) prefetch(placed.pair, order[std::min(static_cast<std::size_t>(i) + kAhead, n - 1)]);
    if (!rows.pairs) {
      schedule.row[place] = row;
      return;
    }
    schedule.pair[place] = placed.pair[row];
    if (!weight.empty()) schedule.pair_weight[place] = weight[row];
  };
  if (n_threads == 1) {  // what each block holds is known: no need to count by chunk
    schedule.block_begin = placed.begins;
    std::vector<std::int64_t> next = std::move(placed.begins);
    for (std::size_t i = 0; i < n; ++i) {
      if (i % Chunks::kSize == 0) control.throw_if_stopped();
      const auto at = static_cast<std::int64_t>(i);
      put(next[key(at)]++, at);
    }
    return;
  }
  const int n_blocks = schedule.n_groups * schedule.n_groups;
  schedule.block_begin = group_stably(static_cast<std::int64_t>(n), n_blocks, n_threads, control, key, put);
}

}  // namespace factorec
