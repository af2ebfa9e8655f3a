// Adam against the same pass written as plain loops over doubles.
#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

#include "check.hpp"
#include "factorec/training.hpp"
#include "levels.hpp"
#include "random_rows.hpp"

using namespace factorec;
using factorec::testing::at_each_level;
using factorec::testing::BlockShape;
using factorec::testing::RandomRows;

namespace {

// Weights and moments of one model.
template <class T>
struct Model {
  std::int64_t n, k;
  std::vector<T> linear, factors, linear_mean, linear_square, factors_mean, factors_square;
  std::vector<T> unused_linear, unused_factors;  // AdaGrad's
  BiasState bias{0.25, 1, 0.001, 0.0001, 7};

  Model(std::int64_t n, std::int64_t k) : n(n), k(k), linear(n), factors(n * k), unused_linear(n), unused_factors(n) {
    const auto fill = [](std::vector<T>& values, std::size_t size, std::uint64_t stream, double scale, bool square) {
      const CounterRng rng = CounterRng(11).fork(stream);
      values.resize(size);
      for (std::size_t i = 0; i < size; ++i) {
        const double drawn = scale * rng.normal(i);
        values[i] = static_cast<float>(square ? drawn * drawn : drawn);
      }
    };
    fill(linear, n, 0, 0.1, false);
    fill(factors, n * k, 1, 0.3, false);
    fill(linear_mean, n, 2, 0.01, false);
    fill(linear_square, n, 3, 0.1, true);
    fill(factors_mean, n * k, 4, 0.01, false);
    fill(factors_square, n * k, 5, 0.1, true);
  }
};

struct Problem {
  RandomRows random;
  TrainingOptions options;
  std::vector<float> target, weight, rate_linear, rate_factors, l2_linear, l2_factors;

  Problem(std::int64_t n_rows, const std::vector<BlockShape>& shapes, Loss loss) : random(n_rows, shapes, 4) {
    options.solver = Solver::adam;
    options.loss = loss;
    options.shuffle = false;
    options.rate_bias = 0.01;
    options.l2_bias = 0.01;
    options.batch_size = 100;
    options.adam.rescale = 0.01;
    const CounterRng rng(9);
    for (std::int64_t i = 0; i < n_rows; ++i) {
      target.push_back(loss == Loss::logistic ? static_cast<float>(rng.below(2, i)) : static_cast<float>(rng.normal(i)));
      weight.push_back(0.5f + static_cast<float>(rng.fork(1).below(3, i)));
    }
    for (std::int64_t f = 0; f < random.rows.n_features; ++f) {
      rate_linear.push_back(0.01f / static_cast<float>(1 + f % 2));
      rate_factors.push_back(0.005f * static_cast<float>(f % 3));
      l2_linear.push_back(0.01f * static_cast<float>(f % 3));
      l2_factors.push_back(0.02f * static_cast<float>(f % 5));
    }
  }
};

// One epoch in the order of the rows; returns the sum of the losses.
double reference_epoch(const Problem& p, Model<double>& m) {
  const Rows& rows = p.random.rows;
  const AdamOptions& adam = p.options.adam;
  const auto k = static_cast<std::size_t>(m.k);
  double loss = 0;
  for (std::int64_t begin = 0; begin < rows.n_rows; begin += p.options.batch_size) {
    const std::int64_t end = std::min(begin + p.options.batch_size, rows.n_rows);
    const std::int64_t padded = adam.pad_last_batch ? begin + p.options.batch_size : end;
    std::vector<double> of_linear(m.linear.size()), of_factors(m.factors.size());
    double of_bias = 0;
    std::set<std::int64_t> present;
    for (std::int64_t row = begin; row < padded; ++row) {
      const bool real = row < end;
      std::vector<double> s(k);
      double score = m.bias.value, squares = 0;
      const auto visit = [&](auto&& action) {
        if (real) rows.for_each(row, action);
      };
      visit([&](std::int64_t f, float x) {
        score += m.linear[f] * x;
        for (std::size_t j = 0; j < k; ++j) {
          const double part = m.factors[f * m.k + j] * x;
          s[j] += part;
          squares += part * part;
        }
      });
      for (std::size_t j = 0; j < k; ++j) score += 0.5 * s[j] * s[j];
      score -= 0.5 * squares;
      const double y = real ? p.target[row] : 0, weight = real ? p.weight[row] : 1;
      const bool logistic = p.options.loss == Loss::logistic;
      const double slope = weight * ((logistic ? 1 / (1 + std::exp(-score)) : score) - y);
      loss += weight * (logistic ? std::log1p(std::exp(-std::fabs(score))) + std::max(score, 0.0) - y * score
                                 : (score - y) * (score - y));
      if (real || adam.padding_moves_bias) of_bias += slope;
      visit([&](std::int64_t f, float x) {
        present.insert(f);
        of_linear[f] += slope * x;
        for (std::size_t j = 0; j < k; ++j)
          of_factors[f * m.k + j] += slope * x * (s[j] - m.factors[f * m.k + j] * x);
      });
    }
    if (!adam.lazy)
      for (std::int64_t f = 0; f < m.n; ++f) present.insert(f);
    const auto t = static_cast<double>(++m.bias.n_steps);
    const double correction = std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
    const auto step = [&](double& P, double& mean, double& square, double sum, double rate, double decay) {
      const double limit = p.options.clip;
      const double g = std::clamp(adam.rescale * sum + decay * P, -limit, limit);
      mean = 0.9 * mean + 0.1 * g;
      square = 0.999 * square + 0.001 * g * g;
      P -= rate * correction * mean / (std::sqrt(square) + adam.epsilon);
    };
    step(m.bias.value, m.bias.mean, m.bias.square, of_bias, p.options.rate_bias, p.options.l2_bias);
    for (const std::int64_t f : present) {
      step(m.linear[f], m.linear_mean[f], m.linear_square[f], of_linear[f], p.rate_linear[f], p.l2_linear[f]);
      for (std::size_t j = 0; j < k; ++j) {
        const std::size_t at = static_cast<std::size_t>(f) * k + j;
        step(m.factors[at], m.factors_mean[at], m.factors_square[at], of_factors[at], p.rate_factors[f],
             p.l2_factors[f]);
      }
    }
  }
  return loss;
}

struct Run {
  Model<float> model;
  ParameterArrays arrays;
  std::unique_ptr<Trainer> trainer;

