// Draws of the features of a block, and the residuals that follow them.
#pragma once

#include <vector>

#include "factorec/control.hpp"
#include "factorec/rng.hpp"
#include "gibbs_blocks.hpp"
#include "kernels/kernels.hpp"

namespace factorec {

// Sums over rows, by their noise precisions before the model's own.
struct ResidualSums {
  double weight = 0;
  double first = 0;
  double squares = 0;
};

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

  void draw_prior(PriorField& field, const CounterRng& rng) const;
  RegressionRows gather(std::size_t b, std::int64_t begin, std::int64_t end, float shift, Work& work) const;
  void add_rows(std::size_t b, std::int64_t e, float shift, Work& work, float* gram, float* moment) const;
  ResidualSums move_rows(std::size_t b, std::int64_t e, float shift, const float* change, Work& work);
  void draw_noise(GibbsBlock& block, std::int64_t e, double squares, const CounterRng& rng) const;
  void add_own(const float* gram, const float* u, float factor, float* moment) const;
  void draw_vector(const PriorField& field, std::int64_t f, float scale, float* gram, float* moment, Work& work,
                   const CounterRng& rng) const;
  void draw_id(std::size_t b, std::int64_t e, float shift, Work& work, const CounterRng& rng);
  void draw_shared(GibbsBlock& block, const PriorField& field, std::int64_t f, Work& work, const CounterRng& rng);
  void draw_unused(const GibbsBlock& block, const CounterRng& rng);
  template <class Body>
  ResidualSums for_each_entity(const GibbsBlock& block, Control& control, Body&& body);

  GibbsModel& model_;
  const GibbsKernels& kernel_;
  double noise_shape_;
  double precision_linear_, precision_factors_;
  int n_threads_;
  bool draw_ = true;
  std::vector<Work> works_;  // one a thread
};

}  // namespace factorec
