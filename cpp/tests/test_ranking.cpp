// The ranking pass: what it refuses, the same bits at any number of threads, interrupts; popular negatives.
// What it computes is held against plain Python in tests/fm/test_ranking_reference.py.
#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "check.hpp"
#include "factorec/ranking.hpp"
#include "levels.hpp"
#include "popularity_sampling.hpp"
#include "random_rows.hpp"

using namespace factorec;
using factorec::testing::at_each_level;
using factorec::testing::RandomRows;

namespace {

constexpr std::int64_t kUsers = 30, kItems = 40, kFeatures = 90, kFactors = 5;

// Users, contexts that share three columns, and items with a second feature; user u has seen every seventh item.
struct Problem {
  RandomRows random{700, {{kUsers, 0, 30}, {7, 30, 33, 1, false}, {kItems, 33, kFeatures, 2, false}}, 4};
  RankingOptions options;
  RankingData data;
  std::vector<float> weight, rate, l2, linear, factors, linear_accumulator, factors_accumulator;
  std::vector<std::int32_t> seen_begin{0}, seen_item;
  std::vector<std::int64_t> popularity;

  explicit Problem(RankingLoss loss) {
    const auto n = static_cast<std::size_t>(kFeatures);
    for (std::int64_t row = 0; row < random.rows.n_rows; ++row) weight.push_back(0.5f + static_cast<float>(row % 3));
    rate.assign(n, 0.1f);
    l2.assign(n, 0.01f);
    linear.assign(n, 0.0f);
    linear_accumulator.assign(n, 1.0f);
    factors_accumulator.assign(n, 1.0f);
    for (std::size_t i = 0; i < n * kFactors; ++i) factors.push_back(static_cast<float>(0.3 * CounterRng(5).normal(i)));
    for (std::int32_t user = 0; user < kUsers; ++user) {
      for (std::int32_t item = user % 7; item < kItems; item += 7) seen_item.push_back(item);
      seen_begin.push_back(static_cast<std::int32_t>(seen_item.size()));
    }
    for (std::int64_t item = 0; item < kItems; ++item) popularity.push_back(item % 5);
    options.loss = loss;
    options.n_negatives = 6;
    options.batch_size = 100;
    data.rows = random.rows;
    data.weight = weight;
    data.features = {rate, rate, l2, l2};
    data.seen = {{seen_begin.data(), seen_begin.size()}, {seen_item.data(), seen_item.size()}, {}, kItems};
  }

  ParameterArrays arrays() {
    return {linear, {factors.data(), kFeatures, kFactors}, linear_accumulator, factors_accumulator};
  }

  RankingTrainer trainer() {
    Control control;
    return {data, options, arrays(), control};
  }
};

}  // namespace

FACTOREC_TEST(ranking, the_bits_do_not_depend_on_the_number_of_threads) {
  at_each_level([] {
    for (const RankingLoss loss : {RankingLoss::softmax, RankingLoss::bpr, RankingLoss::warp})
      for (const bool popular : {false, true}) {
        std::vector<float> expected;
        double expected_loss = 0;
        for (const int n_threads : {1, 2, 3}) {
          Problem problem(loss);
          problem.options.n_threads = n_threads;
          if (popular) problem.data.popularity = problem.popularity;
          RankingTrainer trainer = problem.trainer();
          Control control;
          trainer.epoch(0, control);
          const double sum = trainer.epoch(1, control).loss;
          trainer.copy_to(problem.arrays());
          CHECK(trainer.finite());
          if (expected.empty()) {
            expected = problem.factors;
            expected_loss = sum;
          }
          CHECK(problem.factors == expected);
          CHECK_EQUAL(sum, expected_loss);
        }
      }
  });
}

FACTOREC_TEST(ranking, epochs_lower_the_loss) {
  for (const RankingLoss loss : {RankingLoss::softmax, RankingLoss::bpr, RankingLoss::warp}) {
    Problem problem(loss);
    RankingTrainer trainer = problem.trainer();
    Control control;
    const double first = trainer.epoch(0, control).loss;
    double last = first;
    for (std::uint64_t epoch = 1; epoch < 8; ++epoch) last = trainer.epoch(epoch, control).loss;
    CHECK(last < 0.95 * first);
  }
}

FACTOREC_TEST(ranking, rows_of_users_who_have_seen_everything_are_left_out) {
  Problem problem(RankingLoss::softmax);
  problem.seen_begin.assign(1, 0);
  problem.seen_item.clear();
  for (std::int32_t user = 0; user < kUsers; ++user) {
    for (std::int32_t item = 0; item < kItems; ++item) problem.seen_item.push_back(item);
    problem.seen_begin.push_back(static_cast<std::int32_t>(problem.seen_item.size()));
  }
  problem.data.seen = {{problem.seen_begin.data(), problem.seen_begin.size()},
                       {problem.seen_item.data(), problem.seen_item.size()},
                       {},
                       kItems};
  const std::vector<float> before = problem.factors;
  RankingTrainer trainer = problem.trainer();
  Control control;
  CHECK_EQUAL(trainer.epoch(0, control).weight, 0.0);
  trainer.copy_to(problem.arrays());
  CHECK(problem.factors == before);
}

