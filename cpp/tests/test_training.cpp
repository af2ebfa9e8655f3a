// The trainer against the same pass written as plain loops over doubles.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "factorec/training.hpp"
#include "levels.hpp"
#include "random_rows.hpp"
#include "schedule.hpp"

using namespace factorec;
using factorec::testing::at_each_level;
using factorec::testing::BlockShape;
using factorec::testing::RandomRows;

namespace {

// Parameters and accumulators of one model.
template <class T>
struct Model {
  std::int64_t k;
  std::vector<T> linear, factors, linear_accumulator, factors_accumulator;
  BiasState bias{0.25, 1};
  std::vector<double> cuts{-1.5, -0.2, 0.1, 2}, cut_accumulators{1, 1, 2, 1};  // of five levels (ordinal loss)
  PassSums sums;  // of the last epoch

  Model(std::int64_t n, std::int64_t k)
      : k(k), linear(n), factors(n * k), linear_accumulator(n, T(1)), factors_accumulator(n, T(1)) {
    const CounterRng rng(11);
    for (std::size_t i = 0; i < factors.size(); ++i) factors[i] = static_cast<float>(0.3 * rng.normal(i));
    for (std::size_t i = 0; i < linear.size(); ++i) linear[i] = static_cast<float>(0.1 * rng.fork(1).normal(i));
  }
};

struct Problem {
  RandomRows random;
  TrainingOptions options;
  std::vector<float> target, weight, rate_linear, rate_factors, l2_linear, l2_factors;
  std::vector<double> cut_weight{0.5, 0, 1, 0.5}, distance{1, 1, 2.5, 0.5};
  std::vector<Field> grid;  // its candidates; none: looked for among fields of ones

  Problem(std::int64_t n_rows, const std::vector<BlockShape>& shapes, Solver solver, Loss loss) : random(n_rows, shapes, 4) {
    options.solver = solver;
    options.loss = loss;
    options.shuffle = false;
    options.rate_bias = 0.05;
    options.l2_bias = 0.01;
    const CounterRng rng(9);
    for (std::int64_t i = 0; i < n_rows; ++i) {
      target.push_back(loss == Loss::squared ? static_cast<float>(rng.normal(i))
                                             : static_cast<float>(rng.below(loss == Loss::logistic ? 2 : 5, i)));
      weight.push_back(0.5f + static_cast<float>(rng.fork(1).below(3, i)));
    }
    for (std::int64_t f = 0; f < random.rows.n_features; ++f) {
      rate_linear.push_back(0.05f / static_cast<float>(1 + f % 2));
      rate_factors.push_back(0.02f * static_cast<float>(f % 3));
      l2_linear.push_back(0.01f * static_cast<float>(f % 3));
      l2_factors.push_back(0.02f * static_cast<float>(f % 5));
    }
  }
};

// The pass of training.cpp's first comment.
class Reference {
 public:
  Reference(const Problem& problem, Model<double>& model) : p_(problem), m_(model) {
    std::vector<RowNumber> order(static_cast<std::size_t>(p_.random.rows.n_rows));
    std::iota(order.begin(), order.end(), RowNumber{0});
    Control control;
    if (p_.options.batch_size == 1) fields_ = choose_grid(p_.random.rows, p_.grid, 1, control);
    if (fields_) grid_ = build_grid(p_.random.rows, *fields_, 1, control);
    TrainingData data;
    data.rows = p_.random.rows;
    schedule_rows({data, fields_ ? &grid_ : nullptr, false}, order, 1, control, schedule_);
  }

  void epoch() {
    total_ = PassSums();
    run_epoch();
    m_.sums = total_;
  }

 private:
  void run_epoch() {
    if (!fields_) return p_.options.batch_size == 1 ? by_row() : by_batch();
    const auto blocks = order_blocks(grid_.n_groups, nullptr);
    for (int round = 0; round < grid_.n_groups; ++round) {
      PassSums sums;
      std::int64_t longest = 0;
      const auto block_at = [&](int i) { return blocks[static_cast<std::size_t>(round * grid_.n_groups + i)]; };
      for (int i = 0; i < grid_.n_groups; ++i) longest = std::max(longest, end(block_at(i)) - begin(block_at(i)));
      for (std::int64_t done = 0; done < longest; done += 1024) {
        for (int i = 0; i < grid_.n_groups; ++i) {
          const std::int64_t from = begin(block_at(i)) + done;
          run(from, std::min(from + 1024, end(block_at(i))), sums);
        }
        merge();
      }
      step_bias(sums);
    }
  }

  std::int64_t begin(std::int32_t block) const { return schedule_.block_begin[static_cast<std::size_t>(block)]; }
  std::int64_t end(std::int32_t block) const { return schedule_.block_begin[static_cast<std::size_t>(block) + 1]; }

