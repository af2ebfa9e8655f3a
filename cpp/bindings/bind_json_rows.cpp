#include "factorec/json_rows.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include "arrays.hpp"
#include "bindings.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

template <class T>
py::array_t<T> copy(const std::vector<T>& values) {
  return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

}  // namespace

void bind_json_rows(py::module_& module) {
  module.def(
      "read_json_rows",
      [](const py::bytes& text, std::int64_t begin, std::int64_t n_features, bool lines) {
        const std::string_view all(PyBytes_AS_STRING(text.ptr()),
                                   static_cast<std::size_t>(PyBytes_GET_SIZE(text.ptr())));
        if (begin < 0 || static_cast<std::size_t>(begin) > all.size())
          throw std::invalid_argument("begin is " + std::to_string(begin) + ", the text has " +
                                      std::to_string(all.size()) + " bytes");
        const JsonRows rows = interruptible([&](Control& control) {
          return read_json_rows(all.substr(static_cast<std::size_t>(begin)), n_features, lines, control);
        });
        return py::make_tuple(copy(rows.indptr), copy(rows.indices), copy(rows.values));
      },
      py::arg("text"), py::arg("begin"), py::arg("n_features"), py::arg("lines"));
}

}  // namespace factorec::bindings