  Run(const Problem& problem, std::int64_t k, int n_threads) : model(problem.random.rows.n_features, k) {
    const std::int64_t n = model.n;
    arrays = {model.linear,
              {model.factors.data(), n, k},
              model.unused_linear,
              model.unused_factors,
              {model.linear_mean,
               model.linear_square,
               {model.factors_mean.data(), n, k},
               {model.factors_square.data(), n, k}}};
    TrainingOptions options = problem.options;
    options.n_threads = n_threads;
    TrainingData data{problem.random.rows, problem.target, problem.weight,
                      {problem.rate_linear, problem.rate_factors, problem.l2_linear, problem.l2_factors}, {}, {}};
    Control control;
    trainer = std::make_unique<Trainer>(std::move(data), options, arrays, model.bias, control);
  }

  double epoch(std::uint64_t number) {
    Control control;
    return trainer->epoch(number, control).loss;
  }

  void finish() {
    CHECK(trainer->finite());
    model.bias = trainer->copy_to(arrays);
  }
};

void check_against_reference(const Problem& problem, std::int64_t k) {
  Model<double> expected(problem.random.rows.n_features, k);
  double expected_loss = 0;
  for (int epoch = 0; epoch < 2; ++epoch) expected_loss = reference_epoch(problem, expected);
  at_each_level([&] {
    Run one(problem, k, 1);
    double loss = 0;
    for (std::uint64_t epoch = 0; epoch < 2; ++epoch) loss = one.epoch(epoch);
    one.finish();
    const Model<float>& found = one.model;
    CHECK_NEAR(loss / expected_loss, 1, 1e-5);
    double worst = std::fabs(found.bias.value - expected.bias.value);
    const auto compare = [&](const std::vector<float>& a, const std::vector<double>& b) {
      for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(a[i] - b[i]));
    };
    compare(found.linear, expected.linear);
    compare(found.factors, expected.factors);
    compare(found.linear_mean, expected.linear_mean);
    compare(found.factors_mean, expected.factors_mean);
    compare(found.linear_square, expected.linear_square);
    compare(found.factors_square, expected.factors_square);
    CHECK_NEAR(worst, 0, 1e-5);
    CHECK_EQUAL(found.bias.n_steps, expected.bias.n_steps);
  });
}

