// A sampler lives as long as one call to fit.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/gibbs.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

struct HeldSampler {
  py::list held;
  std::unique_ptr<GibbsSampler> sampler;
};

using Ranges = std::vector<std::pair<std::int64_t, std::int64_t>>;

std::unique_ptr<HeldSampler> make_sampler(py::list blocks, py::array target, py::object weight, const Ranges& fields,
                                          const py::dict& options, double bias, py::array linear, py::array factors) {
  auto held = std::make_unique<HeldSampler>();
  GibbsData data;
  data.target = view<float>(target, "target");
  const auto linear_view = view<float>(linear, "linear");
  data.rows = view_rows(blocks, static_cast<std::int64_t>(data.target.size()), static_cast<std::int64_t>(linear_view.size()));
  if (!weight.is_none()) data.weight = view<float>(as_array(weight, "weight"), "weight");
  for (const auto& [start, stop] : fields) data.fields.push_back({start, stop});
  GibbsOptions set;
  set.draw = options["draw"].cast<bool>();
  set.n_levels = options["n_levels"].cast<int>();
  set.row_noise = options["row_noise"].cast<bool>();
  set.noise_shape = options["noise_shape"].cast<double>();
  set.bipartite = options["bipartite"].cast<bool>();
  set.precision_linear = options["precision_linear"].cast<double>();
  set.precision_factors = options["precision_factors"].cast<double>();
  set.seed = options["seed"].cast<std::uint64_t>();
  set.n_threads = options["n_threads"].cast<int>();
  const ConstMatrix start = view_matrix(factors, "factors");
  interruptible([&](Control& control) {
    held->sampler = std::make_unique<GibbsSampler>(data, set, bias, linear_view, start, control);
  });
  return held;
}

}  // namespace

void bind_gibbs(py::module_& module) {
  py::class_<HeldSampler>(module, "GibbsSampler")
      .def(py::init(&make_sampler), py::arg("blocks"), py::arg("target"), py::arg("weight"), py::arg("fields"),
           py::arg("options"), py::arg("bias"), py::arg("linear"), py::arg("factors"))
      .def(
          "sweep",
          [](HeldSampler& self, std::uint64_t number) {
            return interruptible([&](Control& control) { return self.sampler->sweep(number, control); });
          },
          py::arg("number"))
      .def("set_drawing", [](HeldSampler& self, bool draw) { self.sampler->set_drawing(draw); })
      .def_property_readonly("bias", [](const HeldSampler& self) { return self.sampler->bias(); })
      .def_property_readonly("noise_precision", [](const HeldSampler& self) { return self.sampler->noise_precision(); })
      .def_property_readonly("cuts",
                             [](const HeldSampler& self) {
                               const auto cuts = self.sampler->cuts();
                               return std::vector<double>(cuts.begin(), cuts.end());
                             })
      .def(
          "copy_to",
          [](const HeldSampler& self, py::array linear, py::array factors) {
            self.sampler->copy_to(view_mutable<float>(linear, "linear"), view_matrix_mutable(factors, "factors"));
          },
          py::arg("linear"), py::arg("factors"));
}

}  // namespace factorec::bindings
