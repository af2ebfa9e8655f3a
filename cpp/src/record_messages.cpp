#include <algorithm>

#include "record_payloads.hpp"
#include "record_tensors.hpp"

namespace factorec {
namespace {

// Keeps all that a map's entry holds.
struct Keep {
  RecordMessage::Value value;

  void start(TensorType type) {
    value = {};
    value.field = static_cast<int>(type);
  }
  void fixed(TensorType type, Bytes numbers) {
    for_each_fixed(type, numbers, [&](auto number) { value.values.push_back(static_cast<double>(number)); });
  }
  void integer(std::int32_t number) { value.values.push_back(number); }
  void key(std::uint64_t key) { value.keys.push_back(key); }
  void dimension(std::uint64_t size) { value.shape.push_back(size); }
  void bytes(Bytes content) { value.bytes.emplace_back(as_text(content)); }
  void content_type(Bytes text) { value.content_type = as_text(text); }
};

void read_fields(Bytes record, RecordMessage& message) {
  for (MessageReader reader(record); !reader.done();) {
    const Tag tag = reader.tag();
    if (is(tag, kUid, Wire::kBytes))
      message.uid = as_text(reader.bytes());
    else if (is(tag, kMetadata, Wire::kBytes))
      message.metadata = as_text(reader.bytes());
    else if (is(tag, kConfiguration, Wire::kBytes))
      message.configuration = as_text(reader.bytes());
    else
      reader.skip(tag);
  }
}

// Of several entries with one name the last counts. Sorted by name, so that many names take no quadratic time.
void keep_last(RecordMessage::Map& map) {
  std::reverse(map.begin(), map.end());
  std::stable_sort(map.begin(), map.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  map.erase(std::unique(map.begin(), map.end(), [](const auto& a, const auto& b) { return a.first == b.first; }),
            map.end());
}

}  // namespace

std::vector<RecordMessage> read_messages(Bytes data, FilePosition position, Control& control) {
  const Payloads payloads(data, position, control);
  std::vector<RecordMessage> messages(static_cast<std::size_t>(payloads.size()));
  for (std::int64_t record = 0; record < payloads.size(); ++record) {
    control.throw_if_stopped();
    RecordMessage& message = messages[static_cast<std::size_t>(record)];
    payloads.on_record(record, [&] {
      read_fields(payloads[record], message);
      for_each_entry(payloads[record], [&](std::uint32_t map, Bytes entry) {
        Keep sink;
        walk_entry(entry, control, sink);
        (map == kLabel ? message.label : message.features).emplace_back(entry_name(entry), std::move(sink.value));
      });
    });
    keep_last(message.features);
    keep_last(message.label);
  }
  return messages;
}

}  // namespace factorec
