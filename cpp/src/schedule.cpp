#include "factorec/schedule.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>
#include "factorec/parallel.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsPerChunk = 16384;  // of one unit of work
constexpr std::int64_t kRowsPerThread = 1024;  // fewer are done sooner than a thread wakes up

// Entries of one entity inside a field: how many, and whether all are 1.
struct Inside {
  std::int64_t n = 0;
  bool ones = true;
};

Inside inside(const RowBlock& block, std::int64_t entity, const Field& field) {
  Inside found;
  Rows::visit_entity(block, entity, [&](std::int64_t column, float value) {
    if (column < field.start || column >= field.stop) return;
    ++found.n;
    found.ones = found.ones && value == 1.0f;
  });
  return found;
}

// Whether every row has exactly one entry in the field, of value 1, all from the same block. Entities that no row
// has do not matter: an item of the catalogue that was never bought need not have an id column.
bool is_one_hot(const Rows& rows, const Field& field) {
  if (rows.n_rows == 0) return false;
  int blocks_with_it = 0;
  for (const RowBlock& block : rows.blocks) {
    const std::int64_t expected = inside(block, block.entity(0), field).n;
    if (expected > 1) return false;
    std::vector<bool> looked_at(block.index.size() ? static_cast<std::size_t>(block.entities.n_rows()) : 0);
    for (std::int64_t row = 0; row < rows.n_rows; ++row) {
      const std::int64_t entity = block.entity(row);
      if (!looked_at.empty()) {
        if (looked_at[static_cast<std::size_t>(entity)]) continue;
        looked_at[static_cast<std::size_t>(entity)] = true;
      }
      const Inside found = inside(block, entity, field);
      if (found.n != expected || !found.ones) return false;
    }
    blocks_with_it += static_cast<int>(expected);
  }
  return blocks_with_it == 1;
}

// The ranges of the positions of equally long rows of ones, empty where there are none.
std::vector<Field> positional_fields(const Rows& rows) {
  std::vector<Field> fields;
  for (const RowBlock& block : rows.blocks) {
    const CsrView& entities = block.entities;
    const std::int64_t n_entities = entities.n_rows();
    if (n_entities == 0) return {};
    const std::int64_t length = entities.end(0) - entities.begin(0);
    const std::size_t base = fields.size();
    for (std::int64_t p = 0; p < length; ++p) fields.push_back({std::numeric_limits<std::int64_t>::max(), 0});
    for (std::int64_t entity = 0; entity < n_entities; ++entity) {
      if (entities.end(entity) - entities.begin(entity) != length) return {};
      for (std::int64_t p = 0; p < length; ++p) {
        const std::int64_t e = entities.begin(entity) + p;
        if (entities.value(e) != 1.0f) return {};
        Field& field = fields[base + static_cast<std::size_t>(p)];
        field.start = std::min(field.start, entities.column(e));
        field.stop = std::max(field.stop, entities.column(e) + 1);
      }
    }
  }
  std::vector<Field> sorted = fields;
  std::sort(sorted.begin(), sorted.end(), [](const Field& a, const Field& b) { return a.start < b.start; });
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i].start < sorted[i - 1].stop) return {};
  return fields;
}

std::int32_t local_column(const RowBlock& block, std::int64_t entity, const Field& field) {
  std::int32_t local = -1;
  Rows::visit_entity(block, entity, [&](std::int64_t column, float) {
    if (column >= field.start && column < field.stop) local = static_cast<std::int32_t>(column - field.start);
  });
  return local;
}

// The local column of every row in a one-hot field.
std::vector<std::int32_t> local_columns(const Rows& rows, const Field& field, Control& control) {
  std::vector<std::int32_t> columns(static_cast<std::size_t>(rows.n_rows));
  for (const RowBlock& block : rows.blocks) {
    if (inside(block, block.entity(0), field).n == 0) continue;
    std::vector<std::int32_t> of_entity;
    if (block.index.size()) {
      of_entity.resize(static_cast<std::size_t>(block.entities.n_rows()));
      for (std::size_t entity = 0; entity < of_entity.size(); ++entity)
        of_entity[entity] = local_column(block, static_cast<std::int64_t>(entity), field);
    }
    for (std::int64_t row = 0; row < rows.n_rows; ++row) {
      if (row % kRowsPerChunk == 0) control.throw_if_stopped();
      columns[static_cast<std::size_t>(row)] = of_entity.empty()
                                                   ? local_column(block, row, field)
                                                   : of_entity[static_cast<std::size_t>(block.entity(row))];
    }
  }
  return columns;
}

std::vector<std::int64_t> count(const std::vector<std::int32_t>& columns, std::int64_t n_columns) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(n_columns), 0);
  for (std::int32_t column : columns) ++counts[static_cast<std::size_t>(column)];
  return counts;
}

}  // namespace

