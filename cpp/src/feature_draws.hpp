// Draws of the features of a block, and the residuals that follow them.
#pragma once

#include <vector>

#include "factorec/control.hpp"
#include "factorec/rng.hpp"
#include "gibbs_blocks.hpp"
#include "kernels/kernels.hpp"
#include "residual_sums.hpp"

namespace factorec {

class FeatureDraws {
 public:
  FeatureDraws(GibbsModel& model, const GibbsOptions& options);
  ~FeatureDraws();
  FeatureDraws(const FeatureDraws&) = delete;
  FeatureDraws& operator=(const FeatureDraws&) = delete;

  // Draws the priors and the features of block b, and its entities' noise. `shift` is taken from all residuals first.
  // Returns the sums of the residuals as they are then.
  ResidualSums draw_block(std::size_t b, float shift, bool draw, const CounterRng& rng, Control& control);

 private:
  struct Work;

  void draw_from_prior(const PriorField& field, std::int64_t f, const CounterRng& rng, float* u) const;
  void draw_vector(const PriorField& field, std::int64_t f, float scale, float* gram, float* moment, Work& work,
                   const CounterRng& rng) const;
  void draw_id(std::size_t b, std::int64_t e, float shift, Work& work, const CounterRng& rng, Control& control);
  void draw_shared(GibbsBlock& block, const PriorField& field, std::int64_t f, Work& work, const CounterRng& rng);
  void draw_ids(std::size_t b, float shift, const CounterRng& rng, Control& control);
  void draw_features(std::size_t b, float shift, const CounterRng& rng, Control& control);
  bool well_determined(const float* factor, const float* precision) const;
  void add_own(const float* gram, const float* u, float factor, float* moment) const;

  // Of the prior of feature f's coordinate j.
  float prior_precision(const PriorField& field, std::int64_t f, std::int64_t j) const;
  float prior_mean(const PriorField& field, std::int64_t j) const;

  GibbsModel& model_;
  const GibbsKernels& kernel_;
  double noise_shape_;
  std::vector<float> precision_linear_, precision_factors_;
  int n_threads_;
  bool draw_ = true;
  std::vector<Work> works_;               // one a thread
  std::vector<ResidualSums> of_entity_;  // of the block that was drawn last
};

}  // namespace factorec
