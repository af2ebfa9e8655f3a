#include "factorec/search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "check.hpp"
#include "factorec/cpu.hpp"
#include "factorec/rng.hpp"

using namespace factorec;

namespace {

struct Problem {
  std::int64_t n_queries, n_items, n_factors;
  std::vector<float> queries, vectors, offsets;
  std::vector<std::int32_t> indptr{0}, indices;  // excluded

  // `levels` > 0: values are whole numbers in [0, levels), so that scores tie.
  Problem(std::int64_t queries_, std::int64_t items, std::int64_t factors, int levels, std::uint64_t seed)
      : n_queries(queries_), n_items(items), n_factors(factors) {
    const CounterRng rng(seed);
    std::uint64_t counter = 0;
    const auto draw = [&](std::vector<float>& to, std::int64_t n) {
      for (std::int64_t i = 0; i < n; ++i, ++counter)
        to.push_back(levels ? static_cast<float>(rng.below(levels, counter)) : static_cast<float>(rng.normal(counter)));
    };
    draw(queries, n_queries * n_factors);
    draw(vectors, n_items * n_factors);
    draw(offsets, n_items);
    for (std::int64_t query = 0; query < n_queries; ++query) {
      for (std::int64_t item = 0; item < n_items; ++item)
        if (rng.uniform(++counter) < 0.2) indices.push_back(static_cast<std::int32_t>(item));
      indptr.push_back(static_cast<std::int32_t>(indices.size()));
    }
  }

  CsrView exclude() const {
    return {{indptr.data(), indptr.size()}, {indices.data(), indices.size()}, {}, n_items};
  }

  bool excluded(std::int64_t query, std::int64_t item) const {
    return std::binary_search(indices.begin() + indptr[query], indices.begin() + indptr[query + 1], item);
  }

  // The definition of a score.
  float score(std::int64_t query, std::int64_t item) const {
    float sum = 0.0f;
    for (std::int64_t k = 0; k < n_factors; ++k) {
      const float a = queries[query * n_factors + k], b = vectors[item * n_factors + k];
      sum = active_level() == SimdLevel::baseline ? a * b + sum : std::fma(a, b, sum);
    }
    return sum + (offsets[item] + 0.0f);
  }
};

struct Lists {
  std::vector<std::int64_t> ids, counts;
  std::vector<float> scores;
};

Lists run(const Problem& problem, std::int64_t n, int n_threads, Control& control) {
  std::vector<float> panels(n_panels(problem.n_items) * kPanelItems * problem.n_factors);
  std::vector<float> offsets(n_panels(problem.n_items) * kPanelItems);
  pack_items({problem.vectors.data(), problem.n_items, problem.n_factors}, problem.offsets, false, panels.data(),
             offsets.data(), n_threads, control);
  Lists lists;
  lists.ids.resize(problem.n_queries * n);
  lists.scores.resize(problem.n_queries * n);
  lists.counts.resize(problem.n_queries);
  const CsrView exclude = problem.exclude();
  search({panels.data(), offsets.data(), problem.n_items, problem.n_factors},
         {problem.queries.data(), problem.n_queries, problem.n_factors}, false, {&exclude, nullptr},
         {lists.ids.data(), lists.scores.data(), lists.counts.data(), n}, n_threads, control);
  return lists;
}

void check_exact(const Problem& problem, std::int64_t n, int n_threads) {
  Control control;
  const Lists lists = run(problem, n, n_threads, control);
  for (std::int64_t query = 0; query < problem.n_queries; ++query) {
    std::vector<std::int64_t> expected;
    std::vector<float> scores(problem.n_items);
    for (std::int64_t item = 0; item < problem.n_items; ++item) {
      scores[item] = problem.score(query, item);
      if (!problem.excluded(query, item)) expected.push_back(item);
    }
    std::stable_sort(expected.begin(), expected.end(), [&](auto a, auto b) { return scores[a] > scores[b]; });
    const auto count = std::min<std::int64_t>(n, static_cast<std::int64_t>(expected.size()));
    CHECK_EQUAL(lists.counts[query], count);
    for (std::int64_t i = 0; i < n; ++i) {
      CHECK_EQUAL(lists.ids[query * n + i], i < count ? expected[i] : -1);
      CHECK_EQUAL(lists.scores[query * n + i], i < count ? scores[expected[i]] : -std::numeric_limits<float>::infinity());
    }
  }
}

}  // namespace

FACTOREC_TEST(search, lists_are_exact_at_every_level) {
  const SimdLevel before = active_level();
  for (const SimdLevel level : available_levels()) {
    pin_level(name(level));
    for (const int levels : {0, 1, 3}) {
      for (const std::int64_t n : {1, 10, 100, 400, 2000}) {
        check_exact(Problem(25, 1000, 9, levels, 1), n, 1);
        check_exact(Problem(13, 777, 33, levels, 2), n, 3);
      }
      check_exact(Problem(0, 10, 3, levels, 3), 5, 2);
      check_exact(Problem(3, 0, 3, levels, 3), 5, 2);
      check_exact(Problem(3, 50, 0, levels, 3), 5, 2);
      check_exact(Problem(2, 90'000, 24, levels, 4), 50, 4);  // split over items
    }
  }
  pin_level(name(before));
}

FACTOREC_TEST(search, a_stop_ends_it) {
  const Problem problem(40, 500, 8, 0, 5);
  Control control;
  control.request_stop();
  CHECK_THROWS(Interrupted, run(problem, 10, 1, control), "interrupted");
  CHECK_THROWS(Interrupted, run(problem, 10, 2, control), "interrupted");
}

FACTOREC_TEST(search, bad_input_is_named) {
  Control control;
  Problem problem(3, 40, 2, 0, 6);
  problem.indices[5] = 40;
  CHECK_THROWS(std::invalid_argument, run(problem, 3, 1, control), "has item 40, outside 0..39");
  problem = Problem(3, 40, 2, 0, 6);
  problem.queries[3] = std::nanf("");
  CHECK_THROWS(std::invalid_argument, run(problem, 3, 1, control), "queries[1, 1] is NaN");
  problem = Problem(3, 40, 2, 0, 6);
  problem.vectors[79] = std::numeric_limits<float>::infinity();
  CHECK_THROWS(std::invalid_argument, run(problem, 3, 1, control), "vectors[39, 1] is infinite");
}
