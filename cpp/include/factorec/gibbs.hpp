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
  // A factor of its rows' noise precision for each id of the first and of the last block, from a Gamma distribution
  // with half this shape and mean 1. Ids are a block's first field; where that is not one-hot with values 1, there is
  // no such factor.
  bool row_noise = false;
  double noise_shape = 60;
  bool bipartite = false;       // only pairs of a feature of the last block and one of another
  // Of the prior where nothing is drawn, one for all features or one for each: the penalties of an objective.
  std::vector<float> precision_linear{1.0f};
  std::vector<float> precision_factors{1.0f};
  std::uint64_t seed = 0;
  int n_threads = 1;
};

struct GibbsData {
  Rows rows;
  std::span<const float> target;
  std::span<const float> weight;  // how often a row counts; empty: all 1
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

  // Draws everything once; `number` keys the random numbers. Returns the root of the mean squared residual, by the
  // rows' weights. A sampler that has thrown stays usable only for asking.
  double sweep(std::uint64_t number, Control& control);

  void set_drawing(bool draw);
  double bias() const;
  double noise_precision() const;
  // The cuts between levels, n_levels - 1 of them.
  std::span<const double> cuts() const;
  void copy_to(std::span<float> linear, Matrix factors) const;
  // At each id its rows' logarithm of the factor of their noise precision, 0 at other features.
  void copy_noise_to(std::span<float> log_noise) const;
  // Of each field, for the factors and then for the linear weight; fields that no row has keep mean 0, precision 1.
  std::int64_t n_fields() const;
  std::int64_t n_factors() const;
  void copy_priors_to(std::span<double> mean, std::span<double> precision) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace factorec
