// Sampled negatives: unseen items of a user.
#pragma once

#include "factorec/rng.hpp"
#include "factorec/views.hpp"

namespace factorec {

// Draws items that a user has not seen, uniformly. A draw is a function of (seed, epoch, row, j) alone.
class NegativeSampler {
 public:
  // `seen`: one row per user, columns are items, strictly rising in a row (checked: std::invalid_argument).
  NegativeSampler(const CsrView& seen, std::int64_t per_positive, std::uint64_t seed);

  std::int64_t per_positive() const { return per_positive_; }
  std::int64_t n_users() const { return seen_.n_rows(); }
  std::int64_t n_items() const { return seen_.n_columns; }

  // The draws of one epoch.
  class Epoch {
   public:
    // Item of the j-th negative of a row, -1 for a user who has seen every item.
    std::int64_t draw(std::int64_t user, std::int64_t row, std::int64_t j) const;

   private:
    friend class NegativeSampler;
    Epoch(const CsrView* seen, CounterRng rng) : seen_(seen), rng_(rng) {}
    const CsrView* seen_;
    CounterRng rng_;
  };

  Epoch epoch(std::uint64_t number) const { return {&seen_, rng_.fork(number)}; }

 private:
  CsrView seen_;
  std::int64_t per_positive_;
  CounterRng rng_;
};

}  // namespace factorec
