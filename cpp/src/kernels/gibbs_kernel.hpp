// What a Gibbs kernel must offer; see gibbs_kernel.inc.
#pragma once

#include <cstdint>

namespace factorec {

// Rows of a linear regression on vectors that lie somewhere in memory, `padded` floats each, zeros after the last.
struct RegressionRows {
  const float* const* vector = nullptr;  // (n,)
  const float* weight = nullptr;         // (n,)
  float* residual = nullptr;             // (n,)
  std::int64_t n = 0;
};

struct GibbsKernels {
  int width;  // floats in a vector; `padded` is a multiple of it

  // gram += sum of weight * o o', (padded, padded), of which a row is summed up to the vector that holds its diagonal;
  // moment += sum of weight * residual * o.
  void (*add)(const RegressionRows& rows, std::int64_t padded, float* gram, float* moment);

  // residual -= <o, change>; sums: of weight * residual^2, of weight * residual, of weight.
  void (*move)(const RegressionRows& rows, std::int64_t padded, const float* change, double* sums);

  // Solves `precision` x = moment + L `noise` where precision = L L' is given by its lower triangle and destroyed:
  // a draw from N(precision^-1 moment, precision^-1) for standard normal noise. The result is left in `moment`.
  // Only the first `size` rows count. Returns false where a pivot is not positive.
  bool (*solve)(float* precision, float* moment, const float* noise, std::int64_t size, std::int64_t padded);
};

}  // namespace factorec
