// Implicit ALS: stationary points, threads, interrupts and hostile input. Equality with a plain implementation, in numpy,
// is tested from Python.
#include <limits>
#include <vector>

#include "check.hpp"
#include "factorec/implicit_als.hpp"
#include "factorec/rng.hpp"
#include "levels.hpp"
#include "random_rows.hpp"
#include "symmetric_eigen.hpp"

using namespace factorec;
using factorec::testing::at_each_level;
using factorec::testing::RandomRows;

namespace {

struct Problem {
  RandomRows queries, items;
  std::vector<std::int32_t> indptr{0}, indices;
  std::vector<float> weight, penalty, factors;
  std::int64_t k;

  Problem(std::int64_t n_queries, std::int64_t n_items, std::int64_t k, bool shared)
      : queries(0, {{n_queries, 0, shared ? n_queries / 3 : n_queries, shared ? 2 : 1, !shared}}, 1),
        items(0, {{n_items, n_queries, n_queries + n_items}}, 2),
        k(k) {
    const CounterRng rng(5);
    const std::int64_t n = n_queries + n_items;
    queries.rows.blocks[0].entities.n_columns = items.rows.blocks[0].entities.n_columns = n;
    std::uint64_t counter = 0;
    for (std::int64_t q = 0; q < n_queries; ++q) {
      for (std::int64_t i = 0; i < n_items; ++i)
        if (rng.uniform(counter++) < (q % 7 == 0 ? 0.5 : 0.1)) {
          indices.push_back(static_cast<std::int32_t>(i));
          weight.push_back(0.25f * static_cast<float>(1 + i % 4));
        }
      indptr.push_back(static_cast<std::int32_t>(indices.size()));
    }
    for (std::int64_t f = 0; f < n; ++f) penalty.push_back(0.5f + 0.1f * static_cast<float>(f % 10));
    for (std::int64_t i = 0; i < n * k; ++i) factors.push_back(static_cast<float>(0.1 * rng.fork(1).normal(i)));
  }

  ImplicitAlsData data() const {
    const CsrView observed{{indptr.data(), indptr.size()},
                           {indices.data(), indices.size()},
                           weight,
                           items.rows.blocks[0].entities.n_rows()};
    return {{queries.rows.blocks[0].entities, {}}, {items.rows.blocks[0].entities, {}}, observed, penalty};
  }
  ConstMatrix start() const { return {factors.data(), static_cast<std::int64_t>(penalty.size()), k}; }
};

struct Run {
  std::vector<double> objective;
  std::vector<float> factors;
};

Run run(const Problem& problem, ImplicitAlsOptions options, int n_sweeps) {
  Control control;
  ImplicitAls als(problem.data(), options, problem.start(), control);
  Run run{{}, problem.factors};
  for (int i = 0; i < n_sweeps; ++i) run.objective.push_back(als.sweep(control));
  als.copy_to({run.factors.data(), static_cast<std::int64_t>(problem.penalty.size()), problem.k});
  return run;
}

}  // namespace

FACTOREC_TEST(implicit_als, the_objective_falls_to_the_same_value_in_blocks) {
  for (const bool shared : {false, true}) {
    const Problem problem(90, 60, 40, shared);
    at_each_level([&] {
      double at_once = 0.0;
      for (const std::int64_t block_size : {64, 16}) {
        ImplicitAlsOptions options;
        options.block_size = block_size;
        const Run found = run(problem, options, 60);
        for (std::size_t i = 1; i < found.objective.size(); ++i)
          CHECK(found.objective[i] <= found.objective[i - 1] * (1 + 1e-5));
        if (block_size == 64) at_once = found.objective.back();
        CHECK_NEAR(found.objective.back() / at_once, 1.0, 1e-2);
      }
    });
  }
}

FACTOREC_TEST(implicit_als, threads_do_not_matter) {
  for (const bool shared : {false, true}) {
    const Problem problem(2500, 300, 20, shared);
    for (const std::int64_t block_size : {32, 16}) {
      ImplicitAlsOptions options;
      options.block_size = block_size;
      const Run one = run(problem, options, 2);
      for (const int n_threads : {2, 3}) {
        options.n_threads = n_threads;
        const Run other = run(problem, options, 2);
        CHECK(other.factors == one.factors);
        CHECK(other.objective == one.objective);
      }
    }
  }
}

