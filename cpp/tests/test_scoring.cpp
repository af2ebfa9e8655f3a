#include <cmath>
#include <vector>

#include "check.hpp"
#include "factorec/scoring.hpp"
#include "levels.hpp"
#include "random_rows.hpp"

using namespace factorec;
using factorec::testing::at_each_level;
using factorec::testing::RandomRows;

FACTOREC_TEST(scoring, equals_the_sum_over_pairs_at_each_level) {
  RandomRows random(200, {{30, 0, 20, 5, false}, {9, 20, 29}}, 8);
  const std::int64_t n = random.rows.n_features;
  for (const std::int64_t k : {1, 7, 16, 65}) {
    std::vector<float> linear, factors;
    for (std::int64_t i = 0; i < n; ++i) linear.push_back(static_cast<float>(CounterRng(1).normal(i)));
    for (std::int64_t i = 0; i < n * k; ++i) factors.push_back(static_cast<float>(CounterRng(2).normal(i)));
    const ParameterView parameters{linear, {factors.data(), n, k}};

    at_each_level([&] {
      for (const int n_threads : {1, 2}) {
        Control control;
        std::vector<double> found(200), found_bipartite(200);
        std::vector<float> sums(200 * static_cast<std::size_t>(k));
        scores(random.rows, parameters, found, n_threads, control);
        scores(random.rows, {linear, {factors.data(), n, k}, 0.0, 12}, found_bipartite, n_threads, control);
        vectors(random.rows, parameters, {sums.data(), 200, k}, n_threads, control);
        for (std::int64_t row = 0; row < 200; ++row) {
          std::vector<std::pair<std::int64_t, double>> entries;
          random.rows.for_each(row, [&](std::int64_t f, double x) { entries.emplace_back(f, x); });
          double expected = 0, bipartite = 0, size = 1;
          for (std::size_t a = 0; a < entries.size(); ++a) {
            const auto [f, x] = entries[a];
            expected += linear[f] * x;
            bipartite += linear[f] * x;
            for (std::size_t b = a + 1; b < entries.size(); ++b)
              for (std::int64_t j = 0; j < k; ++j) {
                const double term = static_cast<double>(factors[f * k + j]) * factors[entries[b].first * k + j] * x *
                                    entries[b].second;
                expected += term;
                if ((f < 12) != (entries[b].first < 12)) bipartite += term;
                size += std::fabs(term);
              }
          }
          CHECK_NEAR(found[row], expected, 1e-6 * size);
          CHECK_NEAR(found_bipartite[row], bipartite, 1e-6 * size);
          for (std::int64_t j = 0; j < k; ++j) {
            double sum = 0;
            for (const auto& [f, x] : entries) sum += x * factors[f * k + j];
            CHECK_NEAR(sums[row * k + j], sum, 1e-5);
          }
        }
      }
    });
  }
}
