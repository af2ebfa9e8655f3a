#include "cuts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>

namespace factorec {
namespace {

constexpr std::size_t kDoublesPerLine = 8;

// What a level's probability P(above the lower cut) - P(above the upper one) lacks to the product of
// P(above the lower cut) and P(not above the upper one), as a loss.
double loss_of_gap(double gap) { return -std::log(-std::expm1(-gap)); }

void refuse(const char* name, std::size_t t, const char* rule) {
  std::string message = name;
  message += '[';
  message += std::to_string(t);
  message += "] must be ";
  throw std::invalid_argument(message + rule);
}

}  // namespace

Cuts::Cuts(const LevelCuts& start)
    : value_(start.cut.begin(), start.cut.end()), accumulator_(start.accumulator.begin(), start.accumulator.end()) {
  const std::size_t n = size();
  if (n < 1) throw std::invalid_argument("levels need at least one cut between them");
  if (n > std::size_t{1} << 20) throw std::invalid_argument("more than 2^20 cuts");  // far beyond any rating scale
  for (const std::span<const double> part : {start.accumulator, start.weight, start.distance})
    if (part.size() != n)
      throw std::invalid_argument("cuts have " + std::to_string(n) + " values, but " + std::to_string(part.size()) +
                                  " accumulators, weights or distances");
  double total = 0;
  for (std::size_t t = 0; t < n; ++t) {
    if (!std::isfinite(value_[t]) || (t > 0 && value_[t] <= value_[t - 1]))
      refuse("cut", t, "finite and above the cut before it");
    if (!(accumulator_[t] > 0) || !std::isfinite(accumulator_[t])) refuse("cut accumulator", t, "finite and above 0");
    if (!(start.weight[t] >= 0) || !std::isfinite(static_cast<float>(start.weight[t])))
      refuse("cut weight", t, "finite and at least 0");
    if (!std::isfinite(static_cast<float>(start.distance[t]))) refuse("distance", t, "finite");
    total += start.weight[t];
    weight_.push_back(static_cast<float>(start.weight[t]));
    distance_.push_back(static_cast<float>(start.distance[t]));
  }
  if (!(total > 0)) throw std::invalid_argument("the weights of all cuts are 0");
  cut_.resize(n);
  constant_.resize(n);
  stride_ = (n + kDoublesPerLine - 1) / kDoublesPerLine * kDoublesPerLine;
  refresh();
}

void Cuts::reserve(std::size_t n_blocks) {
  if (n_blocks > n_blocks_) {
    lanes_ = aligned_floats(static_cast<std::int64_t>(n_blocks * size()) * kGroupRows);
    n_blocks_ = n_blocks;
  }
  slopes_.assign(n_blocks_ * stride_, 0.0);
}

CutsView Cuts::view(std::size_t block) const {
  CutsView view;
  view.n = static_cast<std::int32_t>(size());
  view.cut = cut_.data();
  view.weight = weight_.data();
  view.distance = distance_.data();
  view.constant = constant_.data();
  view.lanes = lanes_.get() + block * size() * kGroupRows;
  view.slopes = const_cast<double*>(slopes_.data()) + block * stride_;
  return view;
}

void Cuts::step(double weight, const TrainingOptions& options) {
  if (weight <= 0) return;
  const double limit = options.clip;
  const std::vector<double> before = value_;
  for (std::size_t t = 0; t < size(); ++t) {
    double slope = 0;
    for (std::size_t block = 0; block < n_blocks_; ++block) slope += slopes_[block * stride_ + t];
    // Of the log loss with respect to the score: a cut moves the other way.
    const double gradient = std::clamp(slope / weight, -limit, limit);
    double rate = options.rate_bias;
    if (options.solver == Solver::adagrad) {
      accumulator_[t] += gradient * gradient;
      rate /= std::sqrt(accumulator_[t]);
    }
    value_[t] += rate * gradient;
    if (t > 0) value_[t] = std::max(value_[t], value_[t - 1] + std::max((before[t] - before[t - 1]) / 2, kMinGap));
  }
  std::fill(slopes_.begin(), slopes_.end(), 0.0);
  refresh();
}

bool Cuts::finite() const {
  return std::all_of(value_.begin(), value_.end(), [](double value) { return std::isfinite(value); });
}

void Cuts::refresh() {
  double below = 0;  // of the level below the cut: the lowest one has no lower cut
  for (std::size_t t = 0; t < size(); ++t) {
    cut_[t] = static_cast<float>(value_[t]);
    const double above = t + 1 < size() ? loss_of_gap(std::max(value_[t + 1] - value_[t], kMinGap)) : 0;
    constant_[t] = static_cast<float>(above - below);
    below = above;
  }
}

}  // namespace factorec
