#include "shortlist.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "selection.hpp"

namespace factorec {
namespace {
constexpr float kInfinity = std::numeric_limits<float>::infinity();
}

std::int64_t Shortlist::capacity(std::int64_t n, std::int64_t n_items) {
  // Bounds leave two to three times n on the usual data; the rest is room between two selections.
  return std::min(4 * n + 160, n_items) + kCandidateSlack;
}

void Shortlist::start(float* low, float* high, std::uint32_t* places, std::int64_t n, std::int64_t n_items,
                      const ExcludedPlaces* excluded) {
  entries_ = {low, high, places, 0, capacity(n, n_items) - kCandidateSlack};
  excluded_ = excluded;
  n_ = n;
  checked_ = 0;
  theta_ = -kInfinity;
}

// Before theta: an excluded item must not raise it.
void Shortlist::drop_excluded() {
  BoundedCandidates& c = entries_;
  if (excluded_ && !excluded_->empty()) {
    std::int64_t i = checked_;
    while (i < c.count && !excluded_->contains(c.places[i])) ++i;  // most of the time that is all
    std::int64_t kept = i;
    for (; i < c.count; ++i) {
      c.low[kept] = c.low[i];
      c.high[kept] = c.high[i];
      c.places[kept] = c.places[i];
      kept += !excluded_->contains(c.places[i]);
    }
    c.count = kept;
  }
  checked_ = c.count;
}

void Shortlist::drop_unreachable(const SearchKernels& kernels) {
  BoundedCandidates& c = entries_;
  if (c.count >= n_) raise_theta(nth_largest(kernels, c.low, c.count, n_, n_ + n_ / 16));
  kernels.keep_reaching(c, theta_);  // no NaN passes
  checked_ = c.count;
}

// Scores the candidates that may reach the threshold.
void Shortlist::score_reaching(const Scorer& scorer, float threshold) {
  if (!scorer.kernels) return;
  BoundedCandidates& c = entries_;
  const auto most = static_cast<std::size_t>(c.count);
  if (wanted_.size() < most) {
    wanted_.resize(most);
    wanted_at_.resize(most);
    scores_.resize(most);
  }
  std::size_t n = 0;  // without a branch: it would be guessed wrong half of the time
  for (std::size_t i = 0; i < most; ++i) {
    wanted_[n] = c.places[i];
    wanted_at_[n] = static_cast<std::uint32_t>(i);
    n += (c.low[i] != c.high[i]) & (c.high[i] >= threshold);
  }
  scorer.kernels->score(scorer.items, scorer.query, wanted_.data(), static_cast<std::int64_t>(n), scores_.data());
  for (std::size_t i = 0; i < n; ++i) c.low[wanted_at_[i]] = c.high[wanted_at_[i]] = scores_[i];
}

// Of exact candidates, the n best.
void Shortlist::keep_best(const SearchKernels& kernels, const CodedItems& items) {
  BoundedCandidates& c = entries_;
  kernels.keep_reaching(c, -kInfinity);  // drops NaN
  if (c.count >= n_) raise_theta(nth_largest(kernels, c.low, c.count, n_, n_));
  kernels.keep_reaching(c, theta_);
  if (c.count > n_) {
    // More than n reach theta, so the n-th best equals it: of those equal to it the first positions stay.
    const auto position = [&](std::int64_t i) { return items.positions ? items.positions[c.places[i]] : c.places[i]; };
    std::vector<std::uint32_t> equal;
    for (std::int64_t i = 0; i < c.count; ++i)
      if (c.low[i] == theta_) equal.push_back(position(i));
    const auto better = c.count - static_cast<std::int64_t>(equal.size());
    const auto last = equal.begin() + (n_ - better - 1);
    std::nth_element(equal.begin(), last, equal.end());
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < c.count; ++i) {
      const bool keep = c.low[i] != theta_ || position(i) <= *last;
      c.low[kept] = c.low[i];
      c.high[kept] = c.high[i];
      c.places[kept] = c.places[i];
      kept += keep;
    }
    c.count = kept;
  }
  checked_ = c.count;
}

bool Shortlist::tighten(const SearchKernels& kernels, const Scorer& scorer) {
  drop_excluded();
  drop_unreachable(kernels);
  if (entries_.count <= entries_.limit - entries_.limit / 4) return false;
  score_reaching(scorer, theta_);
  keep_best(kernels, scorer.items);
  return true;
}

std::int64_t Shortlist::finish(const SearchKernels& kernels, const Scorer& scorer,
                               std::vector<std::uint64_t>& scratch, std::int64_t* positions, float* scores) {
  BoundedCandidates& c = entries_;
  drop_excluded();
  drop_unreachable(kernels);
  // The n most promising first: their scores show which of the others are worth one.
  if (c.count > n_) {
    score_reaching(scorer, nth_largest(kernels, c.high, c.count, n_, n_ + n_ / 16));
    kernels.keep_reaching(c, -kInfinity);
    drop_unreachable(kernels);
  }
  score_reaching(scorer, theta_);
  keep_best(kernels, scorer.items);
  for (std::int64_t i = 0; i < c.count; ++i)
    if (scorer.items.positions) c.places[i] = scorer.items.positions[c.places[i]];
  return write_in_order(kernels, c.low, c.places, c.count, n_, scratch, positions, scores);
}

}  // namespace factorec
