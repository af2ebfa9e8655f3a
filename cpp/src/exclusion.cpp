#include "exclusion.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace factorec {

ExcludedItems::ExcludedItems(const CsrView& matrix, std::int64_t row, std::int64_t first)
    : columns_(matrix.indices), at_(matrix.begin(row)), end_(matrix.end(row)) {
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

}  // namespace factorec
