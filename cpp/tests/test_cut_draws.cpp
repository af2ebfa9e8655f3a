// Draws of cuts from densities whose moments are known.
#include <cmath>

#include "check.hpp"
#include "cut_draws.hpp"

using namespace factorec;

FACTOREC_TEST(cut_draws, a_skewed_density) {
  // The logarithm of a Gamma variable: exp(shape x - e^x), mean and variance digamma(3), trigamma(3).
  const auto terms = [](const std::vector<double>& x) {
    CutTerms out;
    out.value = 3 * x[0] - std::exp(x[0]);
    out.gradient = {3 - std::exp(x[0])};
    out.diagonal = {std::exp(x[0])};
    return out;
  };
  const int n = 40'000;
  double sum = 0, squares = 0;
  std::vector<double> x{7};  // far from the mode, where the curvature is another
  for (int i = 0; i < n; ++i) {
    x = draw_cuts(x, terms, CounterRng(3).fork(static_cast<std::uint64_t>(i)));
    sum += x[0];
    squares += x[0] * x[0];
  }
  const double mean = sum / n;
  CHECK_NEAR(mean, 0.92278433509846714, 0.015);
  CHECK_NEAR(squares / n - mean * mean, 0.39493406684822643, 0.015);
}

FACTOREC_TEST(cut_draws, a_normal_density_and_its_order) {
  // Precision [[2, -1], [-1, 2]] around (0, m): with m far away the order never matters, with m = 0 it cuts off half.
  for (const double m : {20.0, 0.0}) {
    const auto terms = [m](const std::vector<double>& x) {
      const double a = x[0], b = x[1] - m;
      CutTerms out;
      out.value = -(a * a - a * b + b * b);
      out.gradient = {b - 2 * a, a - 2 * b};
      out.diagonal = {2, 2};
      out.beside = {-1};
      return out;
    };
    const int n = 40'000;
    double first = 0, second = 0, product = 0;
    std::vector<double> x{-1, 1};
    for (int i = 0; i < n; ++i) {
      x = draw_cuts(x, terms, CounterRng(5).fork(static_cast<std::uint64_t>(i)));
      CHECK(x[0] < x[1]);
      first += x[0] / n;
      second += (x[1] - m) / n;
      product += x[0] * (x[1] - m) / n;
    }
    // Differences of the two have variance 2/3; half of a normal distribution has mean sqrt(2 / pi) of its spread.
    const double gap = m > 0 ? 0.0 : std::sqrt(2.0 / 3) * std::sqrt(2 / std::acos(-1.0));
    CHECK_NEAR(first, -0.5 * gap, 0.02);
    CHECK_NEAR(second, 0.5 * gap, 0.02);
    CHECK_NEAR(product - first * second, m > 0 ? 1.0 / 3 : 1.0 / 3 + 0.25 * gap * gap, 0.03);
  }
}
