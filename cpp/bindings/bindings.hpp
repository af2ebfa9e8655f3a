// The parts of the extension module, one source each.
#pragma once

#include <pybind11/pybind11.h>

namespace factorec::bindings {

void bind_gibbs(pybind11::module_& module);
void bind_implicit_als(pybind11::module_& module);
void bind_json_rows(pybind11::module_& module);
void bind_metrics(pybind11::module_& module);
void bind_ranking(pybind11::module_& module);
void bind_recordio(pybind11::module_& module);
void bind_scoring(pybind11::module_& module);
void bind_search(pybind11::module_& module);
void bind_system(pybind11::module_& module);
void bind_training(pybind11::module_& module);

}  // namespace factorec::bindings
