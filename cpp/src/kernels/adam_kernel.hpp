// What an Adam kernel must offer; see adam_kernel.inc.
#pragma once

#include "kernels/training_kernel.hpp"

namespace factorec {

// What a feature has beside its row of the table: moving mean of its factors' gradients | of their squares (padded
// as the factors) | the same of the linear weight.
enum MomentOffset { kLinearMean = 0, kLinearSquare, kMomentSize };

// The forward pass over some rows of a batch: the sum of the parts of each, and its slope.
struct AdamRows {
  GroupJob group;           // table, entries and rows; the rest has no meaning
  float* parts = nullptr;   // of the first row; padded factors each
  float* slopes = nullptr;  // of the first row
};

// One entry of a feature, in the order of the rows.
struct AdamFeatures {
  StateTable table;
  float* moments = nullptr;             // of feature 0
  std::int64_t moment_stride = 0;
  const float* parts = nullptr;         // of the rows
  const float* slopes = nullptr;
  const std::int32_t* feature = nullptr;  // of each slot
  const std::int64_t* begin = nullptr;    // entries of slot i: [begin[i], begin[i + 1])
  const std::uint32_t* row = nullptr;     // of each entry
  const float* value = nullptr;           // of each entry, or null: all 1
  std::int64_t first = 0, end = 0;        // the slots to visit
  // Sums of gradients of each slot over the rows of the batch so far: padded factors, then the linear one. Null where
  // the batch has no rows before these and none after them.
  float* sums = nullptr;
  std::int64_t sum_stride = 0;
  bool step = true;                     // after these rows: every slot takes its step
  float rescale = 1, clip = 0, epsilon = 0;
  float correction = 1;                 // of the rates, for moments that began at 0
};

struct AdamKernels {
  void (*rows[2])(const AdamRows&, PassSums*);  // indexed by [loss]
  void (*features)(const AdamFeatures&);
};

}  // namespace factorec
