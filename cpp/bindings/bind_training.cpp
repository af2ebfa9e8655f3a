#include "bindings.hpp"

namespace factorec::bindings {

void bind_training(pybind11::module_&) {}

}  // namespace factorec::bindings
