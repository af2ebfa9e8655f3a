#include "bindings.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  module.doc() = "The compiled core of factorec: functions over numpy arrays. Not a public interface.";
  using namespace factorec::bindings;
  bind_system(module);
  bind_gibbs(module);
  bind_scoring(module);
  bind_training(module);
  bind_ranking(module);
  bind_search(module);
  bind_implicit_als(module);
  bind_json_rows(module);
  bind_metrics(module);
  bind_recordio(module);
}
