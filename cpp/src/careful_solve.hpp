// The draw of a normal vector whose precision is too close to singular for float arithmetic.
#pragma once

#include <cstdint>

namespace factorec {

// GibbsKernels::solve in double; `precision` is kept. Where a matrix is not positive definite, by rounding or because
// an objective penalises nothing, a little more precision around the present vector makes the step shorter, without
// another fixed point. Returns false where numbers are not finite.
bool solve_carefully(const float* precision, float* moment, const float* noise, const float* present, std::int64_t size,
                     std::int64_t padded);

}  // namespace factorec
