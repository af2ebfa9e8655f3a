// The two-stage search against the definition, its certificate against the scores, and its packing.
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "factorec/codes.hpp"
#include "kernels/kernels.hpp"
#include "query_codes.hpp"
#include "search_problem.hpp"

using namespace factorec;
using namespace factorec::testing;

namespace {

// Packed items that own their memory.
struct Packed {
  std::vector<float> rows, offsets;
  std::vector<std::uint8_t> codes;
  std::vector<PanelBounds> bounds;
  std::vector<std::uint32_t> positions, places;
  CodedItems items;

  explicit Packed(const Problem& problem, int n_threads = 1) {
    const std::int64_t n = problem.n_items, d = problem.n_factors, panels = n_panels(n);
    rows.resize(n * d);
    offsets.resize(panels * kPanelItems);
    codes.resize(panels * panel_code_bytes(d));
    bounds.resize(panels);
    positions.resize(n);
    places.resize(n);
    Control control;
    const bool ordered = pack_codes({problem.vectors.data(), n, d}, problem.offsets, false,
                                    {rows.data(), codes.data(), bounds.data(), offsets.data(), positions.data(),
                                     places.data()},
                                    n_threads, control);
    items = {rows.data(), codes.data(), bounds.data(), offsets.data(), ordered ? positions.data() : nullptr,
             ordered ? places.data() : nullptr, n, d};
  }

  std::int64_t position(std::int64_t place) const { return items.positions ? positions[place] : place; }
};

Lists run(const Problem& problem, const Packed& packed, std::int64_t n, int n_threads) {
  Lists lists;
  lists.ids.resize(problem.n_queries * n);
  lists.scores.resize(problem.n_queries * n);
  lists.counts.resize(problem.n_queries);
  const CsrView exclude = problem.exclude();
  Control control;
  search(packed.items, {problem.queries.data(), problem.n_queries, problem.n_factors}, problem.metric, {&exclude, nullptr},
         {lists.ids.data(), lists.scores.data(), lists.counts.data(), n}, n_threads, control);
  return lists;
}

// Makes the norms of the items differ by many powers of ten.
Problem skewed(Problem problem, double decades) {
  const CounterRng rng(99);
  for (std::int64_t item = 0; item < problem.n_items; ++item) {
    const auto factor = static_cast<float>(std::pow(10.0, decades * (rng.uniform(item) - 0.5)));
    for (std::int64_t k = 0; k < problem.n_factors; ++k) problem.vectors[item * problem.n_factors + k] *= factor;
  }
  return problem;
}

}  // namespace

