#include "record_payloads.hpp"

#include <limits>

namespace factorec {

Payloads::Payloads(std::span<const std::uint8_t> data, FilePosition position, Control& control)
    : position_(position) {
  FrameReader reader(data, true, position);
  bool inside = false;
  for (Frame frame; reader.next(frame, inside);) {
    const std::int64_t offset = position.offset + (frame.payload.data() - data.data());
    if (frame.part == Frame::kWhole) {
      payloads_.push_back({frame.payload, offset});
    } else {
      join(frame, offset, !inside);
      inside = !frame.ends_record();
      if (inside) continue;
      payloads_.back().bytes = joined_.back();
    }
    reader.count();
    if (size() == 1) payloads_.reserve(data.size() / frame.end + 1);  // as if all were as large
    if (payloads_.size() % (1u << 20) == 0) control.throw_if_stopped();
  }
}

// A writer splits a record where its payload holds the magic number, which it leaves out.
void Payloads::join(const Frame& frame, std::int64_t offset, bool is_first) {
  if (is_first) {
    payloads_.push_back({{}, offset - static_cast<std::int64_t>(kFrameHeader), true});
    joined_.emplace_back();
  }
  std::vector<std::uint8_t>& parts = joined_.back();
  if (!is_first) {
    const auto* magic = reinterpret_cast<const std::uint8_t*>(&kMagic);
    parts.insert(parts.end(), magic, magic + sizeof kMagic);
  }
  parts.insert(parts.end(), frame.payload.begin(), frame.payload.end());
  if (parts.size() > std::numeric_limits<std::int32_t>::max())
    fail(size() - 1, nullptr, "the parts of the record have more than 2 GiB");
}

void Payloads::fail(std::int64_t record, const std::uint8_t* at, const std::string& what) const {
  const Payload& payload = payloads_[static_cast<std::size_t>(record)];
  const std::int64_t inside = at && !payload.joined ? at - payload.bytes.data() : 0;
  fail_record({payload.offset + inside, position_.record + record}, what);
}

}  // namespace factorec
