#include "gathering.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <stdexcept>

#include "factorec/parallel.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kRowsPerUnit = 16384;     // of one unit of parallel work
constexpr std::int64_t kEnoughEntries = 1 << 14;  // that a chunk takes before it ends early
constexpr std::int64_t kCopied = 8;               // list elements that are copied at once, needed or not
constexpr std::int64_t kAhead = 16;               // rows
constexpr std::int64_t kFloatsPerLine = 16;       // of a cache line
constexpr std::size_t kCacheBytes = 1 << 18;
constexpr std::int64_t kEntriesPerLine = 8;       // a cache line holds at least so many column numbers

// Room for n entries and what a copy may write beyond them.
void reserve(GatheredRows& rows, std::int64_t n) {
  if (std::ssize(rows.feature) >= n + kCopied) return;
  const auto size = static_cast<std::size_t>(2 * (n + kCopied));
  rows.feature.resize(size);
  rows.value.resize(size);
  rows.row.resize(size);
}

// Copies n elements and up to kCopied - 1 more: no branch that depends on a short n.
template <class T>
void copy(const T* from, std::int64_t n, T* to) {
  for (std::int64_t i = 0; i < n; i += kCopied) std::memcpy(to + i, from + i, kCopied * sizeof(T));
}

}  // namespace

Gathering::Gathering(const TrainingData& data, const FeatureTable& table, const Grid* grid, std::int64_t first_place)
    : data_(data), table_(table), grid_(grid), first_place_(first_place) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max() / 2;
  if (data.rows.n_features > kMost) throw std::invalid_argument("too many features to train on");
  for (const RowBlock& block : data.rows.blocks) {
    if (block.entities.n_rows() > std::int64_t{std::numeric_limits<std::uint32_t>::max()})
      throw std::invalid_argument("too many entities to train on");
    Source source;
    source.block = &block;
    source.flat = block.index.size() == 0;
    if (source.flat) {
      ones_ = ones_ && std::all_of(block.entities.values.begin(), block.entities.values.end(),
                                   [](float value) { return value == 1.0f; });
    } else {
      find_key(source);
      list_features(source);
      ones_ = ones_ && source.value.empty();
    }
    sources_.push_back(std::move(source));
  }
}

// A feature of the grid tells the entity if it is the block that has the field, and no two entities the feature.
void Gathering::find_key(Source& source) const {
  if (!grid_) return;
  for (const Source::Key key : {Source::Key::first, Source::Key::second}) {
    const Field& field = key == Source::Key::first ? grid_->fields.first : grid_->fields.second;
    const auto in_field = [&](std::int64_t entity, auto&& visit) {
      Rows::visit_entity(*source.block, entity, [&](std::int64_t column, float) {
        if (column >= field.start && column < field.stop) visit(static_cast<std::size_t>(column - field.start));
      });
    };
    bool tells = false;
    in_field(source.block->entity(0), [&](std::size_t) { tells = true; });
    std::vector<bool> taken(tells ? static_cast<std::size_t>(field.size()) : 0);
    for (std::int64_t entity = 0; tells && entity < source.block->entities.n_rows(); ++entity)
      in_field(entity, [&](std::size_t column) {
        tells = tells && !taken[column];
        taken[column] = true;
      });
    if (!tells) continue;
    source.key = key;
    return;
  }
}

void Gathering::list_features(Source& source) const {
  const CsrView& entities = source.block->entities;
  std::vector<std::int64_t> order;  // the entity of each list, -1: none
  if (source.key == Source::Key::entity) {
    for (std::int64_t entity = 0; entity < entities.n_rows(); ++entity) order.push_back(entity);
  } else {
    const bool first = source.key == Source::Key::first;
    const std::int64_t from = first ? 0 : grid_->fields.first.size();
    const std::int64_t size = first ? from + grid_->fields.first.size() : grid_->fields.second.size();
    order.assign(static_cast<std::size_t>(size), -1);
    for (std::int64_t entity = 0; entity < entities.n_rows(); ++entity)
      for (std::int64_t e = entities.begin(entity); e < entities.end(entity); ++e) {
        const std::int64_t at = table_.place(entities.column(e)) - from;
        if (at >= 0 && at < size) order[static_cast<std::size_t>(at)] = entity;
      }
  }
  bool ones = true;
  source.begin.push_back(0);
  for (std::int64_t entity : order) {
    if (entity >= 0)
      for (std::int64_t e = entities.begin(entity); e < entities.end(entity); ++e) {
        const std::int64_t at = table_.place(entities.column(e)) - first_place_;
        if (at < 0) continue;
        source.feature.push_back(static_cast<std::int32_t>(at));
        source.value.push_back(entities.value(e));
        ones = ones && entities.value(e) == 1.0f;
      }
    source.begin.push_back(static_cast<std::int64_t>(source.feature.size()));
  }
  source.feature.resize(source.feature.size() + kCopied);
  source.value.resize(source.feature.size());
  if (ones) std::vector<float>().swap(source.value);
  source.exceeds_cache = 8 * source.begin.size() + 4 * source.feature.size() + 4 * source.value.size() > kCacheBytes;
}

