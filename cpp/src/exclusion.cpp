#include "exclusion.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace factorec {
namespace {

void check_column(const CsrView& matrix, std::int64_t row, std::int64_t column) {
  if (column < 0 || column >= matrix.n_columns)
    throw std::invalid_argument("exclude: row " + std::to_string(row) + " has item " + std::to_string(column) +
                                ", outside 0.." + std::to_string(matrix.n_columns - 1));
}

constexpr std::size_t kSearchedInOrder = 256;  // longer lists are sorted and searched by halves

}  // namespace

ExcludedItems::ExcludedItems(const CsrView& matrix, std::int64_t row, std::int64_t first)
    : columns_(matrix.indices), at_(matrix.begin(row)), end_(matrix.end(row)) {
  bool rising = true;
  std::int64_t previous = -1;
  for (std::int64_t entry = at_; entry < end_; ++entry) {
    const std::int64_t column = matrix.column(entry);
    check_column(matrix, row, column);
    rising &= column >= previous;
    previous = column;
  }
  if (!rising) {
    sorted_.resize(static_cast<std::size_t>(end_ - at_));
    for (std::int64_t entry = at_; entry < end_; ++entry)
      sorted_[static_cast<std::size_t>(entry - at_)] = matrix.column(entry);
    std::sort(sorted_.begin(), sorted_.end());
    at_ = 0;
    end_ = static_cast<std::int64_t>(sorted_.size());
  }
  for (std::int64_t high = end_; at_ < high;) {  // to the first item not before `first`
    const std::int64_t middle = at_ + (high - at_) / 2;
    if (item(middle) < first)
      at_ = middle + 1;
    else
      high = middle;
  }
  if (at_ < end_) next_ = item(at_);
}

void ExcludedPlaces::set(const CsrView& matrix, std::int64_t row, const std::uint32_t* places) {
  places_.clear();
  for (std::int64_t entry = matrix.begin(row); entry < matrix.end(row); ++entry) {
    const std::int64_t column = matrix.column(entry);
    check_column(matrix, row, column);
    places_.push_back(places ? places[column] : static_cast<std::uint32_t>(column));
  }
  int bits = 10;  // 32 a place: one candidate in 32 is looked up in vain
  while (bits < 16 && (std::size_t{1} << bits) < 32 * places_.size()) ++bits;
  shift_ = 32 - bits;
  filter_.assign((std::size_t{1} << bits) / 32, 0);
  for (const std::uint32_t place : places_) {
    const std::uint32_t bit = hash(place);
    filter_[bit >> 5] |= std::uint32_t{1} << (bit & 31);
  }
  if (places_.size() > kSearchedInOrder) std::sort(places_.begin(), places_.end());
}

bool ExcludedPlaces::listed(std::uint32_t place) const {
  if (places_.size() > kSearchedInOrder) return std::binary_search(places_.begin(), places_.end(), place);
  bool found = false;
  for (const std::uint32_t other : places_) found |= other == place;
  return found;
}

}  // namespace factorec
