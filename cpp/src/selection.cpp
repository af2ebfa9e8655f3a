#include "selection.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>

namespace factorec {
namespace {

// Floats as unsigned integers of the same order (NaN aside).
std::uint32_t to_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

float from_key(std::uint32_t key) {
  return std::bit_cast<float>(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

// Sorts (score, position) by descending score, equal scores left in place: least significant digit first, as
// candidates lie in ascending position already. `entries` and `spare` have the same size; the result is in entries.
// An entry holds the inverted key of the score in its upper half, the position in its lower half.
void sort_by_score(std::uint64_t* entries, std::uint64_t* spare, std::size_t n) {
  constexpr int kBits = 8, kDigits = 1 << kBits;
  std::uint32_t counts[32 / kBits][kDigits] = {};
  for (std::size_t i = 0; i < n; ++i)
    for (int digit = 0; digit < 32 / kBits; ++digit)
      ++counts[digit][(entries[i] >> (32 + digit * kBits)) & (kDigits - 1)];
  std::uint64_t* from = entries;
  std::uint64_t* to = spare;
  for (int digit = 0; digit < 32 / kBits; ++digit) {
    std::uint32_t* starts = counts[digit];
    const int shift = 32 + digit * kBits;
    if (n > 0 && starts[(from[0] >> shift) & (kDigits - 1)] == n) continue;  // all alike
    std::uint32_t sum = 0;
    for (int value = 0; value < kDigits; ++value) {
      const std::uint32_t count = starts[value];
      starts[value] = sum;
      sum += count;
    }
    for (std::size_t i = 0; i < n; ++i) to[starts[(from[i] >> shift) & (kDigits - 1)]++] = from[i];
    std::swap(from, to);
  }
  if (from != entries) std::copy(from, from + n, entries);
}

}  // namespace

ExcludedItems::ExcludedItems(const CsrView& matrix, std::int64_t row)
    : columns_(matrix.indices), begin_(matrix.begin(row)), at_(matrix.begin(row)), end_(matrix.end(row)) {
  bool rising = true;
  std::int64_t previous = -1;
  for (std::int64_t entry = at_; entry < end_; ++entry) {
    const std::int64_t column = matrix.column(entry);
    if (column < 0 || column >= matrix.n_columns)
      throw std::invalid_argument("exclude: row " + std::to_string(row) + " has item " + std::to_string(column) +
                                  ", outside 0.." + std::to_string(matrix.n_columns - 1));
    rising &= column >= previous;
    previous = column;
  }
  if (!rising) {
    sorted_.resize(static_cast<std::size_t>(end_ - at_));
    for (std::int64_t entry = at_; entry < end_; ++entry)
      sorted_[static_cast<std::size_t>(entry - at_)] = matrix.column(entry);
    std::sort(sorted_.begin(), sorted_.end());
    begin_ = at_ = 0;
    end_ = static_cast<std::int64_t>(sorted_.size());
  }
  if (at_ < end_) next_ = item(at_);
}

void ExcludedItems::seek(std::int64_t position) {
  std::int64_t low = begin_, high = end_;
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (item(middle) < position)
      low = middle + 1;
    else
      high = middle;
  }
  at_ = low;
  next_ = at_ < end_ ? item(at_) : kNone;
}

std::int64_t TopCandidates::capacity(std::int64_t n, std::int64_t n_items) {
  // Half as many again as needed: room for a longer time between two selections lets more candidates in, less
  // room selects more often.
  return std::min(n + n / 2 + 64, n_items) + kCandidateSlack;
}

void TopCandidates::start(float* scores, std::uint32_t* positions, std::int64_t n, std::int64_t n_items,
                          ExcludedItems excluded, std::int64_t first_position) {
  accepted_ = {scores, positions, 0, capacity(n, n_items) - kCandidateSlack, -std::numeric_limits<float>::infinity()};
  excluded_ = std::move(excluded);
  if (first_position > 0) excluded_.seek(first_position);
  n_ = n;
  filtered_ = 0;
}

void TopCandidates::drop_excluded() {
  Candidates& c = accepted_;
  if (!excluded_.empty()) {
    std::int64_t kept = filtered_;
    for (std::int64_t i = filtered_; i < c.count; ++i) {
      c.scores[kept] = c.scores[i];
      c.positions[kept] = c.positions[i];
      kept += !excluded_.contains(c.positions[i]);
    }
    c.count = kept;
  }
  filtered_ = c.count;
}

void TopCandidates::keep_best(const SearchKernels& kernels, std::int64_t at_most) {
  Candidates& c = accepted_;
  // Between two thresholds: at least n candidates reach `low`, less than n reach `high`.
  float smallest, largest;
  kernels.range(c.scores, c.count, &smallest, &largest);
  std::uint32_t low = to_key(smallest), high = to_key(largest) + 1;
  std::int64_t reached = c.count;
  // A score in the middle of the range finds the place fast on the usual data, the middle of the bit
  // patterns ends on any.
  for (int round = 0; reached > at_most && high - low > 1; ++round) {
    std::uint32_t middle = low + (high - low) / 2;
    if (round < 12) {
      const double value = (static_cast<double>(from_key(low)) + static_cast<double>(from_key(high))) / 2;
      if (std::isfinite(value)) middle = std::clamp(to_key(static_cast<float>(value)), low + 1, high - 1);
    }
    const std::int64_t count = kernels.count_at_least(c.scores, c.count, from_key(middle));
    if (count >= n_) {
      low = middle;
      reached = count;
    } else {
      high = middle;
    }
  }
  c.count = kernels.keep_at_least(c.scores, c.positions, c.count, from_key(low));
  if (c.count > at_most) {
    // Ties at the n-th place: the first of them stay.
    std::int64_t ties = n_ - kernels.count_at_least(c.scores, c.count, from_key(low + 1));
    std::int64_t kept = 0;
    for (std::int64_t i = 0; i < c.count; ++i) {
      const bool tie = !(c.scores[i] > from_key(low));
      c.scores[kept] = c.scores[i];
      c.positions[kept] = c.positions[i];
      kept += !tie || ties > 0;
      ties -= tie;
    }
    c.count = kept;
  }
  filtered_ = c.count;
  // n candidates reach `low` and stand before every later item: only a higher score gets in. (Behind +infinity
  // there is none; such items are let in and lose here.)
  c.threshold = from_key(std::min(low + 1, to_key(std::numeric_limits<float>::infinity())));
}

void TopCandidates::make_room(const SearchKernels& kernels) {
  drop_excluded();
  if (accepted_.count > n_) keep_best(kernels, n_ + n_ / 16);
}

std::int64_t TopCandidates::finish(const SearchKernels& kernels, std::vector<std::uint64_t>& scratch,
                                   std::int64_t* positions, float* scores) {
  drop_excluded();
  if (accepted_.count > n_) keep_best(kernels, n_ + n_ / 16);
  const Candidates& c = accepted_;
  const auto count = static_cast<std::size_t>(c.count);
  if (scratch.size() < 2 * count) scratch.resize(2 * count);
  for (std::size_t i = 0; i < count; ++i)
    scratch[i] = static_cast<std::uint64_t>(~to_key(c.scores[i])) << 32 | c.positions[i];
  sort_by_score(scratch.data(), scratch.data() + count, count);
  const std::int64_t written = std::min(c.count, n_);
  for (std::int64_t i = 0; i < written; ++i) {
    const std::uint64_t entry = scratch[static_cast<std::size_t>(i)];
    positions[i] = static_cast<std::uint32_t>(entry);
    scores[i] = from_key(~static_cast<std::uint32_t>(entry >> 32));
  }
  return written;
}

}  // namespace factorec
