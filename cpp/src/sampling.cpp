#include "factorec/sampling.hpp"

#include <stdexcept>
#include <string>

#include "factorec/validation.hpp"

namespace factorec {

NegativeSampler::NegativeSampler(const CsrView& seen, std::int64_t per_positive, std::uint64_t seed)
    : seen_(seen), per_positive_(per_positive), rng_(CounterRng(seed).fork(0x6e656761)) {
  if (per_positive < 1) throw std::invalid_argument("negatives per positive must be at least 1");
  check_csr(seen);
  for (std::int64_t user = 0; user < seen.n_rows(); ++user)
    for (std::int64_t e = seen.begin(user) + 1; e < seen.end(user); ++e)
      if (seen.column(e) <= seen.column(e - 1))
        throw std::invalid_argument("seen items of row " + std::to_string(user) + " are not strictly rising");
}

std::int64_t NegativeSampler::Epoch::draw(std::int64_t user, std::int64_t row, std::int64_t j) const {
  const std::int64_t begin = seen_->begin(user);
  const std::int64_t n_seen = seen_->end(user) - begin;
  const std::int64_t n_unseen = seen_->n_columns - n_seen;
  if (n_unseen <= 0) return -1;
  const auto rank = static_cast<std::int64_t>(rng_.fork(static_cast<std::uint64_t>(row))
                                                  .below(static_cast<std::uint64_t>(n_unseen), static_cast<std::uint64_t>(j)));
  // The item with `rank` unseen items before it is rank + p, p the number of seen items s_i with s_i - i <= rank
  // (s_i - i unseen items stand before s_i). One draw, one search, no rejection: bounded for any user.
  std::int64_t low = 0, length = n_seen;
  while (length > 0) {
    const std::int64_t half = length / 2;
    const bool right = seen_->column(begin + low + half) - (low + half) <= rank;
    low = right ? low + half + 1 : low;
    length = right ? length - half - 1 : half;
  }
  return rank + low;
}

}  // namespace factorec