  void by_row() {
    for (std::int64_t place = 0; place < schedule_.size(); ++place) {
      PassSums sums;
      run(place, place + 1, sums);
      step_bias(sums);
    }
  }

  void by_batch() {
    for (std::int64_t at = 0; at < schedule_.size(); at += p_.options.batch_size) {
      PassSums sums;
      run(at, std::min(at + p_.options.batch_size, schedule_.size()), sums);
      merge();
      step_bias(sums);
    }
  }

  bool live(std::int64_t f) const {
    if (p_.options.batch_size > 1) return false;
    const auto in = [&](const Field& field) { return f >= field.start && f < field.stop; };
    return !fields_ || in(fields_->first) || in(fields_->second);
  }

  // s = V'x of a row, and its score by the definition over pairs of entries.
  double score(std::int64_t row, std::vector<double>& s) const {
    s.assign(m_.k, 0);
    double linear = m_.bias.value, pairs = 0;
    p_.random.rows.for_each(row, [&](std::int64_t f, double x) {
      linear += m_.linear[f] * x;
      for (std::int64_t j = 0; j < m_.k; ++j) {
        const double part = x * m_.factors[f * m_.k + j];
        pairs += part * s[j];
        s[j] += part;
      }
    });
    return linear + pairs;
  }

  // Places [from, to): groups of 16, scores first.
  void run(std::int64_t from, std::int64_t to, PassSums& sums) {
    std::vector<double> s, slopes;
    for (std::int64_t group = from; group < to; group += 16) {
      const std::int64_t stop = std::min(group + 16, to);
      slopes.clear();
      for (std::int64_t place = group; place < stop; ++place) {
        const std::int64_t row = schedule_.row[place];
        const double z = score(row, s), y = p_.target[row], w = p_.weight[row];
        slopes.push_back(w * (ordinal() ? slope_of_level(z, y, w)
                                        : (p_.options.loss == Loss::logistic ? 1 / (1 + std::exp(-z)) : z) - y));
        sums.slope += slopes.back();
        sums.weight += w;
      }
      for (std::int64_t place = group; place < stop; ++place) {
        const std::int64_t row = schedule_.row[place];
        score(row, s);
        p_.random.rows.for_each(row, [&](std::int64_t f, double x) {
          std::vector<double> gradient(m_.k + 1);
          const double slope = slopes[place - group] * x, w = p_.weight[row];
          for (std::int64_t j = 0; j < m_.k; ++j) {
            const double v = m_.factors[f * m_.k + j];
            gradient[j] = clip(slope * (s[j] - x * v) + w * p_.l2_factors[f] * v);
          }
          gradient[m_.k] = clip(slope + w * p_.l2_linear[f] * m_.linear[f]);
          if (live(f)) return step(f, gradient, 1);
          auto& sum = sums_of_[f];
          sum.resize(m_.k + 1);
          for (std::int64_t j = 0; j <= m_.k; ++j) sum[j] += gradient[j];
          ++counts_[f];
        });
      }
    }
  }

  void merge() {
    for (auto& [f, gradient] : sums_of_) {
      const double count = counts_[f];
      const double scale =
          p_.options.solver == Solver::adagrad ? 1 / std::sqrt(count) : std::min(count, 16.0) / count;
      for (double& entry : gradient) entry *= scale;
      step(f, gradient, count);
    }
    sums_of_.clear();
    counts_.clear();
  }

  void step(std::int64_t f, const std::vector<double>& gradient, double) {
    double rate = p_.rate_factors[f], rate_linear = p_.rate_linear[f];
    if (p_.options.solver == Solver::adagrad) {
      for (std::int64_t j = 0; j < m_.k; ++j) m_.factors_accumulator[f] += gradient[j] * gradient[j] / m_.k;
      m_.linear_accumulator[f] += gradient[m_.k] * gradient[m_.k];
      rate /= std::sqrt(m_.factors_accumulator[f]);
      rate_linear /= std::sqrt(m_.linear_accumulator[f]);
    }
    for (std::int64_t j = 0; j < m_.k; ++j) m_.factors[f * m_.k + j] -= rate * gradient[j];
    m_.linear[f] -= rate_linear * gradient[m_.k];
  }

  bool ordinal() const { return p_.options.loss == Loss::ordinal; }

