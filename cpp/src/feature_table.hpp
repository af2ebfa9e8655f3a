// The working copy of a model's parameters while it is trained.
#pragma once

#include <memory>
#include <new>
#include <span>
#include <vector>

#include "factorec/buffer.hpp"
#include "factorec/training.hpp"
#include "kernels/training_kernel.hpp"

namespace factorec {

struct AlignedDelete {
  void operator()(float* p) const { ::operator delete[](p, std::align_val_t{64}); }
};
using AlignedFloats = std::unique_ptr<float[], AlignedDelete>;

// n zeros on a cache line's border.
AlignedFloats aligned_floats(std::int64_t n);

// Whether x[0..n) holds no infinity and no NaN.
bool all_finite(const float* x, std::int64_t n);

// One row per feature (see StateTable), in an order that puts features visited together side by side.
class FeatureTable {
 public:
  // `place`: the row of each feature. `width`: floats in a vector of the kernels that will use the table.
  FeatureTable(std::vector<std::int64_t> place, const ParameterArrays& start, const FeatureSettings& settings,
               int width);

  const StateTable& view() const { return view_; }
  std::int64_t place(std::int64_t feature) const { return place_[static_cast<std::size_t>(feature)]; }

  // Brings the lines of a row, given by its place, into the cache.
  void touch(std::int64_t at) const {
    const volatile float* row = view_.data + at * view_.stride;
    for (std::int64_t line = 0; line < padded_ + kStateSize; line += 16) static_cast<void>(row[line]);
  }

  // Floats that the factors take in a row.
  std::int64_t padded() const { return padded_; }
  // Whether it is worth asking for rows ahead of time.
  bool exceeds_cache() const { return size_ * static_cast<std::int64_t>(sizeof(float)) > kCacheBytes; }

  void copy_to(const ParameterArrays& arrays) const;
  bool finite() const;

 private:
  static constexpr std::int64_t kCacheBytes = 1 << 20;

  float* row(std::int64_t feature) const { return view_.data + place(feature) * view_.stride; }

  std::vector<std::int64_t> place_;
  std::int64_t padded_ = 0;
  std::int64_t size_ = 0;
  Buffer<float> storage_;  // large pages, where there are: its rows are visited in random order
  StateTable view_;
};

}  // namespace factorec
