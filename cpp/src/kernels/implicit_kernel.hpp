// What a kernel of implicit ALS must offer; see implicit_kernel.inc.
#pragma once

#include <cstdint>

namespace factorec {

// Rows are `padded` floats, a multiple of 16, zeros after the last one that counts.
struct ImplicitKernels {
  // a += sum of weight o o' over n vectors o: rows below `size`, each from the SIMD vector of its diagonal on.
  void (*gram)(const float* const* vector, const float* weight, std::int64_t n, std::int64_t size, std::int64_t padded,
               float* a);

  // out += sum of factor o over n vectors o.
  void (*combine)(const float* const* vector, const float* factor, std::int64_t n, std::int64_t padded, float* out);

  // residual -= <o, change>.
  void (*move)(const float* const* vector, float* residual, std::int64_t n, std::int64_t padded, const float* change);

  // Solves a x = b for the upper triangle of a positive definite a, which is destroyed; x is left in b, zeros from
  // `size` on. Returns false where a pivot is not positive.
  bool (*solve)(float* a, float* b, std::int64_t size, std::int64_t padded);

  // out[j * stride + r] = vector[r][j] for j < padded; columns r from n to `stride` are zeros.
  void (*transpose)(const float* const* vector, std::int64_t n, std::int64_t padded, std::int64_t stride, float* out);

  // Columns [0, padded) of n rows, `stride` floats apart: row := row basis, for a basis of (size, padded) where columns
  // from `size` on are zeros. `scratch`: 8 * padded floats.
  void (*rotate)(float* rows, std::int64_t n, std::int64_t stride, const float* basis, std::int64_t size,
                 std::int64_t padded, float* scratch);

  // out += sum of weight <o, p> o over n vectors o.
  void (*apply)(const float* const* vector, const float* weight, std::int64_t n, std::int64_t padded, const float* p,
                float* out);

  // out += sum of weight o o, element by element.
  void (*add_squares)(const float* const* vector, const float* weight, std::int64_t n, std::int64_t padded, float* out);
};

}  // namespace factorec
