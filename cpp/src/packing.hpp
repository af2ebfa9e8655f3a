// Rows brought into the order in which the search kernel reads them.
#pragma once

#include <span>

#include "factorec/views.hpp"

namespace factorec {

// Writes rows [begin, end) of `rows` as n_columns rows of `stride` floats: to[column * stride + row - begin].
// With `normalise` each row is divided by its Euclidean norm, in double precision and rounded once; a zero row
// stays zero. Throws std::invalid_argument naming the first value that is not finite as `what`[row, column].
void pack_rows(ConstMatrix rows, std::int64_t begin, std::int64_t end, bool normalise, const char* what, float* to,
               std::int64_t stride);

// Throws std::invalid_argument unless there are no offsets or n_items finite ones.
void check_offsets(std::span<const float> offsets, std::int64_t n_items);

}  // namespace factorec
