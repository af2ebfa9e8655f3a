// Gibbs sampling of a factorization machine: every feature's weight and factors are one draw. See gibbs.cpp.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "factorec/control.hpp"
#include "factorec/grid.hpp"
#include "factorec/rows.hpp"

namespace factorec {

struct GibbsOptions {
  bool draw = true;             // false: the mean of every draw instead, with the precisions given (ALS)
  int n_levels = 0;             // targets are levels 0 .. n_levels - 1, cut from a latent score (probit); 0: numbers
  bool row_noise = false;       // a noise precision of each entity of the first and of the last block
  double noise_shape = 60;      // ... drawn from a Gamma distribution with this shape (twice it in degrees) and mean 1
  bool bipartite = false;       // only pairs of a feature of the last block and one of another
  double precision_linear = 1;  // of the prior where nothing is drawn
  double precision_factors = 1;
  std::uint64_t seed = 0;
  int n_threads = 1;
};

struct GibbsData {
  Rows rows;
  std::span<const float> target;
  std::span<const float> weight;  // empty: all 1
  std::vector<Field> fields;      // their features share a prior; each column of a block is in one of them
};

class GibbsSampler {
 public:
  // Checks everything (std::invalid_argument).
  GibbsSampler(const GibbsData& data, const GibbsOptions& options, double bias, std::span<const float> linear,
               ConstMatrix factors, Control& control);
  ~GibbsSampler();
  GibbsSampler(const GibbsSampler&) = delete;
  GibbsSampler& operator=(const GibbsSampler&) = delete;

  // Draws everything once; `number` keys the random numbers. Returns the root of the mean squared residual.
  double sweep(std::uint64_t number, Control& control);

  void set_drawing(bool draw);
  double bias() const;
  double noise_precision() const;
  // The cuts between levels, n_levels - 1 of them.
  std::span<const double> cuts() const;
  void copy_to(std::span<float> linear, Matrix factors) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace factorec