// Promise 3: the same bits at any number of threads.
void check_threads(const Problem& problem, std::int64_t k) {
  Run one(problem, k, 1);
  const double loss = one.epoch(0);
  one.finish();
  for (const int n_threads : {2, 3, 16}) {
    Run other(problem, k, n_threads);
    CHECK_EQUAL(other.epoch(0), loss);
    other.finish();
    CHECK(other.model.factors == one.model.factors);
    CHECK(other.model.linear == one.model.linear);
    CHECK(other.model.factors_square == one.model.factors_square);
    CHECK_EQUAL(other.model.bias.value, one.model.bias.value);
    const auto a = one.trainer->steps(), b = other.trainer->steps();
    CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
}

template <class Action>
void for_each_loss(Action&& action) {
  for (const Loss loss : {Loss::squared, Loss::logistic}) action(loss);
}

}  // namespace

FACTOREC_TEST(adam_pass, ids) {
  for_each_loss([](Loss loss) {
    const Problem problem(1250, {{50, 0, 50}, {70, 50, 120}}, loss);
    for (const std::int64_t k : {1, 5, 16, 32, 64, 70}) check_against_reference(problem, k);
  });
}

FACTOREC_TEST(adam_pass, shared_features_with_values) {
  for_each_loss([](Loss loss) {
    const Problem problem(1250, {{50, 0, 50}, {4, 50, 60, 3, false}, {70, 60, 130}}, loss);
    for (const std::int64_t k : {3, 16}) check_against_reference(problem, k);
  });
}

FACTOREC_TEST(adam_pass, batches_of_any_size) {
  Problem problem(5000, {{50, 0, 50}, {7, 50, 60, 3, false}, {70, 60, 130}}, Loss::logistic);
  for (const std::int64_t size : {1, 63, 64, 65, 2048, 2049, 4999, 5000, 1 << 30}) {
    problem.options.batch_size = size;
    problem.options.adam.rescale = 1.0 / static_cast<double>(std::min<std::int64_t>(size, 5000));
    check_against_reference(problem, 5);
  }
}

FACTOREC_TEST(adam_pass, options) {
  for_each_loss([](Loss loss) {
    const auto check = [&](auto&& change) {
      Problem problem(1250, {{50, 0, 50}, {90, 50, 140}}, loss);
      change(problem.options);
      check_against_reference(problem, 6);
    };
    check([](TrainingOptions& o) { o.clip = 0.005f; });
    check([](TrainingOptions& o) { o.adam.epsilon = 0.01; });
    check([](TrainingOptions& o) { o.adam.lazy = false, o.batch_size = 8; });
    check([](TrainingOptions& o) { o.adam.pad_last_batch = true; });
    check([](TrainingOptions& o) { o.adam.pad_last_batch = true, o.adam.padding_moves_bias = false; });
  });
}

FACTOREC_TEST(adam_pass, threads_do_not_matter) {
  Problem problem(6000, {{200, 0, 200}, {7, 200, 220, 3, false}, {300, 220, 520}}, Loss::logistic);
  for (const std::int64_t size : {256, 1000, 3000, 6000}) {
    problem.options.batch_size = size;
    check_threads(problem, 20);
  }
}

// More entries than a chunk holds: it then has fewer rows.
FACTOREC_TEST(adam_pass, long_rows) {
  Problem problem(300, {{300, 0, 9000, 8000, false}}, Loss::squared);
  problem.options.batch_size = 300;
  for (float& rate : problem.rate_factors) rate *= 0.01f;
  check_threads(problem, 2);
}

FACTOREC_TEST(adam_pass, an_interrupted_epoch_leaves_a_trainer_that_goes_on) {
  const Problem problem(6000, {{50, 0, 50}, {70, 50, 120}}, Loss::logistic);
  Run run(problem, 4, 2);
  Control stopped;
  stopped.request_stop();
  CHECK_THROWS(Interrupted, run.trainer->epoch(0, stopped), "interrupted");
  CHECK(std::isfinite(run.epoch(0)));
  run.finish();
}

FACTOREC_TEST(adam_pass, reports_and_steps) {
  Problem problem(1250, {{50, 0, 50}, {70, 50, 120}}, Loss::logistic);
  problem.options.adam.report_every = 5;
  Run run(problem, 4, 1);
  const double loss = run.epoch(0);
  const auto reports = run.trainer->reports();
  CHECK_EQUAL(reports.size(), std::size_t{3});
  CHECK_EQUAL(reports[2].batch, std::int64_t{10});
  CHECK(reports[0].sums.loss < reports[1].sums.loss && reports[2].sums.loss < loss);
  std::int64_t most = 0;
  for (const std::int64_t steps : run.trainer->steps()) most = std::max(most, steps);
  CHECK(most > 1 && most <= 13);
}
