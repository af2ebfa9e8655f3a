#include "factorec/validation.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "finding.hpp"

namespace factorec {
namespace {

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

constexpr std::uint32_t kExponent = 0x7f800000;  // all ones in a float that is NaN or infinite
constexpr std::uint32_t kOne = 0x3f800000;

bool is_finite(float value) { return (std::bit_cast<std::uint32_t>(value) & kExponent) != kExponent; }

std::int64_t first_not_finite(std::span<const float> values, int n_threads, Control& control) {
  return find_first(
      static_cast<std::int64_t>(values.size()), n_threads, control,
      [&](std::int64_t begin, std::int64_t end) {
        std::uint32_t bad = 0;
        for (std::int64_t i = begin; i < end; ++i) bad |= static_cast<std::uint32_t>(!is_finite(values[i]));
        return bad != 0;
      },
      [&](std::int64_t i) { return !is_finite(values[static_cast<std::size_t>(i)]); });
}

const char* kind(float value) { return std::isnan(value) ? "NaN" : "infinite"; }

void check_indptr(const CsrView& matrix, int n_threads, Control& control) {
  const auto n_entries = static_cast<std::int64_t>(matrix.indices.size());
  if (matrix.begin(0) != 0) fail("indptr[0] is " + std::to_string(matrix.begin(0)) + ", not 0");
  const std::int64_t row = with_array(matrix.indptr, [&](const auto* indptr) {
    const auto bad = [&](std::int64_t r) { return (indptr[r + 1] < indptr[r]) | (indptr[r + 1] > n_entries); };
    return find_first(
        matrix.n_rows(), n_threads, control,
        [&](std::int64_t begin, std::int64_t end) {
          bool any = false;
          for (std::int64_t r = begin; r < end; ++r) any |= bad(r);
          return any;
        },
        bad);
  });
  if (row == matrix.n_rows()) return;
  if (matrix.end(row) < matrix.begin(row)) fail("indptr falls after row " + std::to_string(row));
  fail("indptr[" + std::to_string(row + 1) + "] is " + std::to_string(matrix.end(row)) + ", beyond the " +
       std::to_string(n_entries) + " stored entries");
}

// The row of an entry, by a search in an indptr that has been checked.
std::int64_t row_of(const CsrView& matrix, std::int64_t entry) {
  std::int64_t low = 0, high = matrix.n_rows();
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    if (matrix.end(middle) > entry)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

// Columns and values of the first `n` entries.
void check_entries(const CsrView& matrix, std::int64_t n, int n_threads, Control& control) {
  const std::int64_t column = with_array(matrix.indices, [&](const auto* columns) {
    using Unsigned = std::make_unsigned_t<std::remove_const_t<std::remove_reference_t<decltype(*columns)>>>;
    // A negative column is a huge number without its sign.
    constexpr std::uint64_t negative = std::uint64_t{1} << (8 * sizeof(Unsigned) - 1);
    const auto n_columns = static_cast<std::uint64_t>(std::max<std::int64_t>(0, matrix.n_columns));
    const auto limit = static_cast<Unsigned>(std::min(n_columns, negative));
    const auto bad = [&](std::int64_t e) { return static_cast<Unsigned>(columns[e]) >= limit; };
    return find_first(
        n, n_threads, control,
        [&](std::int64_t begin, std::int64_t end) {
          bool any = false;
          for (std::int64_t e = begin; e < end; ++e) any |= bad(e);
          return any;
        },
        bad);
  });
  const std::int64_t value =
      matrix.values.empty() ? n : first_not_finite(matrix.values.first(static_cast<std::size_t>(n)), n_threads, control);
  if (column < n && column <= value)
    fail("row " + std::to_string(row_of(matrix, column)) + " has column " + std::to_string(matrix.column(column)) +
         ", outside 0.." + std::to_string(matrix.n_columns - 1));
  if (value < n)
    fail("row " + std::to_string(row_of(matrix, value)) + ", column " + std::to_string(matrix.column(value)) + " is " +
         kind(matrix.value(value)));
}

// Whether the columns rise inside every row, as they nearly always do.
bool rises(const CsrView& matrix, std::int64_t n, int n_threads, Control& control) {
  // Neighbours that do not rise, less those of which the second begins a row.
  std::atomic<std::int64_t> falls{0};
  with_array(matrix.indices, [&](const auto* columns) {
    for_each_chunk(Chunks(n, kTested), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t found = 0;
      for (std::int64_t e = std::max<std::int64_t>(begin, 1); e < end; ++e) found += columns[e] <= columns[e - 1];
      falls += found;
    });
    for_each_chunk(Chunks(matrix.n_rows(), kTested), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
      std::int64_t found = 0;
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t e = matrix.begin(row);
        if (e > 0 && e < matrix.end(row)) found += columns[e] <= columns[e - 1];
      }
      falls -= found;
    });
  });
  return falls.load() == 0;
}

