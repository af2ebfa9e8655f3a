// What becomes of the tensors that record_message.hpp walks: measured first, then copied into arrays of that size.
#pragma once

#include <algorithm>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "record_message.hpp"

namespace factorec {

using Bytes = std::span<const std::uint8_t>;

// The size of a tensor, without its content.
struct Measure {
  TensorType type = TensorType::kNone;
  std::int64_t n_values = 0, n_keys = 0, n_dimensions = 0;
  std::uint64_t largest_key = 0;
  std::int64_t product = 1;  // of the dimensions
  bool has_zero = false, too_large = false;

  void start(TensorType started) { *this = Measure{started}; }
  void bytes(Bytes) {}
  void content_type(Bytes) {}
  void fixed(TensorType t, Bytes values) {
    n_values += static_cast<std::int64_t>(values.size() / (t == TensorType::kFloat32 ? 4 : 8));
  }
  void integer(std::int32_t) { ++n_values; }
  void key(std::uint64_t key) {
    ++n_keys;
    largest_key = std::max(largest_key, key);
  }
  void dimension(std::uint64_t size) {
    ++n_dimensions;
    if (size == 0)
      has_zero = true;
    else if (size > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / product))
      too_large = true;
    else
      product *= static_cast<std::int64_t>(size);
  }

  // A row of zeros alone is written with neither values nor keys.
  bool is_sparse() const { return n_keys > 0 || (n_dimensions > 0 && n_values == 0); }
  std::int64_t n_elements() const { return n_dimensions == 0 ? n_values : has_zero ? 0 : product; }

  // What is wrong with it, if anything.
  std::string fault() const {
    if (type == TensorType::kNone) return "holds no tensor";
    if (type == TensorType::kBytes) return "holds bytes, and only tensors of numbers are read";
    if (n_dimensions > 0 && too_large && !has_zero) return "has a shape of more than 2^63 - 1 elements";
    if (n_keys > 0 && n_keys != n_values)
      return "has " + std::to_string(n_keys) + " keys and " + std::to_string(n_values) + " values";
    if (n_keys > 0 && n_dimensions == 0) return "has keys without a shape";
    if (n_keys > 0 && largest_key >= static_cast<std::uint64_t>(n_elements()))
      return "has the key " + std::to_string(largest_key) + " in a shape of " + std::to_string(n_elements()) +
             " elements";
    if (n_keys == 0 && n_dimensions > 0 && n_values > 0 && n_values != n_elements())
      return "has " + std::to_string(n_values) + " values in a shape of " + std::to_string(n_elements()) + " elements";
    return {};
  }
};

template <class From>
From load(const std::uint8_t* at) {
  From number;
  std::memcpy(&number, at, sizeof number);
  return number;
}

// Calls each(number) for values of fixed size.
template <class Each>
void for_each_fixed(TensorType type, Bytes values, Each&& each) {
  if (type == TensorType::kFloat32) {
    for (std::size_t at = 0; at < values.size(); at += 4) each(load<float>(values.data() + at));
  } else {
    for (std::size_t at = 0; at < values.size(); at += 8) each(load<double>(values.data() + at));
  }
}

// Only what another thread does to the input between the two passes over it can make a tensor larger than it was.
[[noreturn]] inline void fail_input_changed() { throw std::runtime_error("the input was changed while it was being read"); }

// Writes from the start of a span on, never beyond its end: a tensor that one of another type makes void may be larger.
template <class T>
class Filler {
 public:
  explicit Filler(std::span<T> out) : out_(out) {}

  void restart() { n_ = 0; }
  void put(T number) {
    if (n_ < out_.size()) out_[n_] = number;
    ++n_;
  }
  void put_all(Bytes numbers) {
    const std::size_t n = numbers.size() / sizeof(T);
    if (n > 0 && n_ <= out_.size() && n <= out_.size() - n_) std::memcpy(out_.data() + n_, numbers.data(), n * sizeof(T));
    n_ += n;
  }
  void finish() const {
    if (n_ != out_.size()) fail_input_changed();
  }

 private:
  std::span<T> out_;
  std::size_t n_ = 0;
};

template <class T>
constexpr TensorType kSame = std::is_same_v<T, float>    ? TensorType::kFloat32
                             : std::is_same_v<T, double> ? TensorType::kFloat64
                                                         : TensorType::kInt32;

// Values and, for a sparse tensor, keys, into the arrays.
template <class T, class I>
struct Fill {
  Filler<T> values;
  Filler<I> keys;

  void start(TensorType) {
    values.restart();
    keys.restart();
  }
  void bytes(Bytes) {}
  void content_type(Bytes) {}
  void fixed(TensorType type, Bytes numbers) {
    if (type == kSame<T>)
      values.put_all(numbers);
    else
      for_each_fixed(type, numbers, [&](auto number) { values.put(static_cast<T>(number)); });
  }
  void integer(std::int32_t number) { values.put(static_cast<T>(number)); }
  void key(std::uint64_t key) { keys.put(static_cast<I>(key)); }
  void dimension(std::uint64_t) {}
};

// The elements of a dense tensor that are not 0: as entries, or only counted.
template <class T, class I>
struct FillNonzero : Fill<T, I> {
  std::int64_t at = 0;

  void start(TensorType type) {
    at = 0;
    Fill<T, I>::start(type);
  }
  void fixed(TensorType type, Bytes numbers) {
    for_each_fixed(type, numbers, [&](auto number) { element(static_cast<T>(number)); });
  }
  void integer(std::int32_t number) { element(static_cast<T>(number)); }
  void element(T number) {
    if (number != 0) {
      this->values.put(number);
      this->keys.put(static_cast<I>(at));
    }
    ++at;
  }
};

struct CountNonzero : Measure {
  std::int64_t n_nonzero = 0;

  void start(TensorType) { n_nonzero = 0; }
  void fixed(TensorType type, Bytes numbers) {
    for_each_fixed(type, numbers, [&](auto number) { n_nonzero += number != 0; });
  }
  void integer(std::int32_t number) { n_nonzero += number != 0; }
};

}  // namespace factorec
