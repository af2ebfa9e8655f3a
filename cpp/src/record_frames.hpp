// RecordIO frames: where records begin and end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "factorec/recordio.hpp"

namespace factorec {

constexpr std::uint32_t kMagic = 0xced7230a;
constexpr std::uint32_t kMostBytes = (1u << 29) - 1;  // of a frame's payload: the length word has 3 bits of flag
constexpr std::size_t kFrameHeader = 8;

inline std::int64_t padded(std::int64_t n_bytes) { return (n_bytes + 3) / 4 * 4; }

struct Frame {
  enum Part : std::uint8_t { kWhole, kFirst, kMiddle, kLast };

  std::span<const std::uint8_t> payload;
  Part part = kWhole;
  std::size_t end = 0;  // where the next begins

  bool ends_record() const { return part == kWhole || part == kLast; }
};

// Where a record is in its file, for errors. Names of the file's own must be quoted.
[[noreturn]] void fail_record(FilePosition record, const std::string& what);
std::string quoted(std::string_view name);

// Reads the frames of `data` one after the other.
class FrameReader {
 public:
  FrameReader(std::span<const std::uint8_t> data, bool is_last, FilePosition position)
      : data_(data), is_last_(is_last), position_(position) {}

  std::size_t at() const { return at_; }
  // The next frame; false at the end, or where the rest is no whole frame and more may follow. `inside`: a record has
  // begun and not ended.
  bool next(Frame& frame, bool inside);
  // To be called at the end of each record.
  void count() { ++position_.record; }

 private:
  [[noreturn]] void fail(std::size_t at, const std::string& what) const;

  std::span<const std::uint8_t> data_;
  bool is_last_;
  FilePosition position_;
  std::size_t at_ = 0;
};

}  // namespace factorec
