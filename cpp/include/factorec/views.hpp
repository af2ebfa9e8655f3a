// Views over the caller's arrays: nothing here owns memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace factorec {

// One array of 32- or 64-bit integers, as scipy chooses them. The branch is predicted; the array is never copied.
class IndexView {
 public:
  IndexView() = default;
  IndexView(const std::int32_t* data, std::size_t size) : narrow_(data), size_(size) {}
  IndexView(const std::int64_t* data, std::size_t size) : wide_(data), size_(size) {}

  std::int64_t operator[](std::size_t i) const { return wide_ ? wide_[i] : narrow_[i]; }
  std::size_t size() const { return size_; }
  const std::int32_t* narrow() const { return narrow_; }
  const std::int64_t* wide() const { return wide_; }

 private:
  const std::int32_t* narrow_ = nullptr;
  const std::int64_t* wide_ = nullptr;
  std::size_t size_ = 0;
};

// A CSR matrix. `values` may be empty: then every stored value is 1 (or has no meaning).
struct CsrView {
  IndexView indptr;
  IndexView indices;
  std::span<const float> values;
  std::int64_t n_columns = 0;

  std::int64_t n_rows() const { return static_cast<std::int64_t>(indptr.size()) - 1; }
  std::int64_t begin(std::int64_t row) const { return indptr[static_cast<std::size_t>(row)]; }
  std::int64_t end(std::int64_t row) const { return indptr[static_cast<std::size_t>(row) + 1]; }
  std::int64_t column(std::int64_t entry) const { return indices[static_cast<std::size_t>(entry)]; }
  // Brings an entry into the cache, its value too if wanted.
  void touch(std::int64_t entry, bool with_value) const {
    const auto at = static_cast<std::size_t>(entry);
    if (indices.wide())
      static_cast<void>(*static_cast<const volatile std::int64_t*>(indices.wide() + at));
    else
      static_cast<void>(*static_cast<const volatile std::int32_t*>(indices.narrow() + at));
    if (with_value && !values.empty()) static_cast<void>(*static_cast<const volatile float*>(&values[at]));
  }
  float value(std::int64_t entry) const { return values.empty() ? 1.0f : values[static_cast<std::size_t>(entry)]; }
};

// A dense row-major float matrix.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t n_rows = 0;
  std::int64_t n_columns = 0;

  T* row(std::int64_t i) const { return data + i * n_columns; }
};

using ConstMatrix = MatrixView<const float>;
using Matrix = MatrixView<float>;

}  // namespace factorec
