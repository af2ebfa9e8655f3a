#include "query_codes.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace factorec {
namespace {

// Up, by more than the rounding to float, of the sums before it and of the kernel's arithmetic after it.
float round_up(double x) { return static_cast<float>(x * (1.0 + 0x1p-18)) + 0x1p-149f; }

}  // namespace

float relative_rounding(std::int64_t n_factors) { return round_up((static_cast<double>(n_factors) + 16) * 0x1p-23); }
float absolute_rounding(std::int64_t n_factors) { return round_up((static_cast<double>(n_factors) + 16) * 0x1p-126); }

void encode_query(const float* query, std::int64_t n_factors, std::int32_t* words, std::int64_t stride,
                  QueryLanes& lanes, int lane) {
  float largest = 0.0f;
  for (std::int64_t k = 0; k < n_factors; ++k) largest = std::max(largest, std::fabs(query[k]));
  float scale = largest / 127.0f;
  if (!(scale > 0x1p-100f)) scale = 0.0f;
  const float inverse = scale > 0.0f ? 1.0f / scale : 0.0f;

  double norm = 0.0, residual = 0.0;
  std::int32_t sum = 0;
  for (std::int64_t group = 0; group < n_code_groups(n_factors); ++group) {
    std::int8_t codes[kCodeGroup] = {};
    for (std::int64_t i = 0; i < kCodeGroup && group * kCodeGroup + i < n_factors; ++i) {
      const float q = query[group * kCodeGroup + i];
      const float scaled = q * inverse;
      const int code = std::clamp(static_cast<int>(scaled + std::copysign(0.5f, scaled)), -127, 127);
      const double rest = q - static_cast<double>(scale) * code;
      norm += static_cast<double>(q) * q;
      residual += rest * rest;
      codes[i] = static_cast<std::int8_t>(code);
      sum += code;
    }
    std::memcpy(words + group * stride, codes, sizeof codes);
  }
  norm = std::sqrt(norm);
  residual = std::sqrt(residual);
  const double size = norm + residual;  // |s Q| is at most that
  const double rounding = relative_rounding(n_factors);
  lanes.scale[lane] = scale;
  lanes.reach[lane] = round_up(norm * (1.0 + rounding));
  lanes.by_norm[lane] = round_up(residual + rounding * size);
  lanes.by_residual[lane] = round_up(size * (1.0 + rounding));
  lanes.size[lane] = round_up(size);
  lanes.seed[lane] = -128 * sum;
}

}  // namespace factorec
