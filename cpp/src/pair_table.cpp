#include "pair_table.hpp"

#include <algorithm>
#include <cmath>

namespace factorec {
namespace {

constexpr std::int64_t kFloatsPerLine = 16;

std::int64_t round_up(std::int64_t n, std::int64_t multiple) { return (n + multiple - 1) / multiple * multiple; }

StepSettings settings_of(const FeatureSettings& settings, std::int64_t feature) {
  const auto f = static_cast<std::size_t>(feature);
  return {settings.rate_linear[f], settings.rate_factors[f], settings.l2_linear[f], settings.l2_factors[f]};
}

bool one_setting(const FeatureSettings& settings, const Field& field) {
  const auto same = [&](std::span<const float> values) {
    const float* begin = values.data() + field.start;
    return std::all_of(begin, values.data() + field.stop, [&](float value) { return value == *begin; });
  };
  return same(settings.rate_linear) && same(settings.rate_factors) && same(settings.l2_linear) &&
         same(settings.l2_factors);
}

}  // namespace

PairTable::PairTable(const Grid& grid, const ParameterArrays& start, const FeatureSettings& settings,
                     const TrainingOptions& options, int width)
    : solver_(options.solver),
      clip_(options.clip),
      n_factors_(start.factors.n_columns),
      padded_(round_up(n_factors_, width)),
      vectors_(static_cast<std::int32_t>(padded_ / width)),
      place_(start.linear.size(), -1),
      second_bits_(grid.second_bits) {
  first_begin_ = lay_out(grid.fields.first, grid.first_deal);
  second_begin_ = lay_out(grid.fields.second, grid.second_deal);
  for (std::int64_t& place : place_)
    if (place < 0) place = n_places_++;
  n_factor_floats_ = n_places_ * padded_;
  n_state_floats_ = n_places_ * pair_state_size(solver_);
  factors_ = aligned_floats(n_factor_floats_);
  state_ = aligned_floats(n_state_floats_);
  for (std::size_t f = 0; f < place_.size(); ++f) {
    std::copy_n(start.factors.row(static_cast<std::int64_t>(f)), n_factors_, factors_.get() + place_[f] * padded_);
    float* state = state_.get() + place_[f] * pair_state_size(solver_);
    if (solver_ == Solver::adagrad) {
      state[0] = start.factors_accumulator[f];
      state[1] = start.linear_accumulator[f];
    }
    state[pair_linear(solver_)] = start.linear[f];
  }
  if (solver_ == Solver::sgd) {
    linear_accumulator_.assign(start.linear_accumulator.begin(), start.linear_accumulator.end());
    factors_accumulator_.assign(start.factors_accumulator.begin(), start.factors_accumulator.end());
  }
  take_settings(grid, settings);
}

std::vector<std::int64_t> PairTable::lay_out(const Field& field, const Deal& deal) {
  std::vector<std::int64_t> begin;
  for (std::size_t group = 0; group + 1 < deal.group_begin.size(); ++group) {
    begin.push_back(n_places_);
    n_places_ = round_up(n_places_ + deal.group_begin[group + 1] - deal.group_begin[group], kFloatsPerLine);
  }
  for (std::size_t column = 0; column < deal.group.size(); ++column)
    place_[static_cast<std::size_t>(field.start) + column] = begin[deal.group[column]] + deal.number(column);
  return begin;
}

void PairTable::take_settings(const Grid& grid, const FeatureSettings& settings) {
  plain_ = std::isinf(clip_) && one_setting(settings, grid.fields.first) && one_setting(settings, grid.fields.second);
  of_first_ = settings_of(settings, grid.fields.first.start);
  of_second_ = settings_of(settings, grid.fields.second.start);
  if (plain_) return;
  settings_.resize(static_cast<std::size_t>(n_places_));
  for (std::size_t f = 0; f < place_.size(); ++f)
    settings_[static_cast<std::size_t>(place_[f])] = settings_of(settings, static_cast<std::int64_t>(f));
}

PairSide PairTable::features_from(std::int64_t place, const StepSettings& of_side) const {
  return {factors_.get() + place * padded_, state_.get() + place * pair_state_size(solver_),
          plain_ ? &of_side : settings_.data() + place};
}

PairJob PairTable::job(std::int32_t first_group, std::int32_t second_group) const {
  PairJob job;
  job.first = features_from(first_begin_[static_cast<std::size_t>(first_group)], of_first_);
  job.second = features_from(second_begin_[static_cast<std::size_t>(second_group)], of_second_);
  job.plain = plain_;
  job.clip = clip_;
  job.vectors = vectors_;
  job.n_factors = static_cast<std::int32_t>(n_factors_);
  job.second_bits = second_bits_;
  return job;
}

void PairTable::copy_to(const ParameterArrays& arrays) const {
  for (std::size_t f = 0; f < place_.size(); ++f) {
    std::copy_n(factors_.get() + place_[f] * padded_, n_factors_, arrays.factors.row(static_cast<std::int64_t>(f)));
    const float* state = state_.get() + place_[f] * pair_state_size(solver_);
    arrays.linear[f] = state[pair_linear(solver_)];
    arrays.factors_accumulator[f] = solver_ == Solver::adagrad ? state[0] : factors_accumulator_[f];
    arrays.linear_accumulator[f] = solver_ == Solver::adagrad ? state[1] : linear_accumulator_[f];
  }
}

bool PairTable::finite(std::int64_t i, std::int64_t n) const {
  const auto part = [&](const float* data, std::int64_t size) {
    return all_finite(data + size * i / n, size * (i + 1) / n - size * i / n);
  };
  return part(factors_.get(), n_factor_floats_) && part(state_.get(), n_state_floats_);
}

}  // namespace factorec
