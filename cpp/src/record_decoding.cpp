#include <algorithm>
#include <limits>
#include <stdexcept>

#include "first_failure.hpp"
#include "record_payloads.hpp"
#include "record_tensors.hpp"

namespace factorec {
namespace {

using Number = RecordColumn::Number;

constexpr std::size_t kMostColumns = 256;

// Where the entry of a column is in its record.
struct Slot {
  static constexpr std::uint32_t kMissing = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t begin = kMissing;
  std::uint32_t size = 0;
};

}  // namespace

struct RecordBatch::Parsed {
  // What is known of each record under one name.
  struct Column : RecordColumn {
    std::vector<Slot> slots;
    std::vector<std::int64_t> ends;     // entries until the end of each record, 0 before the first
    std::vector<std::uint8_t> layouts;  // type, and whether sparse
  };
  static constexpr std::uint8_t kSparse = 0x80;

  Payloads payloads;
  std::vector<Column> columns;
  std::vector<RecordColumn> facts;

  Parsed(Bytes data, FilePosition position, Control& control) : payloads(data, position, control) {}

  std::int64_t n_rows() const { return payloads.size(); }

  // The names of the first record are those of all.
  void find_columns() {
    payloads.on_record(0, [&] {
      for_each_entry(payloads[0], [&](std::uint32_t map, Bytes entry) {
        const std::string_view name = entry_name(entry);
        if (find(map == kLabel, name) != columns.size()) return;
        check_feature(0, map, name, entry);
        if (columns.size() == kMostColumns) malformed(entry.data(), "the record has more than 256 labels");
        Column column;
        column.is_label = map == kLabel;
        column.name = name;
        columns.push_back(std::move(column));
      });
    });
    std::stable_partition(columns.begin(), columns.end(), [](const Column& column) { return !column.is_label; });
    // A record that is too short for all names need not be looked at, nor memory be taken for it.
    std::size_t shortest = 0;
    for (const Column& column : columns) shortest += 2 + (column.name.empty() ? 0 : 2 + column.name.size());
    for (std::int64_t row = 0; row < n_rows(); ++row)
      if (payloads[row].size() < shortest) payloads.fail(row, nullptr, "the record lacks a name that the first one has");
  }

  std::size_t find(bool is_label, std::string_view name) const {
    std::size_t i = 0;
    while (i < columns.size() && (columns[i].is_label != is_label || columns[i].name != name)) ++i;
    return i;
  }

  void check_feature(std::int64_t row, std::uint32_t map, std::string_view name, Bytes entry) const {
    if (map == kFeatures && name != "values")
      payloads.fail(row, entry.data(), "the record has a feature " + quoted(name) + ", and only 'values' is read");
  }

  static std::string described(const RecordColumn& column) {
    return (column.is_label ? "label " : "feature ") + quoted(column.name);
  }

  // Where the record's entries are. Of several with one name the last counts; the others must be sound, no more.
  void find_slots(std::int64_t row, Control& control) {
    const auto at = static_cast<std::size_t>(row);
    const Bytes record = payloads[row];
    std::size_t next = 0;  // the column whose turn it is where records are written alike
    for_each_entry(record, [&](std::uint32_t map, Bytes entry) {
      std::size_t i = next++;
      if (i >= columns.size() || columns[i].is_label != (map == kLabel) || !is_plain_entry(entry, columns[i].name))
        i = find(map == kLabel, entry_name(entry));
      if (i == columns.size()) {
        const std::string_view name = entry_name(entry);
        check_feature(row, map, name, entry);
        payloads.fail(row, entry.data(),
             "the record has a " + std::string(map == kLabel ? "label " : "feature ") + quoted(name) +
                 ", which the first one has not");
      }
      if (columns[i].slots[at].begin != Slot::kMissing) {
        Measure unused;
        walk_entry(this->entry(columns[i], row), control, unused);
      }
      columns[i].slots[at] = {static_cast<std::uint32_t>(entry.data() - record.data()),
                              static_cast<std::uint32_t>(entry.size())};
    });
    for (const Column& column : columns)
      if (column.slots[at].begin == Slot::kMissing)
        payloads.fail(row, nullptr, "the record has no " + described(column) + ", which the first one has");
  }

