#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "first_failure.hpp"
#include "protobuf.hpp"
#include "record_frames.hpp"
#include "record_message.hpp"

namespace factorec {
namespace {

constexpr const char* kValues = "values";

[[noreturn]] void fail(std::int64_t row, const std::string& what) {
  throw std::invalid_argument("row " + std::to_string(row) + what);
}

// Only what another thread does to the arrays between the two passes over them can make a record larger than it was.
[[noreturn]] void fail_changed() { throw std::runtime_error("the arrays were changed while they were being written"); }

// One tensor of one row: entries [begin, end) of an array of numbers.
struct RowTensor {
  std::string_view name;
  const NumbersView* values;
  std::int64_t begin, end;
  const SparseTensors* sparse;  // whose indices are the keys; null for a dense tensor
};

RowTensor row_of(const DenseTensors& tensors, std::string_view name, std::int64_t row) {
  return {name, &tensors.values, row * tensors.n_columns, (row + 1) * tensors.n_columns, nullptr};
}

RowTensor row_of(const SparseTensors& tensors, std::string_view name, std::int64_t row) {
  const auto at = static_cast<std::size_t>(row);
  const RowTensor tensor{name, &tensors.values, tensors.indptr[at], tensors.indptr[at + 1], &tensors};
  const auto n_entries = static_cast<std::int64_t>(tensors.indices.size());
  if (tensor.begin < 0 || tensor.end < tensor.begin || tensor.end > n_entries)
    fail(row, ": indptr goes from " + std::to_string(tensor.begin) + " to " + std::to_string(tensor.end) + ", outside of " +
                  std::to_string(n_entries) + " stored entries");
  return tensor;
}

// Calls visit(map's field, tensor) for each tensor of a row.
template <class Visit>
void for_each_tensor(const RecordRows& rows, std::int64_t row, Visit&& visit) {
  if (const auto* dense = std::get_if<DenseTensors>(&rows.features)) visit(kFeatures, row_of(*dense, kValues, row));
  if (const auto* sparse = std::get_if<SparseTensors>(&rows.features)) visit(kFeatures, row_of(*sparse, kValues, row));
  for (const auto& [name, tensors] : rows.labels) visit(kLabel, row_of(tensors, name, row));
}

// Bytes of a field of wire type kBytes whose content has n.
std::int64_t field_size(std::int64_t n) { return 1 + varint_size(static_cast<std::uint64_t>(n)) + n; }
// A packed field that is empty is not written at all.
std::int64_t packed_size(std::int64_t n) { return n ? field_size(n) : 0; }

// An int32 is written as the 64-bit number that has its sign.
std::uint64_t as_varint(std::int64_t value) { return static_cast<std::uint64_t>(value); }

// Sizes of the nested messages of one tensor, the innermost first.
struct Sizes {
  std::int64_t values, keys, shape, tensor, value, entry;
};

// Calls each(begin, end) for entries in pieces, looking between them whether to stop.
template <class Each>
void for_each_piece_of(const RowTensor& tensor, Control& control, Each&& each) {
  constexpr std::int64_t at_once = std::int64_t{1} << 20;
  for (std::int64_t e = tensor.begin; e < tensor.end; e += at_once) {
    if (e > tensor.begin) control.throw_if_stopped();
    each(e, std::min(tensor.end, e + at_once));
  }
}

template <class Each>
void for_each_key(const RowTensor& tensor, Control& control, Each&& each) {
  if (!tensor.sparse) return;
  for_each_piece_of(tensor, control, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t e = begin; e < end; ++e) each(tensor.sparse->indices[static_cast<std::size_t>(e)]);
  });
}

// Whether the values are integers; calls each(value) if so.
template <class Each>
bool for_each_integer(const RowTensor& tensor, Control& control, Each&& each) {
  const auto* integers = std::get_if<std::span<const std::int64_t>>(tensor.values);
  if (!integers) return false;
  for_each_piece_of(tensor, control, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t e = begin; e < end; ++e) each((*integers)[static_cast<std::size_t>(e)]);
  });
  return true;
}

