// The wire format of protobuf, read strictly: nothing is looked at beyond the bytes that a message has.
// https://protobuf.dev/programming-guides/encoding
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace factorec {

enum class Wire : std::uint8_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kGroup = 3, kEndGroup = 4, kFixed32 = 5 };

// Something that is not as it must be, at a byte of the input.
struct Malformed {
  const std::uint8_t* at;
  std::string what;
};

[[noreturn, gnu::cold, gnu::noinline]] inline void malformed(const std::uint8_t* at, const char* what) { throw Malformed{at, what}; }

struct Tag {
  std::uint32_t field;
  Wire wire;
};

// The fields of one message, one after the other. Throws Malformed.
class MessageReader {
 public:
  MessageReader() = default;
  explicit MessageReader(std::span<const std::uint8_t> bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

  bool done() const { return at_ == end_; }
  const std::uint8_t* at() const { return at_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  // Most numbers have one byte; a call would cost more than reading that.
  [[gnu::always_inline]] std::uint64_t varint() {
    if (at_ != end_ && *at_ < 0x80) return *at_++;
    if (left() > 1 && at_[1] < 0x80) {
      at_ += 2;
      return (at_[-2] & 0x7f) | static_cast<std::uint64_t>(at_[-1]) << 7;
    }
    return long_varint();
  }

  [[gnu::always_inline]] Tag tag() {
    const std::uint8_t* start = at_;
    const std::uint64_t number = at_ != end_ && *at_ < 0x80 ? *at_++ : long_varint();
    const auto wire = static_cast<std::uint8_t>(number & 7);
    if (number >> 32 || number < 8) malformed(start, "a field number is out of range");
    if (wire > 5) malformed(start, "a field has a wire type that does not exist");
    return {static_cast<std::uint32_t>(number >> 3), static_cast<Wire>(wire)};
  }

  // The content of a field of wire type kBytes.
  [[gnu::always_inline]] std::span<const std::uint8_t> bytes() {
    const std::uint8_t* start = at_;
    const std::uint64_t length = varint();
    if (length > left()) malformed(start, "a length goes beyond the end of its message");
    return take(static_cast<std::size_t>(length));
  }

  // The next n bytes.
  std::span<const std::uint8_t> take(std::size_t n) {
    if (n > left()) malformed(at_, "a field is cut off");
    const std::span<const std::uint8_t> taken(at_, n);
    at_ += n;
    return taken;
  }

  void skip(Tag tag) {
    if (tag.wire == Wire::kBytes) {
      bytes();
      return;
    }
    switch (tag.wire) {
      case Wire::kVarint: varint(); break;
      case Wire::kFixed64: take(8); break;
      case Wire::kBytes: bytes(); break;
      case Wire::kGroup: skip_group(tag.field); break;
      case Wire::kEndGroup: malformed(at_, "a group ends that has not begun");
      case Wire::kFixed32: take(4); break;
    }
  }

 private:
  static constexpr int kMostGroups = 100;  // inside each other, as in protobuf's own readers

  [[gnu::noinline]] std::uint64_t long_varint() {
    const std::uint8_t* start = at_;
    std::uint64_t number = 0;
    for (int shift = 0; shift < 70; shift += 7) {
      if (at_ == end_) malformed(start, "a number is cut off");
      const std::uint8_t byte = *at_++;
      number |= static_cast<std::uint64_t>(byte & 0x7f) << shift;  // of the tenth byte one bit counts
      if (byte < 0x80) return number;
    }
    malformed(start, "a number has more than 10 bytes");
  }

  void skip_group(std::uint32_t field) {
    std::uint32_t open[kMostGroups];
    int depth = 0;
    open[depth++] = field;
    while (depth > 0) {
      const std::uint8_t* start = at_;
      if (done()) malformed(start, "a group does not end");
      const Tag inner = tag();
      if (inner.wire == Wire::kEndGroup) {
        if (inner.field != open[--depth]) malformed(start, "a group ends that has not begun");
      } else if (inner.wire == Wire::kGroup) {
        if (depth == kMostGroups) malformed(start, "groups are nested too deeply");
        open[depth++] = inner.field;
      } else {
        skip(inner);
      }
    }
  }

  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
};

inline std::string_view as_text(std::span<const std::uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Bytes of a number as a varint.
inline int varint_size(std::uint64_t number) { return (std::bit_width(number | 1) * 9 + 64) / 64; }

}  // namespace factorec
