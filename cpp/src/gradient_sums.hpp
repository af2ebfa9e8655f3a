// Sums of gradients of the features that stay constant for a while.
#pragma once

#include <cstdint>
#include <new>
#include <vector>

#include "kernels/training_kernel.hpp"

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

// One slot per feature that has occurred since the last clear(), in order of first use: see SumOffset.
class GradientSums {
 public:
  GradientSums(std::int64_t n_features, std::int64_t padded_factors)
      : stride_((padded_factors + kSumSize + 15) / 16 * 16), slot_of_(static_cast<std::size_t>(n_features), -1) {}

  std::int64_t stride() const { return stride_; }

  // The slot of a feature, a new one if need be.
  std::int32_t take_slot(std::int32_t feature) {
    std::int32_t& slot = slot_of_[static_cast<std::size_t>(feature)];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(features_.size());
      features_.push_back(feature);
      sums_.resize(sums_.size() + static_cast<std::size_t>(stride_), 0.0f);
    }
    return slot;
  }

  // The slot of a feature, -1: none.
  std::int32_t slot(std::int32_t feature) const { return slot_of_[static_cast<std::size_t>(feature)]; }

  // Of each slot.
  const std::vector<std::int32_t>& features() const { return features_; }
  float* sums() { return sums_.data(); }
  const float* sum(std::int32_t slot) const { return sums_.data() + slot * stride_; }

  void clear() {
    for (std::int32_t feature : features_) slot_of_[static_cast<std::size_t>(feature)] = -1;
    features_.clear();
    sums_.clear();
  }

 private:
  std::int64_t stride_;
  std::vector<std::int32_t> slot_of_;
  std::vector<std::int32_t> features_;
  std::vector<float, AlignedAllocator<float>> sums_;
};

}  // namespace factorec
