// A search and its results by the definition, for the tests of both ways of searching.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "check.hpp"
#include "factorec/cpu.hpp"
#include "factorec/rng.hpp"
#include "factorec/search.hpp"

namespace factorec::testing {

struct Problem {
  std::int64_t n_queries, n_items, n_factors;
  Metric metric = Metric::inner_product;
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

  // The same vectors searched by distance.
  Problem by_distance() const {
    Problem problem = *this;
    problem.metric = Metric::l2;
    problem.offsets.clear();
    return problem;
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
      float a = queries[query * n_factors + k], b = vectors[item * n_factors + k];
      if (metric == Metric::l2) a = b = a - b;
      sum = active_level() == SimdLevel::baseline ? a * b + sum : std::fma(a, b, sum);
    }
    return metric == Metric::l2 ? 0.0f - sum : sum + (offsets[item] + 0.0f);
  }
};

struct Lists {
  std::vector<std::int64_t> ids, counts;
  std::vector<float> scores;
};

// The lists are those that sorting all scores gives.
inline void check_exact(const Problem& problem, const Lists& lists, std::int64_t n) {
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

}  // namespace factorec::testing
