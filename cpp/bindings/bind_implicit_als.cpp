// Implicit ALS lives as long as one call to fit; its rows are copied.
#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/implicit_als.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

std::span<const float> view_exposure(const py::object& exposure, const char* name) {
  return exposure.is_none() ? std::span<const float>() : view<float>(as_array(exposure, name), name);
}

std::unique_ptr<ImplicitAls> make(const py::tuple& queries, const py::tuple& items, const py::tuple& observed,
                                  const py::array& penalty, const py::array& factors, const py::dict& options,
                                  const py::object& query_exposure, const py::object& item_exposure) {
  ImplicitAlsData data;
  data.queries = {view_csr(queries, "queries"), view_exposure(query_exposure, "query_exposure")};
  data.items = {view_csr(items, "items"), view_exposure(item_exposure, "item_exposure")};
  data.observed = view_csr(observed, "observed");
  data.penalty = view<float>(penalty, "penalty");
  ImplicitAlsOptions set;
  set.unobserved_weight = options["unobserved_weight"].cast<double>();
  set.block_size = options["block_size"].cast<std::int64_t>();
  set.n_steps = options["n_steps"].cast<int>();
  set.tolerance = options["tolerance"].cast<double>();
  set.n_threads = options["n_threads"].cast<int>();
  const ConstMatrix start = view_matrix(factors, "factors");
  return interruptible([&](Control& control) { return std::make_unique<ImplicitAls>(data, set, start, control); });
}

}  // namespace

void bind_implicit_als(py::module_& module) {
  py::class_<ImplicitAls>(module, "ImplicitAls")
      .def(py::init(&make), py::arg("queries"), py::arg("items"), py::arg("observed"), py::arg("penalty"),
           py::arg("factors"), py::arg("options"), py::arg("query_exposure") = py::none(),
           py::arg("item_exposure") = py::none())
      .def("sweep",
           [](ImplicitAls& self) { return interruptible([&](Control& control) { return self.sweep(control); }); })
      .def(
          "copy_to",
          [](const ImplicitAls& self, py::array factors) { self.copy_to(view_matrix_mutable(factors, "factors")); },
          py::arg("factors"));
}

}  // namespace factorec::bindings
