// numpy arrays in, views out. Nothing is converted or copied here: an array of another dtype or layout is an
// error, because the Python side has already brought it into form.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <span>
#include <stdexcept>
#include <string>

#include "factorec/rows.hpp"
#include "factorec/views.hpp"

namespace factorec::bindings {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

// The object as the array that it is. Nothing is converted: a view would outlive the copy.
inline py::array as_array(py::handle object, const char* name) {
  if (!py::isinstance<py::array>(object))
    throw std::invalid_argument(std::string(name) + " is no array of numpy but " +
                                std::string(py::str(py::type::handle_of(object).attr("__name__"))));
  return py::reinterpret_borrow<py::array>(object);
}

template <class T>
void check_array(const py::array& array, int n_dims, const char* name) {
  if (!py::dtype::of<T>().equal(array.dtype()))
    throw std::invalid_argument(std::string(name) + " has dtype " + py::str(array.dtype()).cast<std::string>() +
                                ", expected " + py::str(py::dtype::of<T>()).cast<std::string>());
  if (array.ndim() != n_dims)
    throw std::invalid_argument(std::string(name) + " has " + std::to_string(array.ndim()) + " dimensions, expected " +
                                std::to_string(n_dims));
  if (!(array.flags() & py::array::c_style)) throw std::invalid_argument(std::string(name) + " is not C-contiguous");
}

// A read-only vector.
template <class T>
std::span<const T> view(const py::array& array, const char* name) {
  check_array<T>(array, 1, name);
  return {static_cast<const T*>(array.data()), static_cast<std::size_t>(array.size())};
}

// A vector that the core writes into.
template <class T>
std::span<T> view_mutable(py::array& array, const char* name) {
  check_array<T>(array, 1, name);
  return {static_cast<T*>(array.mutable_data()), static_cast<std::size_t>(array.size())};
}

// A read-only matrix.
inline ConstMatrix view_matrix(const py::array& array, const char* name) {
  check_array<float>(array, 2, name);
  return {static_cast<const float*>(array.data()), array.shape(0), array.shape(1)};
}

// A matrix that the core writes into.
inline Matrix view_matrix_mutable(py::array& array, const char* name) {
  check_array<float>(array, 2, name);
  return {static_cast<float*>(array.mutable_data()), array.shape(0), array.shape(1)};
}

// int32 or int64 indices.
inline IndexView view_index(const py::array& array, const char* name) {
  if (py::dtype::of<std::int32_t>().equal(array.dtype())) {
    const auto span = view<std::int32_t>(array, name);
    return {span.data(), span.size()};
  }
  const auto span = view<std::int64_t>(array, name);
  return {span.data(), span.size()};
}

// A CSR matrix as the tuple (indptr, indices, data or None, n_columns). The tuple must outlive the view.
inline CsrView view_csr(const py::tuple& parts, const char* name) {
  if (parts.size() != 4) throw std::invalid_argument(std::string(name) + " must be (indptr, indices, data, n_columns)");
  CsrView matrix;
  matrix.indptr = view_index(as_array(parts[0], name), name);
  matrix.indices = view_index(as_array(parts[1], name), name);
  if (!parts[2].is_none()) {
    matrix.values = view<float>(as_array(parts[2], name), name);
    if (matrix.values.size() != matrix.indices.size())
      throw std::invalid_argument(std::string(name) + ": data has " + std::to_string(matrix.values.size()) +
                                  " entries, indices has " + std::to_string(matrix.indices.size()));
  }
  matrix.n_columns = parts[3].cast<std::int64_t>();
  return matrix;
}

// Rows as a list of blocks (index or None, CSR tuple); the list must outlive the view.
inline Rows view_rows(const py::list& blocks, std::int64_t n_rows, std::int64_t n_features) {
  Rows rows;
  rows.n_rows = n_rows;
  rows.n_features = n_features;
  for (const py::handle item : blocks) {
    const auto block = py::cast<py::tuple>(item);
    if (block.size() != 2) throw std::invalid_argument("a block must be (index or None, rows)");
    RowBlock view;
    if (!block[0].is_none()) view.index = view_index(as_array(block[0], "block index"), "block index");
    view.entities = view_csr(py::cast<py::tuple>(block[1]), "block rows");
    rows.blocks.push_back(view);
  }
  return rows;
}

}  // namespace factorec::bindings