  // The probability of a level is a difference of two probabilities; the expected target a sum over levels.
  double slope_of_level(double z, double y, double w) {
    const std::size_t n = m_.cuts.size();
    const auto above = [&](std::size_t level) {  // P(at least this level)
      return level == 0 ? 1.0 : level > n ? 0.0 : 1 / (1 + std::exp(m_.cuts[level - 1] - z));
    };
    cut_slopes_.resize(n);
    double slope = 0, expected = 0, actual = 0, value = 0;
    for (std::size_t level = 0; level <= n; ++level) {
      if (level > 0) value += p_.distance[level - 1];
      expected += value * (above(level) - above(level + 1));
      if (level == static_cast<std::size_t>(y)) actual = value;
      if (level == 0) continue;
      const double own = above(level) - (y >= static_cast<double>(level) ? 1 : 0);
      cut_slopes_[level - 1] += w * own;
      slope += p_.cut_weight[level - 1] * own;
    }
    const auto level = static_cast<std::size_t>(y);
    total_.weight += w;
    total_.loss -= w * std::log(above(level) - above(level + 1));
    total_.squared += w * (expected - actual) * (expected - actual);
    total_.absolute += w * std::fabs(expected - actual);
    return slope;
  }

  void step_cuts(double weight) {
    double left_before = 0;
    for (std::size_t t = 0; t < m_.cuts.size(); ++t) {
      const double before = m_.cuts[t], gradient = clip(cut_slopes_[t] / weight);
      double rate = p_.options.rate_bias;
      if (p_.options.solver == Solver::adagrad) {
        m_.cut_accumulators[t] += gradient * gradient;
        rate /= std::sqrt(m_.cut_accumulators[t]);
      }
      m_.cuts[t] += rate * gradient;
      if (t > 0) m_.cuts[t] = std::max(m_.cuts[t], m_.cuts[t - 1] + (before - left_before) / 2);
      left_before = before;
    }
    cut_slopes_.clear();
  }

  void step_bias(const PassSums& sums) {
    if (sums.weight == 0) return;
    if (ordinal()) return step_cuts(sums.weight);
    const double gradient = clip(sums.slope / sums.weight + p_.options.l2_bias * m_.bias.value);
    double rate = p_.options.rate_bias;
    if (p_.options.solver == Solver::adagrad) {
      m_.bias.accumulator += gradient * gradient;
      rate /= std::sqrt(m_.bias.accumulator);
    }
    m_.bias.value -= rate * gradient;
  }

  double clip(double x) const { return std::clamp<double>(x, -p_.options.clip, p_.options.clip); }

  const Problem& p_;
  Model<double>& m_;
  std::optional<GridFields> fields_;
  Grid grid_;
  Schedule schedule_;
  PassSums total_;
  std::vector<double> cut_slopes_;
  std::map<std::int64_t, std::vector<double>> sums_of_;
  std::map<std::int64_t, double> counts_;
};

Model<float> train(const Problem& problem, std::int64_t k, int n_threads) {
  Model<float> model(problem.random.rows.n_features, k);
  const ParameterArrays arrays{model.linear, {model.factors.data(), problem.random.rows.n_features, k},
                               model.linear_accumulator, model.factors_accumulator};
  TrainingOptions options = problem.options;
  options.n_threads = n_threads;
  TrainingData data{problem.random.rows, problem.target, problem.weight,
                    {problem.rate_linear, problem.rate_factors, problem.l2_linear, problem.l2_factors}, problem.grid, {}};
  if (options.loss == Loss::ordinal)
    data.cuts = {model.cuts, model.cut_accumulators, problem.cut_weight, problem.distance};
  Control control;
  Trainer trainer(std::move(data), options, arrays, model.bias, control);
  for (std::uint64_t epoch = 0; epoch < 2; ++epoch) model.sums = trainer.epoch(epoch, control);
  CHECK(trainer.finite());
  model.bias = trainer.copy_to(arrays);
  if (options.loss == Loss::ordinal) {
    model.cuts.assign(trainer.cuts().begin(), trainer.cuts().end());
    model.cut_accumulators.assign(trainer.cut_accumulators().begin(), trainer.cut_accumulators().end());
  }
  return model;
}

void check_against_reference(const Problem& problem, std::int64_t k) {
  Model<double> expected(problem.random.rows.n_features, k);
  Reference reference(problem, expected);
  reference.epoch();
  reference.epoch();
  CHECK(std::isfinite(expected.bias.value));
  at_each_level([&] {
    const Model<float> found = train(problem, k, 1);
    double worst = std::fabs(found.bias.value - expected.bias.value);
    const auto compare = [&](const auto& a, const std::vector<double>& b) {
      for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::fabs(a[i] - b[i]) / std::max(1.0, std::fabs(b[i])));
    };
    compare(found.linear, expected.linear);
    compare(found.factors, expected.factors);
    compare(found.linear_accumulator, expected.linear_accumulator);
    compare(found.factors_accumulator, expected.factors_accumulator);
    compare(found.cuts, expected.cuts);
    compare(found.cut_accumulators, expected.cut_accumulators);
    CHECK_NEAR(worst, 0, 1e-4);
    if (problem.options.loss == Loss::ordinal) {
      CHECK_NEAR(found.sums.weight / expected.sums.weight, 1, 1e-5);
      CHECK_NEAR(found.sums.loss / expected.sums.loss, 1, 1e-4);
      CHECK_NEAR(found.sums.squared / expected.sums.squared, 1, 1e-4);
      CHECK_NEAR(found.sums.absolute / expected.sums.absolute, 1, 1e-4);
    }
    // Promise 3: the same bits at any number of threads.
    const Model<float> threaded = train(problem, k, 2);
    CHECK(threaded.factors == found.factors);
    CHECK(threaded.linear == found.linear);
    CHECK_EQUAL(threaded.bias.value, found.bias.value);
    CHECK(threaded.cuts == found.cuts);
  });
}

