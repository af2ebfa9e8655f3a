#include "check.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "factorec/recordio.hpp"
#include "factorec/rng.hpp"

using namespace factorec;

namespace {

using Raw = std::vector<std::uint8_t>;

struct Csr {
  std::vector<std::int32_t> indptr{0}, indices;
  std::vector<float> values;
  std::vector<double> labels;
  std::int64_t n_columns;

  RecordRows view() const {
    RecordRows rows;
    rows.n_rows = static_cast<std::int64_t>(indptr.size()) - 1;
    rows.features = SparseTensors{{indptr.data(), indptr.size()},
                                  {indices.data(), indices.size()},
                                  std::span<const float>(values),
                                  n_columns};
    rows.labels.emplace_back("values", DenseTensors{std::span<const double>(labels), 1});
    return rows;
  }
};

Csr draw(int n_rows, std::int64_t n_columns) {
  const CounterRng rng(static_cast<std::uint64_t>(n_rows));
  Csr csr;
  csr.n_columns = n_columns;
  std::uint64_t at = 0;
  for (int row = 0; row < n_rows; ++row) {
    for (std::uint64_t n = rng.below(5, ++at); n > 0; --n) {
      csr.indices.push_back(static_cast<std::int32_t>(rng.below(static_cast<std::uint32_t>(n_columns), ++at)));
      csr.values.push_back(static_cast<float>(rng.normal(++at)));
    }
    csr.indptr.push_back(static_cast<std::int32_t>(csr.indices.size()));
    csr.labels.push_back(rng.normal(++at));
  }
  return csr;
}

Raw encode(const RecordRows& rows, std::int64_t begin, std::int64_t end, int n_threads) {
  Control control;
  const RecordEncoder encoder(rows, begin, end, n_threads, control);
  Raw raw(encoder.size());
  encoder.write(raw, n_threads, control);
  return raw;
}

Raw hex(const std::string& text) {
  Raw raw;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    raw.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return raw;
}

// A record of one part.
Raw framed(const Raw& payload) {
  Raw raw = hex("0a23d7ce");
  for (int byte = 0; byte < 4; ++byte) raw.push_back(static_cast<std::uint8_t>(payload.size() >> 8 * byte));
  raw.insert(raw.end(), payload.begin(), payload.end());
  while (raw.size() % 4) raw.push_back(0);
  return raw;
}

}  // namespace

FACTOREC_TEST(recordio, the_bytes_of_a_sparse_row) {
  Csr csr;
  csr.n_columns = 2625;
  csr.indptr = {0, 2};
  csr.indices = {755, 1200};
  csr.values = {1.0f, 1.0f};
  csr.labels = {1.0};
  RecordRows rows = csr.view();
  const std::vector<float> label{1.0f};
  rows.labels[0].second.values = std::span<const float>(label);
  const Raw expected = framed(hex(
      "0a200a0676616c75657312161214" "0a080000803f0000803f" "1204f305b009" "1a02c114"
      "12120a0676616c7565731208" "12060a040000803f"));
  CHECK(encode(rows, 0, 1, 1) == expected);
}

