#include "bindings.hpp"

namespace factorec::bindings {

void bind_search(pybind11::module_&) {}

}  // namespace factorec::bindings
