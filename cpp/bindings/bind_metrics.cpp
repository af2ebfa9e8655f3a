#include <pybind11/stl.h>

#include <optional>

#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/metrics.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

// An empty array is not the same as no weights.
std::span<const float> view_weight(const std::optional<py::array>& weight, std::size_t n_rows) {
  if (!weight) return {};
  const auto w = view<float>(*weight, "weight");
  if (w.empty() && n_rows > 0)
    throw std::invalid_argument("weight has 0 entries, expected " + std::to_string(n_rows));
  return w;
}

}  // namespace

void bind_metrics(py::module_& module) {
  module.def(
      "classification_metrics",
      [](const py::array& scores, const py::array& target, const std::optional<py::array>& weight, int n_threads) {
        const auto s = view<float>(scores, "scores"), t = view<float>(target, "target");
        const auto w = view_weight(weight, s.size());
        const auto m = interruptible([&](Control& c) { return classification_metrics(s, t, w, n_threads, c); });
        return py::make_tuple(m.log_loss, m.accuracy, m.f1, m.auc);
      },
      py::arg("scores"), py::arg("target"), py::arg("weight"), py::arg("n_threads"));
  module.def(
      "regression_metrics",
      [](const py::array& predictions, const py::array& target, const std::optional<py::array>& weight,
         int n_threads) {
        const auto p = view<float>(predictions, "predictions"), t = view<float>(target, "target");
        const auto w = view_weight(weight, p.size());
        const auto m = interruptible([&](Control& c) { return regression_metrics(p, t, w, n_threads, c); });
        return py::make_tuple(m.rmse, m.mae);
      },
      py::arg("predictions"), py::arg("target"), py::arg("weight"), py::arg("n_threads"));
}

}  // namespace factorec::bindings
