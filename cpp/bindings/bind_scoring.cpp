#include "bindings.hpp"

namespace factorec::bindings {

void bind_scoring(pybind11::module_&) {}

}  // namespace factorec::bindings
