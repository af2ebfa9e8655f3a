// Sums of gradients of the features that stay constant for a while.
#pragma once

#include <cstdint>
#include <vector>

namespace factorec {

// One slot per feature that has occurred since the last clear(), in order of first use.
class GradientSums {
 public:
  GradientSums(std::int64_t n_features, std::int64_t stride)
      : stride_(stride), slot_of_(static_cast<std::size_t>(n_features), -1) {}

  std::int32_t slot(std::int64_t feature) {
    std::int32_t& slot = slot_of_[static_cast<std::size_t>(feature)];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(features_.size());
      features_.push_back(feature);
      counts_.push_back(0.0f);
      gradients_.resize(gradients_.size() + static_cast<std::size_t>(stride_), 0.0f);
    }
    return slot;
  }
  void count(std::int32_t slot, float n) { counts_[static_cast<std::size_t>(slot)] += n; }

  float* gradients() { return gradients_.data(); }
  const float* gradient(std::size_t slot) const { return gradients_.data() + slot * static_cast<std::size_t>(stride_); }
  const std::vector<std::int64_t>& features() const { return features_; }
  float counted(std::size_t slot) const { return counts_[slot]; }

  void add(const GradientSums& other) {
    for (std::size_t s = 0; s < other.features_.size(); ++s) {
      const std::int32_t own = slot(other.features_[s]);
      float* into = gradients_.data() + own * stride_;
      const float* from = other.gradient(s);
      for (std::int64_t j = 0; j < stride_; ++j) into[j] += from[j];
      count(own, other.counts_[s]);
    }
  }

  void clear() {
    for (std::int64_t feature : features_) slot_of_[static_cast<std::size_t>(feature)] = -1;
    features_.clear();
    counts_.clear();
    gradients_.clear();
  }

 private:
  std::int64_t stride_;
  std::vector<std::int32_t> slot_of_;  // of each feature, by its place after the live ones
  std::vector<std::int64_t> features_;
  std::vector<float> counts_;
  std::vector<float> gradients_;
};

}  // namespace factorec