FACTOREC_TEST(codes, lists_are_exact_at_every_level) {
  if (!can_code()) return;
  const SimdLevel before = active_level();
  std::vector<Problem> problems;
  for (const int levels : {0, 1, 3}) {
    problems.emplace_back(25, 1000, 9, levels, 1);
    problems.emplace_back(13, 777, 33, levels, 2);
    problems.push_back(skewed(Problem(14, 3000, 17, levels, 3), levels ? 2 : 30));
  }
  problems.emplace_back(0, 10, 3, 0, 3);
  problems.emplace_back(3, 0, 3, 0, 3);
  problems.emplace_back(2, 90'000, 24, 0, 4);  // split over items
  for (const Problem& problem : problems) {
    pin_level(name(before));
    const Packed packed(problem, 2);
    for (const SimdLevel level : available_levels()) {
      pin_level(name(level));
      for (const std::int64_t n : {1, 10, 100, 2000}) check_exact(problem, run(problem, packed, n, n > 10 ? 3 : 1), n);
    }
  }
  pin_level(name(before));
}

FACTOREC_TEST(codes, packing_keeps_every_item_and_bounds_it) {
  if (!can_code()) return;
  const Problem problem = skewed(Problem(1, 1000, 19, 0, 7), 8);
  const Packed packed(problem);
  std::vector<int> seen(problem.n_items);
  for (std::int64_t place = 0; place < problem.n_items; ++place) {
    const std::int64_t position = packed.position(place), d = problem.n_factors;
    ++seen[position];
    CHECK_EQUAL(packed.places[position], place);
    CHECK_EQUAL(packed.offsets[place], problem.offsets[position]);
    CHECK(!std::memcmp(packed.rows.data() + place * d, problem.vectors.data() + position * d, d * sizeof(float)));
    const PanelBounds& bounds = packed.bounds[place / kPanelItems];
    const std::uint8_t* codes = packed.codes.data() + place / kPanelItems * panel_code_bytes(d);
    double norm = 0, residual = 0;
    for (std::int64_t k = 0; k < d; ++k) {
      const double v = packed.rows[place * d + k];
      const int code = codes[(k / kCodeGroup * kPanelItems + place % kPanelItems) * kCodeGroup + k % kCodeGroup] - 128;
      CHECK(code >= -127);
      norm += v * v;
      residual += std::pow(v - static_cast<double>(bounds.scale) * code, 2);
    }
    CHECK(std::sqrt(norm) <= bounds.norm && bounds.norm <= bounds.rest_norm);
    CHECK(std::sqrt(residual) <= bounds.residual);
    CHECK(std::fabs(packed.offsets[place]) <= bounds.offset && packed.offsets[place] <= bounds.top_offset);
    CHECK(bounds.top_offset <= bounds.rest_top_offset);
  }
  CHECK(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
}

FACTOREC_TEST(codes, the_kernel_lets_everything_through_that_may_reach_theta) {
  const CodesKernels* kernels = factorec::kernels().codes;
  if (!kernels) return;
  for (const std::int64_t d : {1, 4, 17, 65, 200}) {
    const Problem problem(kMaxScanQueries, 640, d, 0, 11);
    const Packed packed(problem);
    for (int n = 1; n <= kMaxScanQueries; ++n) {
      QueryLanes lanes;
      std::vector<std::int32_t> words(n_code_groups(d) * n);
      std::vector<float> low(n * 1000), high(n * 1000);
      std::vector<std::uint32_t> places(n * 1000);
      BoundedCandidates candidates[kMaxScanQueries];
      for (int q = 0; q < n; ++q) {
        encode_query(problem.queries.data() + q * d, d, words.data() + q, n, lanes, q);
        lanes.theta[q] = static_cast<float>(0.5 * std::sqrt(d));
        candidates[q] = {low.data() + q * 1000, high.data() + q * 1000, places.data() + q * 1000, 0, 900};
      }
      CodesTile tile;
      tile.queries = words.data();
      tile.lanes = &lanes;
      tile.codes = packed.codes.data();
      tile.bounds = packed.bounds.data();
      tile.offsets = packed.offsets.data();
      tile.last_lanes = ~0u;
      tile.n_groups = n_code_groups(d);
      tile.n_panels = n_panels(problem.n_items);
      tile.by_offset = relative_rounding(d);
      tile.floor = absolute_rounding(d);
      tile.n_queries = n;
      tile.candidates = candidates;
      CHECK_EQUAL(kernels->scan(tile), tile.n_panels);
      for (int q = 0; q < n; ++q) {
        std::vector<int> accepted(problem.n_items);
        const BoundedCandidates& c = candidates[q];
        std::vector<float> scores(c.count);
        kernels->score(packed.items, problem.queries.data() + q * d, c.places, c.count, scores.data());
        for (std::int64_t i = 0; i < c.count; ++i) {
          const float score = problem.score(q, packed.position(c.places[i]));
          CHECK_EQUAL(scores[i], score);
          CHECK(c.low[i] <= score && score <= c.high[i]);
          ++accepted[c.places[i]];
        }
        for (std::int64_t place = 0; place < problem.n_items; ++place)
          CHECK(accepted[place] == 1 ||
                (accepted[place] == 0 && problem.score(q, packed.position(place)) < lanes.theta[q]));
        CHECK(c.count < problem.n_items || d == 1);
      }
    }
  }
}

FACTOREC_TEST(codes, bad_input_is_named) {
  if (!can_code()) return;
  Problem problem(3, 40, 2, 0, 6);
  problem.indices[5] = 40;
  CHECK_THROWS(std::invalid_argument, run(problem, Packed(problem), 3, 1), "has item 40, outside 0..39");
  problem = Problem(3, 40, 2, 0, 6);
  problem.vectors[79] = std::numeric_limits<float>::infinity();
  CHECK_THROWS(std::invalid_argument, Packed(problem), "vectors[39, 1] is infinite");
  problem = Problem(3, 40, 2, 0, 6);
  problem.offsets[7] = std::nanf("");
  CHECK_THROWS(std::invalid_argument, Packed(problem), "offsets[7] is NaN");
  CHECK_THROWS(std::invalid_argument, Packed(Problem(1, 2, kMaxCodedFactors + 1, 0, 1)), "cannot be coded");
}
