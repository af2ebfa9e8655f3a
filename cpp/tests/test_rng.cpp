#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "check.hpp"
#include "factorec/rng.hpp"

using namespace factorec;

FACTOREC_TEST(rng, a_number_is_a_function_of_seed_and_counter) {
  const CounterRng a(7);
  const CounterRng b(7);
  CHECK_EQUAL(a.bits(123), b.bits(123));
  CHECK(a.bits(123) != CounterRng(8).bits(123));
  CHECK(a.fork(0).bits(1) != a.fork(1).bits(1));
  CHECK(a.fork(0).bits(1) != a.bits(1));
}

FACTOREC_TEST(rng, moments) {
  const CounterRng rng(1);
  constexpr int n = 200000;
  double sum = 0, squares = 0, normal_sum = 0, normal_squares = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform(i);
    CHECK(u > 0 && u < 1);
    sum += u;
    squares += u * u;
    const double z = rng.fork(1).normal(i);
    normal_sum += z;
    normal_squares += z * z;
  }
  // Six standard errors each.
  CHECK_NEAR(sum / n, 0.5, 6 * std::sqrt(1.0 / 12 / n));
  CHECK_NEAR(squares / n, 1.0 / 3, 6 * std::sqrt(4.0 / 45 / n));
  CHECK_NEAR(normal_sum / n, 0.0, 6 / std::sqrt(n));
  CHECK_NEAR(normal_squares / n, 1.0, 6 * std::sqrt(2.0 / n));
}

FACTOREC_TEST(rng, below_is_uniform_and_in_range) {
  const CounterRng rng(2);
  std::vector<int> counts(7);
  for (int i = 0; i < 70000; ++i) {
    const auto value = rng.below(7, i);
    CHECK(value < 7);
    ++counts[value];
  }
  for (int count : counts) CHECK_NEAR(count, 10000, 6 * std::sqrt(10000.0));
  CHECK_EQUAL(rng.below(1, 3), 0u);
  const std::uint64_t huge = ~std::uint64_t{0};
  CHECK(rng.below(huge, 5) < huge);
}

FACTOREC_TEST(rng, shuffle_permutes) {
  std::vector<int> values(1000);
  std::iota(values.begin(), values.end(), 0);
  auto shuffled = values;
  shuffle(shuffled, CounterRng(3));
  CHECK(shuffled != values);
  auto again = values;
  shuffle(again, CounterRng(3));
  CHECK(shuffled == again);
  std::sort(shuffled.begin(), shuffled.end());
  CHECK(shuffled == values);
}