std::optional<GridFields> choose_grid(const Rows& rows, const std::vector<Field>& candidates) {
  constexpr std::int64_t kMaxColumns = std::numeric_limits<std::int32_t>::max() / 2;  // places of both fit 32 bits
  std::vector<Field> fields = candidates.empty() ? positional_fields(rows) : candidates;
  std::stable_sort(fields.begin(), fields.end(), [](const Field& a, const Field& b) { return a.size() > b.size(); });
  std::vector<Field> chosen;
  for (const Field& field : fields) {
    if (chosen.size() == 2) break;
    if (field.size() >= 1 && field.size() <= kMaxColumns && (candidates.empty() || is_one_hot(rows, field)))
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
    load[static_cast<std::size_t>(lightest)] += counts[static_cast<std::size_t>(column)];
    ++members[static_cast<std::size_t>(lightest)];
  }
  std::vector<std::int64_t> next(static_cast<std::size_t>(n_groups), 0);
  for (int g = 1; g < n_groups; ++g)
    next[static_cast<std::size_t>(g)] = next[static_cast<std::size_t>(g - 1)] + members[static_cast<std::size_t>(g - 1)];
  deal.position.resize(counts.size());
  for (std::int32_t column : order)
    deal.position[static_cast<std::size_t>(column)] =
        static_cast<std::int32_t>(next[deal.group[static_cast<std::size_t>(column)]]++);
  return deal;
}

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

Grid build_grid(const Rows& rows, const GridFields& fields, Control& control) {
  Grid grid;
  grid.fields = fields;
  grid.n_groups = rows.n_rows < (std::int64_t{1} << 20) ? 8 : 16;
  grid.first = local_columns(rows, fields.first, control);
  grid.second = local_columns(rows, fields.second, control);
  const RowBlock& items = rows.blocks.back();
  if (items.index.size()) {
    grid.second_of_item.resize(static_cast<std::size_t>(items.entities.n_rows()));
    for (std::size_t entity = 0; entity < grid.second_of_item.size(); ++entity)
      grid.second_of_item[entity] = local_column(items, static_cast<std::int64_t>(entity), fields.second);
  }
  grid.first_deal = deal_columns(count(grid.first, fields.first.size()), grid.n_groups);
  grid.second_deal = deal_columns(count(grid.second, fields.second.size()), grid.n_groups);
  return grid;
}

Schedule build_schedule(const Rows& rows, const Grid* grid, const std::vector<std::int64_t>& order,
                        const EpochNegatives* negatives, int n_threads, Control& control) {
  Schedule schedule;
  schedule.n_groups = grid ? grid->n_groups : 1;
  const auto n_groups = static_cast<std::size_t>(schedule.n_groups);
  const auto m = static_cast<std::size_t>(negatives ? negatives->per_positive : 0);

  // Of each row in order and then of its m negatives: the block, and the item drawn (-1: none).
  std::vector<std::uint8_t> block(order.size() * (m + 1), 0);
  std::vector<std::int32_t> drawn(order.size() * m, -1);
  const auto n_rows = static_cast<std::int64_t>(order.size());
  parallel_for((n_rows + kRowsPerChunk - 1) / kRowsPerChunk, n_threads, control, [&](std::int64_t chunk, int) {
    const auto begin = static_cast<std::size_t>(chunk * kRowsPerChunk);
    for (std::size_t i = begin; i < std::min(begin + kRowsPerChunk, order.size()); ++i) {
      const auto row = static_cast<std::size_t>(order[i]);
      const auto block_of = [&](std::int32_t second) {
        return static_cast<std::uint8_t>(grid->first_deal.group[static_cast<std::size_t>(grid->first[row])] * n_groups +
                                         grid->second_deal.group[static_cast<std::size_t>(second)]);
      };
      if (grid) block[i * (m + 1)] = block_of(grid->second[row]);
      if (!negatives || negatives->target[row] != 1.0f) continue;
      const std::int64_t user = rows.blocks.front().entity(order[i]);
      for (std::size_t j = 0; j < m; ++j) {
        const std::int64_t item = negatives->draws.draw(user, order[i], static_cast<std::int64_t>(j));
        if (item < 0) break;  // the user has seen every item
        drawn[i * m + j] = static_cast<std::int32_t>(item);
        if (grid) block[i * (m + 1) + 1 + j] = block_of(grid->second_of_item[static_cast<std::size_t>(item)]);
      }
    }
  });

  // Calls emit(block, row, negative item or -1) for every row in order, its negatives right after it.
  const auto walk = [&](auto&& emit) {
    for (std::size_t i = 0; i < order.size(); ++i) {
      if (i % kRowsPerChunk == 0) control.throw_if_stopped();
      emit(block[i * (m + 1)], order[i], -1);
      for (std::size_t j = 0; j < m && drawn[i * m + j] >= 0; ++j)
        emit(block[i * (m + 1) + 1 + j], order[i], drawn[i * m + j]);
    }
  };

  std::vector<std::int64_t> next(n_groups * n_groups + 1, 0);
  walk([&](std::size_t of, std::int64_t, std::int32_t) { ++next[of + 1]; });
  std::partial_sum(next.begin(), next.end(), next.begin());
  schedule.block_begin = next;
  schedule.row.resize(static_cast<std::size_t>(next.back()));
  if (negatives) schedule.negative_item.resize(schedule.row.size());
  walk([&](std::size_t of, std::int64_t row, std::int32_t item) {
    const auto place = static_cast<std::size_t>(next[of]++);
    schedule.row[place] = row;
    if (negatives) schedule.negative_item[place] = item;
  });
  return schedule;
}

}  // namespace factorec
