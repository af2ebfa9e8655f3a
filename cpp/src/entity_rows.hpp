// The rows of one entity as a linear regression on what the other blocks have in them.
#pragma once

#include "gibbs_blocks.hpp"
#include "kernels/kernels.hpp"
#include "residual_sums.hpp"

namespace factorec {

// Belongs to one thread at a time. Noise precisions lack the factor of the entity's own block and the model's.
class EntityRows {
 public:
  explicit EntityRows(GibbsModel& model);

  // gram = sum a o o', moment = sum a o (residual - shift) over the rows of entity e of block b, with their noise
  // precisions a and the slopes o; see feature_draws.cpp.
  void sum(std::size_t b, std::int64_t e, float shift, Control& control, float* gram, float* moment);

  // residual -= shift + <o, change>
  ResidualSums move(std::size_t b, std::int64_t e, float shift, const float* change, Control& control);

 private:
  static constexpr std::int64_t kBatch = 128;  // rows looked at together

  RegressionRows gather(std::size_t b, std::int64_t begin, std::int64_t end, float shift);

  GibbsModel& model_;
  const GibbsKernels& kernel_;
  const float* vector_[kBatch];
  float weight_[kBatch];
  float residual_[kBatch];
  std::int32_t place_[kBatch];
  AlignedVector slopes_;  // where they are no block's sums
};

}  // namespace factorec
