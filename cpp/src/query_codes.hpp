// A query's codes for the first pass, and how far the approximation of a score may be off.
#pragma once

#include <cstdint>

#include "kernels/codes_kernel.hpp"

namespace factorec {

// Writes the query's codes, one word of kCodeGroup of them every `stride` words, and its lane.
//
// With q = s Q + dq and v = t V + dv, |<q, v> - s t <Q, V>| <= |dq| |v| + |s Q| |dv|. Rounding, in the canonical
// score and in the approximation, adds at most (d + 16) 2^-23 (|q| |v| + |s Q| |t V| + |offset|) and, near
// underflow, a constant. Every norm is of what is stored, computed in double and rounded up. Proof: docs/search.md.
void encode_query(const float* query, std::int64_t n_factors, std::int32_t* words, std::int64_t stride,
                  QueryLanes& lanes, int lane);

// What a score's rounding may add, relative to |q| |v| + |offset|, and what underflow may add.
float relative_rounding(std::int64_t n_factors);
float absolute_rounding(std::int64_t n_factors);

}  // namespace factorec
