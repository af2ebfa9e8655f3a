#include "factorec/sampling.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "factorec/validation.hpp"
#include "finding.hpp"

namespace factorec {

NegativeSampler::NegativeSampler(const CsrView& seen, std::int64_t per_positive, std::uint64_t seed, int n_threads,
                                 Control& control)
    : seen_(seen), per_positive_(per_positive), rng_(CounterRng(seed).fork(0x6e656761)) {
  if (per_positive < 1) throw std::invalid_argument("negatives per positive must be at least 1");
  check_csr(seen, n_threads, control);
  const auto rises = [&](std::int64_t user) {
    bool rising = true;
    for (std::int64_t e = seen.begin(user) + 1; e < seen.end(user); ++e)
      rising &= seen.column(e) > seen.column(e - 1);
    return rising;
  };
  const std::int64_t user = find_first(
      seen.n_rows(), n_threads, control, [](std::int64_t, std::int64_t) { return true; },
      [&](std::int64_t u) { return !rises(u); });
  if (user < seen.n_rows())
    throw std::invalid_argument("seen items of row " + std::to_string(user) + " are not strictly rising");
}

namespace {

// The items with `ranks` unseen items before each: rank + p, p the number of seen items s_i with s_i - i <= rank
// (s_i - i unseen items stand before s_i). The searches of all lanes go on side by side, without a branch on what
// they find.
template <int lanes, class Index, class Item>
void unseen_items(const Index* seen, std::int64_t n_seen, const std::int64_t* ranks, Item* items) {
  std::int64_t low[lanes] = {};
  for (std::int64_t n = n_seen; n > 0;) {
    const std::int64_t half = n > 1 ? n / 2 : 1;
    for (int lane = 0; lane < lanes; ++lane) {
      const std::int64_t last = low[lane] + half - 1;
      low[lane] += static_cast<std::int64_t>(seen[last]) - last <= ranks[lane] ? half : 0;
    }
    n -= half;
  }
  for (int lane = 0; lane < lanes; ++lane) items[lane] = static_cast<Item>(ranks[lane] + low[lane]);
}

}  // namespace

std::int64_t NegativeSampler::Epoch::draw(std::int64_t user, std::int64_t row, std::int64_t j) const {
  const Epoch one(seen_, 1, rng_);
  std::int64_t item = -1;
  one.draw_from(user, row, j, &item);
  return item;
}

template <class Item>
bool NegativeSampler::Epoch::draw_from(std::int64_t user, std::int64_t row, std::int64_t first, Item* items) const {
  const std::int64_t begin = seen_->begin(user), n_seen = seen_->end(user) - begin;
  const std::int64_t n_unseen = seen_->n_columns - n_seen;
  if (n_unseen <= 0) return false;
  const CounterRng rng = rng_.fork(static_cast<std::uint64_t>(row));
  std::int64_t ranks[kLanes];
  const auto draw = [&]<int lanes>(std::integral_constant<int, lanes>, std::int64_t j) {
    for (int lane = 0; lane < lanes; ++lane)
      ranks[lane] = static_cast<std::int64_t>(
          rng.below(static_cast<std::uint64_t>(n_unseen), static_cast<std::uint64_t>(first + j + lane)));
    const IndexView& seen = seen_->indices;
    if (seen.narrow())
      unseen_items<lanes>(seen.narrow() + begin, n_seen, ranks, items + j);
    else
      unseen_items<lanes>(seen.wide() + begin, n_seen, ranks, items + j);
  };
  std::int64_t j = 0;
  for (; j + kLanes <= per_positive_; j += kLanes) draw(std::integral_constant<int, kLanes>(), j);
  for (; j + 2 <= per_positive_; j += 2) draw(std::integral_constant<int, 2>(), j);
  if (j < per_positive_) draw(std::integral_constant<int, 1>(), j);
  return true;
}

template <class Item>
bool NegativeSampler::Epoch::draw_all(std::int64_t user, std::int64_t row, Item* items) const {
  return draw_from(user, row, 0, items);
}
template bool NegativeSampler::Epoch::draw_all(std::int64_t, std::int64_t, std::int32_t*) const;
template bool NegativeSampler::Epoch::draw_all(std::int64_t, std::int64_t, std::int64_t*) const;

void NegativeSampler::Epoch::prefetch(std::int64_t user) const {
#ifdef __GNUC__
  if (user < 0) return;
  static constexpr std::int64_t kMostBytes = 2048;  // beyond, the first steps of a search do not meet again
  const std::int64_t begin = seen_->begin(user);
  const auto lines = [](const auto* from, std::int64_t n) {
    const auto* bytes = reinterpret_cast<const char*>(from);
    const std::int64_t end = std::min(n * static_cast<std::int64_t>(sizeof(*from)), kMostBytes);
    for (std::int64_t at = 0; at < end; at += 64) __builtin_prefetch(bytes + at);
  };
  if (seen_->indices.narrow())
    lines(seen_->indices.narrow() + begin, seen_->end(user) - begin);
  else
    lines(seen_->indices.wide() + begin, seen_->end(user) - begin);
#else
  static_cast<void>(user);
#endif
}

}  // namespace factorec
