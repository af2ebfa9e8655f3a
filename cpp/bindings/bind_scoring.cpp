// Scores and vectors of rows.
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>

#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/scoring.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {

void bind_scoring(py::module_& module) {
  // float64, or float32 where `single`. n_query_features: of a bipartite model; None: all pairs count.
  module.def(
      "scores",
      [](const py::list& blocks, std::int64_t n_rows, double bias, const py::array& linear, const py::array& factors,
         int n_threads, bool single, std::optional<std::int64_t> n_query_features) -> py::array {
        ParameterView parameters{view<float>(linear, "linear"), view_matrix(factors, "factors"), bias};
        if (n_query_features) parameters.n_query_features = std::max<std::int64_t>(*n_query_features, 0);
        const Rows rows = view_rows(blocks, n_rows, static_cast<std::int64_t>(parameters.linear.size()));
        const auto score = [&](auto out) -> py::array {
          const std::span into(out.mutable_data(), static_cast<std::size_t>(n_rows));
          interruptible([&](Control& control) { scores(rows, parameters, into, n_threads, control); });
          return out;
        };
        return single ? score(py::array_t<float>(n_rows)) : score(py::array_t<double>(n_rows));
      },
      py::arg("blocks"), py::arg("n_rows"), py::arg("bias"), py::arg("linear"), py::arg("factors"),
      py::arg("n_threads"), py::arg("single") = false, py::arg("n_query_features") = py::none());
  module.def(
      "vectors",
      [](const py::list& blocks, std::int64_t n_rows, const py::array& linear, const py::array& factors, int n_threads) {
        const ParameterView parameters{view<float>(linear, "linear"), view_matrix(factors, "factors")};
        const Rows rows = view_rows(blocks, n_rows, static_cast<std::int64_t>(parameters.linear.size()));
        py::array_t<float> out({n_rows, parameters.factors.n_columns});
        const Matrix into{out.mutable_data(), n_rows, parameters.factors.n_columns};
        interruptible([&](Control& control) { vectors(rows, parameters, into, n_threads, control); });
        return out;
      },
      py::arg("blocks"), py::arg("n_rows"), py::arg("linear"), py::arg("factors"), py::arg("n_threads"));
  module.def(
      "feature_weights",
      [](const py::list& blocks, std::int64_t n_rows, std::int64_t n_features, const py::object& weight,
         int n_threads) {
        const Rows rows = view_rows(blocks, n_rows, n_features);
        std::span<const float> weights;
        if (!weight.is_none()) {
          weights = view<float>(as_array(weight, "weight"), "weight");
          if (static_cast<std::int64_t>(weights.size()) != n_rows)
            throw std::invalid_argument("weight has " + std::to_string(weights.size()) + " entries, expected " +
                                        std::to_string(n_rows));
        }
        const std::vector<double> sums = interruptible([&](Control& control) {
          check_rows(rows, n_threads, control);
          return feature_weights(rows, weights, n_threads, control);
        });
        return py::array_t<double>(static_cast<py::ssize_t>(sums.size()), sums.data());
      },
      py::arg("blocks"), py::arg("n_rows"), py::arg("n_features"), py::arg("weight"),
      py::arg("n_threads"));
}

}  // namespace factorec::bindings
