#include <pybind11/stl.h>

#include "arrays.hpp"
#include "bindings.hpp"
#include "factorec/recordio.hpp"
#include "interrupt.hpp"

namespace factorec::bindings {
namespace {

using Number = RecordColumn::Number;

NumbersView view_numbers(const py::array& array, int n_dims, const char* name) {
  const auto span = [&](auto number) -> NumbersView {
    using T = decltype(number);
    check_array<T>(array, n_dims, name);
    return std::span<const T>(static_cast<const T*>(array.data()), static_cast<std::size_t>(array.size()));
  };
  if (py::dtype::of<float>().equal(array.dtype())) return span(0.0f);
  if (py::dtype::of<std::int64_t>().equal(array.dtype())) return span(std::int64_t{});
  return span(0.0);
}

// One row per row of a matrix, one number per row of a vector.
DenseTensors view_dense(const py::array& array, std::int64_t n_rows, const char* name) {
  if (array.ndim() != 1 && array.ndim() != 2)
    throw std::invalid_argument(std::string(name) + " must have one or two dimensions");
  if (array.shape(0) != n_rows)
    throw std::invalid_argument(std::string(name) + " has " + std::to_string(array.shape(0)) + " rows, expected " +
                                std::to_string(n_rows));
  return {view_numbers(array, static_cast<int>(array.ndim()), name), array.ndim() == 2 ? array.shape(1) : 1};
}

SparseTensors view_sparse(const py::tuple& parts) {
  if (parts.size() != 4) throw std::invalid_argument("features must be (indptr, indices, data, n_columns)");
  return {view_index(as_array(parts[0], "indptr"), "indptr"), view_index(as_array(parts[1], "indices"), "indices"),
          view_numbers(as_array(parts[2], "data"), 1, "data"), parts[3].cast<std::int64_t>()};
}

// The arrays must outlive the view.
RecordRows view_records(std::int64_t n_rows, const py::object& features, const py::list& labels) {
  RecordRows rows;
  rows.n_rows = n_rows;
  if (py::isinstance<py::tuple>(features))
    rows.features = view_sparse(py::cast<py::tuple>(features));
  else if (!features.is_none())
    rows.features = view_dense(as_array(features, "features"), n_rows, "features");
  for (const py::handle item : labels) {
    const auto [name, array] = py::cast<std::pair<std::string, py::object>>(item);
    rows.labels.emplace_back(name, view_dense(as_array(array, "a label"), n_rows, "a label"));
  }
  return rows;
}

// Bytes never change, so that nobody can pull them away from under the core.
std::span<const std::uint8_t> view_bytes(const py::bytes& data, std::int64_t begin, std::int64_t end) {
  const auto n = static_cast<std::int64_t>(PyBytes_GET_SIZE(data.ptr()));
  if (begin < 0 || end < begin || end > n)
    throw std::invalid_argument("bytes " + std::to_string(begin) + " to " + std::to_string(end) + " of " +
                                std::to_string(n));
  return {reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(data.ptr())) + begin,
          static_cast<std::size_t>(end - begin)};
}

template <class T>
std::span<T> span_of(py::array_t<T>& array) {
  return {array.mutable_data(), static_cast<std::size_t>(array.size())};
}

// A column as an array, or as (indptr, indices, data, n_columns), without values yet, and what fills it.
template <class T>
std::pair<py::object, RecordBatch::Reader> make_column(const RecordBatch& batch, std::size_t i) {
  const RecordColumn& column = batch.columns()[i];
  if (!column.is_sparse) {
    py::array_t<T> values({batch.n_rows(), column.n_columns});
    return {values, batch.dense_reader<T>(i, span_of(values))};
  }
  py::array_t<T> values(column.n_entries);
  const auto make = [&](auto index) -> std::pair<py::object, RecordBatch::Reader> {
    using I = decltype(index);
    py::array_t<I> indptr(batch.n_rows() + 1), indices(column.n_entries);
    return {py::make_tuple(indptr, indices, values, column.n_columns),
            batch.sparse_reader<T, I>(i, span_of(indptr), span_of(indices), span_of(values))};
  };
  const bool narrow = std::max(column.n_columns, column.n_entries) <= std::numeric_limits<std::int32_t>::max();
  return narrow ? make(std::int32_t{}) : make(std::int64_t{});
}

py::str name_of(const RecordColumn& column, const FilePosition& position) {
  PyObject* name = PyUnicode_DecodeUTF8(column.name.data(), static_cast<py::ssize_t>(column.name.size()), nullptr);
  if (!name) {
    PyErr_Clear();
    throw std::invalid_argument("record " + std::to_string(position.record) + ", byte " +
                                std::to_string(position.offset) + ": the name of a label is not UTF-8");
  }
  return py::reinterpret_steal<py::str>(name);
}

// Lists rather than arrays: this is for callers who look at single records.
py::object as_value(const RecordMessage::Value& value) {
  py::list values;
  std::size_t n_done = 0;
  for (const double number : value.values) {
    if (++n_done % 65536 == 0 && PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (value.field == 7)
      values.append(static_cast<std::int64_t>(number));
    else
      values.append(number);
  }
  py::list contents;
  for (const std::string& bytes : value.bytes) contents.append(py::bytes(bytes));
  return py::make_tuple(value.field, values, value.keys, value.shape, contents, py::bytes(value.content_type));
}

py::list as_entries(const RecordMessage::Map& map) {
  py::list entries;
  for (const auto& [name, value] : map) entries.append(py::make_tuple(py::bytes(name), as_value(value)));
  return entries;
}

}  // namespace

void bind_recordio(py::module_& module) {
  module.def(
      "recordio_encode",
      [](std::int64_t n_rows, const py::object& features, const py::list& labels, std::int64_t begin,
         std::int64_t end, int n_threads) {
        const RecordRows rows = view_records(n_rows, features, labels);
        const RecordEncoder encoder =
            interruptible([&](Control& control) { return RecordEncoder(rows, begin, end, n_threads, control); });
        PyObject* raw = PyBytes_FromStringAndSize(nullptr, static_cast<py::ssize_t>(encoder.size()));
        if (!raw) throw py::error_already_set();
        auto out = py::reinterpret_steal<py::bytes>(raw);
        const std::span into(reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(raw)), encoder.size());
        interruptible([&](Control& control) { encoder.write(into, n_threads, control); });
        return out;
      },
      py::arg("n_rows"), py::arg("features"), py::arg("labels"), py::arg("begin"), py::arg("end"),
      py::arg("n_threads"));
  module.def(
      "recordio_starts",
      [](const py::bytes& data, std::int64_t begin, std::int64_t max_records, bool is_last, std::int64_t offset,
         std::int64_t record) {
        const auto bytes = view_bytes(data, begin, static_cast<std::int64_t>(PyBytes_GET_SIZE(data.ptr())));
        const std::vector<std::int64_t> starts = interruptible(
            [&](Control&) { return record_starts(bytes, max_records, is_last, {offset, record}); });
        return py::array_t<std::int64_t>(static_cast<py::ssize_t>(starts.size()), starts.data());
      },
      py::arg("data"), py::arg("begin"), py::arg("max_records"), py::arg("is_last"), py::arg("offset"),
      py::arg("record"));
  module.def(
      "recordio_decode",
      [](const py::bytes& data, std::int64_t begin, std::int64_t end, std::int64_t n_features, std::int64_t offset,
         std::int64_t record, int n_threads) {
        const auto bytes = view_bytes(data, begin, end);
        const FilePosition position{offset, record};
        const auto batch = interruptible([&](Control& control) {
          return std::make_unique<RecordBatch>(bytes, n_features, position, n_threads, control);
        });
        py::list columns;
        std::vector<RecordBatch::Reader> readers;
        for (std::size_t i = 0; i < batch->columns().size(); ++i) {
          const RecordColumn& column = batch->columns()[i];
          auto [array, reader] = column.number == Number::kFloat32   ? make_column<float>(*batch, i)
                                 : column.number == Number::kFloat64 ? make_column<double>(*batch, i)
                                                                     : make_column<std::int64_t>(*batch, i);
          columns.append(py::make_tuple(column.is_label, name_of(column, position), array));
          readers.push_back(std::move(reader));
        }
        interruptible([&](Control& control) { batch->read(readers, n_threads, control); });
        return py::make_tuple(batch->n_rows(), columns);
      },
      py::arg("data"), py::arg("begin"), py::arg("end"), py::arg("n_features"), py::arg("offset"), py::arg("record"),
      py::arg("n_threads"));
  // Text is given as bytes: whether it is UTF-8 is not looked at here.
  module.def(
      "recordio_messages",
      [](const py::bytes& data, std::int64_t begin, std::int64_t end, std::int64_t offset, std::int64_t record) {
        const auto bytes = view_bytes(data, begin, end);
        const auto messages =
            interruptible([&](Control& control) { return read_messages(bytes, {offset, record}, control); });
        py::list out;
        for (const RecordMessage& message : messages)
          out.append(py::make_tuple(as_entries(message.features), as_entries(message.label), py::bytes(message.uid),
                                    py::bytes(message.metadata), py::bytes(message.configuration)));
        return out;
      },
      py::arg("data"), py::arg("begin"), py::arg("end"), py::arg("offset"), py::arg("record"));
}

}  // namespace factorec::bindings
