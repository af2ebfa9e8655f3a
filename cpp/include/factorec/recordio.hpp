// Records of protobuf messages in RecordIO frames: the format in which managed training and inference take tensors.
//
// A frame is the magic number, a word with 3 bits of continuation flag and 29 of length, the payload, zeros up to a
// multiple of four bytes; all little-endian. A payload is one message Record: two maps, features and label, from a
// name to a tensor. https://docs.aws.amazon.com/sagemaker/latest/dg/cdf-training.html has the message's definition.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "factorec/control.hpp"
#include "factorec/views.hpp"

namespace factorec {

// What the elements of a tensor are; a tensor of int32 is an array of int64 here, as numpy's integers are written so.
using NumbersView = std::variant<std::span<const float>, std::span<const double>, std::span<const std::int64_t>>;

// One dense tensor per row: the rows of a row-major matrix.
struct DenseTensors {
  NumbersView values;
  std::int64_t n_columns = 0;
};

// One sparse tensor per row: the rows of a CSR matrix, in the order in which they are stored.
struct SparseTensors {
  IndexView indptr;
  IndexView indices;
  NumbersView values;
  std::int64_t n_columns = 0;
};

// The feature "values" of each row, if there is one, and its labels.
struct RecordRows {
  std::int64_t n_rows = 0;
  std::variant<std::monostate, DenseTensors, SparseTensors> features;
  std::vector<std::pair<std::string, DenseTensors>> labels;
};

// One framed record for each of rows [begin, end), byte for byte as protobuf's own writer has them with fields in
// rising order. The constructor checks the rows and finds the size; throws std::invalid_argument that names the row for
// an index outside of its array or matrix, an integer that is no int32 and a record of 512 MiB.
class RecordEncoder {
 public:
  RecordEncoder(const RecordRows& rows, std::int64_t begin, std::int64_t end, int n_threads, Control& control);

  std::size_t size() const { return static_cast<std::size_t>(places_.back()); }
  // `out` has size() bytes.
  void write(std::span<std::uint8_t> out, int n_threads, Control& control) const;

 private:
  const RecordRows& rows_;
  std::int64_t begin_;
  std::vector<std::int64_t> places_;  // where each row starts in the output; its end
};

// Where an input stands in the file that it is a part of; errors speak of the file.
struct FilePosition {
  std::int64_t offset = 0;  // of its first byte
  std::int64_t record = 0;  // records before it
};

// Where each of the first whole records of `data` starts, and where the last of them ends. At most `max_records`.
// An unfinished record at the end is left out, or an error where `is_last`: nothing follows. Then the padding of the
// very last record may be missing, as batch jobs that send one record a request strip it. Everything that reads throws
// std::invalid_argument naming record and byte for what is no record.
std::vector<std::int64_t> record_starts(std::span<const std::uint8_t> data, std::int64_t max_records, bool is_last,
                                        FilePosition position);

// One record as it is.
struct RecordMessage {
  // What a map holds under a name.
  struct Value {
    int field = 0;  // of the message Value: 2, 3 and 7 are tensors of float32, float64 and int32, 9 is bytes; 0 nothing
    std::vector<double> values;
    std::vector<std::uint64_t> keys, shape;
    std::vector<std::string> bytes;
    std::string content_type;
  };
  using Map = std::vector<std::pair<std::string, Value>>;  // a name once

  Map features, label;
  std::string uid, metadata, configuration;
};

// All records, whatever names and tensors they have.
std::vector<RecordMessage> read_messages(std::span<const std::uint8_t> data, FilePosition position, Control& control);

// What the records hold under one name of one map.
struct RecordColumn {
  enum class Number { kFloat32, kFloat64, kInt64 };

  bool is_label = false;  // else it is the feature "values"
  std::string name;
  Number number = Number::kFloat32;  // of all records; kFloat64 where they differ
  bool is_sparse = false;            // for some record; then the others' elements other than 0 are entries
  std::int64_t n_columns = 0;        // elements of a tensor, of all its dimensions
  std::int64_t n_entries = 0;        // stored, of all records
};

// Whole records, read. All of them must have the same names, and tensors of the same number of elements under each.
// Memory is proportional to the size of `data`, whatever lengths and shapes are claimed; `data` must outlive the
// object. Every feature but "values" is refused, so are values of bytes; what is not in the message's definition is
// skipped, the fields uid, metadata and configuration too.
class RecordBatch {
 public:
  // `n_features`: elements that the feature must have, or -1 to take those of the first record.
  RecordBatch(std::span<const std::uint8_t> data, std::int64_t n_features, FilePosition position, int n_threads,
              Control& control);
  ~RecordBatch();
  RecordBatch(const RecordBatch&) = delete;
  RecordBatch& operator=(const RecordBatch&) = delete;

  std::int64_t n_rows() const;
  // The feature first, if there is one, then labels in the order of the first record.
  const std::vector<RecordColumn>& columns() const;

  // What fills the arrays of one column, a record at a time; T is float, double or int64 as `number` says.
  using Reader = std::function<void(std::int64_t record, Control& control)>;

  // Dense: n_rows x n_columns values.
  template <class T>
  Reader dense_reader(std::size_t column, std::span<T> values) const;
  // CSR in the order of the file, neither sorted nor summed: n_rows + 1, n_entries and n_entries. I is int32 or int64.
  template <class T, class I>
  Reader sparse_reader(std::size_t column, std::span<I> indptr, std::span<I> indices, std::span<T> values) const;

  // Runs the readers over all records, in one pass.
  void read(const std::vector<Reader>& readers, int n_threads, Control& control) const;

 private:
  struct Parsed;
  std::unique_ptr<Parsed> parsed_;
};

}  // namespace factorec
