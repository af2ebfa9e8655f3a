#include "bindings.hpp"

namespace factorec::bindings {

void bind_metrics(pybind11::module_&) {}

}  // namespace factorec::bindings
