// The messages inside the frames of whole records.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "protobuf.hpp"
#include "record_frames.hpp"

namespace factorec {

// Views into the data, but for records of several parts, which are joined in memory of their own.
class Payloads {
 public:
  // Throws std::invalid_argument where `data` is anything but whole records.
  Payloads(std::span<const std::uint8_t> data, FilePosition position, Control& control);

  std::int64_t size() const { return static_cast<std::int64_t>(payloads_.size()); }
  std::span<const std::uint8_t> operator[](std::int64_t record) const {
    return payloads_[static_cast<std::size_t>(record)].bytes;
  }

  // Throws with the record's place. `at`: a byte of the payload, or null for all of it.
  [[noreturn]] void fail(std::int64_t record, const std::uint8_t* at, const std::string& what) const;

  // Runs work(); what is malformed in the record is told with its place.
  template <class Work>
  void on_record(std::int64_t record, Work&& work) const {
    try {
      work();
    } catch (const Malformed& fault) {
      fail(record, fault.at, fault.what);
    }
  }

 private:
  struct Payload {
    std::span<const std::uint8_t> bytes;
    std::int64_t offset;  // in the file; of a record of several parts, where the first begins
    bool joined = false;
  };

  void join(const Frame& frame, std::int64_t offset, bool is_first);

  FilePosition position_;
  std::vector<Payload> payloads_;
  std::deque<std::vector<std::uint8_t>> joined_;
};

}  // namespace factorec