template <class Action>
void for_each_solver_and_loss(Action&& action) {
  for (const Solver solver : {Solver::sgd, Solver::adagrad})
    for (const Loss loss : {Loss::squared, Loss::logistic, Loss::ordinal}) action(solver, loss);
}

}  // namespace

FACTOREC_TEST(training, pairs_of_ids) {
  for_each_solver_and_loss([](Solver solver, Loss loss) {
    const Problem problem(3000, {{50, 0, 50}, {70, 50, 120}}, solver, loss);
    for (const std::int64_t k : {1, 5, 16, 32, 64, 70}) check_against_reference(problem, k);
  });
}

FACTOREC_TEST(training, pairs_of_ids_with_one_setting_for_each_field) {
  for_each_solver_and_loss([](Solver solver, Loss loss) {
    Problem problem(3000, {{50, 0, 50}, {70, 50, 120}}, solver, loss);
    const auto of_field = [](std::vector<float>& values, float first, float second) {
      for (std::size_t f = 0; f < values.size(); ++f) values[f] = f < 50 ? first : second;
    };
    of_field(problem.rate_linear, 0.05f, 0.03f);
    of_field(problem.rate_factors, 0.02f, 0.04f);
    of_field(problem.l2_linear, 0.01f, 0.02f);
    of_field(problem.l2_factors, 0.05f, 0.03f);
    for (const std::int64_t k : {1, 8, 16, 32, 48, 64, 70, 128}) check_against_reference(problem, k);
  });
}

FACTOREC_TEST(training, ids_with_shared_features) {
  for_each_solver_and_loss([](Solver solver, Loss loss) {
    const Problem problem(3000, {{50, 0, 50}, {4, 50, 60, 3, false}, {70, 60, 130}}, solver, loss);
    check_against_reference(problem, 8);
  });
}

// Enough rows for rounds on two threads, and blocks in which frozen features take several steps.
FACTOREC_TEST(training, ids_with_frozen_features) {
  for (const bool ones : {true, false})
    for_each_solver_and_loss([&](Solver solver, Loss loss) {
      Problem problem(20000, {{40, 0, 40}, {7, 40, 50, 3, ones}, {5, 50, 55}, {30, 55, 85}}, solver, loss);
      problem.grid = {{0, 40}, {55, 85}};
      for (float& rate : problem.rate_factors) rate *= 0.2f;  // by SGD, 16 rows' worth is one step
      for (float& rate : problem.rate_linear) rate *= 0.2f;
      for (const std::int64_t k : {3, 16}) check_against_reference(problem, k);
    });
}

// The vectors of each number of factors that has a loop of its own, and clipping beside frozen features.
FACTOREC_TEST(training, frozen_features_of_any_length) {
  Problem problem(2000, {{40, 0, 40}, {7, 40, 50, 3, false}, {30, 50, 80}}, Solver::adagrad, Loss::logistic);
  problem.grid = {{0, 40}, {50, 80}};
  for (const std::int64_t k : {1, 8, 32, 64, 70}) check_against_reference(problem, k);
  problem.options.clip = 0.05f;
  check_against_reference(problem, 16);
}

FACTOREC_TEST(training, row_by_row_without_a_grid) {
  for_each_solver_and_loss([](Solver solver, Loss loss) {
    const Problem problem(300, {{60, 0, 12, 4, false}}, solver, loss);
    check_against_reference(problem, 7);
  });
}

FACTOREC_TEST(training, mini_batches) {
  for_each_solver_and_loss([](Solver solver, Loss loss) {
    Problem problem(1000, {{50, 0, 50}, {70, 50, 120}}, solver, loss);
    problem.options.batch_size = 100;
    check_against_reference(problem, 8);
  });
}

FACTOREC_TEST(training, clipped_gradients) {
  for_each_solver_and_loss([](Solver solver, Loss loss) {
    Problem problem(2000, {{50, 0, 50}, {70, 50, 120}}, solver, loss);
    problem.options.clip = 0.05f;
    check_against_reference(problem, 16);
  });
}