Sizes sizes_of(const RowTensor& tensor, Control& control) {
  Sizes sizes{};
  const auto add = [&](std::int64_t value) { sizes.values += varint_size(as_varint(value)); };
  if (!for_each_integer(tensor, control, add)) {
    const bool single = std::holds_alternative<std::span<const float>>(*tensor.values);
    sizes.values = (tensor.end - tensor.begin) * (single ? 4 : 8);
  }
  for_each_key(tensor, control, [&](std::int64_t key) { sizes.keys += varint_size(as_varint(key)); });
  if (tensor.sparse) sizes.shape = varint_size(as_varint(tensor.sparse->n_columns));
  sizes.tensor = packed_size(sizes.values) + packed_size(sizes.keys) + packed_size(sizes.shape);
  sizes.value = field_size(sizes.tensor);
  sizes.entry = field_size(static_cast<std::int64_t>(tensor.name.size())) + field_size(sizes.value);
  return sizes;
}

void check(const RowTensor& tensor, std::int64_t row, Control& control) {
  for_each_integer(tensor, control, [&](std::int64_t value) {
    if (value != static_cast<std::int32_t>(value))
      fail(row, " holds the integer " + std::to_string(value) + ", and a tensor of integers is one of int32");
  });
  for_each_key(tensor, control, [&](std::int64_t key) {
    if (key < 0 || key >= tensor.sparse->n_columns)
      fail(row, " has column " + std::to_string(key) + ", outside 0.." + std::to_string(tensor.sparse->n_columns - 1));
  });
}

class Output {
 public:
  explicit Output(std::span<std::uint8_t> bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  void copy(const void* bytes, std::size_t n) {
    if (n > left()) fail_changed();
    if (n) std::memcpy(at_, bytes, n);
    at_ += n;
  }
  void word(std::uint32_t number) { copy(&number, sizeof number); }
  void zeros(std::size_t n) { copy("\0\0\0", n); }  // at most 3
  void varint(std::uint64_t number) {
    if (left() < static_cast<std::size_t>(varint_size(number))) fail_changed();
    for (; number >= 0x80; number >>= 7) *at_++ = static_cast<std::uint8_t>(number | 0x80);
    *at_++ = static_cast<std::uint8_t>(number);
  }
  // The tag and length of a field of wire type kBytes.
  void field(std::uint32_t number, std::int64_t n_bytes) {
    varint(number << 3 | static_cast<std::uint32_t>(Wire::kBytes));
    varint(static_cast<std::uint64_t>(n_bytes));
  }

 private:
  std::uint8_t* at_;
  std::uint8_t* end_;
};

TensorType type_of(const NumbersView& values) {
  constexpr TensorType types[] = {TensorType::kFloat32, TensorType::kFloat64, TensorType::kInt32};
  return types[values.index()];
}

void write_values(const RowTensor& tensor, Control& control, Output& out) {
  if (for_each_integer(tensor, control, [&](std::int64_t value) { out.varint(as_varint(value)); })) return;
  std::visit(
      [&](const auto& values) {
        for_each_piece_of(tensor, control, [&](std::int64_t begin, std::int64_t end) {
          out.copy(values.data() + begin, static_cast<std::size_t>(end - begin) * sizeof values[0]);
        });
      },
      *tensor.values);
}

void write_entry(std::uint32_t map, const RowTensor& tensor, Control& control, Output& out) {
  const Sizes sizes = sizes_of(tensor, control);
  out.field(map, sizes.entry);
  out.field(1, static_cast<std::int64_t>(tensor.name.size()));
  out.copy(tensor.name.data(), tensor.name.size());
  out.field(2, sizes.value);
  out.field(static_cast<std::uint32_t>(type_of(*tensor.values)), sizes.tensor);
  if (sizes.values) {
    out.field(1, sizes.values);
    write_values(tensor, control, out);
  }
  if (sizes.keys) {
    out.field(2, sizes.keys);
    for_each_key(tensor, control, [&](std::int64_t key) { out.varint(as_varint(key)); });
  }
  if (sizes.shape) {
    out.field(3, sizes.shape);
    out.varint(as_varint(tensor.sparse->n_columns));
  }
}

std::int64_t n_values(const NumbersView& numbers) {
  return std::visit([](const auto& values) { return static_cast<std::int64_t>(values.size()); }, numbers);
}

void check_dense(const DenseTensors& tensors, const std::string& what, std::int64_t n_rows) {
  const std::int64_t n = n_values(tensors.values);
  if (tensors.n_columns < 0 || (tensors.n_columns && n / tensors.n_columns != n_rows) || n != tensors.n_columns * n_rows)
    throw std::invalid_argument(what + ": " + std::to_string(n) + " numbers are not " + std::to_string(n_rows) +
                                " rows of " + std::to_string(tensors.n_columns));
}

void check_sizes(const RecordRows& rows, std::int64_t begin, std::int64_t end) {
  if (begin < 0 || end < begin || end > rows.n_rows)
    throw std::invalid_argument("rows " + std::to_string(begin) + " to " + std::to_string(end) + " of " +
                                std::to_string(rows.n_rows));
  if (const auto* dense = std::get_if<DenseTensors>(&rows.features)) check_dense(*dense, "features", rows.n_rows);
  if (const auto* sparse = std::get_if<SparseTensors>(&rows.features)) {
    if (static_cast<std::int64_t>(sparse->indptr.size()) != rows.n_rows + 1)
      throw std::invalid_argument("indptr has " + std::to_string(sparse->indptr.size()) + " entries, expected " +
                                  std::to_string(rows.n_rows + 1));
    if (n_values(sparse->values) != static_cast<std::int64_t>(sparse->indices.size()))
      throw std::invalid_argument("data has " + std::to_string(n_values(sparse->values)) + " entries, indices has " +
                                  std::to_string(sparse->indices.size()));
    if (sparse->n_columns < 0) throw std::invalid_argument("the number of columns is negative");
  }
  for (const auto& [name, tensors] : rows.labels) check_dense(tensors, "label " + quoted(name), rows.n_rows);
}

}  // namespace

