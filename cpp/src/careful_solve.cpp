#include "careful_solve.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace factorec {
namespace {

constexpr double kLost = 1e-6;  // beside a sum of floats, less is rounding

// The lower Cholesky factor, row by row; false where a pivot is lost.
bool factorise(std::vector<double>& a, std::size_t n) {
  for (std::size_t j = 0; j < n; ++j) {
    const double before = a[j * n + j];
    for (std::size_t i = j; i < n; ++i) {
      double sum = a[i * n + j];
      for (std::size_t l = 0; l < j; ++l) sum -= a[i * n + l] * a[j * n + l];
      if (i == j && !(sum > kLost * before)) return false;
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  }
  return true;
}

}  // namespace

bool solve_carefully(const float* precision, float* moment, const float* noise, const float* present,
                     std::int64_t size, std::int64_t padded) {
  const auto n = static_cast<std::size_t>(size);
  std::vector<double> a(n * n), x(n);
  double largest = 0.0, added = 0.0;
  for (std::size_t i = 0; i < n; ++i)
    largest = std::max(largest, static_cast<double>(precision[i * static_cast<std::size_t>(padded) + i]));
  for (double share = 0.0;; share = share > 0 ? 10 * share : kLost) {
    if (share > 1e-2) return false;
    added = share * largest;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j)
        a[i * n + j] = static_cast<double>(precision[i * static_cast<std::size_t>(padded) + j]);
      a[i * n + i] += added;
    }
    if (factorise(a, n)) break;
  }
  for (std::size_t i = 0; i < n; ++i) {
    double sum = static_cast<double>(moment[i]) + added * static_cast<double>(present[i]);
    for (std::size_t j = 0; j < i; ++j) sum -= a[i * n + j] * x[j];
    x[i] = sum / a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    double sum = x[i] + static_cast<double>(noise[i]);
    for (std::size_t j = i + 1; j < n; ++j) sum -= a[j * n + i] * x[j];
    x[i] = sum / a[i * n + i];
  }
  for (std::size_t i = 0; i < n; ++i) moment[i] = static_cast<float>(x[i]);
  return true;
}

}  // namespace factorec
