// The sampler: what does not depend on threads, what is refused, and how it stops. Its numbers are compared with plain
// loops in tests/fm/test_gibbs_core.py.
#include "factorec/gibbs.hpp"

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "levels.hpp"
#include "random_rows.hpp"

using namespace factorec;
using factorec::testing::at_each_level;
using factorec::testing::BlockShape;
using factorec::testing::RandomRows;

namespace {

struct Problem {
  RandomRows random;
  std::int64_t k;
  GibbsData data;
  GibbsOptions options;
  std::vector<float> target, weight, linear, factors;

  Problem(std::int64_t n_rows, const std::vector<BlockShape>& shapes, std::int64_t k = 5)
      : random(n_rows, shapes, 4), k(k) {
    const CounterRng rng(9);
    data.rows = random.rows;
    for (std::int64_t i = 0; i < n_rows; ++i) {
      target.push_back(static_cast<float>(rng.below(4, static_cast<std::uint64_t>(i))));
      weight.push_back(0.5f + static_cast<float>(rng.fork(1).below(3, static_cast<std::uint64_t>(i))));
    }
    for (std::int64_t f = 0; f < random.rows.n_features * (k + 1); ++f)
      (f < random.rows.n_features ? linear : factors)
          .push_back(static_cast<float>(0.3 * rng.fork(2).normal(static_cast<std::uint64_t>(f))));
    for (const BlockShape& shape : shapes) data.fields.push_back({shape.start, shape.stop});
    data.target = target;
    options.seed = 3;
  }

  GibbsSampler sampler(Control& control) const {
    return GibbsSampler(data, options, 0.1, linear, {factors.data(), random.rows.n_features, k}, control);
  }

  // Everything that some sweeps leave behind.
  std::vector<float> run(int n_threads, int n_sweeps = 4) {
    options.n_threads = n_threads;
    Control control;
    GibbsSampler sampler = this->sampler(control);
    std::vector<float> out;
    for (int number = 0; number < n_sweeps; ++number)
      out.push_back(static_cast<float>(sampler.sweep(static_cast<std::uint64_t>(number), control)));
    out.push_back(static_cast<float>(sampler.bias()));
    out.push_back(static_cast<float>(sampler.noise_precision()));
    for (double cut : sampler.cuts()) out.push_back(static_cast<float>(cut));
    std::vector<float> w(linear.size()), v(factors.size()), noise(linear.size());
    sampler.copy_to(w, {v.data(), random.rows.n_features, k});
    sampler.copy_noise_to(noise);
    out.insert(out.end(), w.begin(), w.end());
    out.insert(out.end(), v.begin(), v.end());
    out.insert(out.end(), noise.begin(), noise.end());
    return out;
  }
};

const std::vector<std::vector<BlockShape>> kKinds{
    {{300, 0, 300}, {70, 300, 370}},                                      // ids
    {{300, 0, 40, 3, false}, {5, 40, 45}, {70, 45, 60, 2}},               // several features an entity, a context
    {{20'000, 0, 30, 4, false}},                                          // one block
};

}  // namespace

FACTOREC_TEST(gibbs, the_same_bits_for_any_number_of_threads) {
  at_each_level([] {
    for (const auto& kind : kKinds)
      for (const int n_levels : {0, 4})
        for (const bool weighted : {false, true}) {
          Problem problem(20'000, kind);
          problem.options.n_levels = n_levels;
          problem.options.row_noise = true;
          if (weighted) problem.data.weight = problem.weight;
          const std::vector<float> one = problem.run(1);
          for (float x : one) CHECK(std::isfinite(x));
          CHECK(problem.run(2) == one);
          CHECK(problem.run(3) == one);
        }
  });
}

FACTOREC_TEST(gibbs, any_number_of_factors) {
  at_each_level([] {
    for (std::int64_t k = 1; k < 36; k += k < 18 ? 1 : 5)
      for (const auto& kind : {kKinds[0], kKinds[1]}) {
        Problem problem(600, kind, k);
        for (float x : problem.run(1, 2)) CHECK(std::isfinite(x));
      }
  });
}

FACTOREC_TEST(gibbs, refuses_what_it_cannot_sample) {
  Control control;
  const auto refused = [&](auto&& spoil, const std::string& part) {
    Problem problem(50, kKinds[1]);
    spoil(problem);
    CHECK_THROWS(std::invalid_argument, problem.sampler(control), part);
  };
  refused([](Problem& p) { p.target[7] = std::numeric_limits<float>::quiet_NaN(); }, "target[7] is NaN");
  refused([](Problem& p) { p.data.target = p.data.target.first(49); }, "target has 49 entries, expected 50");
  refused([](Problem& p) { p.data.weight = p.weight; p.weight[3] = 0; }, "weight[3] is not positive");
  refused([](Problem& p) { p.options.n_levels = 3; }, "is no level from 0 to 2");
  refused([](Problem& p) { p.options.n_levels = 4; p.target[2] = 0.5f; }, "target[2] is no level");
  refused([](Problem& p) { p.options.n_levels = 1; }, "n_levels");
  refused([](Problem& p) { p.options.n_levels = 1 << 20; }, "n_levels");
  refused([](Problem& p) { p.options.n_threads = 0; }, "n_threads");
  refused([](Problem& p) { p.options.noise_shape = 0; }, "noise_shape");
  refused([](Problem& p) { p.options.precision_linear = {1, 2}; }, "precision_linear has 2 entries, expected 1 or 60");
  refused([](Problem& p) { p.options.precision_factors = {-1}; }, "precision_factors[0]");
  refused([](Problem& p) { p.linear.pop_back(); }, "linear must be (60,)");
  refused([](Problem& p) { p.factors[4] = std::numeric_limits<float>::infinity(); }, "factors[4] is infinite");
  refused([](Problem& p) { p.data.fields[1].stop = 44; }, "column 44 of block 1 is in no field");
  refused([](Problem& p) { p.data.fields = {{0, 45}, {45, 60}}; }, "columns of block 0 and of block 1");
  refused([](Problem& p) { p.data.fields = {{0, 40}, {39, 45}, {45, 60}}; }, "one after the other");
  refused([](Problem& p) { p.data.fields.back().stop = 61; }, "one after the other");
  refused([](Problem& p) { p.data.rows.blocks.clear(); }, "at least one block");
  refused([](Problem& p) { p.data.rows.n_rows = 0; p.data.target = {}; }, "no rows");
}

FACTOREC_TEST(gibbs, stops_when_asked) {
  Problem problem(20'000, kKinds[0]);
  for (const int n_threads : {1, 2}) {
    problem.options.n_threads = n_threads;
    Control control;
    GibbsSampler sampler = problem.sampler(control);
    Control stopped;
    stopped.request_stop();
    CHECK_THROWS(Interrupted, sampler.sweep(0, stopped), "interrupted");
    CHECK_THROWS(Interrupted, problem.sampler(stopped), "interrupted");
  }
}
