// Rows from JSON text, straight into CSR arrays: the form in which managed inference takes instances.
//
// An instance is {"features": [...]}, {"data": {"features": {"values": [...]}}} or, sparse,
// {"data": {"features": {"keys": [...], "shape": [N], "values": [...]}}}; other entries of the first two levels are
// skipped.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "factorec/control.hpp"

namespace factorec {

struct JsonRows {
  std::vector<std::int64_t> indptr{0};
  std::vector<std::int64_t> indices;  // as given: neither sorted nor summed; zeros of dense rows are left out
  std::vector<float> values;
};

// Reads {"instances": [instance, ...]}; with `lines` an instance on each line that is not blank.
//
// Strict: what RFC 8259 has not is refused, so are names given twice where they count, dense rows without n_features
// values, columns outside of 0 to n_features - 1 and numbers that float32 cannot hold. Throws std::invalid_argument
// that names the instance from 0, or the line from 1, and the field; for text that is no JSON the byte. Memory is
// proportional to the text, whatever it holds. The text must be UTF-8.
JsonRows read_json_rows(std::string_view text, std::int64_t n_features, bool lines, Control& control);

}  // namespace factorec