// Whether a column is twice among entries [begin, end).
bool has_twice(const CsrView& matrix, std::int64_t begin, std::int64_t end, std::vector<std::int64_t>& scratch,
               Control& control) {
  std::int64_t previous = -1;
  bool rising = true;
  for (std::int64_t e = begin; e < end; ++e) {
    rising = rising && matrix.column(e) > previous;
    previous = matrix.column(e);
  }
  if (rising) return false;
  scratch.clear();
  for (std::int64_t e = begin; e < end; ++e) scratch.push_back(matrix.column(e));
  std::uint32_t compared = 0;
  std::sort(scratch.begin(), scratch.end(), [&](std::int64_t a, std::int64_t b) {
    if (++compared % 65536 == 0) control.throw_if_stopped();
    return a < b;
  });
  return std::adjacent_find(scratch.begin(), scratch.end()) != scratch.end();
}

bool has_duplicates(const CsrView& matrix, std::int64_t n, int n_threads, Control& control) {
  if (rises(matrix, n, n_threads, control)) return false;
  // Chunks of entries, each with the rows that begin in it. Very long rows are left to the calling thread, the only
  // one that hears an interrupt while it works.
  const Chunks chunks(n);
  std::atomic<bool> found{false};
  std::mutex mutex;
  std::vector<std::int64_t> long_rows;
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    std::vector<std::int64_t> scratch;
    std::int64_t row = row_of(matrix, chunks.begin(chunk));
    if (matrix.begin(row) < chunks.begin(chunk)) ++row;
    for (; row < matrix.n_rows() && matrix.begin(row) < chunks.end(chunk) && !found.load(); ++row) {
      if (matrix.end(row) - matrix.begin(row) > Chunks::kSize) {
        const std::lock_guard lock(mutex);
        long_rows.push_back(row);
      } else if (has_twice(matrix, matrix.begin(row), matrix.end(row), scratch, control)) {
        found.store(true);
      }
    }
  });
  std::vector<std::int64_t> scratch;
  for (const std::int64_t row : long_rows)
    if (!found.load() && has_twice(matrix, matrix.begin(row), matrix.end(row), scratch, control)) found.store(true);
  return found.load();
}

}  // namespace

CsrFacts check_csr(const CsrView& matrix, int n_threads, Control& control) {
  if (matrix.indptr.size() == 0) fail("indptr is empty: it needs n_rows + 1 entries");
  const auto n_entries = static_cast<std::int64_t>(matrix.indices.size());
  if (!matrix.values.empty() && static_cast<std::int64_t>(matrix.values.size()) != n_entries)
    fail("data has " + std::to_string(matrix.values.size()) + " entries, indices has " + std::to_string(n_entries));
  // All of indptr first: a huge entry in the middle must not be followed into the arrays.
  check_indptr(matrix, n_threads, control);
  const std::int64_t n = matrix.begin(matrix.n_rows());
  check_entries(matrix, n, n_threads, control);
  CsrFacts facts;
  facts.has_duplicates = has_duplicates(matrix, n, n_threads, control);
  if (!matrix.values.empty()) {
    const auto other = [&](std::int64_t e) {
      return std::bit_cast<std::uint32_t>(matrix.values[static_cast<std::size_t>(e)]) != kOne;
    };
    facts.all_ones = n == find_first(
                              n, n_threads, control,
                              [&](std::int64_t begin, std::int64_t end) {
                                bool any = false;
                                for (std::int64_t e = begin; e < end; ++e) any |= other(e);
                                return any;
                              },
                              other);
  }
  return facts;
}

void check_finite(std::span<const float> values, const char* what, int n_threads, Control& control) {
  const std::int64_t bad = first_not_finite(values, n_threads, control);
  if (bad < static_cast<std::int64_t>(values.size()))
    fail(std::string(what) + "[" + std::to_string(bad) + "] is " + kind(values[static_cast<std::size_t>(bad)]));
}

}  // namespace factorec
