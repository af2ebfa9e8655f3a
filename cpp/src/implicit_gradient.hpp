// The best factors of a side whose entities share features, given the other side.
#pragma once

#include "factorec/implicit_als.hpp"
#include "implicit_gram.hpp"
#include "implicit_side.hpp"

namespace factorec {

// Moves own.table towards the minimum of the objective by conjugate gradients over all features of the side at once,
// from where it is, and own.vectors with it. Returns the sum of weight (1 - s)^2 over the pairs after it.
double solve_shared(ImplicitSide& own, const ImplicitSide& other, const ImplicitGram& gram,
                    const ImplicitAlsOptions& options, Control& control);

}  // namespace factorec
