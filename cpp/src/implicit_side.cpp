#include "implicit_side.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>

#include "factorec/chunks.hpp"
#include "factorec/validation.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kMaxNumber = 0x7fffffff;
constexpr std::int64_t kPairsOfUnit = std::int64_t{1} << 12, kEntitiesOfUnit = 512;
constexpr std::int64_t kPadding = 16;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

void check_side(const ImplicitSideView& side, const std::string& name, std::int64_t n_features, int n_threads,
                Control& control) {
  try {
    if (check_csr(side.entities, n_threads, control).has_duplicates)
      throw std::invalid_argument("an entity has a feature twice");
    if (!side.exposure.empty()) check_finite(side.exposure, "exposure", n_threads, control);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(name + ": " + error.what());
  }
  const std::int64_t n = side.entities.n_rows();
  if (n < 1 || n > kMaxNumber) throw std::invalid_argument(name + " must be between 1 and 2^31 - 1 entities");
  if (side.entities.n_columns != n_features)
    throw std::invalid_argument(name + " have " + std::to_string(side.entities.n_columns) +
                                " columns, penalty has " + std::to_string(n_features) + " entries");
  if (!side.exposure.empty() && static_cast<std::int64_t>(side.exposure.size()) != n)
    throw std::invalid_argument(name + ": exposure has " + std::to_string(side.exposure.size()) +
                                " entries, expected " + std::to_string(n));
  for (std::size_t e = 0; e < side.exposure.size(); ++e)
    if (side.exposure[e] < 0) throw std::invalid_argument(name + ": exposure[" + std::to_string(e) + "] is negative");
}

void check(const ImplicitAlsData& data, const ImplicitAlsOptions& options, ConstMatrix factors, Control& control) {
  if (options.n_threads < 1) throw std::invalid_argument("n_threads must be at least 1");
  if (options.block_size < 1) throw std::invalid_argument("block_size must be at least 1");
  if (options.n_steps < 1) throw std::invalid_argument("n_steps must be at least 1");
  if (!(options.tolerance >= 0)) throw std::invalid_argument("tolerance must not be negative");
  if (!(options.unobserved_weight >= 0) || !std::isfinite(static_cast<float>(options.unobserved_weight)))
    throw std::invalid_argument("unobserved_weight must be a number from 0 on");
  const auto n_features = static_cast<std::int64_t>(data.penalty.size());
  if (factors.n_rows != n_features || factors.n_columns < 1)
    throw std::invalid_argument("factors must be (" + std::to_string(n_features) + ", at least 1)");
  check_finite(data.penalty, "penalty", options.n_threads, control);
  for (std::size_t f = 0; f < data.penalty.size(); ++f)
    if (!(data.penalty[f] > 0)) throw std::invalid_argument("penalty[" + std::to_string(f) + "] is not positive");
  check_finite({factors.data, at(factors.n_rows * factors.n_columns)}, "factors", options.n_threads, control);
  check_side(data.queries, "queries", n_features, options.n_threads, control);
  check_side(data.items, "items", n_features, options.n_threads, control);
  if (check_csr(data.observed, options.n_threads, control).has_duplicates)
    throw std::invalid_argument("observed has a pair twice: add the weights");
  if (data.observed.n_rows() != data.queries.entities.n_rows() ||
      data.observed.n_columns != data.items.entities.n_rows())
    throw std::invalid_argument("observed must have a row for each query and a column for each item");
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(data.observed.indices.size()); ++i)
    if (!(data.observed.value(i) > 0))
      throw std::invalid_argument("observed: weight " + std::to_string(i) + " is not positive");
}

// Groups entries of `matrix` by column, columns counted from `first` on.
void group_by_column(const CsrView& matrix, std::int64_t first, std::int64_t n, std::vector<std::int64_t>& begin,
                     const auto& put) {
  begin.assign(at(n + 1), 0);
  const std::int64_t n_entries = matrix.end(matrix.n_rows() - 1);
  for (std::int64_t i = 0; i < n_entries; ++i) ++begin[at(matrix.column(i) - first + 1)];
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<std::int64_t> next(begin.begin(), begin.end() - 1);
  for (std::int64_t row = 0; row < matrix.n_rows(); ++row)
    for (std::int64_t i = matrix.begin(row); i < matrix.end(row); ++i)
      put(next[at(matrix.column(i) - first)]++, row, matrix.value(i));
}

void make_units(ImplicitSide& side) {
  side.unit.push_back(0);
  for (std::int64_t e = 1; e <= side.n_entities; ++e)
    if (side.pair_begin[at(e)] - side.pair_begin[at(side.unit.back())] >= kPairsOfUnit ||
        e - side.unit.back() >= kEntitiesOfUnit || e == side.n_entities)
      side.unit.push_back(e);
}

