// The message Record, walked without a copy: maps of tensors are told to a sink, everything else is skipped.
#pragma once

#include "protobuf.hpp"
#include "factorec/control.hpp"

namespace factorec {

// What a Value holds, by the number of its field.
enum class TensorType : std::uint8_t { kNone = 0, kFloat32 = 2, kFloat64 = 3, kInt32 = 7, kBytes = 9 };

enum RecordField : std::uint32_t { kFeatures = 1, kLabel = 2, kUid = 3, kMetadata = 4, kConfiguration = 5 };

// A field of a given number and wire type; where the type is another, protobuf takes the field for an unknown one.
inline bool is(Tag tag, std::uint32_t field, Wire wire) { return tag.field == field && tag.wire == wire; }

// Calls visit(field, entry) for each entry of the two maps of a Record, in order.
template <class Visit>
void for_each_entry(std::span<const std::uint8_t> record, Visit&& visit) {
  for (MessageReader reader(record); !reader.done();) {
    const Tag tag = reader.tag();
    if (is(tag, kFeatures, Wire::kBytes) || is(tag, kLabel, Wire::kBytes))
      visit(tag.field, reader.bytes());
    else
      reader.skip(tag);
  }
}

// The key of a map's entry; of several the last counts.
inline std::string_view entry_name(std::span<const std::uint8_t> entry) {
  std::string_view name;
  for (MessageReader reader(entry); !reader.done();) {
    const Tag tag = reader.tag();
    if (is(tag, 1, Wire::kBytes))
      name = as_text(reader.bytes());
    else
      reader.skip(tag);
  }
  return name;
}

// Whether an entry is a key of this name and a value, as every writer has them; if not it may still be both.
inline bool is_plain_entry(std::span<const std::uint8_t> entry, std::string_view name) {
  const std::size_t n = name.size() + 2;
  if (name.size() >= 0x80 || entry.size() <= n || entry[0] != (1 << 3 | 2) || entry[1] != name.size()) return false;
  if (as_text(entry.subspan(2, name.size())) != name || entry[n] != (2 << 3 | 2)) return false;
  MessageReader value(entry.subspan(n + 1));
  return value.varint() == value.left();
}

constexpr std::size_t kBytesAtOnce = std::size_t{1} << 22;  // of a long tensor, between two looks at Control

// Bytes in pieces of whole numbers; one piece, maybe empty, of nearly every tensor.
template <class Each>
void for_each_piece(std::span<const std::uint8_t> bytes, Control& control, Each&& each) {
  for (; bytes.size() > kBytesAtOnce; bytes = bytes.subspan(kBytesAtOnce)) {
    each(bytes.first(kBytesAtOnce));
    control.throw_if_stopped();
  }
  each(bytes);
}

// Numbers in a row.
template <class Each>
void for_each_varint(std::span<const std::uint8_t> bytes, Control& control, Each&& each) {
  for (MessageReader reader(bytes); !reader.done();) {
    const std::size_t until = reader.left() > kBytesAtOnce ? reader.left() - kBytesAtOnce : 0;
    while (reader.left() > until) each(reader.varint());
    if (until) control.throw_if_stopped();
  }
}

// Tells a sink the fields of a tensor: fixed(type, bytes) for values of fixed size, integer(value), key(key),
// dimension(size). Repeated numbers may be packed or not.
template <TensorType type, class Sink>
void walk_tensor(std::span<const std::uint8_t> tensor, Control& control, Sink& sink) {
  constexpr Wire one = type == TensorType::kFloat32   ? Wire::kFixed32
                       : type == TensorType::kFloat64 ? Wire::kFixed64
                                                      : Wire::kVarint;
  constexpr std::size_t size = type == TensorType::kFloat32 ? 4 : 8;
  for (MessageReader reader(tensor); !reader.done();) {
    const std::uint8_t* start = reader.at();
    const Tag tag = reader.tag();
    if (is(tag, 2, Wire::kBytes)) {
      for_each_varint(reader.bytes(), control, [&](std::uint64_t key) { sink.key(key); });
    } else if (is(tag, 3, Wire::kBytes)) {
      for_each_varint(reader.bytes(), control, [&](std::uint64_t n) { sink.dimension(n); });
    } else if (is(tag, 1, Wire::kBytes)) {
      const auto bytes = reader.bytes();
      if constexpr (one == Wire::kVarint) {
        for_each_varint(bytes, control, [&](std::uint64_t v) { sink.integer(static_cast<std::int32_t>(v)); });
      } else {
        if (bytes.size() % size) malformed(start, "packed values are cut off");
        for_each_piece(bytes, control, [&](std::span<const std::uint8_t> piece) { sink.fixed(type, piece); });
      }
    } else if (is(tag, 1, one)) {
      if constexpr (one == Wire::kVarint)
        sink.integer(static_cast<std::int32_t>(reader.varint()));
      else
        sink.fixed(type, reader.take(size));
    } else if (is(tag, 2, Wire::kVarint)) {
      sink.key(reader.varint());
    } else if (is(tag, 3, Wire::kVarint)) {
      sink.dimension(reader.varint());
    } else {
      reader.skip(tag);
    }
  }
}

// Tells a sink the fields of a message Bytes: bytes(value), content_type(text).
template <class Sink>
void walk_bytes(std::span<const std::uint8_t> message, Sink& sink) {
  for (MessageReader reader(message); !reader.done();) {
    const Tag tag = reader.tag();
    if (is(tag, 1, Wire::kBytes))
      sink.bytes(reader.bytes());
    else if (is(tag, 2, Wire::kBytes))
      sink.content_type(reader.bytes());
    else
      reader.skip(tag);
  }
}

// Tells a sink what a map's entry holds: start(type) where a value begins and the one before was of another type,
// which is void then; what walk_tensor or walk_bytes tells. A field that comes twice is merged with the first, as
// protobuf has it.
template <class Sink>
void walk_entry(std::span<const std::uint8_t> entry, Control& control, Sink& sink) {
  TensorType current = TensorType::kNone;
  for (MessageReader reader(entry); !reader.done();) {
    const Tag tag = reader.tag();
    if (!is(tag, 2, Wire::kBytes)) {
      reader.skip(tag);
      continue;
    }
    for (MessageReader value(reader.bytes()); !value.done();) {
      const Tag field = value.tag();
      const bool known = field.field == 2 || field.field == 3 || field.field == 7 || field.field == 9;
      if (!known || field.wire != Wire::kBytes) {
        value.skip(field);
        continue;
      }
      const auto type = static_cast<TensorType>(field.field);
      if (type != current) sink.start(type);
      current = type;
      const auto content = value.bytes();
      switch (type) {
        case TensorType::kFloat32: walk_tensor<TensorType::kFloat32>(content, control, sink); break;
        case TensorType::kFloat64: walk_tensor<TensorType::kFloat64>(content, control, sink); break;
        case TensorType::kInt32: walk_tensor<TensorType::kInt32>(content, control, sink); break;
        default: walk_bytes(content, sink);
      }
    }
  }
}

}  // namespace factorec
