#include "feature_table.hpp"

#include <algorithm>

namespace factorec {
namespace {

std::int64_t round_up(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

}  // namespace

AlignedFloats aligned_floats(std::int64_t n) {
  AlignedFloats data(
      static_cast<float*>(::operator new[](static_cast<std::size_t>(n) * sizeof(float), std::align_val_t{64})));
  std::fill_n(data.get(), n, 0.0f);
  return data;
}

bool all_finite(const float* x, std::int64_t n) {
  constexpr int kSums = 32;  // at a time: no addition waits for the one before it
  float zeros[kSums] = {};  // stay 0 unless something is not finite
  std::int64_t i = 0;
  for (; i + kSums <= n; i += kSums)
    for (int j = 0; j < kSums; ++j) zeros[j] += x[i + j] * 0.0f;
  for (; i < n; ++i) zeros[0] += x[i] * 0.0f;
  return std::all_of(zeros, zeros + kSums, [](float zero) { return zero == 0.0f; });
}

FeatureTable::FeatureTable(std::vector<std::int64_t> place, const ParameterArrays& start,
                           const FeatureSettings& settings, int width)
    : place_(std::move(place)) {
  const std::int64_t k = start.factors.n_columns;
  padded_ = round_up(k, width);
  view_.n_factors = static_cast<std::int32_t>(k);
  view_.vectors = static_cast<std::int32_t>(padded_ / width);
  view_.stride = round_up(padded_ + kStateSize, 16);
  size_ = static_cast<std::int64_t>(place_.size()) * view_.stride;
  storage_.resize(static_cast<std::size_t>(size_));
  std::fill(storage_.begin(), storage_.end(), 0.0f);
  view_.data = storage_.data();
  for (std::size_t f = 0; f < place_.size(); ++f) {
    const auto feature = static_cast<std::int64_t>(f);
    std::copy_n(start.factors.row(feature), k, row(feature));
    float* state = row(feature) + padded_;
    state[kLinear] = start.linear[f];
    state[kLinearAccumulator] = start.linear_accumulator[f];
    state[kFactorsAccumulator] = start.factors_accumulator[f];
    state[kFactorsL2] = settings.l2_factors[f];
    state[kLinearL2] = settings.l2_linear[f];
    state[kFactorsRate] = settings.rate_factors[f];
    state[kLinearRate] = settings.rate_linear[f];
  }
}

void FeatureTable::copy_to(const ParameterArrays& arrays) const {
  for (std::size_t f = 0; f < place_.size(); ++f) {
    const auto feature = static_cast<std::int64_t>(f);
    std::copy_n(row(feature), view_.n_factors, arrays.factors.row(feature));
    const float* state = row(feature) + padded_;
    arrays.linear[f] = state[kLinear];
    arrays.linear_accumulator[f] = state[kLinearAccumulator];
    arrays.factors_accumulator[f] = state[kFactorsAccumulator];
  }
}

bool FeatureTable::finite() const { return all_finite(view_.data, size_); }

}  // namespace factorec