RecordEncoder::RecordEncoder(const RecordRows& rows, std::int64_t begin, std::int64_t end, int n_threads,
                             Control& control)
    : rows_(rows), begin_(begin) {
  check_sizes(rows, begin, end);
  places_.assign(static_cast<std::size_t>(end - begin) + 1, 0);
  for_each_row(end - begin, n_threads, control, [&](std::int64_t i) {
    std::int64_t payload = 0;
    for_each_tensor(rows_, begin_ + i, [&](std::uint32_t, const RowTensor& tensor) {
      check(tensor, begin_ + i, control);
      payload += field_size(sizes_of(tensor, control).entry);
    });
    if (payload > kMostBytes)
      fail(begin_ + i, " takes " + std::to_string(payload) + " bytes; a record has at most " +
                           std::to_string(kMostBytes));
    places_[static_cast<std::size_t>(i) + 1] = static_cast<std::int64_t>(kFrameHeader) + padded(payload);
  });
  for (std::size_t i = 1; i < places_.size(); ++i) places_[i] += places_[i - 1];
}

void RecordEncoder::write(std::span<std::uint8_t> out, int n_threads, Control& control) const {
  if (out.size() != size()) throw std::invalid_argument("the output has not the size of the records");
  for_each_row(static_cast<std::int64_t>(places_.size()) - 1, n_threads, control, [&](std::int64_t i) {
    const auto place = static_cast<std::size_t>(places_[static_cast<std::size_t>(i)]);
    const auto record = out.subspan(place, static_cast<std::size_t>(places_[static_cast<std::size_t>(i) + 1]) - place);
    Output payload(record.subspan(kFrameHeader));
    for_each_tensor(rows_, begin_ + i, [&](std::uint32_t map, const RowTensor& tensor) {
      write_entry(map, tensor, control, payload);
    });
    const std::size_t padding = payload.left();
    if (padding > 3) fail_changed();
    payload.zeros(padding);
    Output header(record.first(kFrameHeader));
    header.word(kMagic);
    header.word(static_cast<std::uint32_t>(record.size() - kFrameHeader - padding));
  });
}

}  // namespace factorec
