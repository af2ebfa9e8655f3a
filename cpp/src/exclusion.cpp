#include "exclusion.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace factorec {
namespace {

void check_column(const CsrView& matrix, std::int64_t row, std::int64_t column) {
  if (column < 0 || column >= matrix.n_columns)
    throw std::invalid_argument("exclude: row " + std::to_string(row) + " has item " + std::to_string(column) +
                                ", outside 0.." + std::to_string(matrix.n_columns - 1));
}

// Without a branch an entry: most rows are short, and every query has one.
template <class T>
void look_at(const T* columns, std::int64_t n, std::int64_t n_columns, bool* inside, bool* ascending) {
  int outside = 0, falls = 0;
  const auto last = static_cast<T>(std::min<std::int64_t>(n_columns - 1, std::numeric_limits<T>::max()));
  for (std::int64_t i = 0; i < n; ++i) outside |= (columns[i] < 0) | (columns[i] > last);
  for (std::int64_t i = 1; i < n; ++i) falls |= columns[i] < columns[i - 1];
  *inside = !outside;
  *ascending = !falls;
}

// Returns whether the columns of a row ascend; throws where one is out of range.
bool check_row(const CsrView& matrix, std::int64_t row) {
  const std::int64_t begin = matrix.begin(row), n = matrix.end(row) - begin;
  bool inside = true, ascending = true;
  if (matrix.indices.wide())
    look_at(matrix.indices.wide() + begin, n, matrix.n_columns, &inside, &ascending);
  else if (n > 0)
    look_at(matrix.indices.narrow() + begin, n, matrix.n_columns, &inside, &ascending);
  if (!inside)
    for (std::int64_t entry = begin; entry < begin + n; ++entry) check_column(matrix, row, matrix.column(entry));
  return ascending;
}

// Nothing but loads in the loop, so that several of them wait for memory at once. `places` null: the columns.
template <class T>
void gather(const std::uint32_t* places, const T* columns, std::vector<std::uint32_t>& to) {
  std::uint32_t* out = to.data();
  const std::size_t n = to.size();
  if (places)
    for (std::size_t i = 0; i < n; ++i) out[i] = places[columns[i]];
  else
    for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint32_t>(columns[i]);
}

constexpr std::size_t kSearchedInOrder = 256;  // longer lists are sorted and searched by halves

}  // namespace

ExcludedItems::ExcludedItems(const CsrView& matrix, std::int64_t row, std::int64_t first)
    : columns_(matrix.indices), at_(matrix.begin(row)), end_(matrix.end(row)) {
  if (!check_row(matrix, row)) {
    sorted_.resize(static_cast<std::size_t>(end_ - at_));
    for (std::int64_t entry = at_; entry < end_; ++entry)
      sorted_[static_cast<std::size_t>(entry - at_)] = matrix.column(entry);
    std::sort(sorted_.begin(), sorted_.end());
    columns_ = IndexView(sorted_.data(), sorted_.size());
    at_ = 0;
    end_ = static_cast<std::int64_t>(sorted_.size());
  }
  const auto item = [&](std::int64_t i) { return columns_[static_cast<std::size_t>(i)]; };
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
  check_row(matrix, row);
  const std::int64_t begin = matrix.begin(row);
  const auto n = static_cast<std::size_t>(matrix.end(row) - begin);
  places_.resize(n);
  if (matrix.indices.wide())
    gather(places, matrix.indices.wide() + begin, places_);
  else if (n > 0)
    gather(places, matrix.indices.narrow() + begin, places_);
  int bits = 10;  // 32 a place: of other candidates, one in 256 is looked up in vain
  while (bits < 16 && (std::size_t{1} << bits) < 32 * n) ++bits;
  shift_ = 32 - bits;
  mask_ = (std::uint32_t{1} << bits) - 1;
  filter_.assign((std::size_t{1} << bits) / 32, 0);
  std::uint32_t* filter = filter_.data();
  const int shift = shift_;
  const std::uint32_t mask = mask_;
  for (const std::uint32_t place : places_) {
    const std::uint32_t hash = place * kHash, first = hash >> shift, second = hash >> (shift - kSecond) & mask;
    filter[first >> 5] |= std::uint32_t{1} << (first & 31);
    filter[second >> 5] |= std::uint32_t{1} << (second & 31);
  }
  if (n > kSearchedInOrder) std::sort(places_.begin(), places_.end());
}

bool ExcludedPlaces::listed(std::uint32_t place) const {
  if (places_.size() > kSearchedInOrder) return std::binary_search(places_.begin(), places_.end(), place);
  bool found = false;
  for (const std::uint32_t other : places_) found |= other == place;
  return found;
}

}  // namespace factorec
