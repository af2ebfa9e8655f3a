#include "record_frames.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <stdexcept>

namespace factorec {
namespace {

// What is read and written is little-endian, and copied as it is.
static_assert(std::endian::native == std::endian::little);

std::uint32_t load_word(const std::uint8_t* at) {
  std::uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

void fail_record(FilePosition record, const std::string& what) {
  throw std::invalid_argument("record " + std::to_string(record.record) + ", byte " + std::to_string(record.offset) +
                              ": " + what);
}

std::string quoted(std::string_view name) {
  constexpr std::size_t most = 40;
  std::string shown = "'";
  for (const char c : name.substr(0, most)) shown += c >= ' ' && c <= '~' ? c : '?';
  return shown + (name.size() > most ? "...'" : "'");
}

void FrameReader::fail(std::size_t at, const std::string& what) const {
  fail_record({position_.offset + static_cast<std::int64_t>(at), position_.record}, what);
}

bool FrameReader::next(Frame& frame, bool inside) {
  const std::size_t left = data_.size() - at_;
  if (left < kFrameHeader) {
    if (!is_last_ || (left == 0 && !inside)) return false;
    fail(at_, left == 0 ? "the file ends inside a record of several parts"
                        : "the file ends inside a record's header: " + std::to_string(left) + " of 8 bytes");
  }
  const std::uint8_t* header = data_.data() + at_;
  if (load_word(header) != kMagic) fail(at_, "no record begins here: the magic number is missing");
  const std::uint32_t word = load_word(header + 4), flag = word >> 29, length = word & kMostBytes;
  if (flag > Frame::kLast) fail(at_ + 4, "the flag of a record's part is " + std::to_string(flag) + ", not 0 to 3");
  frame.part = static_cast<Frame::Part>(flag);
  if (inside != (flag == Frame::kMiddle || flag == Frame::kLast))
    fail(at_ + 4, inside ? "a record begins before the last part of the one before" : "a part without a first part");
  const std::size_t behind = left - kFrameHeader;
  if (length > behind) {
    if (!is_last_) return false;
    fail(at_, "the file ends inside a record: " + std::to_string(behind) + " of " + std::to_string(length) + " bytes");
  }
  const auto whole = static_cast<std::size_t>(padded(length));
  if (whole > behind && !is_last_) return false;
  frame.payload = data_.subspan(at_ + kFrameHeader, length);
  frame.end = at_ + kFrameHeader + std::min(whole, behind);
  at_ = frame.end;
  return true;
}

std::vector<std::int64_t> record_starts(std::span<const std::uint8_t> data, std::int64_t max_records, bool is_last,
                                        FilePosition position) {
  FrameReader reader(data, is_last, position);
  std::vector<std::int64_t> starts{0};
  bool inside = false;
  for (Frame frame; static_cast<std::int64_t>(starts.size()) <= max_records && reader.next(frame, inside);) {
    inside = !frame.ends_record();
    if (inside) continue;
    starts.push_back(static_cast<std::int64_t>(frame.end));
    reader.count();
  }
  return starts;
}

}  // namespace factorec
