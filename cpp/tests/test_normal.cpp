// The normal distribution's kernels against the error function in long double.
#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "factorec/rng.hpp"
#include "kernels/kernels.hpp"
#include "levels.hpp"

using namespace factorec;
using factorec::testing::at_each_level;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

long double above(long double x) { return 0.5L * std::erfc(x / std::sqrt(2.0L)); }

// The probability of (low, high).
long double between(double low, double high) {
  return low > 0 ? above(low) - above(high) : above(-high) - above(-low);
}

struct Intervals {
  std::vector<double> low, high;

  Intervals() {
    const std::vector<double> ends{-kInfinity, -80, -36, -12, -5, -2.01, -2, -1.99, -0.7, -1e-3, 0,
                                   1e-3, 0.4, 1.3, 1.99, 2.01, 3, 8, 20, 36, 80, kInfinity};
    for (std::size_t i = 0; i < ends.size(); ++i)
      for (std::size_t j = i + 1; j < ends.size(); ++j) {
        low.push_back(ends[i]);
        high.push_back(ends[j]);
      }
  }
  std::int64_t size() const { return static_cast<std::int64_t>(low.size()); }
};

}  // namespace

FACTOREC_TEST(normal, draws_are_quantiles_of_the_generator) {
  at_each_level([] {
    const CounterRng rng = CounterRng(4).fork(2);
    std::vector<float> drawn(50'000);
    kernels().normal.draw(rng.key(), static_cast<std::int64_t>(drawn.size()), drawn.data());
    double sum = 0, squares = 0, fourth = 0;
    for (std::size_t i = 0; i < drawn.size(); ++i) {
      const std::uint64_t bits = rng.bits(i);
      const double tail = 0.5 * ((static_cast<double>(bits >> 12) + 0.5) * 0x1p-52);
      const double x = static_cast<double>(drawn[i]);
      CHECK((bits & 1) == (x > 0));
      CHECK_NEAR(static_cast<double>(above(std::fabs(x))) / tail, 1.0, 1e-6 * (1 + x * x));
      sum += x;
      squares += x * x;
      fourth += x * x * x * x;
    }
    const auto n = static_cast<double>(drawn.size());
    CHECK_NEAR(sum / n, 0.0, 4 / std::sqrt(n));
    CHECK_NEAR(squares / n, 1.0, 4 * std::sqrt(2 / n));
    CHECK_NEAR(fourth / n, 3.0, 4 * std::sqrt(96 / n));
  });
}

FACTOREC_TEST(normal, probabilities_and_densities_of_intervals) {
  at_each_level([] {
    const Intervals x;
    std::vector<double> log_probability(x.low.size()), at_low(x.low.size()), at_high(x.low.size());
    kernels().normal.interval(x.low.data(), x.high.data(), x.size(), log_probability.data(), at_low.data(),
                              at_high.data());
    const long double density = 1 / std::sqrt(2 * std::acos(-1.0L));
    for (std::size_t i = 0; i < x.low.size(); ++i) {
      const long double p = between(x.low[i], x.high[i]);
      const auto expected = static_cast<double>(std::log(p));
      // Of an interval 1e-3 wide, 1e-9 of what is beside it is 1e-6.
      CHECK_NEAR(log_probability[i], expected, 2e-6);
      const auto check = [&](double computed, double end) {
        const auto ratio = std::isinf(end) ? 0.0 : static_cast<double>(density * std::exp(-0.5L * end * end) / p);
        CHECK_NEAR(computed, ratio, 2e-6 * ratio + 1e-290);
      };
      check(at_low[i], x.low[i]);
      check(at_high[i], x.high[i]);
    }
  });
}

FACTOREC_TEST(normal, draws_from_intervals_are_their_quantiles) {
  at_each_level([] {
    const Intervals x;
    for (const double u : {1e-9, 0.02, 0.3, 0.5, 0.9, 1 - 1e-9}) {
      const std::vector<double> uniform(x.low.size(), u);
      std::vector<double> drawn(x.low.size());
      kernels().normal.truncated(x.low.data(), x.high.data(), uniform.data(), x.size(), drawn.data());
      for (std::size_t i = 0; i < drawn.size(); ++i) {
        CHECK(drawn[i] >= x.low[i] && drawn[i] <= x.high[i]);
        if (std::isinf(x.low[i]) && std::isinf(x.high[i]) && u != 0.5)
          CHECK_NEAR(static_cast<double>(above(drawn[i])), 1 - u, 1e-8 * (1 - u) + 1e-15);
        // Far out a relative error of x moves the probability x^2 times as much, in narrow intervals their share of it.
        if (std::fabs(drawn[i]) > 40) continue;
        const double share = static_cast<double>(between(x.low[i], drawn[i]) / between(x.low[i], x.high[i]));
        CHECK_NEAR(share, u, 2e-6 * (1 + 0.1 * drawn[i] * drawn[i]));
      }
    }
  });
}
