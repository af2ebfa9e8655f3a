// Checks that make every later access safe.
#pragma once

#include "factorec/control.hpp"
#include "factorec/views.hpp"

namespace factorec {

// What one pass over a CSR matrix tells.
struct CsrFacts {
  bool has_duplicates = false;  // two stored entries of one row share a column
  bool all_ones = true;         // every stored value is exactly 1
};

// Throws std::invalid_argument that names the first bad position: indptr that does not start at 0, falls, or
// ends beyond the arrays; a column outside [0, n_columns); a value that is not finite. Memory beside the arrays:
// that of one row at most.
CsrFacts check_csr(const CsrView& matrix, int n_threads, Control& control);

// Throws std::invalid_argument naming the first value that is not finite.
void check_finite(std::span<const float> values, const char* what, int n_threads, Control& control);

}  // namespace factorec
