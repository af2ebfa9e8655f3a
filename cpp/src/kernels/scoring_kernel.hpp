// What a scoring kernel must offer; see scoring_kernel.inc.
#pragma once

#include <cstdint>

namespace factorec {

// Rows as flat entries: those of row r are [begin[r], begin[r + 1]).
struct ScoringJob {
  const float* linear = nullptr;          // (n_features,)
  const float* factors = nullptr;         // (n_features, n_factors)
  std::int64_t n_factors = 0;
  std::int64_t n_query_features = -1;     // negative: all pairs count; else those of a feature below it and another
  std::int64_t n_rows = 0;
  const std::int64_t* begin = nullptr;
  const std::int32_t* narrow = nullptr;   // features of the entries, or null:
  const std::int64_t* wide = nullptr;     // ... here
  const float* value = nullptr;           // null: all 1
  float* scratch = nullptr;               // (n_factors rounded up to whole vectors,)
};

struct ScoringKernels {
  int width;  // floats in a vector
  // out[r] = w'x + sum over pairs of entries that count of <v_f, v_g> x_f x_g.
  void (*scores)(const ScoringJob&, double* out);
  // out[r, :] = V'x.
  void (*vectors)(const ScoringJob&, float* out);
};

}  // namespace factorec
