#include <memory>
#include <random>
#include <string>

#include "check.hpp"
#include "factorec/json_rows.hpp"

namespace {

using factorec::Control;
using factorec::JsonRows;

// The text in memory of its own size, so that the sanitizer sees a byte read beyond it.
JsonRows read(const std::string& text, std::int64_t n_features = 4, bool lines = false) {
  const std::unique_ptr<char[]> exact(new char[text.size()]);
  std::copy(text.begin(), text.end(), exact.get());
  Control control;
  return factorec::read_json_rows({exact.get(), text.size()}, n_features, lines, control);
}

std::string error_of(const std::string& text, bool lines = false) {
  try {
    read(text, 4, lines);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "none";
}

const std::string kSparse = R"({"data": {"features": {"keys": [3, 0], "shape": [4], "values": [-1.5e0, 2]}}})";
const std::string kDense = R"({"features": [0, 1.0, 0.0 , 25e-1]})";

}  // namespace

FACTOREC_TEST(json_rows, forms) {
  const std::string before = "{\"configuration\": {\"a\": [null, {}]}, \"instances\": [";
  const JsonRows rows = read(before + kSparse + "," + kDense + "]}");
  CHECK(rows.indptr == (std::vector<std::int64_t>{0, 2, 4}));
  CHECK(rows.indices == (std::vector<std::int64_t>{3, 0, 1, 3}));
  CHECK(rows.values == (std::vector<float>{-1.5f, 2.0f, 1.0f, 2.5f}));
  const JsonRows lines = read("\n" + kSparse + "\r\n  \n" + kDense, 4, true);
  CHECK(lines.indptr == rows.indptr);
  CHECK(lines.indices == rows.indices);
  CHECK(lines.values == rows.values);
}

FACTOREC_TEST(json_rows, names_with_escapes) {
  const std::string text = R"({"\u0069nstances": [{"\u0066eatures": [1,2,3,4], "\ud83d\ude00\\": "\ud83d"}]})";
  CHECK_EQUAL(read(text).values.size(), 4u);
}

FACTOREC_TEST(json_rows, numbers_out_of_range) {
  const auto value = [](const std::string& number) {
    return read("{\"instances\": [{\"features\": [" + number + "]}]}", 1);
  };
  CHECK_EQUAL(value("1e-999").values.size(), 0u);
  CHECK_EQUAL(value("0." + std::string(999, '0') + "1e600").values.size(), 0u);
  CHECK_EQUAL(value("1" + std::string(999, '0') + "e-999").values[0], 1.0f);
  CHECK_EQUAL(value("-3.4028234e38").values[0], -3.4028234e38f);
  for (const std::string& large : {std::string("1e999"), "-1" + std::string(400, '0'), std::string("4e38"),
                                   "0." + std::string(99, '0') + "1e999", std::string("1e99999999999999999999999")})
    CHECK_EQUAL(error_of("{\"instances\": [{\"features\": [" + large + "]}]}"),
                "instances[0]: features[0] is too large for float32");
}

FACTOREC_TEST(json_rows, errors_name_the_place) {
  CHECK_EQUAL(error_of("{\"instances\": [" + kDense + ", {\"features\": [1]}]}"),
              "instances[1]: features has 1 values, the model has 4 features");
  CHECK_EQUAL(error_of(kDense + "\n" + kDense + " x", true), "line 2: not JSON: something after the end at byte " +
                                                                 std::to_string(kDense.size() + 1));
  CHECK_EQUAL(error_of(std::string(100000, '[')), "not JSON: nested too deeply at byte 201");
  CHECK_EQUAL(error_of("{\"instances\": [{\"features\": [-NaN]}]}"),
              "instances[0]: not JSON: NaN at byte 30 is no number of JSON");
}

FACTOREC_TEST(json_rows, every_prefix_is_refused) {
  const std::string text = "{\"instances\": [" + kSparse + "," + kDense + "], \"b\": \"\\u00e9\\n\"}";
  CHECK_EQUAL(read(text).indptr.size(), 3u);
  for (std::size_t size = 0; size < text.size(); ++size) CHECK(error_of(text.substr(0, size)) != "none");
}

// Whatever the bytes, rows that fit or an error, and no byte beyond the text.
FACTOREC_TEST(json_rows, damaged_text) {
  const std::string text = "{\"instances\": [" + kSparse + "," + kDense + "], \"b\": \"\\u00e9\\n\"}";
  const std::string alphabet = "{}[]\",:\\u0123456789.eE+- tfn\n\xff";
  std::mt19937 random(0);
  for (int i = 0; i < 20000; ++i) {
    std::string damaged = text;
    for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n) {
      const std::size_t at = random() % damaged.size();
      const char c = alphabet[random() % alphabet.size()];
      if (random() % 3 == 0) damaged.insert(at, 1, c);
      else if (random() % 2 == 0) damaged.erase(at, 1);
      else damaged[at] = c;
    }
    try {
      const JsonRows rows = read(damaged, 4, i % 4 == 0);
      CHECK_EQUAL(rows.indptr.back(), static_cast<std::int64_t>(rows.indices.size()));
      CHECK_EQUAL(rows.values.size(), rows.indices.size());
      for (const std::int64_t index : rows.indices) CHECK(index >= 0 && index < 4);
    } catch (const std::invalid_argument&) {
    }
  }
}

FACTOREC_TEST(json_rows, stops_when_told) {
  Control control;
  control.request_stop();
  std::string numbers = "[0";
  for (int i = 0; i < 100'000; ++i) numbers += ",0";
  const auto stops = [&](const std::string& text, bool lines) {
    try {
      factorec::read_json_rows(text, 4, lines, control);
    } catch (const factorec::Interrupted&) {
      return true;
    } catch (const std::invalid_argument&) {
    }
    return false;
  };
  CHECK(stops("{\"skipped\": " + numbers + "]}", false));
  CHECK(stops("{\"instances\": [{\"features\": " + numbers + "]}]}", false));
  CHECK(stops(std::string(100'000, '\n'), true));
}
