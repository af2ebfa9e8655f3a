#include "symmetric_eigen.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

namespace factorec {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// a := Q' a Q with `diagonal` and `below` (below[i] couples i and i + 1); q := Q', whose rows are the new axes.
// Parts of rows no larger than `small` are left: they are rounding errors, of which there may be nothing to reflect.
void make_tridiagonal(std::vector<double>& a, std::vector<double>& q, std::vector<double>& diagonal,
                      std::vector<double>& below, double small, std::int64_t n) {
  std::vector<double> v(at(n)), p(at(n));
  q.assign(at(n * n), 0.0);
  for (std::int64_t i = 0; i < n; ++i) q[at(i * n + i)] = 1.0;
  for (std::int64_t c = 0; c + 2 < n; ++c) {
    // The reflection that takes row c right of its neighbour to zero.
    double tail = 0.0;
    for (std::int64_t j = c + 2; j < n; ++j) tail += a[at(c * n + j)] * a[at(c * n + j)];
    const double head = a[at(c * n + c + 1)];
    if (!(tail > small * small)) continue;
    const double size = std::sqrt(head * head + tail), norm = head > 0.0 ? -size : size;
    for (std::int64_t j = c + 1; j < n; ++j) v[at(j)] = a[at(c * n + j)];
    v[at(c + 1)] = head - norm;
    const double scale = 2.0 / (tail + v[at(c + 1)] * v[at(c + 1)]);
    double along = 0.0;
    for (std::int64_t i = c + 1; i < n; ++i) {
      const double* row = a.data() + i * n;
      double sum = 0.0;
      for (std::int64_t j = c + 1; j < n; ++j) sum += row[j] * v[at(j)];
      p[at(i)] = scale * sum;
      along += p[at(i)] * v[at(i)];
    }
    for (std::int64_t i = c + 1; i < n; ++i) p[at(i)] -= 0.5 * scale * along * v[at(i)];
    for (std::int64_t i = c + 1; i < n; ++i) {
      double* row = a.data() + i * n;
      const double vi = v[at(i)], pi = p[at(i)];
      for (std::int64_t j = c + 1; j < n; ++j) row[j] -= vi * p[at(j)] + pi * v[at(j)];
    }
    a[at(c * n + c + 1)] = a[at((c + 1) * n + c)] = norm;
    for (std::int64_t j = c + 2; j < n; ++j) a[at(c * n + j)] = a[at(j * n + c)] = 0.0;
    // q := H q, of which row i of H has -scale v_i v.
    p.assign(at(n), 0.0);
    for (std::int64_t i = c + 1; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j) p[at(j)] += v[at(i)] * q[at(i * n + j)];
    for (std::int64_t i = c + 1; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j) q[at(i * n + j)] -= scale * v[at(i)] * p[at(j)];
  }
  for (std::int64_t i = 0; i < n; ++i) {
    diagonal[at(i)] = a[at(i * n + i)];
    below[at(i)] = i + 1 < n ? a[at((i + 1) * n + i)] : 0.0;
  }
}

// One implicit QL step on [first, last] with Wilkinson's shift.
void ql_step(std::vector<double>& d, std::vector<double>& e, std::vector<double>& q, std::int64_t first,
             std::int64_t last, std::int64_t n) {
  double g = (d[at(first + 1)] - d[at(first)]) / (2.0 * e[at(first)]);
  double r = std::hypot(g, 1.0);
  g = d[at(last)] - d[at(first)] + e[at(first)] / (g + (g >= 0.0 ? r : -r));
  double s = 1.0, c = 1.0, p = 0.0;
  for (std::int64_t i = last; i-- > first;) {
    const double f = s * e[at(i)], b = c * e[at(i)];
    r = std::hypot(f, g);
    e[at(i + 1)] = r;
    if (r == 0.0) {  // the matrix falls apart here
      d[at(i + 1)] -= p;
      e[at(last)] = 0.0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[at(i + 1)] - p;
    r = (d[at(i)] - g) * s + 2.0 * c * b;
    p = s * r;
    d[at(i + 1)] = g + p;
    g = c * r - b;
    double* low = q.data() + i * n;
    double* high = low + n;
    for (std::int64_t j = 0; j < n; ++j) {
      const double x = high[j];
      high[j] = s * low[j] + c * x;
      low[j] = c * low[j] - s * x;
    }
  }
  d[at(first)] -= p;
  e[at(first)] = g;
  e[at(last)] = 0.0;
}

}  // namespace

std::vector<double> symmetric_eigen(std::vector<double>& a, std::int64_t n) {
  double largest = 0.0;
  for (const double value : a) {
    if (!std::isfinite(value)) throw std::domain_error("a matrix of sums is not finite");
    largest = std::max(largest, std::fabs(value));
  }
  // Beside the largest entry, and not beside their neighbours: a matrix of low rank is rounding errors elsewhere.
  const double small = std::numeric_limits<double>::epsilon() * largest;
  std::vector<double> diagonal(at(n)), below(at(n)), vectors;
  make_tridiagonal(a, vectors, diagonal, below, small, n);
  for (std::int64_t first = 0; first < n; ++first)
    for (int step = 0;; ++step) {
      std::int64_t last = first;
      while (last + 1 < n && std::fabs(below[at(last)]) > small) ++last;
      if (last == first) break;
      if (step == 100) throw std::domain_error("the eigenvalues of a matrix of sums do not converge");
      ql_step(diagonal, below, vectors, first, last, n);
    }
  a = std::move(vectors);
  return diagonal;
}

}  // namespace factorec
