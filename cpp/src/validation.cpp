#include "factorec/validation.hpp"

#include <cmath>
#include <stdexcept>
#include <string>
#include <vector>

namespace factorec {
namespace {

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

}  // namespace

CsrFacts check_csr(const CsrView& matrix) {
  if (matrix.indptr.size() == 0) fail("indptr is empty: it needs n_rows + 1 entries");
  const std::int64_t n_rows = matrix.n_rows();
  const auto n_entries = static_cast<std::int64_t>(matrix.indices.size());
  if (!matrix.values.empty() && static_cast<std::int64_t>(matrix.values.size()) != n_entries)
    fail("data has " + std::to_string(matrix.values.size()) + " entries, indices has " + std::to_string(n_entries));
  if (matrix.begin(0) != 0) fail("indptr[0] is " + std::to_string(matrix.begin(0)) + ", not 0");
  // All of indptr first: a huge entry in the middle must not be followed into the arrays.
  for (std::int64_t row = 0; row < n_rows; ++row) {
    if (matrix.end(row) < matrix.begin(row)) fail("indptr falls after row " + std::to_string(row));
    if (matrix.end(row) > n_entries)
      fail("indptr[" + std::to_string(row + 1) + "] is " + std::to_string(matrix.end(row)) + ", beyond the " +
           std::to_string(n_entries) + " stored entries");
  }

  CsrFacts facts;
  // Rows whose columns rise cannot hold duplicates; only the others need the marks.
  std::vector<std::int64_t> last_row_of_column;
  for (std::int64_t row = 0; row < n_rows; ++row) {
    std::int64_t previous = -1;
    bool rising = true;
    for (std::int64_t entry = matrix.begin(row); entry < matrix.end(row); ++entry) {
      const std::int64_t column = matrix.column(entry);
      if (column < 0 || column >= matrix.n_columns)
        fail("row " + std::to_string(row) + " has column " + std::to_string(column) + ", outside 0.." +
             std::to_string(matrix.n_columns - 1));
      rising = rising && column > previous;
      previous = column;
      if (!matrix.values.empty()) {
        const float value = matrix.values[static_cast<std::size_t>(entry)];
        if (!std::isfinite(value))
          fail("row " + std::to_string(row) + ", column " + std::to_string(column) + " is " +
               (std::isnan(value) ? "NaN" : "infinite"));
        facts.all_ones = facts.all_ones && value == 1.0f;
      }
    }
    if (!rising && !facts.has_duplicates) {
      if (last_row_of_column.empty()) last_row_of_column.assign(static_cast<std::size_t>(matrix.n_columns), -1);
      for (std::int64_t entry = matrix.begin(row); entry < matrix.end(row); ++entry) {
        auto& mark = last_row_of_column[static_cast<std::size_t>(matrix.column(entry))];
        if (mark == row) facts.has_duplicates = true;
        mark = row;
      }
    }
  }
  return facts;
}

void check_finite(std::span<const float> values, const char* what) {
  for (std::size_t i = 0; i < values.size(); ++i)
    if (!std::isfinite(values[i]))
      fail(std::string(what) + "[" + std::to_string(i) + "] is " + (std::isnan(values[i]) ? "NaN" : "infinite"));
}

}  // namespace factorec
