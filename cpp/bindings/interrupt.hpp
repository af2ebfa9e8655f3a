// Ctrl-C inside a call into the core.
#pragma once

#include <pybind11/pybind11.h>

#include "factorec/control.hpp"

namespace factorec::bindings {

namespace py = pybind11;

// Runs work(control) without the interpreter lock. Signals are looked at every 50 ms on the calling thread; an
// exception that a handler raised (KeyboardInterrupt) ends the work and is rethrown here.
template <class Work>
auto interruptible(Work&& work) {
  try {
    py::gil_scoped_release release;
    Control control([] {
      py::gil_scoped_acquire acquire;
      return PyErr_CheckSignals() != 0;
    });
    return work(control);
  } catch (const Interrupted&) {
    throw py::error_already_set();
  }
}

}  // namespace factorec::bindings
