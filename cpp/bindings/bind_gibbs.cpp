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

// One number for all features, or an array with one for each.
std::vector<float> precisions(const py::dict& options, const char* name) {
  const py::object value = options[name];
  if (!py::isinstance<py::array>(value) || py::reinterpret_borrow<py::array>(value).ndim() == 0) return {value.cast<float>()};
  const auto all = view<float>(as_array(value, name), name);
  return {all.begin(), all.end()};
}

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
  set.precision_linear = precisions(options, "precision_linear");
  set.precision_factors = precisions(options, "precision_factors");
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
          py::arg("linear"), py::arg("factors"))
      .def(
          "copy_noise_to",
          [](const HeldSampler& self, py::array log_noise) {
            self.sampler->copy_noise_to(view_mutable<float>(log_noise, "log_noise"));
          },
          py::arg("log_noise"))
      .def("priors", [](const HeldSampler& self) {
        const py::ssize_t n = self.sampler->n_fields(), size = self.sampler->n_factors() + 1;
        Array<double> mean({n, size}), precision({n, size});
        const auto count = static_cast<std::size_t>(n * size);
        self.sampler->copy_priors_to({mean.mutable_data(), count}, {precision.mutable_data(), count});
        return py::make_tuple(mean, precision);
      });
}

}  // namespace factorec::bindings
