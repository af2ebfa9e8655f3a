// Large arrays that are about to be written from end to end.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace factorec {

// n elements without a value: a vector would write zeros first, on one thread. Large ones ask for large pages, since
// most of them are then visited in random order.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(std::size_t n) { resize(n); }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer() { ::operator delete[](data_, std::align_val_t{kAlignment}); }

  // The elements have no value afterwards. Memory is kept where it suffices.
  void resize(std::size_t n) {
    if (n > capacity_) {
      Buffer().swap(*this);
      if (n > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
      data_ = static_cast<T*>(::operator new[](n * sizeof(T), std::align_val_t{kAlignment}));
      capacity_ = n;
      ask_for_large_pages();
    }
    size_ = n;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  const T& operator[](std::size_t i) const { return data_[i]; }
  T* begin() { return data_; }
  T* end() { return data_ + size_; }
  const T* begin() const { return data_; }
  const T* end() const { return data_ + size_; }

  void swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
  }

 private:
  static constexpr std::size_t kAlignment = 64;

  void ask_for_large_pages() {
#ifdef __linux__
    constexpr std::size_t page = std::size_t{1} << 21;
    const auto first = (reinterpret_cast<std::size_t>(data_) + page - 1) / page * page;
    const auto last = reinterpret_cast<std::size_t>(data_ + capacity_) / page * page;
    if (last > first) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
  }

  T* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace factorec
