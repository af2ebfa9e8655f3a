// A draw of the cuts between ordered levels.
#pragma once

#include <functional>
#include <vector>

#include "factorec/rng.hpp"

namespace factorec {

// The logarithm of the cuts' density, its gradient, and minus its second derivatives: those of neighbours only.
struct CutTerms {
  double value = 0;
  std::vector<double> gradient, diagonal, beside;  // beside[i]: of cuts i and i + 1
};

// One step of Metropolis and Hastings from `current`. The density must be log-concave: the proposal, a t-distribution
// around its mode with the curvature there, does not depend on `current`.
std::vector<double> draw_cuts(const std::vector<double>& current,
                              const std::function<CutTerms(const std::vector<double>&)>& terms, const CounterRng& rng);

}  // namespace factorec
