// Sampled negatives: unseen items of a user.
#pragma once

#include "factorec/rng.hpp"
#include "factorec/views.hpp"

namespace factorec {

// Draws items that a user has not seen, uniformly. A draw is a function of (seed, epoch, row, j) alone.
class NegativeSampler {
 public:
  // `seen`: one row per user, columns are items, strictly rising in a row (checked: std::invalid_argument).
  NegativeSampler(const CsrView& seen, std::int64_t per_positive, std::uint64_t seed, int n_threads, Control& control);

  std::int64_t per_positive() const { return per_positive_; }
  std::int64_t n_users() const { return seen_.n_rows(); }
  std::int64_t n_items() const { return seen_.n_columns; }

  // The draws of one epoch.
  class Epoch {
   public:
    // Item of the j-th negative of a row, -1 for a user who has seen every item.
    std::int64_t draw(std::int64_t user, std::int64_t row, std::int64_t j) const;

    // All negatives of a row, `per_positive()` items; false, and nothing written, where draw() is -1.
    template <class Item>
    bool draw_all(std::int64_t user, std::int64_t row, Item* items) const;

    // Asks for what the user has seen ahead of the draws. A user below 0 is nobody.
    void prefetch(std::int64_t user) const;

   private:
    friend class NegativeSampler;
    static constexpr int kLanes = 8;  // draws made side by side

    // The draws from `first` on.
    template <class Item>
    bool draw_from(std::int64_t user, std::int64_t row, std::int64_t first, Item* items) const;

    Epoch(const CsrView* seen, std::int64_t per_positive, CounterRng rng)
        : seen_(seen), per_positive_(per_positive), rng_(rng) {}
    const CsrView* seen_;
    std::int64_t per_positive_;
    CounterRng rng_;
  };

  Epoch epoch(std::uint64_t number) const { return {&seen_, per_positive_, rng_.fork(number)}; }

 private:
  CsrView seen_;
  std::int64_t per_positive_;
  CounterRng rng_;
};

}  // namespace factorec
