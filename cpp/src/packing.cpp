#include "packing.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

#include "factorec/parallel.hpp"
#include "factorec/search.hpp"

namespace factorec {
namespace {

// The first bad value of a row that has one.
[[noreturn]] void fail_not_finite(const float* values, std::int64_t n, const std::string& where) {
  for (std::int64_t i = 0; i < n; ++i)
    if (!std::isfinite(values[i]))
      throw std::invalid_argument(where + (n > 1 ? ", " + std::to_string(i) : std::string()) + "] is " +
                                  (std::isnan(values[i]) ? "NaN" : "infinite"));
  throw std::logic_error("no value that is not finite");
}

bool all_finite(const float* values, std::int64_t n) {
  float sum = 0.0f;  // 0 * infinity and 0 * NaN are NaN
  for (std::int64_t i = 0; i < n; ++i) sum += values[i] * 0.0f;
  return sum == 0.0f;
}

double norm(const float* values, std::int64_t n) {
  double sum = 0.0;  // no overflow and no underflow: squares of floats fit into a double
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]) * values[i];
  return std::sqrt(sum);
}

}  // namespace

void pack_rows(ConstMatrix rows, std::int64_t begin, std::int64_t end, bool normalise, const char* what, float* to,
               std::int64_t stride) {
  const std::int64_t n_columns = rows.n_columns;
  for (std::int64_t row = begin; row < end; ++row) {
    const float* from = rows.row(row);
    if (!all_finite(from, n_columns))
      fail_not_finite(from, n_columns, std::string(what) + "[" + std::to_string(row));
    float* out = to + (row - begin);
    const double length = normalise ? norm(from, n_columns) : 0.0;
    if (length > 0.0) {
      for (std::int64_t column = 0; column < n_columns; ++column)
        out[column * stride] = static_cast<float>(from[column] / length);
    } else {
      for (std::int64_t column = 0; column < n_columns; ++column) out[column * stride] = from[column];
    }
  }
}

void check_offsets(std::span<const float> offsets, std::int64_t n_items) {
  if (offsets.empty()) return;
  if (static_cast<std::int64_t>(offsets.size()) != n_items)
    throw std::invalid_argument("offsets has " + std::to_string(offsets.size()) + " entries for " +
                                std::to_string(n_items) + " items");
  if (all_finite(offsets.data(), n_items)) return;
  for (std::int64_t item = 0; item < n_items; ++item)
    if (const float offset = offsets[static_cast<std::size_t>(item)]; !std::isfinite(offset))
      fail_not_finite(&offset, 1, "offsets[" + std::to_string(item));
}

void pack_items(ConstMatrix vectors, std::span<const float> offsets, bool normalise, float* panels,
                float* padded_offsets, int n_threads, Control& control) {
  const std::int64_t n_items = vectors.n_rows;
  if (n_items > kMaxItems) throw std::invalid_argument("more than " + std::to_string(kMaxItems) + " items");
  check_offsets(offsets, n_items);
  parallel_for(n_panels(n_items), n_threads, control, [&](std::int64_t panel, int) {
    const std::int64_t begin = panel * kPanelItems;
    const std::int64_t end = std::min(begin + kPanelItems, n_items);
    float* to = panels + begin * vectors.n_columns;
    if (end - begin < kPanelItems) std::fill(to, to + kPanelItems * vectors.n_columns, 0.0f);
    pack_rows(vectors, begin, end, normalise, "vectors", to, kPanelItems);
    for (std::int64_t item = begin; item < begin + kPanelItems; ++item) {
      float offset = std::numeric_limits<float>::quiet_NaN();
      if (item < end) {
        offset = offsets.empty() ? 0.0f : offsets[static_cast<std::size_t>(item)];
        offset += 0.0f;  // -0 becomes +0, so that no score is -0
      }
      padded_offsets[item] = offset;
    }
  });
}

}  // namespace factorec
