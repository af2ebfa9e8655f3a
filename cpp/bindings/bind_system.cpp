// What the machine is, and the checks that every caller needs.
#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/cpu.hpp"
#include "factorec/parallel.hpp"
#include "factorec/validation.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {

void bind_system(py::module_& module) {
  watch_forks();

  module.def("simd_level", [] { return std::string(name(active_level())); });
  module.def("available_simd_levels", [] {
    std::vector<std::string> names;
    for (SimdLevel level : available_levels()) names.emplace_back(name(level));
    return names;
  });
  module.def("pin_simd_level", [](const std::string& level) { pin_level(level); }, py::arg("level"));
  module.def("has_openmp", &has_openmp);
  module.def("forked", &forked);
  module.def(
      "check_csr",
      [](const py::tuple& matrix, int n_threads) {
        const CsrView view = view_csr(matrix, "matrix");
        const CsrFacts facts = interruptible([&](Control& control) { return check_csr(view, n_threads, control); });
        return py::make_tuple(facts.has_duplicates, facts.all_ones);
      },
      py::arg("matrix"), py::arg("n_threads") = 1);
}

}  // namespace factorec::bindings
