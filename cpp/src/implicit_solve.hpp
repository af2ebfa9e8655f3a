// The best vector of an entity that shares no feature with others, given the other side.
#pragma once

#include <cstdint>
#include <vector>

#include "implicit_gram.hpp"
#include "implicit_side.hpp"
#include "kernels/kernels.hpp"

namespace factorec {

// Minimises, over the vector p of one entity,
//   1/2 sum of weight (1 - <p, o>)^2 over its pairs + 1/2 unobserved exposure p' G p + 1/2 penalty |p|^2,
// o the vectors of the other side and G their Gram matrix: exactly where all factors are in one block, else by one step
// for each block of factors (Rendle et al. 2021, iALS++), so that the cost is linear in their number.
class EntitySolver {
 public:
  EntitySolver(const ImplicitSide& own, const ImplicitSide& other, const ImplicitGram& gram, double unobserved_weight);

  // Returns, if wanted, the sum of weight (1 - <p, o>)^2 after it.
  double solve(std::int64_t e, float* p, bool want_loss, Control& control);

 private:
  void move(const float* const* vector, std::int64_t padded, const float* change, Control& control);
  void set_gradient(const float* p, const ImplicitGram::Block& block, float exposure, float penalty);
  void step_by_factors(const ImplicitGram::Block& block, const float* const* part, bool moves, Control& control);
  void step_by_pairs(const ImplicitGram::Block& block, const float* const* part);
  [[noreturn]] static void throw_singular();

  const ImplicitSide& own_;
  const ImplicitSide& other_;
  const ImplicitGram& gram_;
  const ImplicitKernels& kernel_;
  float unobserved_;
  // Of the pairs of the entity at work.
  std::int64_t n_ = 0;
  const float* weight_ = nullptr;
  std::vector<const float*> vector_, part_;  // whole, and from a block's first factor on
  std::vector<float> residual_;
  // Of the block of factors at work.
  AlignedVector diagonal_, gradient_, step_, inverse_, solved_, matrix_, columns_;
  std::vector<const float*> column_;
};

}  // namespace factorec
