// Sums of gradients of the features that stay constant for a while.
#pragma once

#include <cstdint>
#include <new>
#include <vector>

namespace factorec {

// Vectors of floats that begin on a cache line's border.
template <class T>
struct AlignedAllocator {
  using value_type = T;
  AlignedAllocator() = default;
  template <class U>
  AlignedAllocator(const AlignedAllocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, std::align_val_t{64}); }
  template <class U>
  bool operator==(const AlignedAllocator<U>&) const {
    return true;
  }
};

// One slot per feature that has occurred since the last clear(), in order of first use: the gradient of its factors
// (padded), then that of its linear weight.
class GradientSums {
 public:
  GradientSums(std::int64_t n_features, std::int64_t padded_factors)
      : stride_((padded_factors + 16) / 16 * 16), slot_of_(static_cast<std::size_t>(n_features), -1) {}

  std::int64_t stride() const { return stride_; }

  // Counts `n` rows more with a feature; its slot.
  std::int32_t count(std::int64_t feature, float n = 1.0f) {
    std::int32_t& slot = slot_of_[static_cast<std::size_t>(feature)];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(features_.size());
      features_.push_back(feature);
      counts_.push_back(0.0f);
      gradients_.resize(gradients_.size() + static_cast<std::size_t>(stride_), 0.0f);
    }
    counts_[static_cast<std::size_t>(slot)] += n;
    return slot;
  }

  float* gradients() { return gradients_.data(); }
  const float* gradient(std::size_t slot) const { return gradients_.data() + slot * static_cast<std::size_t>(stride_); }
  const std::vector<std::int64_t>& features() const { return features_; }
  float counted(std::size_t slot) const { return counts_[slot]; }

  void add(const GradientSums& other) {
    for (std::size_t s = 0; s < other.features_.size(); ++s) {
      const std::int32_t own = count(other.features_[s], other.counts_[s]);
      float* into = gradients_.data() + own * stride_;
      const float* from = other.gradient(s);
      for (std::int64_t j = 0; j < stride_; ++j) into[j] += from[j];
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
  std::vector<float, AlignedAllocator<float>> gradients_;
};

}  // namespace factorec
