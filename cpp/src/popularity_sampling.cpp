#include "popularity_sampling.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace factorec {

PopularitySampler::PopularitySampler(const CsrView& seen, std::span<const std::int64_t> popularity,
                                     std::int64_t per_positive, std::uint64_t seed, Control& control)
    : seen_(seen), per_positive_(per_positive), rng_(CounterRng(seed).fork(0x706f7075)) {
  if (static_cast<std::int64_t>(popularity.size()) != seen.n_columns)
    throw std::invalid_argument("popularity has " + std::to_string(popularity.size()) + " entries, expected " +
                                std::to_string(seen.n_columns));
  constexpr std::int64_t kMost = std::int64_t{1} << 62;
  before_.reserve(popularity.size() + 1);
  before_.push_back(0);
  for (std::size_t item = 0; item < popularity.size(); ++item) {
    if (popularity[item] < 0) throw std::invalid_argument("popularity[" + std::to_string(item) + "] is negative");
    if (popularity[item] >= kMost - before_.back()) throw std::invalid_argument("popularity adds up to 2^62 or more");
    before_.push_back(before_.back() + popularity[item]);
  }
  unseen_before_.resize(seen.indices.size());
  for (std::int64_t user = 0; user < seen.n_rows(); ++user) {
    if (user % 4096 == 0) control.throw_if_stopped();
    std::int64_t seen_so_far = 0;
    for (std::int64_t e = seen.begin(user); e < seen.end(user); ++e) {
      const auto item = static_cast<std::size_t>(seen.column(e));
      unseen_before_[static_cast<std::size_t>(e)] = before_[item] - seen_so_far;
      seen_so_far += popularity[item];
    }
  }
}

bool PopularitySampler::draw_all(std::uint64_t epoch, std::int64_t user, std::int64_t row, std::int32_t* items) const {
  const std::int64_t begin = seen_.begin(user), end = seen_.end(user);
  // Popularity of the first seen items up to entry e, itself included.
  const auto seen_up_to = [&](std::int64_t e) {
    return before_[static_cast<std::size_t>(seen_.column(e)) + 1] - unseen_before_[static_cast<std::size_t>(e)];
  };
  const std::int64_t unseen = before_.back() - (end > begin ? seen_up_to(end - 1) : 0);
  if (unseen <= 0) return false;
  const CounterRng rng = rng_.fork(epoch).fork(static_cast<std::uint64_t>(row));
  const auto of_user = unseen_before_.begin();
  for (std::int64_t j = 0; j < per_positive_; ++j) {
    // A point among the popularities of the unseen, one item after the other, moved up by those of the seen before it.
    auto point = static_cast<std::int64_t>(
        rng.below(static_cast<std::uint64_t>(unseen), static_cast<std::uint64_t>(j)));
    const auto after = std::upper_bound(of_user + begin, of_user + end, point) - of_user;
    if (after > begin) point += seen_up_to(after - 1);
    items[j] = static_cast<std::int32_t>(std::upper_bound(before_.begin(), before_.end(), point) - before_.begin() - 1);
  }
  return true;
}

}  // namespace factorec
