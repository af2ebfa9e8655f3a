#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "factorec/metrics.hpp"
#include "factorec/rng.hpp"
#include "levels.hpp"

using namespace factorec;
using factorec::testing::at_each_level;

namespace {

struct Rows {
  std::vector<float> scores, target, weight;
};

Rows draw(std::size_t n, bool ties) {
  const CounterRng rng(n);
  Rows rows;
  for (std::size_t i = 0; i < n; ++i) {
    const double score = 3 * rng.normal(i);
    rows.scores.push_back(static_cast<float>(ties ? std::round(score) : score));
    rows.target.push_back(rng.fork(1).uniform(i) < 0.4 ? 1.0f : 0.0f);
    rows.weight.push_back(static_cast<float>(rng.fork(2).below(4, i)));
  }
  rows.weight[0] = 1;
  return rows;
}

// Every pair of a positive and a negative row: half a point for a tie.
double auc_by_pairs(const Rows& rows) {
  double won = 0, pairs = 0;
  for (std::size_t i = 0; i < rows.scores.size(); ++i)
    for (std::size_t j = 0; j < rows.scores.size(); ++j)
      if (rows.target[i] > rows.target[j]) {
        const double weight = static_cast<double>(rows.weight[i]) * rows.weight[j];
        pairs += weight;
        won += weight * (rows.scores[i] > rows.scores[j] ? 1.0 : rows.scores[i] == rows.scores[j] ? 0.5 : 0.0);
      }
  return won / pairs;
}

}  // namespace

FACTOREC_TEST(metrics, classification_equals_its_definition_at_each_level) {
  at_each_level([] {
    for (const bool ties : {false, true}) {
      const Rows rows = draw(517, ties);
      double loss = 0, right = 0, total = 0;
      for (std::size_t i = 0; i < rows.scores.size(); ++i) {
        const double margin = rows.target[i] > 0 ? rows.scores[i] : -static_cast<double>(rows.scores[i]);
        loss += rows.weight[i] * std::log1p(std::exp(-margin));
        right += rows.weight[i] * ((rows.scores[i] >= 0) == (rows.target[i] > 0));
        total += rows.weight[i];
      }
      for (const int n_threads : {1, 2}) {
        Control control;
        const auto found = classification_metrics(rows.scores, rows.target, rows.weight, n_threads, control);
        CHECK_NEAR(found.log_loss, loss / total, 1e-12);
        CHECK_NEAR(found.accuracy, right / total, 1e-12);
        CHECK_NEAR(found.auc, auc_by_pairs(rows), 1e-12);
      }
    }
  });
}

FACTOREC_TEST(metrics, the_same_bits_at_any_level_and_thread_count) {
  const Rows rows = draw(200'003, false);
  std::vector<double> losses;
  at_each_level([&] {
    for (const int n_threads : {1, 2, 3}) {
      Control control;
      losses.push_back(classification_metrics(rows.scores, rows.target, rows.weight, n_threads, control).log_loss);
    }
  });
  for (const double loss : losses) CHECK_EQUAL(loss, losses[0]);
}

FACTOREC_TEST(metrics, scores_far_out_do_not_overflow) {
  at_each_level([] {
    const std::vector<float> scores{1e30f, -1e30f};
    const std::vector<float> target{0.0f, 0.0f};
    Control control;
    const auto found = classification_metrics(scores, target, {}, 1, control);
    CHECK_NEAR(found.log_loss / 0.5e30, 1.0, 1e-6);
    CHECK(std::isnan(found.auc));
  });
}

FACTOREC_TEST(metrics, regression_equals_its_definition_at_each_level) {
  at_each_level([] {
    for (const std::size_t n : {1u, 15u, 16u, 17u, 1000u}) {
      const Rows rows = draw(n, false);
      double squared = 0, absolute = 0, total = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double error = static_cast<double>(rows.scores[i]) - rows.target[i];
        squared += rows.weight[i] * error * error;
        absolute += rows.weight[i] * std::fabs(error);
        total += rows.weight[i];
      }
      Control control;
      const auto found = regression_metrics(rows.scores, rows.target, rows.weight, 1, control);
      CHECK_NEAR(found.rmse, std::sqrt(squared / total), 1e-12);
      CHECK_NEAR(found.mae, absolute / total, 1e-12);
    }
  });
}

FACTOREC_TEST(metrics, bad_rows_are_named) {
  Control control;
  const std::vector<float> two{0.0f, 1.0f};
  const std::vector<float> bad{0.0f, std::numeric_limits<float>::quiet_NaN()};
  CHECK_THROWS(std::invalid_argument, classification_metrics({}, {}, {}, 1, control), "");
  CHECK_THROWS(std::invalid_argument, classification_metrics(bad, two, {}, 1, control), "1");
  CHECK_THROWS(std::invalid_argument, regression_metrics(two, bad, {}, 1, control), "1");
  CHECK_THROWS(std::invalid_argument, regression_metrics(two, std::vector<float>{1.0f}, {}, 1, control), "");
}