  Bytes entry(const Column& column, std::int64_t row) const {
    const Slot slot = column.slots[static_cast<std::size_t>(row)];
    return payloads[row].subspan(slot.begin, slot.size);
  }

  // `n_columns` is -1 before the first record, which decides.
  void measure(Column& column, std::int64_t row, Control& control) const {
    const Bytes bytes = entry(column, row);
    Measure tensor;
    walk_entry(bytes, control, tensor);
    std::string fault = tensor.fault();
    if (column.n_columns < 0) column.n_columns = tensor.n_elements();
    if (fault.empty() && tensor.n_elements() != column.n_columns)
      fault = "has " + std::to_string(tensor.n_elements()) + " elements, expected " + std::to_string(column.n_columns);
    if (!fault.empty()) payloads.fail(row, bytes.data(), "the " + described(column) + " " + fault);
    const auto at = static_cast<std::size_t>(row);
    column.ends[at + 1] = tensor.n_values;
    column.layouts[at] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(tensor.type) |
                                                   (tensor.is_sparse() ? kSparse : 0));
  }

  void measure_record(std::int64_t row, Control& control) {
    payloads.on_record(row, [&] {
      find_slots(row, control);
      for (Column& column : columns) measure(column, row, control);
    });
  }

  void parse(std::int64_t n_features, int n_threads, Control& control) {
    if (n_rows() == 0) return;
    find_columns();
    for (Column& column : columns) {
      const auto n = static_cast<std::size_t>(n_rows());
      column.slots.resize(n);
      column.ends.resize(n + 1);
      column.layouts.resize(n);
      column.n_columns = column.is_label ? -1 : n_features;
    }
    measure_record(0, control);
    for_each_row(n_rows() - 1, n_threads, control, [&](std::int64_t i) { measure_record(i + 1, control); });
    for (Column& column : columns) {
      decide(column, n_threads, control);
      facts.push_back(column);
    }
  }

  // One dtype and one layout for all records.
  void decide(Column& column, int n_threads, Control& control) const {
    bool has_dense = false, mixed = false;
    for (const std::uint8_t layout : column.layouts) {
      (layout & kSparse ? column.is_sparse : has_dense) = true;
      mixed = mixed || (layout & ~kSparse) != (column.layouts[0] & ~kSparse);
    }
    const auto type = static_cast<TensorType>(column.layouts[0] & ~kSparse);
    column.number = mixed || type == TensorType::kFloat64 ? Number::kFloat64
                    : type == TensorType::kFloat32        ? Number::kFloat32
                                                          : Number::kInt64;
    if (column.is_sparse && has_dense)
      for_each_row(n_rows(), n_threads, control, [&](std::int64_t row) {
        const auto at = static_cast<std::size_t>(row);
        if (column.layouts[at] & kSparse) return;
        CountNonzero counter;
        payloads.on_record(row, [&] { walk_entry(entry(column, row), control, counter); });
        column.ends[at + 1] = counter.n_nonzero;
      });
    for (std::size_t i = 1; i < column.ends.size(); ++i) column.ends[i] += column.ends[i - 1];
    column.n_entries = column.ends.back();
  }

  template <class T>
  const Column& asked_for(std::size_t i) const {
    constexpr Number number = std::is_same_v<T, float>    ? Number::kFloat32
                              : std::is_same_v<T, double> ? Number::kFloat64
                                                          : Number::kInt64;
    if (i >= columns.size() || columns[i].number != number)
      throw std::invalid_argument("the records have no such column of this type");
    return columns[i];
  }
};