FACTOREC_TEST(ranking, an_interrupted_epoch_leaves_a_trainer_that_goes_on) {
  Problem problem(RankingLoss::softmax), whole(RankingLoss::softmax);
  RankingTrainer trainer = problem.trainer();
  Control stopped, control;
  stopped.request_stop();
  CHECK_THROWS(Interrupted, trainer.epoch(0, stopped), "interrupted");
  // Stopped before its first batch, it has learned nothing: what follows is as if it had not been.
  trainer.epoch(0, control);
  trainer.copy_to(problem.arrays());
  RankingTrainer other = whole.trainer();
  other.epoch(0, control);
  other.copy_to(whole.arrays());
  CHECK(problem.factors == whole.factors);

  int asked = 0;
  Control later([&] { return ++asked > 0; });  // stops somewhere inside
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  CHECK_THROWS(Interrupted, trainer.epoch(1, later), "interrupted");
  trainer.epoch(2, control);
  CHECK(trainer.finite());
}

FACTOREC_TEST(ranking, bad_input_is_named) {
  const auto refuses = [](auto&& spoil, const char* part) {
    Problem problem(RankingLoss::softmax);
    spoil(problem);
    CHECK_THROWS(std::invalid_argument, problem.trainer(), part);
  };
  refuses([](Problem& p) { p.options.n_threads = 0; }, "n_threads must be at least 1");
  refuses([](Problem& p) { p.options.batch_size = 0; }, "batch_size must be at least 1");
  refuses([](Problem& p) { p.options.n_negatives = 0; }, "n_negatives must be at least 1");
  refuses([](Problem& p) { p.options.n_negatives = std::numeric_limits<std::int64_t>::max(); }, "n_negatives");
  refuses([](Problem& p) { p.options.n_negatives = std::int64_t{1} << 30; }, "batch_size times n_negatives");
  refuses([](Problem& p) { p.data.rows.n_rows = 0; }, "no rows to train on");
  refuses([](Problem& p) { p.data.rows.blocks.resize(1); }, "users first and items last");
  refuses([](Problem& p) { p.data.rows.blocks[1].index = {}; }, "needs an index into each block");
  refuses([](Problem& p) { p.data.rows.n_features = kFeatures + 1; }, "block 0: has 90 columns, expected 91");
  refuses([](Problem& p) { p.weight[3] = -1; }, "weight[3] is negative");
  refuses([](Problem& p) { p.weight[3] = std::nanf(""); }, "weight");
  refuses([](Problem& p) { p.data.weight = p.data.weight.first(3); }, "weight has 3 entries, expected 700");
  refuses([](Problem& p) { p.data.features.rate_linear = {}; }, "rate_linear has 0 entries, expected 90");
  refuses([](Problem& p) { p.data.features.rate_factors = {}; }, "rate_factors has 0 entries");
  refuses([](Problem& p) { p.data.features.l2_linear = {}; }, "l2_linear has 0 entries");
  refuses([](Problem& p) { p.data.features.l2_factors = {}; }, "l2_factors has 0 entries");
  refuses([](Problem& p) { p.linear.pop_back(); }, "linear has 89 entries");
  refuses([](Problem& p) { p.linear_accumulator.pop_back(); }, "linear accumulator has 89 entries");
  refuses([](Problem& p) { p.factors_accumulator.pop_back(); }, "factors accumulator has 89 entries");
  refuses([](Problem& p) { p.data.seen.n_columns = kItems - 1; }, "seen items must be (30, 40)");
  refuses([](Problem& p) { p.seen_item[1] = p.seen_item[0]; }, "seen items of row 0 are not strictly rising");
  refuses([](Problem& p) { p.seen_item[1] = kItems; }, "column");
  refuses([](Problem& p) { p.data.popularity = std::span(p.popularity).first(3); }, "popularity has 3 entries, expected 40");
  refuses([](Problem& p) { p.popularity[2] = -1, p.data.popularity = p.popularity; }, "popularity[2] is negative");
  refuses([](Problem& p) { p.popularity[2] = std::int64_t{1} << 62, p.data.popularity = p.popularity; }, "2^62");

  Problem problem(RankingLoss::softmax);
  RankingTrainer trainer = problem.trainer();
  ParameterArrays narrow = problem.arrays();
  narrow.factors.n_columns = kFactors - 1;
  CHECK_THROWS(std::invalid_argument, trainer.copy_to(narrow), "factors must be (90, 5)");
}

FACTOREC_TEST(ranking, popular_negatives_in_proportion_and_never_a_seen_one) {
  // Three users over seven items: some seen, all seen, none seen.
  const std::vector<std::int32_t> begin{0, 3, 10, 10}, seen{0, 3, 6, 0, 1, 2, 3, 4, 5, 6};
  const std::vector<std::int64_t> popularity{100, 1, 0, 7, 4, 5, 2};
  const CsrView view{{begin.data(), begin.size()}, {seen.data(), seen.size()}, {}, 7};
  Control control;
  const PopularitySampler sampler(view, popularity, 8, 1, control);
  std::vector<int> of_first(7), of_last(7);
  constexpr int n = 40'000;
  std::int32_t items[8];
  for (int row = 0; row < n / 8; ++row) {
    CHECK(sampler.draw_all(0, 0, row, items));
    for (const std::int32_t item : items) ++of_first[static_cast<std::size_t>(item)];
    CHECK(sampler.draw_all(0, 2, row, items));
    for (const std::int32_t item : items) ++of_last[static_cast<std::size_t>(item)];
  }
  CHECK(!sampler.draw_all(0, 1, 0, items));
  const auto check = [&](const std::vector<int>& counts, const std::vector<double>& expected) {
    double total = 0;
    for (const double share : expected) total += share;
    for (std::size_t item = 0; item < counts.size(); ++item) {
      const double mean = n * expected[item] / total;
      CHECK_NEAR(counts[item], mean, 6 * std::sqrt(mean));
    }
  };
  check(of_first, {0, 1, 0, 0, 4, 5, 0});
  check(of_last, {100, 1, 0, 7, 4, 5, 2});
}
