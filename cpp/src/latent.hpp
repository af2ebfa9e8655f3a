// Ordered levels as cuts of a latent score (ordered probit).
#pragma once

#include <vector>

#include "cut_draws.hpp"
#include "factorec/control.hpp"
#include "factorec/rng.hpp"
#include "gibbs_blocks.hpp"
#include "residual_sums.hpp"

namespace factorec {

// A row of weight w counts w times, each time with a latent value of its own, of which only the mean matters: with
// probability w - floor(w) once more in a sweep than floor(w) times.
class Latent {
 public:
  // Targets are levels 0 .. n_levels - 1. The residuals must be target - score; they become latent value - score.
  Latent(GibbsModel& model, int n_levels, int n_threads, const CounterRng& rng, Control& control);
  ~Latent();
  Latent(const Latent&) = delete;
  Latent& operator=(const Latent&) = delete;

  // Draws the cuts, then the latent value of each row. Returns the sums of the residuals.
  ResidualSums draw(const CounterRng& rng, Control& control);

  const std::vector<double>& cuts() const { return cuts_; }

 private:
  struct Batch;

  CutTerms terms(const std::vector<double>& cuts, Control& control);
  ResidualSums draw_values(const CounterRng& rng, Control& control);
  ResidualSums draw_batch(std::int64_t begin, std::int64_t end, const CounterRng& rng, Batch& batch);
  void find_intervals(const std::vector<double>& cuts, std::int64_t begin, std::int64_t end, Batch& batch) const;

  GibbsModel& model_;
  int n_threads_;
  std::vector<double> cuts_;
  std::vector<float> value_;   // by place
  std::vector<float> weight_;  // by place; the model's are the numbers of values in this sweep
  std::vector<Batch> batches_;  // one a thread
};

}  // namespace factorec
