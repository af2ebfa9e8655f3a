#include "factorec/grid.hpp"

#include <algorithm>
#include <bit>
#include <atomic>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "factorec/chunks.hpp"

namespace factorec {
namespace {

// Entries of one entity inside a field: how many, whether all are 1, and the last one's column from the field's start.
struct Inside {
  std::int64_t n = 0;
  bool ones = true;
  std::int32_t local = -1;
};

Inside inside(const RowBlock& block, std::int64_t entity, const Field& field) {
  Inside found;
  Rows::visit_entity(block, entity, [&](std::int64_t column, float value) {
    if (column < field.start || column >= field.stop) return;
    ++found.n;
    found.ones = found.ones && value == 1.0f;
    found.local = static_cast<std::int32_t>(column - field.start);
  });
  return found;
}

// Whether good(i) holds for all i of [0, n).
template <class Good>
bool all_of(std::int64_t n, int n_threads, Control& control, Good&& good) {
  std::atomic<bool> bad{false};
  for_each_chunk(Chunks(n), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
    if (bad.load(std::memory_order_relaxed)) return;
    for (std::int64_t i = begin; i < end; ++i)
      if (!good(i)) return bad.store(true, std::memory_order_relaxed);
  });
  return !bad.load();
}

// Whether every row has exactly one entry in the field, of value 1, all from the same block. Entities that no row
// has do not matter: an item of the catalogue that was never bought need not have an id column.
bool is_one_hot(const Rows& rows, const Field& field, int n_threads, Control& control) {
  if (rows.n_rows == 0) return false;
  std::int64_t blocks_with_it = 0;
  for (const RowBlock& block : rows.blocks) {
    const std::int64_t expected = inside(block, block.entity(0), field).n;
    if (expected > 1) return false;
    const auto good = [&](std::int64_t entity) {
      const Inside found = inside(block, entity, field);
      return found.n == expected && found.ones;
    };
    if (!all_of(block.entities.n_rows(), n_threads, control, good)) {
      if (block.index.size() == 0) return false;
      std::vector<std::uint8_t> usable(static_cast<std::size_t>(block.entities.n_rows()));
      for_each_chunk(Chunks(block.entities.n_rows()), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t entity = begin; entity < end; ++entity)
          usable[static_cast<std::size_t>(entity)] = good(entity);
      });
      if (!all_of(rows.n_rows, n_threads, control,
                  [&](std::int64_t row) { return usable[static_cast<std::size_t>(block.entity(row))] != 0; }))
        return false;
    }
    blocks_with_it += expected;
  }
  return blocks_with_it == 1;
}

// The ranges of the positions of equally long rows of ones, empty where there are none.
std::vector<Field> positional_fields(const Rows& rows, int n_threads, Control& control) {
  std::vector<Field> fields;
  for (const RowBlock& block : rows.blocks) {
    const CsrView& entities = block.entities;
    const std::int64_t n_entities = entities.n_rows();
    if (n_entities == 0) return {};
    const std::int64_t length = entities.end(0) - entities.begin(0);
    const bool usable = all_of(n_entities, n_threads, control, [&](std::int64_t entity) {
      if (entities.end(entity) - entities.begin(entity) != length) return false;
      for (std::int64_t e = entities.begin(entity); e < entities.end(entity); ++e)
        if (entities.value(e) != 1.0f) return false;
      return true;
    });
    if (!usable) return {};
    const Field none{std::numeric_limits<std::int64_t>::max(), 0};
    const auto n = static_cast<std::size_t>(length);
    std::vector<std::vector<Field>> of_thread(static_cast<std::size_t>(n_threads));
    const Chunks chunks(n_entities, std::max<std::int64_t>(1, Chunks::kSize / std::max<std::int64_t>(1, length)));
    parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int thread) {
      std::vector<Field>& found = of_thread[static_cast<std::size_t>(thread)];
      if (found.empty()) found.assign(n, none);
      for (std::int64_t entity = chunks.begin(chunk); entity < chunks.end(chunk); ++entity)
        for (std::size_t p = 0; p < n; ++p) {
          const std::int64_t column = entities.column(entities.begin(entity) + static_cast<std::int64_t>(p));
          found[p].start = std::min(found[p].start, column);
          found[p].stop = std::max(found[p].stop, column + 1);
        }
    });
    const std::size_t base = fields.size();
    fields.resize(base + n, none);
    for (const std::vector<Field>& found : of_thread)
      for (std::size_t p = 0; p < found.size(); ++p) {
        fields[base + p].start = std::min(fields[base + p].start, found[p].start);
        fields[base + p].stop = std::max(fields[base + p].stop, found[p].stop);
      }
  }
  std::vector<Field> sorted = fields;
  std::sort(sorted.begin(), sorted.end(), [](const Field& a, const Field& b) { return a.start < b.start; });
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i].start < sorted[i - 1].stop) return {};
  return fields;
}

// The local column of every row in a one-hot field.
Buffer<std::int32_t> local_columns(const Rows& rows, const Field& field, int n_threads, Control& control) {
  Buffer<std::int32_t> columns(static_cast<std::size_t>(rows.n_rows));
  for (const RowBlock& block : rows.blocks) {
    if (inside(block, block.entity(0), field).n == 0) continue;
    Buffer<std::int32_t> of_entity;
    Buffer<std::int32_t>& into = block.index.size() ? of_entity : columns;
    into.resize(static_cast<std::size_t>(block.entities.n_rows()));
    for_each_chunk(Chunks(block.entities.n_rows()), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t entity = begin; entity < end; ++entity)
        into[static_cast<std::size_t>(entity)] = inside(block, entity, field).local;
    });
    if (block.index.size() == 0) continue;
    for_each_chunk(Chunks(rows.n_rows), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
      for (auto row = static_cast<std::size_t>(begin); row < static_cast<std::size_t>(end); ++row)
        columns[row] = of_entity[static_cast<std::size_t>(block.index[row])];
    });
  }
  return columns;
}