FACTOREC_TEST(recordio, rows_come_back_at_any_number_of_threads) {
  const Csr csr = draw(5003, 70'000);
  const Raw raw = encode(csr.view(), 0, 5003, 1);
  for (const int n_threads : {1, 2, 3}) {
    CHECK(encode(csr.view(), 0, 5003, n_threads) == raw);
    Control control;
    const RecordBatch batch(raw, 70'000, {}, n_threads, control);
    CHECK_EQUAL(batch.n_rows(), 5003);
    CHECK_EQUAL(batch.columns().size(), 2u);
    CHECK(batch.columns()[0].is_sparse);
    CHECK_EQUAL(batch.columns()[0].n_columns, 70'000);
    std::vector<std::int32_t> indptr(5004), indices(csr.indices.size());
    std::vector<float> values(csr.values.size());
    std::vector<double> labels(5003);
    batch.read({batch.sparse_reader<float, std::int32_t>(0, indptr, indices, values),
                batch.dense_reader<double>(1, labels)},
               n_threads, control);
    CHECK(indptr == csr.indptr);
    CHECK(indices == csr.indices);
    CHECK(values == csr.values);
    CHECK(labels == csr.labels);
  }
}

FACTOREC_TEST(recordio, ranges_of_rows_are_pieces_of_the_whole) {
  const Csr csr = draw(100, 300);
  Raw pieces = encode(csr.view(), 0, 33, 2);
  const Raw rest = encode(csr.view(), 33, 100, 2);
  pieces.insert(pieces.end(), rest.begin(), rest.end());
  CHECK(pieces == encode(csr.view(), 0, 100, 1));
  CHECK(encode(csr.view(), 7, 7, 1).empty());
}

FACTOREC_TEST(recordio, starts_of_records) {
  const Csr csr = draw(50, 300);
  const Raw raw = encode(csr.view(), 0, 50, 1);
  const auto starts = record_starts(raw, 1000, true, {});
  CHECK_EQUAL(starts.size(), 51u);
  CHECK_EQUAL(starts.back(), static_cast<std::int64_t>(raw.size()));
  CHECK_EQUAL(record_starts(raw, 7, true, {}).size(), 8u);
  for (std::size_t n = 0; n < raw.size(); ++n) {
    const auto some = record_starts(std::span(raw).first(n), 1000, false, {});
    CHECK(some.back() <= static_cast<std::int64_t>(n) && some.back() == starts[some.size() - 1]);
  }
}

// Every prefix of a file, and every byte of it changed, in memory of exactly that size: the sanitizers see a byte
// beyond.
FACTOREC_TEST(recordio, damaged_files_are_read_or_refused) {
  const Csr csr = draw(6, 300);
  const Raw raw = encode(csr.view(), 0, 6, 1);
  int n_read = 0, n_refused = 0;
  const auto try_to_read = [&](const Raw& damaged) {
    const std::unique_ptr<std::uint8_t[]> exact(new std::uint8_t[damaged.size()]);
    std::copy(damaged.begin(), damaged.end(), exact.get());
    const std::span<const std::uint8_t> bytes(exact.get(), damaged.size());
    Control control;
    try {
      read_messages(bytes, {}, control);
      const RecordBatch batch(bytes, -1, {}, 1, control);
      for (std::size_t i = 0; i < batch.columns().size(); ++i) {
        const RecordColumn& column = batch.columns()[i];
        if (!column.is_sparse || column.number != RecordColumn::Number::kFloat32) continue;
        std::vector<std::int64_t> indptr(static_cast<std::size_t>(batch.n_rows()) + 1),
            indices(static_cast<std::size_t>(column.n_entries));
        std::vector<float> values(indices.size());
        batch.read({batch.sparse_reader<float, std::int64_t>(i, indptr, indices, values)}, 1, control);
        for (const std::int64_t index : indices) CHECK(index >= 0 && index < column.n_columns);
      }
      ++n_read;
    } catch (const std::invalid_argument&) {
      ++n_refused;
    }
  };
  for (std::size_t n = 0; n <= raw.size(); ++n) try_to_read(Raw(raw.begin(), raw.begin() + static_cast<long>(n)));
  for (std::size_t at = 0; at < raw.size(); ++at)
    for (const int byte : {0, 1, 0x12, 0x7f, 0x80, 0xff}) {
      Raw damaged = raw;
      damaged[at] = static_cast<std::uint8_t>(byte);
      try_to_read(damaged);
    }
  CHECK(n_read > 100 && n_refused > 100);
}

FACTOREC_TEST(recordio, bad_arrays_are_named) {
  Csr csr = draw(10, 300);
  csr.indptr[4] = -1;
  CHECK_THROWS(std::invalid_argument, encode(csr.view(), 0, 10, 1), "row 3: indptr goes");
  csr = draw(10, 300);
  csr.indices[0] = 300;
  CHECK_THROWS(std::invalid_argument, encode(csr.view(), 0, 10, 1), "column 300, outside 0..299");
  csr = draw(10, 300);
  csr.labels.pop_back();
  CHECK_THROWS(std::invalid_argument, encode(csr.view(), 0, 10, 1), "label 'values': 9 numbers are not 10 rows");
  csr = draw(10, 300);
  CHECK_THROWS(std::invalid_argument, encode(csr.view(), 0, 11, 1), "rows 0 to 11 of 10");
}

FACTOREC_TEST(recordio, arrays_that_do_not_fit_are_refused) {
  const Csr csr = draw(10, 300);
  const Raw raw = encode(csr.view(), 0, 10, 1);
  Control control;
  const RecordBatch batch(raw, -1, {}, 1, control);
  std::vector<float> values(3);
  std::vector<double> labels(9);
  std::vector<std::int64_t> indices(3), indptr(11);
  CHECK_THROWS(std::invalid_argument, (batch.sparse_reader<float, std::int64_t>(0, indptr, indices, values)),
               "do not fit");
  CHECK_THROWS(std::invalid_argument, batch.dense_reader<double>(1, labels), "does not fit");
  CHECK_THROWS(std::invalid_argument, batch.dense_reader<float>(1, values), "no such column");
  CHECK_THROWS(std::invalid_argument, batch.dense_reader<float>(7, values), "no such column");
}

FACTOREC_TEST(recordio, stops_when_told_to) {
  const Csr csr = draw(5000, 300);
  const Raw raw = encode(csr.view(), 0, 5000, 1);
  Control control;
  control.request_stop();
  CHECK_THROWS(Interrupted, RecordBatch(raw, -1, {}, 2, control), "");
  CHECK_THROWS(Interrupted, RecordEncoder(csr.view(), 0, 5000, 2, control), "");
}
