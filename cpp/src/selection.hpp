// The n best of what a scan has accepted.
#pragma once

#include <cstdint>
#include <vector>

#include "factorec/views.hpp"
#include "kernels/search_kernel.hpp"

namespace factorec {

// The items that one query excludes, walked in step with a scan in ascending position.
class ExcludedItems {
 public:
  ExcludedItems() = default;

  // Row `row` of `matrix`. Throws std::invalid_argument for a column out of range. A row that is not sorted is
  // copied; a sorted one is used where it lies.
  ExcludedItems(const CsrView& matrix, std::int64_t row);

  // Goes to the first excluded item that is not before `position`.
  void seek(std::int64_t position);

  // Whether `position` is excluded; positions must rise from call to call.
  bool contains(std::int64_t position) {
    while (next_ < position) advance();
    return next_ == position;
  }

  bool empty() const { return at_ == end_; }

 private:
  void advance() { next_ = ++at_ < end_ ? item(at_) : kNone; }
  std::int64_t item(std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return sorted_.empty() ? columns_[at] : sorted_[at];
  }

  static constexpr std::int64_t kNone = INT64_MAX;
  IndexView columns_;
  std::vector<std::int64_t> sorted_;
  std::int64_t begin_ = 0, at_ = 0, end_ = 0;
  std::int64_t next_ = kNone;
};

// The candidates of one query in one scan. Scans go through ascending positions; everything here relies on
// it: candidates stay in that order, so ties need no comparison of positions.
class TopCandidates {
 public:
  // Enough memory, in entries of scores and of positions, to find the best n of n_items.
  static std::int64_t capacity(std::int64_t n, std::int64_t n_items);

  // Starts a scan from `first_position` with the given memory.
  void start(float* scores, std::uint32_t* positions, std::int64_t n, std::int64_t n_items, ExcludedItems excluded,
             std::int64_t first_position);

  Candidates& accepted() { return accepted_; }

  // Makes room when the candidates have passed their limit: drops the excluded, then all but about the n best, and
  // raises the threshold to what a later item must reach.
  void make_room(const SearchKernels& kernels);

  // Ends the scan: writes at most n positions and scores, best first; returns how many.
  std::int64_t finish(const SearchKernels& kernels, std::vector<std::uint64_t>& scratch, std::int64_t* positions,
                      float* scores);

 private:
  void drop_excluded();
  void keep_best(const SearchKernels& kernels, std::int64_t at_most);

  Candidates accepted_;
  ExcludedItems excluded_;
  std::int64_t n_ = 0;
  std::int64_t filtered_ = 0;  // candidates before this one have been looked up
};

}  // namespace factorec
