// What a kernel of implicit ALS must offer beside those of the Gibbs sampler; see implicit_kernel.inc.
#pragma once

#include <cstdint>

namespace factorec {

struct ImplicitKernels {
  // Columns [0, padded) of n rows, `stride` floats apart: row := row basis, for a basis of (size, padded) where columns
  // from `size` on are zeros. `scratch`: 8 * padded floats.
  void (*rotate)(float* rows, std::int64_t n, std::int64_t stride, const float* basis, std::int64_t size,
                 std::int64_t padded, float* scratch);

  // out[j * stride + r] = vector[r][j] for j < size; columns r from n to `stride` are zeros.
  void (*transpose)(const float* const* vector, std::int64_t n, std::int64_t size, std::int64_t stride, float* out);

  // out += sum of weight <o, p> o over n vectors o of `padded` floats.
  void (*apply)(const float* const* vector, const float* weight, std::int64_t n, std::int64_t padded, const float* p,
                float* out);

  // out += sum of weight o o, element by element.
  void (*add_squares)(const float* const* vector, const float* weight, std::int64_t n, std::int64_t padded, float* out);
};

}  // namespace factorec
