// The cuts between levels: what is refused, and that no step disorders them.
#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "cuts.hpp"

using namespace factorec;

namespace {

struct Start {
  std::vector<double> cut{-1, 0, 2}, accumulator{1, 1, 1}, weight{0.5, 0, 0.5}, distance{1, 1, 1};
  LevelCuts view() const { return {cut, accumulator, weight, distance}; }
};

bool refused(const Start& start) {
  try {
    const Cuts cuts(start.view());
  } catch (const std::invalid_argument&) {
    return true;
  }
  return false;
}

// One step by slopes of one block.
void step(Cuts& cuts, const std::vector<double>& slopes, double weight, const TrainingOptions& options) {
  const CutsView view = cuts.view(0);
  for (std::size_t t = 0; t < slopes.size(); ++t) view.slopes[t] += slopes[t];
  cuts.step(weight, options);
}

}  // namespace

FACTOREC_TEST(cuts, refuses_what_are_no_cuts) {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  CHECK(!refused(Start()));
  for (const std::vector<double>& cut : {std::vector<double>{}, {0, 0, 1}, {1, 0, 2}, {nan, 0, 1}, {0, 1, inf}, {0, 1}}) {
    Start start;
    start.cut = cut;
    CHECK(refused(start));
  }
  for (const double bad : {nan, inf, 0.0, -1.0}) {
    Start start;
    start.accumulator[1] = bad;
    CHECK(refused(start));
  }
  for (const double bad : {nan, inf, -1.0, 1e300}) {
    Start start;
    start.weight[1] = bad;
    CHECK(refused(start));
  }
  Start start;
  start.distance[2] = nan;
  CHECK(refused(start));
  start = Start();
  start.weight = {0, 0, 0};
  CHECK(refused(start));
}

FACTOREC_TEST(cuts, a_step_is_that_of_the_mean_slope) {
  const Start start;
  TrainingOptions options;
  options.solver = Solver::sgd;
  options.rate_bias = 0.1;
  Cuts cuts(start.view());
  cuts.reserve(2);
  cuts.view(0).slopes[1] = 3;
  cuts.view(1).slopes[1] = -1;
  cuts.step(4, options);
  CHECK_NEAR(cuts.values()[1], 0.1 * 2 / 4, 1e-15);
  CHECK_EQUAL(cuts.values()[0], -1.0);
  CHECK_EQUAL(cuts.view(0).slopes[1], 0.0);
  CHECK_EQUAL(cuts.view(0).cut[1], static_cast<float>(cuts.values()[1]));
  options.solver = Solver::adagrad;
  step(cuts, {0, 0, -8}, 4, options);
  CHECK_NEAR(cuts.accumulators()[2], 5, 1e-15);
  CHECK_NEAR(cuts.values()[2], 2 - 0.1 * 2 / std::sqrt(5.0), 1e-15);
  const double before = cuts.values()[2];
  cuts.step(0, options);  // no rows
  CHECK_EQUAL(cuts.values()[2], before);
}

FACTOREC_TEST(cuts, no_gap_loses_more_than_half) {
  const Start start;
  TrainingOptions options;
  options.solver = Solver::sgd;
  options.rate_bias = 1000;
  Cuts cuts(start.view());
  cuts.reserve(1);
  std::vector<double> before(cuts.values().begin(), cuts.values().end());
  for (int i = 0; i < 200; ++i) {
    step(cuts, {0.5 * i, -1.0, -7.0 + i}, 1, options);
    for (std::size_t t = 1; t < 3; ++t) {
      const double gap = cuts.values()[t] - cuts.values()[t - 1], old = before[t] - before[t - 1];
      CHECK(gap >= std::min(old / 2, 1e-6) * (1 - 1e-6));
      CHECK(gap > 0);
    }
    CHECK(cuts.finite());
    before.assign(cuts.values().begin(), cuts.values().end());
  }
  options.rate_bias = std::numeric_limits<double>::infinity();
  step(cuts, {1, 1, 1}, 1, options);
  CHECK(!cuts.finite());
}