RecordBatch::RecordBatch(Bytes data, std::int64_t n_features, FilePosition position, int n_threads, Control& control)
    : parsed_(std::make_unique<Parsed>(data, position, control)) {
  parsed_->parse(n_features, n_threads, control);
}

RecordBatch::~RecordBatch() = default;
std::int64_t RecordBatch::n_rows() const { return parsed_->n_rows(); }
const std::vector<RecordColumn>& RecordBatch::columns() const { return parsed_->facts; }

template <class T>
RecordBatch::Reader RecordBatch::dense_reader(std::size_t column, std::span<T> values) const {
  const Parsed& parsed = *parsed_;
  const Parsed::Column& wanted = parsed.asked_for<T>(column);
  if (wanted.is_sparse || static_cast<std::int64_t>(values.size()) != wanted.n_entries)
    throw std::invalid_argument("the array does not fit the column");
  return [&parsed, &wanted, values](std::int64_t row, Control& control) {
    const auto width = static_cast<std::size_t>(wanted.n_columns);
    Fill<T, std::int32_t> sink{Filler<T>(values.subspan(static_cast<std::size_t>(row) * width, width)),
                               Filler<std::int32_t>({})};
    walk_entry(parsed.entry(wanted, row), control, sink);
    sink.values.finish();
  };
}

template <class T, class I>
RecordBatch::Reader RecordBatch::sparse_reader(std::size_t column, std::span<I> indptr, std::span<I> indices,
                                               std::span<T> values) const {
  const Parsed& parsed = *parsed_;
  const Parsed::Column& wanted = parsed.asked_for<T>(column);
  const auto fits = [&](std::span<I> array, std::int64_t n) { return static_cast<std::int64_t>(array.size()) == n; };
  if (!wanted.is_sparse || !fits(indptr, n_rows() + 1) || !fits(indices, wanted.n_entries) ||
      indices.size() != values.size())
    throw std::invalid_argument("the arrays do not fit the column");
  if (std::max(wanted.n_columns, wanted.n_entries) > std::numeric_limits<I>::max())
    throw std::invalid_argument("the indices have too few bits for the column");
  indptr[0] = 0;
  return [&parsed, &wanted, indptr, indices, values](std::int64_t row, Control& control) {
    const auto at = static_cast<std::size_t>(row);
    const auto begin = static_cast<std::size_t>(wanted.ends[at]);
    const std::size_t n = static_cast<std::size_t>(wanted.ends[at + 1]) - begin;
    indptr[at + 1] = static_cast<I>(wanted.ends[at + 1]);
    const auto fill = [&](auto&& sink) {
      walk_entry(parsed.entry(wanted, row), control, sink);
      sink.values.finish();
      sink.keys.finish();
    };
    const Fill<T, I> sink{Filler<T>(values.subspan(begin, n)), Filler<I>(indices.subspan(begin, n))};
    if (wanted.layouts[at] & Parsed::kSparse)
      fill(Fill<T, I>{sink});
    else
      fill(FillNonzero<T, I>{sink});
  };
}

void RecordBatch::read(const std::vector<Reader>& readers, int n_threads, Control& control) const {
  for_each_row(n_rows(), n_threads, control, [&](std::int64_t row) {
    parsed_->payloads.on_record(row, [&] {
      for (const Reader& reader : readers) reader(row, control);
    });
  });
}

#define FACTOREC_READERS(T)                                                                                   \
  template RecordBatch::Reader RecordBatch::dense_reader(std::size_t, std::span<T>) const;                    \
  template RecordBatch::Reader RecordBatch::sparse_reader(std::size_t, std::span<std::int32_t>,               \
                                                          std::span<std::int32_t>, std::span<T>) const;       \
  template RecordBatch::Reader RecordBatch::sparse_reader(std::size_t, std::span<std::int64_t>,               \
                                                          std::span<std::int64_t>, std::span<T>) const;
FACTOREC_READERS(float)
FACTOREC_READERS(double)
FACTOREC_READERS(std::int64_t)

}  // namespace factorec
