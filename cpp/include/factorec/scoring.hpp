// Scores and vectors of rows under given parameters.
#pragma once

#include "factorec/control.hpp"
#include "factorec/rows.hpp"

namespace factorec {

struct ParameterView {
  std::span<const float> linear;  // (n_features,)
  ConstMatrix factors;            // (n_features, n_factors)
  double bias = 0;                // added to scores
  // Where given (not negative), only pairs of a feature below it and another count: a bipartite model.
  std::int64_t n_query_features = -1;
};

// out[r] = b + s(x), s(x) = w'x + 1/2 (|V'x|^2 - sum_f x_f^2 |V_f|^2), of every row. The pairwise part is summed as
// <part of an entry, parts before it>, which does not cancel; of a bipartite model it is <V'x_q, V'x_i>. float: the double, rounded.
void scores(const Rows& rows, const ParameterView& parameters, std::span<double> out, int n_threads, Control& control);
void scores(const Rows& rows, const ParameterView& parameters, std::span<float> out, int n_threads, Control& control);

// out[r, :] = V'x of every row.
void vectors(const Rows& rows, const ParameterView& parameters, Matrix out, int n_threads, Control& control);

}  // namespace factorec