FACTOREC_TEST(implicit_als, an_interrupted_sweep_leaves_one_that_goes_on) {
  const Problem problem(200, 100, 8, true);
  Control control, stopped;
  stopped.request_stop();
  ImplicitAls als(problem.data(), {}, problem.start(), control);
  CHECK_THROWS(Interrupted, als.sweep(stopped), "interrupted");
  CHECK(std::isfinite(als.sweep(control)));
}

FACTOREC_TEST(implicit_als, refuses_what_it_cannot_use) {
  const auto refused = [](auto&& change, const char* part) {
    Problem problem(20, 12, 3, false);
    ImplicitAlsData data = problem.data();
    ImplicitAlsOptions options;
    ConstMatrix start = problem.start();
    change(problem, data, options, start);
    Control control;
    CHECK_THROWS(std::invalid_argument, ImplicitAls(data, options, start, control), part);
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  refused([](auto&, auto&, auto& o, auto&) { o.n_threads = 0; }, "n_threads");
  refused([](auto&, auto&, auto& o, auto&) { o.block_size = 0; }, "block_size");
  refused([](auto&, auto&, auto& o, auto&) { o.unobserved_weight = -1; }, "unobserved_weight");
  refused([](auto&, auto&, auto& o, auto&) { o.unobserved_weight = 1e300; }, "unobserved_weight");
  refused([](auto&, auto&, auto&, auto& s) { s.n_rows = 3; }, "factors");
  refused([&](auto& p, auto&, auto&, auto&) { p.factors[4] = nan; }, "factors");
  refused([&](auto& p, auto&, auto&, auto&) { p.penalty[4] = -1; }, "penalty[4]");
  refused([&](auto& p, auto&, auto&, auto&) { p.weight[2] = 0; }, "weight 2");
  refused([&](auto& p, auto&, auto&, auto&) { p.indices[2] = 99; }, "");
  refused([&](auto& p, auto&, auto&, auto&) { p.indices[1] = p.indices[0]; }, "twice");
  refused([&](auto&, auto& d, auto&, auto&) { d.observed.n_columns = 13; }, "observed");
  refused([&](auto&, auto& d, auto&, auto&) { d.items = d.queries; }, "observed");
  refused([&](auto& p, auto& d, auto&, auto&) { d.queries.exposure = std::span(p.penalty).first(5); }, "exposure");
  refused([&](auto& p, auto&, auto&, auto&) { p.penalty[5] = 0; }, "penalty[5]");
}

FACTOREC_TEST(implicit_als, eigenvectors) {
  for (const std::int64_t n : {1, 2, 3, 16, 65}) {
    std::vector<double> a(n * n), vectors;
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j <= i; ++j)
        a[i * n + j] = a[j * n + i] = n == 16 ? (i == j) : CounterRng(n).normal(i * n + j);
    vectors = a;
    const std::vector<double> values = symmetric_eigen(vectors, n);
    double worst = 0.0;
    for (std::int64_t v = 0; v < n; ++v)
      for (std::int64_t i = 0; i < n; ++i) {
        double product = 0.0, inner = 0.0;
        for (std::int64_t j = 0; j < n; ++j) {
          product += a[i * n + j] * vectors[v * n + j];
          inner += vectors[v * n + j] * vectors[i * n + j];
        }
        worst = std::max(worst, std::fabs(product - values[v] * vectors[v * n + i]));
        worst = std::max(worst, std::fabs(inner - (i == v ? 1.0 : 0.0)));
      }
    CHECK_NEAR(worst, 0.0, 1e-11);
  }
  // Of rank 1, at any scale.
  for (const double scale : {1.0, 1e-45, 1e30, 0.0}) {
    std::vector<double> a(31 * 31);
    for (std::int64_t i = 0; i < 31; ++i)
      for (std::int64_t j = 0; j < 31; ++j) a[i * 31 + j] = scale * CounterRng(8).normal(i) * CounterRng(8).normal(j);
    for (double& value : a) value = static_cast<double>(static_cast<float>(value));
    double trace = 0.0, sum = 0.0;
    for (std::int64_t i = 0; i < 31; ++i) trace += a[i * 31 + i];
    for (const double value : symmetric_eigen(a, 31)) sum += value;
    CHECK_NEAR(sum, trace, 1e-12 * trace);
  }
  std::vector<double> bad(4, std::numeric_limits<double>::infinity());
  CHECK_THROWS(std::domain_error, symmetric_eigen(bad, 2), "finite");
}