void Gathering::follow(Schedule& schedule, int n_threads, Control& control) {
  const std::int64_t n = schedule.size();
  rows_.resize(static_cast<std::size_t>(n));
  weights_.resize(data_.weight.empty() ? 0 : static_cast<std::size_t>(n));
  for (Source& source : sources_)
    if (source.key == Source::Key::entity) source.entity.resize(static_cast<std::size_t>(n));
  const auto offset = grid_ ? static_cast<std::int32_t>(grid_->fields.first.size()) : 0;
  parallel_for((n + kRowsPerUnit - 1) / kRowsPerUnit, n_threads, control, [&](std::int64_t unit, int) {
    const auto end = static_cast<std::size_t>(std::min((unit + 1) * kRowsPerUnit, n));
    for (auto i = static_cast<std::size_t>(unit * kRowsPerUnit); i < end; ++i) {
      const auto row = static_cast<std::size_t>(schedule.row[i]);
      const std::int32_t item = schedule.negative_item.empty() ? -1 : schedule.negative_item[i];
      rows_[i].target = item < 0 ? data_.target[row] : 0.0f;
      if (grid_) {
        const std::int32_t column =
            item < 0 ? grid_->second[row] : grid_->second_of_item[static_cast<std::size_t>(item)];
        rows_[i].first = grid_->first_deal.position[static_cast<std::size_t>(grid_->first[row])];
        rows_[i].second = offset + grid_->second_deal.position[static_cast<std::size_t>(column)];
      }
      if (!weights_.empty()) weights_[i] = data_.weight[row];
      for (Source& source : sources_)
        if (source.key == Source::Key::entity)
          source.entity[i] = static_cast<std::uint32_t>(
              item >= 0 && &source == &sources_.back() ? item : source.block->entity(schedule.row[i]));
    }
  });
  if (!schedule.negative_item.empty()) return;  // the next epoch writes into the same memory
  schedule.row = {};
}

// Rows of a flat matrix are scattered over memory. What is read is therefore asked for step by step for all rows of
// the group, so that they wait together, not one after the other. (Reads, since a prefetch may be dropped where an
// address is not in the TLB.)
void Gathering::touch(const Source& source, std::int64_t begin, std::int64_t end) const {
  const CsrView& entities = source.block->entities;
  std::int64_t from[kGroupRows], to[kGroupRows];
  for (std::int64_t i = 0; i < end - begin; ++i) {
    const std::int64_t row = source.entity[static_cast<std::size_t>(begin + i)];
    from[i] = entities.begin(row);
    to[i] = entities.end(row);
  }
  for (std::int64_t i = 0; i < end - begin; ++i) {
    for (std::int64_t e = from[i]; e < to[i]; e += kEntriesPerLine) entities.touch(e, !ones_);
    if (from[i] < to[i]) entities.touch(to[i] - 1, !ones_);
  }
}

std::int64_t Gathering::append_flat(const Source& source, std::int64_t place, std::int64_t n,
                                    GatheredRows& out) const {
  const CsrView& entities = source.block->entities;
  const std::int64_t row = source.entity[static_cast<std::size_t>(place)];
  const std::int64_t end = entities.end(row);
  reserve(out, n + end - entities.begin(row));
  for (std::int64_t e = entities.begin(row); e < end; ++e) {
    const auto at = static_cast<std::int32_t>(table_.place(entities.column(e)) - first_place_);
    out.feature[static_cast<std::size_t>(n)] = at;
    if (!ones_) out.value[static_cast<std::size_t>(n)] = entities.value(e);
    n += at >= 0 ? 1 : 0;
  }
  return n;
}

std::size_t Gathering::list_at(const Source& source, std::int64_t place) const {
  const auto at = static_cast<std::size_t>(place);
  switch (source.key) {
    case Source::Key::first:
      return static_cast<std::size_t>(rows_[at].first);
    case Source::Key::second:
      return static_cast<std::size_t>(rows_[at].second - grid_->fields.first.size());
    default:
      return source.entity[at];
  }
}

// Asks for the list of a row ahead of time, and further ahead for where that list is.
void Gathering::prefetch(const Source& source, std::int64_t place, std::int64_t end) const {
#ifdef __GNUC__
  if (!source.exceeds_cache || place + 2 * kAhead >= end) return;
  __builtin_prefetch(source.begin.data() + list_at(source, place + 2 * kAhead));
  const std::size_t list = list_at(source, place + kAhead);
  const std::int64_t from = source.begin[list], to = source.begin[list + 1];
  for (std::int64_t e = from; e < to; e += kFloatsPerLine) {
    __builtin_prefetch(source.feature.data() + e);
    if (!source.value.empty()) __builtin_prefetch(source.value.data() + e);
  }
#else
  static_cast<void>(source), static_cast<void>(place), static_cast<void>(end);
#endif
}

std::int64_t Gathering::append(const Source& source, std::int64_t place, std::int64_t n, GatheredRows& out) const {
  const std::size_t list = list_at(source, place);
  const std::int64_t from = source.begin[list];
  const std::int64_t length = source.begin[list + 1] - from;
  reserve(out, n + length);
  copy(source.feature.data() + from, length, out.feature.data() + n);
  if (!ones_) {
    if (source.value.empty())
      std::fill_n(out.value.data() + n, length, 1.0f);
    else
      copy(source.value.data() + from, length, out.value.data() + n);
  }
  return n + length;
}

void Gathering::gather(std::int64_t begin, std::int64_t end, GatheredRows& out) const {
  const std::int64_t last = end;
  end = std::min(begin + kChunkRows, end);
  out.ones = ones_;
  std::int64_t n = 0;
  std::int64_t place = begin;
  while (place < end && n < kEnoughEntries) {
    const std::int64_t group = place, stop = std::min(place + kGroupRows, end);
    for (const Source& source : sources_)
      if (source.flat) touch(source, group, stop);
    for (; place < stop; ++place) {
      const std::int64_t own = n;
      for (const Source& source : sources_) prefetch(source, place, last);
      for (const Source& source : sources_)
        n = source.flat ? append_flat(source, place, n, out) : append(source, place, n, out);
      for (std::int64_t e = own; e < n; e += kCopied)
        std::memset(out.row.data() + e, static_cast<int>(place - group), kCopied);
      out.begin[place - begin + 1] = n;
    }
  }
  out.n_rows = place - begin;
  out.n_entries = n;
}

}  // namespace factorec
