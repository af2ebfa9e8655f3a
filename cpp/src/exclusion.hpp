// The items that one query leaves out.
#pragma once

#include <cstdint>
#include <vector>

#include "factorec/views.hpp"

namespace factorec {

// Walks one query's excluded items in step with a scan in ascending position.
class ExcludedItems {
 public:
  ExcludedItems() = default;
  ExcludedItems(ExcludedItems&&) = default;  // not copied: the view may be of its own entries
  ExcludedItems& operator=(ExcludedItems&&) = default;

  // Row `row` of `matrix`, from position `first` on. Throws std::invalid_argument for a column out of range. A row
  // that is sorted is used where it lies, another is copied.
  ExcludedItems(const CsrView& matrix, std::int64_t row, std::int64_t first);

  // Whether an item before `position` has not been marked yet.
  bool any_before(std::int64_t position) const { return next_ < position; }

  // Sets the bits of the next excluded items before `end`: item `first` + 32 w + b is bit b of words[w * stride].
  void mark(std::int64_t first, std::int64_t end, std::uint32_t* words, std::int64_t stride) {
    if (columns_.wide())
      mark(columns_.wide(), first, end, words, stride);
    else
      mark(columns_.narrow(), first, end, words, stride);
  }

 private:
  template <class T>
  void mark(const T* columns, std::int64_t first, std::int64_t end, std::uint32_t* words, std::int64_t stride) {
    std::int64_t at = at_, next = next_;
    for (; next < end; next = ++at < end_ ? std::int64_t{columns[at]} : kNone) {
      const std::int64_t lane = next - first;
      words[(lane >> 5) * stride] |= std::uint32_t{1} << (lane & 31);
    }
    at_ = at;
    next_ = next;
  }

  static constexpr std::int64_t kNone = INT64_MAX;
  IndexView columns_;  // ascending in [at_, end_)
  std::vector<std::int64_t> sorted_;
  std::int64_t at_ = 0, end_ = 0;
  std::int64_t next_ = kNone;
};

// One query's excluded items by place, to be asked about single candidates.
class ExcludedPlaces {
 public:
  // Row `row` of `matrix`; `places` as in CodedItems. Throws as ExcludedItems does.
  void set(const CsrView& matrix, std::int64_t row, const std::uint32_t* places);

  void clear() { places_.clear(); }
  bool empty() const { return places_.empty(); }

  bool contains(std::uint32_t place) const {
    const std::uint32_t hash = place * kHash;
    return bit(hash >> shift_) && bit(hash >> (shift_ - kSecond) & mask_) && listed(place);
  }

 private:
  static constexpr std::uint32_t kHash = 2654435761u;
  static constexpr int kSecond = 9;  // the second bit's place in the hash, below the first's

  bool bit(std::uint32_t i) const { return filter_[i >> 5] >> (i & 31) & 1; }
  bool listed(std::uint32_t place) const;

  std::vector<std::uint32_t> places_;
  std::vector<std::uint32_t> filter_;  // a Bloom filter: nearly all candidates need no more
  std::uint32_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace factorec