std::vector<std::int64_t> count(const Buffer<std::int32_t>& columns, std::int64_t n_columns, int n_threads,
                                Control& control) {
  std::vector<std::vector<std::int64_t>> of_thread(static_cast<std::size_t>(n_threads));
  const Chunks chunks(static_cast<std::int64_t>(columns.size()));
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int thread) {
    std::vector<std::int64_t>& counts = of_thread[static_cast<std::size_t>(thread)];
    if (counts.empty()) counts.assign(static_cast<std::size_t>(n_columns), 0);
    for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
      ++counts[static_cast<std::size_t>(columns[static_cast<std::size_t>(i)])];
  });
  std::vector<std::int64_t> counts(static_cast<std::size_t>(n_columns), 0);
  for (const auto& part : of_thread)
    for (std::size_t column = 0; column < part.size(); ++column) counts[column] += part[column];
  return counts;
}

}  // namespace

std::optional<GridFields> choose_grid(const Rows& rows, const std::vector<Field>& candidates, int n_threads,
                                      Control& control) {
  constexpr std::int64_t kMaxColumns = std::numeric_limits<std::int32_t>::max() / 2;  // places of both fit 32 bits
  std::vector<Field> fields = candidates.empty() ? positional_fields(rows, n_threads, control) : candidates;
  std::stable_sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.size() > b.size(); });
  std::vector<Field> chosen;
  for (const Field& field : fields) {
    if (chosen.size() == 2) break;
    if (field.size() >= 1 && field.size() <= kMaxColumns &&
        (candidates.empty() || is_one_hot(rows, field, n_threads, control)))
      chosen.push_back(field);
  }
  if (chosen.size() < 2) return std::nullopt;
  if (chosen[1].start < chosen[0].start) std::swap(chosen[0], chosen[1]);
  if (chosen[0].start < 0 || chosen[1].start < chosen[0].stop || chosen[1].stop > rows.n_features)
    throw std::invalid_argument("the fields of the grid overlap or leave the columns");
  return GridFields{chosen[0], chosen[1]};
}

Deal deal_columns(const std::vector<std::int64_t>& counts, int n_groups) {
  std::vector<std::int32_t> order(counts.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return counts[static_cast<std::size_t>(a)] > counts[static_cast<std::size_t>(b)];
  });
  Deal deal;
  deal.group.resize(counts.size());
  std::vector<std::int64_t> load(static_cast<std::size_t>(n_groups), 0);
  std::vector<std::int64_t> members(static_cast<std::size_t>(n_groups), 0);
  for (std::int32_t column : order) {
    const auto lightest = std::min_element(load.begin(), load.end()) - load.begin();
    deal.group[static_cast<std::size_t>(column)] = static_cast<std::uint8_t>(lightest);
    // Columns that no row has come last. They weigh 1, or they would all go to the one group that is lightest.
    load[static_cast<std::size_t>(lightest)] += std::max<std::int64_t>(counts[static_cast<std::size_t>(column)], 1);
    ++members[static_cast<std::size_t>(lightest)];
  }
  deal.group_begin.push_back(0);
  for (std::int64_t n : members) deal.group_begin.push_back(deal.group_begin.back() + static_cast<std::int32_t>(n));
  std::vector<std::int32_t> next = deal.group_begin;
  deal.position.resize(counts.size());
  for (std::int32_t column : order)
    deal.position[static_cast<std::size_t>(column)] = next[deal.group[static_cast<std::size_t>(column)]]++;
  return deal;
}

std::int32_t Deal::largest_group() const {
  std::int32_t largest = 0;
  for (std::size_t g = 0; g + 1 < group_begin.size(); ++g)
    largest = std::max(largest, group_begin[g + 1] - group_begin[g]);
  return largest;
}

Grid build_grid(const Rows& rows, const GridFields& fields, int n_threads, Control& control) {
  Grid grid;
  grid.fields = fields;
  grid.n_groups = rows.n_rows < (std::int64_t{1} << 20) ? 8 : 16;
  grid.first = local_columns(rows, fields.first, n_threads, control);
  grid.second = local_columns(rows, fields.second, n_threads, control);
  const RowBlock& items = rows.blocks.back();
  if (items.index.size()) {
    grid.second_of_item.resize(static_cast<std::size_t>(items.entities.n_rows()));
    for (std::size_t entity = 0; entity < grid.second_of_item.size(); ++entity)
      grid.second_of_item[entity] = inside(items, static_cast<std::int64_t>(entity), fields.second).local;
  }
  grid.first_deal = deal_columns(count(grid.first, fields.first.size(), n_threads, control), grid.n_groups);
  grid.second_deal = deal_columns(count(grid.second, fields.second.size(), n_threads, control), grid.n_groups);
  const auto bits = [](const Deal& deal) { return std::bit_width(static_cast<std::uint32_t>(deal.largest_group() - 1)); };
  grid.second_bits = static_cast<int>(bits(grid.second_deal));
  grid.pairs_fit = static_cast<int>(bits(grid.first_deal)) + grid.second_bits <= 32 && grid.second_bits < 32;
  return grid;
}

}  // namespace factorec
