// Eigenvalues and vectors of a small symmetric matrix.
#pragma once

#include <cstdint>
#include <vector>

namespace factorec {

// a: (n, n) row-major, replaced by the eigenvectors, one a row; returns their eigenvalues. Householder's reduction to
// tridiagonal form and implicit QL steps (Golub and Van Loan, Matrix Computations, section 8.3), O(n^3). Throws
// std::domain_error where a value is not finite.
std::vector<double> symmetric_eigen(std::vector<double>& a, std::int64_t n);

}  // namespace factorec
