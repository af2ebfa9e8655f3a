#include "cut_draws.hpp"

#include <algorithm>
#include <cmath>

#include "random_draws.hpp"

namespace factorec {
namespace {

constexpr double kDegrees = 8;  // of freedom: heavier tails than the density's, so that no start is ever stuck
constexpr int kMaxSteps = 50, kMaxHalvings = 40;

using Vector = std::vector<double>;

// Cholesky factor of a tridiagonal matrix.
struct Factor {
  Vector diagonal, below;

  explicit Factor(const CutTerms& terms) : diagonal(terms.diagonal), below(terms.beside) {
    for (std::size_t i = 0; i < diagonal.size(); ++i) {
      if (i) diagonal[i] -= below[i - 1] * below[i - 1];
      diagonal[i] = std::sqrt(std::max(diagonal[i], 1e-300));
      if (i + 1 < diagonal.size()) below[i] /= diagonal[i];
    }
  }

  // x := L'^-1 x
  void solve_upper(Vector& x) const {
    for (std::size_t i = x.size(); i-- > 0;) {
      if (i + 1 < x.size()) x[i] -= below[i] * x[i + 1];
      x[i] /= diagonal[i];
    }
  }

  // x := L^-1 x
  void solve_lower(Vector& x) const {
    for (std::size_t i = 0; i < x.size(); ++i) {
      if (i) x[i] -= below[i - 1] * x[i - 1];
      x[i] /= diagonal[i];
    }
  }

  // |L' x|^2
  double square(const Vector& x) const {
    double sum = 0.0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double y = diagonal[i] * x[i] + (i + 1 < x.size() ? below[i] * x[i + 1] : 0.0);
      sum += y * y;
    }
    return sum;
  }
};

bool in_order(const Vector& cuts) {
  for (std::size_t i = 1; i < cuts.size(); ++i)
    if (!(cuts[i - 1] < cuts[i])) return false;
  return true;
}

Vector moved(const Vector& cuts, const Vector& step, double by) {
  Vector out = cuts;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] += by * step[i];
  return out;
}

}  // namespace

Vector draw_cuts(const Vector& current, const std::function<CutTerms(const Vector&)>& terms, const CounterRng& rng) {
  // Newton's method; its last step, a small one, goes without the look back.
  CutTerms here = terms(current);
  const double value_of_current = here.value;
  Vector mode = current;
  Factor factor(here);
  for (int steps = 0; steps < kMaxSteps; ++steps) {
    Vector step = here.gradient;
    factor.solve_lower(step);
    factor.solve_upper(step);
    const bool last = factor.square(step) < 1e-3;
    bool climbed = false;
    for (int halvings = 0; halvings < kMaxHalvings && !climbed; ++halvings) {
      const Vector next = moved(mode, step, std::ldexp(1.0, -halvings));
      if (!in_order(next)) continue;
      if (!last) {
        CutTerms there = terms(next);
        if (!(there.value > here.value)) continue;
        here = std::move(there);
        factor = Factor(here);
      }
      mode = next;
      climbed = true;
    }
    if (last || !climbed) break;
  }

  Vector away(current.size());
  const CounterRng normals = rng.fork(0);
  for (std::size_t i = 0; i < away.size(); ++i) away[i] = normals.normal(i);
  factor.solve_upper(away);
  const double spread = draw_gamma(rng.fork(1), 0.5 * kDegrees, 0.5 * kDegrees);
  const Vector proposed = moved(mode, away, 1.0 / std::sqrt(spread));
  if (!in_order(proposed)) return current;
  const auto log_proposal = [&](const Vector& cuts) {
    return -0.5 * (kDegrees + static_cast<double>(cuts.size())) *
           std::log1p(factor.square(moved(cuts, mode, -1.0)) / kDegrees);
  };
  const double ratio = terms(proposed).value - value_of_current + log_proposal(current) - log_proposal(proposed);
  return std::log(rng.fork(2).uniform(0)) < ratio ? proposed : current;
}

}  // namespace factorec
