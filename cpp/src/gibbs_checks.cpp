#include "gibbs_checks.hpp"

#include <cmath>
#include <stdexcept>
#include <string>

#include "factorec/validation.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kMaxNumber = 0x7fffffff;
constexpr int kMaxLevels = 1 << 15;
constexpr float kMaxLevelWeight = 1000;

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

std::string entry(const char* name, std::size_t i) { return std::string(name) + "[" + std::to_string(i) + "]"; }

void check_columns(const GibbsData& data, const GibbsOptions& options, Control& control) {
  const auto check_column = [&](std::span<const float> column, const char* name) {
    if (static_cast<std::int64_t>(column.size()) != data.rows.n_rows)
      fail(std::string(name) + " has " + std::to_string(column.size()) + " entries, expected " +
           std::to_string(data.rows.n_rows));
    check_finite(column, name, options.n_threads, control);
  };
  check_column(data.target, "target");
  for (std::size_t i = 0; i < data.target.size() && options.n_levels; ++i) {
    const float level = data.target[i];
    if (!(level >= 0 && level < static_cast<float>(options.n_levels) && level == std::floor(level)))
      fail(entry("target", i) + " is no level from 0 to " + std::to_string(options.n_levels - 1));
  }
  if (data.weight.empty()) return;
  check_column(data.weight, "weight");
  for (std::size_t i = 0; i < data.weight.size(); ++i)
    if (!(data.weight[i] > 0)) fail(entry("weight", i) + " is not positive");
  // Each unit of weight is a latent value to draw.
  for (std::size_t i = 0; i < data.weight.size() && options.n_levels; ++i)
    if (data.weight[i] > kMaxLevelWeight)
      fail(entry("weight", i) + " is above " + std::to_string(static_cast<int>(kMaxLevelWeight)) + ", the most with levels");
}

void check_precisions(const std::vector<float>& precisions, std::int64_t n_features, const char* name) {
  if (precisions.size() != 1 && static_cast<std::int64_t>(precisions.size()) != n_features)
    fail(std::string(name) + " has " + std::to_string(precisions.size()) + " entries, expected 1 or " +
         std::to_string(n_features));
  for (std::size_t i = 0; i < precisions.size(); ++i)
    if (!(precisions[i] >= 0 && std::isfinite(precisions[i]))) fail(entry(name, i) + " must be finite and not negative");
}

}  // namespace

void check_gibbs(const GibbsData& data, const GibbsOptions& options, double bias, std::span<const float> linear,
                 ConstMatrix factors, Control& control) {
  const Rows& rows = data.rows;
  if (options.n_threads < 1) fail("n_threads must be at least 1");
  if (options.n_levels == 1 || options.n_levels < 0 || options.n_levels > kMaxLevels)
    fail("n_levels must be 0, or from 2 to " + std::to_string(kMaxLevels));
  if (!(options.noise_shape > 0 && std::isfinite(options.noise_shape))) fail("noise_shape must be positive");
  if (!std::isfinite(bias)) fail("bias is not finite");
  if (rows.n_rows < 1) fail("no rows to train on");
  if (rows.n_rows > kMaxNumber) fail("more rows than 31 bits number");
  if (rows.blocks.empty()) fail("rows need at least one block");
  for (const RowBlock& block : rows.blocks)
    if (block.entities.n_rows() > kMaxNumber) fail("more rows in a block than 31 bits number");
  check_rows(rows, options.n_threads, control);
  check_columns(data, options, control);
  if (static_cast<std::int64_t>(linear.size()) != rows.n_features || factors.n_rows != rows.n_features ||
      factors.n_columns < 1)
    fail("linear must be (" + std::to_string(rows.n_features) + ",), factors (" + std::to_string(rows.n_features) +
         ", at least 1)");
  check_finite(linear, "linear", options.n_threads, control);
  check_finite({factors.data, static_cast<std::size_t>(factors.n_rows * factors.n_columns)}, "factors", options.n_threads,
               control);
  check_precisions(options.precision_linear, rows.n_features, "precision_linear");
  check_precisions(options.precision_factors, rows.n_features, "precision_factors");
  for (std::size_t f = 0; f < data.fields.size(); ++f) {
    const Field& field = data.fields[f];
    if (field.start < 0 || field.stop < field.start || field.stop > rows.n_features ||
        (f && field.start < data.fields[f - 1].stop))
      fail("fields must be ranges of columns one after the other");
  }
}

}  // namespace factorec
