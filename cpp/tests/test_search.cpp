#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "factorec/rng.hpp"
#include "factorec/search.hpp"
#include "levels.hpp"

using namespace factorec;
using factorec::testing::at_each_level;

namespace {

struct Case {
  std::int64_t n_queries, n_items, n_factors;
  std::vector<float> queries, items, offsets;

  Case(std::int64_t n_queries, std::int64_t n_items, std::int64_t n_factors, double step = 0)
      : n_queries(n_queries), n_items(n_items), n_factors(n_factors) {
    const CounterRng rng(static_cast<std::uint64_t>(n_items * 1000 + n_factors));
    // A `step` puts the values on a lattice, so that many scores tie.
    const auto draw = [&](std::uint64_t stream, std::int64_t n) {
      std::vector<float> values;
      for (std::int64_t i = 0; i < n; ++i) {
        const double value = rng.fork(stream).normal(i);
        values.push_back(static_cast<float>(step > 0 ? std::round(value / step) * step : value));
      }
      return values;
    };
    queries = draw(0, n_queries * n_factors);
    items = draw(1, n_items * n_factors);
    offsets = draw(2, n_items);
  }

  // The definition: one chain of fused multiply-adds, then the offset.
  float score(std::int64_t query, std::int64_t item) const {
    float sum = 0;
    for (std::int64_t j = 0; j < n_factors; ++j)
      sum = std::fma(queries[query * n_factors + j], items[item * n_factors + j], sum);
    return sum + offsets[item];
  }
};

struct Found {
  std::vector<std::int64_t> ids, counts;
  std::vector<float> scores;
};

Found run(const Case& c, std::int64_t n, int n_threads, const SearchFilter& filter = {}) {
  std::vector<float> panels(static_cast<std::size_t>(n_panels(c.n_items) * kPanelItems * c.n_factors));
  std::vector<float> padded(static_cast<std::size_t>(n_panels(c.n_items) * kPanelItems));
  Control control;
  pack_items({c.items.data(), c.n_items, c.n_factors}, c.offsets, false, panels.data(), padded.data(), n_threads, control);
  const auto size = static_cast<std::size_t>(c.n_queries * n);
  Found found{std::vector<std::int64_t>(size), std::vector<std::int64_t>(static_cast<std::size_t>(c.n_queries)),
              std::vector<float>(size)};
  search({panels.data(), padded.data(), c.n_items, c.n_factors}, {c.queries.data(), c.n_queries, c.n_factors}, false,
         filter, {found.ids.data(), found.scores.data(), found.counts.data(), n}, n_threads, control);
  return found;
}

// Promise 1 where the level has a fused instruction: the n best by (score, position), to the bit.
template <class Allowed>
void check_exact(const Case& c, std::int64_t n, const Found& found, Allowed&& allowed) {
  for (std::int64_t query = 0; query < c.n_queries; ++query) {
    std::vector<std::int64_t> order;
    for (std::int64_t item = 0; item < c.n_items; ++item)
      if (allowed(query, item)) order.push_back(item);
    std::stable_sort(order.begin(), order.end(),
                     [&](std::int64_t a, std::int64_t b) { return c.score(query, a) > c.score(query, b); });
    const auto count = std::min(n, static_cast<std::int64_t>(order.size()));
    CHECK_EQUAL(found.counts[query], count);
    for (std::int64_t i = 0; i < n; ++i) {
      CHECK_EQUAL(found.ids[query * n + i], i < count ? order[i] : -1);
      const float expected = i < count ? c.score(query, order[i]) : -std::numeric_limits<float>::infinity();
      CHECK_EQUAL(found.scores[query * n + i], expected);
    }
  }
}

}  // namespace

FACTOREC_TEST(search, the_n_best_to_the_bit) {
  at_each_level([] {
    if (active_level() == SimdLevel::baseline) return;
    for (const std::int64_t n_items : {1, 31, 32, 33, 700})
      for (const std::int64_t n_factors : {1, 3, 64, 65})
        for (const double step : {0.0, 1.0}) {
          const Case c(7, n_items, n_factors, step);
          for (const int n_threads : {1, 2})
            check_exact(c, 20, run(c, 20, n_threads), [](std::int64_t, std::int64_t) { return true; });
        }
  });
}

FACTOREC_TEST(search, the_baseline_differs_by_rounding_only) {
  const Case c(5, 300, 64);
  std::vector<Found> found;
  at_each_level([&] { found.push_back(run(c, 10, 1)); });
  for (const Found& level : found)
    for (std::size_t i = 0; i < level.scores.size(); ++i) CHECK_NEAR(level.scores[i], found[0].scores[i], 1e-4);
}

FACTOREC_TEST(search, filters_leak_nothing) {
  const Case c(3, 200, 8);
  const std::vector<std::int32_t> indptr{0, 3, 3, 203};
  std::vector<std::int32_t> excluded{199, 0, 7};
  for (std::int32_t item = 0; item < 200; ++item) excluded.push_back(item);
  const CsrView exclude{{indptr.data(), 4}, {excluded.data(), excluded.size()}, {}, 200};
  std::vector<std::uint32_t> allowed(7, 0x0f0f0f0fu);
  const auto allows = [&](std::int64_t query, std::int64_t item) {
    if (query == 2 || (query == 0 && (item == 199 || item == 0 || item == 7))) return false;
    return ((allowed[item / 32] >> (item % 32)) & 1u) != 0;
  };
  at_each_level([&] {
    if (active_level() == SimdLevel::baseline) return;
    check_exact(c, 150, run(c, 150, 2, {&exclude, allowed.data()}), allows);
  });
}

FACTOREC_TEST(search, bad_input_is_named) {
  Case c(2, 40, 4);
  const std::vector<std::int32_t> indptr{0, 0, 1}, columns{40};
  const CsrView exclude{{indptr.data(), 3}, {columns.data(), 1}, {}, 40};
  CHECK_THROWS(std::invalid_argument, run(c, 5, 1, {&exclude, nullptr}), "40");
  c.items[9] = NAN;
  CHECK_THROWS(std::invalid_argument, run(c, 5, 1), "2");
  c.items[9] = 0;
  c.queries[5] = INFINITY;
  CHECK_THROWS(std::invalid_argument, run(c, 5, 1), "1");
}