ImplicitSide make_side(const ImplicitSideView& view, std::span<const float> penalty, ConstMatrix factors, int n_threads,
                       Control& control) {
  ImplicitSide side;
  const CsrView& entities = view.entities;
  side.n_entities = entities.n_rows();
  side.padded = (factors.n_columns + kPadding - 1) / kPadding * kPadding;
  side.exposure.assign(view.exposure.begin(), view.exposure.end());
  const std::int64_t n_entries = entities.end(side.n_entities - 1);
  std::int64_t low = entities.n_columns, high = 0;
  for (std::int64_t i = 0; i < n_entries; ++i) {
    low = std::min(low, entities.column(i));
    high = std::max(high, entities.column(i) + 1);
  }
  side.first_column = n_entries ? low : 0;
  side.n_features = n_entries ? high - low : 0;
  if (side.n_features > kMaxNumber) throw std::invalid_argument("more features than 31 bits number");
  side.penalty.assign(penalty.begin() + side.first_column, penalty.begin() + side.first_column + side.n_features);
  side.of_feature.resize(at(n_entries));
  side.ids = true;
  group_by_column(entities, side.first_column, side.n_features, side.feature_begin,
                  [&](std::int64_t place, std::int64_t e, float x) {
                    side.of_feature[at(place)] = {static_cast<std::int32_t>(e), x};
                    side.ids = side.ids && x == 1.0f;
                  });
  for (std::int64_t e = 0; e <= side.n_entities; ++e) {
    side.entity_begin.push_back(e < side.n_entities ? entities.begin(e) : n_entries);
    if (e) side.ids = side.ids && side.entity_begin[at(e)] - side.entity_begin[at(e - 1)] <= 1;
  }
  for (std::int64_t i = 0; i < n_entries; ++i)
    side.of_entity.push_back({static_cast<std::int32_t>(entities.column(i) - side.first_column), entities.value(i)});
  for (std::int64_t f = 0; f < side.n_features; ++f)
    side.ids = side.ids && side.feature_begin[at(f + 1)] - side.feature_begin[at(f)] <= 1;

  side.table.assign(at(side.n_features * side.padded), 0.0f);
  for (std::int64_t f = 0; f < side.n_features; ++f)
    if (side.feature_begin[at(f + 1)] > side.feature_begin[at(f)])  // others have nothing to learn from
      std::copy_n(factors.row(side.first_column + f), factors.n_columns, side.table.data() + f * side.padded);
  side.sum_features(side.table, side.vectors, n_threads, control);
  if (side.ids) AlignedVector().swap(side.table);
  return side;
}

}  // namespace

void ImplicitSide::sum_features(const AlignedVector& factors, AlignedVector& sums, int n_threads,
                                Control& control) const {
  sums.resize(at(n_entities * padded));
  for_each_chunk(Chunks(n_entities, kEntitiesOfUnit), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
    std::fill(sums.begin() + begin * padded, sums.begin() + end * padded, 0.0f);
    for (std::int64_t e = begin; e < end; ++e)
      for (std::int64_t i = entity_begin[at(e)]; i < entity_begin[at(e + 1)]; ++i) {
        const Entry& entry = of_entity[at(i)];
        const float* from = factors.data() + entry.at * padded;
        float* to = sums.data() + e * padded;
        for (std::int64_t j = 0; j < padded; ++j) to[j] += entry.value * from[j];
      }
  });
}

void ImplicitSide::sum_entities(const AlignedVector& of_entities, AlignedVector& sums, int n_threads,
                                Control& control) const {
  sums.resize(at(n_features * padded));
  parallel_for(n_features, n_threads, control, [&](std::int64_t f, int) {
    float* to = sums.data() + f * padded;
    std::fill_n(to, padded, 0.0f);
    for (std::int64_t i = feature_begin[at(f)]; i < feature_begin[at(f + 1)]; ++i) {
      if (i % 65536 == 0) control.throw_if_stopped();
      const Entry& entry = of_feature[at(i)];
      const float* from = of_entities.data() + entry.at * padded;
      for (std::int64_t j = 0; j < padded; ++j) to[j] += entry.value * from[j];
    }
  });
}

ImplicitSides make_implicit_sides(const ImplicitAlsData& data, const ImplicitAlsOptions& options, ConstMatrix factors,
                                  Control& control) {
  check(data, options, factors, control);
  ImplicitSides sides{make_side(data.queries, data.penalty, factors, options.n_threads, control),
                      make_side(data.items, data.penalty, factors, options.n_threads, control)};
  ImplicitSide &queries = sides.queries, &items = sides.items;
  if (queries.first_column < items.first_column + items.n_features &&
      items.first_column < queries.first_column + queries.n_features)
    throw std::invalid_argument("features of queries and of items must be in ranges of columns that do not overlap");
  const CsrView& observed = data.observed;
  const std::int64_t n_pairs = observed.end(observed.n_rows() - 1);
  items.partner.resize(at(n_pairs));
  items.weight.resize(at(n_pairs));
  group_by_column(observed, 0, items.n_entities, items.pair_begin, [&](std::int64_t place, std::int64_t q, float w) {
    items.partner[at(place)] = static_cast<std::int32_t>(q);
    items.weight[at(place)] = w;
  });
  for (std::int64_t q = 0; q <= queries.n_entities; ++q)
    queries.pair_begin.push_back(q < queries.n_entities ? observed.begin(q) : n_pairs);
  for (std::int64_t i = 0; i < n_pairs; ++i) {
    queries.partner.push_back(static_cast<std::int32_t>(observed.column(i)));
    queries.weight.push_back(observed.value(i));
  }
  make_units(queries);
  make_units(items);
  return sides;
}

}  // namespace factorec
