// Negatives drawn in proportion to the popularity of items.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "factorec/control.hpp"
#include "factorec/rng.hpp"
#include "factorec/views.hpp"

namespace factorec {

// Draws items that a user has not seen, each with probability popularity / popularity of all that the user has not
// seen. A draw is a function of (seed, epoch, row, j) alone.
class PopularitySampler {
 public:
  // `seen` as of a NegativeSampler, which has checked it. Popularities are checked (std::invalid_argument): not
  // negative, below 2^62 in all.
  PopularitySampler(const CsrView& seen, std::span<const std::int64_t> popularity, std::int64_t per_positive,
                    std::uint64_t seed, Control& control);

  // All negatives of a row; false, and nothing written, where all that the user has not seen has popularity 0.
  bool draw_all(std::uint64_t epoch, std::int64_t user, std::int64_t row, std::int32_t* items) const;

  std::int64_t popularity(std::int64_t item) const {
    return before_[static_cast<std::size_t>(item) + 1] - before_[static_cast<std::size_t>(item)];
  }

 private:
  CsrView seen_;
  std::int64_t per_positive_;
  CounterRng rng_;
  std::vector<std::int64_t> before_;         // popularity of all items before each, (n_items + 1,)
  std::vector<std::int64_t> unseen_before_;  // of each entry of `seen`: popularity of the unseen items before it
};

}  // namespace factorec
