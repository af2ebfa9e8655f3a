#include "selection.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

namespace factorec {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// Floats as unsigned integers of the same order (NaN aside).
std::uint32_t to_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

float from_key(std::uint32_t key) {
  return std::bit_cast<float>(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

// Sorts entries by their upper half, ascending, equal ones left in place: least significant digit first.
// `entries` has room for 2 n; the result is its first n.
void sort_by_upper_half(std::uint64_t* entries, std::size_t n) {
  constexpr int kBits = 8, kDigits = 32 / kBits, kValues = 1 << kBits;
  std::size_t starts[kDigits][kValues] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (int digit = 0; digit < kDigits; ++digit) ++starts[digit][(entries[i] >> (32 + digit * kBits)) % kValues];
  std::uint64_t* from = entries;
  std::uint64_t* to = entries + n;
  for (int digit = 0; digit < kDigits; ++digit) {
    const int shift = 32 + digit * kBits;
    std::size_t sum = 0;
    for (std::size_t& start : starts[digit]) sum += std::exchange(start, sum);
    for (std::size_t i = 0; i < n; ++i) to[starts[digit][(from[i] >> shift) % kValues]++] = from[i];
    std::swap(from, to);
  }
  static_assert(kDigits % 2 == 0, "an even number of passes ends where it began");
}

// The key of nth_largest.
std::uint32_t nth_key(const SearchKernels& kernels, const float* scores, std::int64_t count, std::int64_t n,
                      std::int64_t enough) {
  float smallest, largest;
  kernels.range(scores, count, &smallest, &largest);
  // The n-th best score lies in [low, high): n candidates or more reach `low`, fewer than n reach `high`.
  std::uint32_t low = to_key(smallest), high = to_key(largest) + 1;
  std::int64_t reached = count;
  for (int round = 0; reached > enough && high - low > 1; ++round) {
    // The middle by value gets there fast on the usual data, the middle by bits gets there on any.
    std::uint32_t middle = low + (high - low) / 2;
    const double value = (static_cast<double>(from_key(low)) + static_cast<double>(from_key(high))) / 2;
    if (round < 12 && std::isfinite(value)) middle = std::clamp(to_key(static_cast<float>(value)), low + 1, high - 1);
    const std::int64_t at_least = kernels.count_at_least(scores, count, from_key(middle));
    if (at_least >= n) {
      low = middle;
      reached = at_least;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

float nth_largest(const SearchKernels& kernels, const float* scores, std::int64_t count, std::int64_t n,
                  std::int64_t enough) {
  return from_key(nth_key(kernels, scores, count, n, enough));
}

std::int64_t write_in_order(const SearchKernels& kernels, const float* scores, const std::uint32_t* positions,
                            std::int64_t count, std::int64_t n, std::vector<std::uint64_t>& scratch,
                            std::int64_t* to_positions, float* to_scores) {
  const auto size = static_cast<std::size_t>(count);
  if (scratch.size() < 2 * size) scratch.resize(2 * size);
  if (count <= kMaxRanked) {
    std::int32_t ranks[kMaxRanked];
    kernels.rank(scores, count, ranks);
    for (std::size_t i = 0; i < size; ++i)
      scratch[static_cast<std::size_t>(ranks[i])] = static_cast<std::uint64_t>(~to_key(scores[i])) << 32 | positions[i];
  } else {
    for (std::size_t i = 0; i < size; ++i)
      scratch[i] = static_cast<std::uint64_t>(~to_key(scores[i])) << 32 | positions[i];
    sort_by_upper_half(scratch.data(), size);
  }
  // Equal scores stand together now, in the order in which they came.
  for (std::size_t start = 0, end; start < size; start = end) {
    for (end = start + 1; end < size && scratch[end] >> 32 == scratch[start] >> 32;) ++end;
    if (end - start > 1) std::sort(scratch.data() + start, scratch.data() + end);
  }
  const std::int64_t written = std::min(count, n);
  for (std::int64_t i = 0; i < written; ++i) {
    const std::uint64_t entry = scratch[static_cast<std::size_t>(i)];
    to_positions[i] = static_cast<std::uint32_t>(entry);
    to_scores[i] = from_key(~static_cast<std::uint32_t>(entry >> 32));
  }
  return written;
}

std::int64_t TopCandidates::capacity(std::int64_t n, std::int64_t n_items) {
  // Room for half as many again. More room lets more candidates in between two selections, less selects more often.
  return std::min(n + n / 2 + 64, n_items) + kCandidateSlack;
}

void TopCandidates::start(float* scores, std::uint32_t* positions, std::int64_t n, std::int64_t n_items) {
  accepted_ = {scores, positions, 0, capacity(n, n_items) - kCandidateSlack, -kInfinity};
  n_ = n;
}

void TopCandidates::make_room(const SearchKernels& kernels) {
  Candidates& c = accepted_;
  if (c.count <= n_) return;
  const std::int64_t enough = n_ + n_ / 16;
  const std::uint32_t low = nth_key(kernels, c.scores, c.count, n_, enough);
  c.count = kernels.keep_at_least(c.scores, c.positions, c.count, from_key(low));
  if (c.count > enough) {
    // Ties at the n-th place: the first of them stay.
    std::int64_t ties = n_ - kernels.count_at_least(c.scores, c.count, from_key(low + 1));
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < c.count; ++i) {
      const bool tie = to_key(c.scores[i]) == low;
      c.scores[kept] = c.scores[i];
      c.positions[kept] = c.positions[i];
      kept += !tie || ties > 0;
      ties -= tie;
    }
    c.count = kept;
  }
  // n candidates reach `low` and stand before every later item of that score: only a higher one gets in. (Nothing is
  // higher than infinity; there, later items are let in and lose here.)
  c.threshold = from_key(std::min(low + 1, to_key(kInfinity)));
}

std::int64_t TopCandidates::finish(const SearchKernels& kernels, std::vector<std::uint64_t>& scratch,
                                   std::int64_t* positions, float* scores) {
  make_room(kernels);
  const Candidates& c = accepted_;
  const std::int64_t written = std::min(c.count, n_);
  if (c.count <= kMaxRanked) {
    std::int32_t ranks[kMaxRanked];
    kernels.rank(c.scores, c.count, ranks);
    for (std::int64_t i = 0; i < c.count; ++i) {
      if (ranks[i] >= written) continue;
      positions[ranks[i]] = c.positions[i];
      scores[ranks[i]] = c.scores[i];
    }
    return written;
  }
  const auto count = static_cast<std::size_t>(c.count);
  if (scratch.size() < 2 * count) scratch.resize(2 * count);
  for (std::size_t i = 0; i < count; ++i)
    scratch[i] = static_cast<std::uint64_t>(~to_key(c.scores[i])) << 32 | c.positions[i];
  sort_by_upper_half(scratch.data(), count);
  for (std::int64_t i = 0; i < written; ++i) {
    const std::uint64_t entry = scratch[static_cast<std::size_t>(i)];
    positions[i] = static_cast<std::uint32_t>(entry);
    scores[i] = from_key(~static_cast<std::uint32_t>(entry >> 32));
  }
  return written;
}

}  // namespace factorec
