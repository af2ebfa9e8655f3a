// Work cut into pieces whose borders do not depend on the number of threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "factorec/parallel.hpp"

namespace factorec {

// [0, n) in pieces of `size`, the last one shorter.
class Chunks {
 public:
  static constexpr std::int64_t kSize = std::int64_t{1} << 16;  // below a millisecond of most work

  explicit Chunks(std::int64_t n, std::int64_t size = kSize) : n_(n), size_(size) {}

  std::int64_t count() const { return (n_ + size_ - 1) / size_; }
  std::int64_t begin(std::int64_t chunk) const { return chunk * size_; }
  std::int64_t end(std::int64_t chunk) const { return std::min(n_, begin(chunk) + size_); }

 private:
  std::int64_t n_;
  std::int64_t size_;
};

// Calls body(begin, end) for each chunk.
template <class Body>
void for_each_chunk(const Chunks& chunks, int n_threads, Control& control, Body&& body) {
  parallel_for(chunks.count(), n_threads, control,
               [&](std::int64_t chunk, int) { body(chunks.begin(chunk), chunks.end(chunk)); });
}

// Where each chunk writes its members of each group: chunk after chunk inside a group, so that members keep their
// order, whoever runs the chunks.
class GroupPlaces {
 public:
  GroupPlaces(std::int64_t n_chunks, int n_groups)
      : n_groups_(static_cast<std::size_t>(n_groups)), places_(static_cast<std::size_t>(n_chunks) * n_groups_, 0) {}

  // The chunk's number of members of each group; after `place()` its next place in each.
  std::int64_t* of_chunk(std::int64_t chunk) { return places_.data() + static_cast<std::size_t>(chunk) * n_groups_; }

  // Turns the numbers of chunks [first_chunk, end_chunk) into places from `start` on. Returns where each group begins,
  // and the end of the last.
  std::vector<std::int64_t> place(std::int64_t first_chunk, std::int64_t end_chunk, std::int64_t start) {
    std::vector<std::int64_t> begin;
    for (std::size_t group = 0; group < n_groups_; ++group) {
      begin.push_back(start);
      for (std::int64_t chunk = first_chunk; chunk < end_chunk; ++chunk) {
        std::int64_t& at = of_chunk(chunk)[group];
        start += std::exchange(at, start);
      }
    }
    begin.push_back(start);
    return begin;
  }

 private:
  std::size_t n_groups_;
  std::vector<std::int64_t> places_;
};

// A stable counting sort: calls put(place, i) for each i of [0, n), places rising with (key(i), i); key(i) is in
// [0, n_groups) and asked for twice. Returns where each group begins, and the end of the last.
template <class Key, class Put>
std::vector<std::int64_t> group_stably(std::int64_t n, int n_groups, int n_threads, Control& control, Key&& key,
                                       Put&& put) {
  const Chunks chunks(n);
  GroupPlaces places(chunks.count(), n_groups);
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    std::int64_t* count = places.of_chunk(chunk);
    for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) ++count[key(i)];
  });
  std::vector<std::int64_t> begin = places.place(0, chunks.count(), 0);
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    std::int64_t* next = places.of_chunk(chunk);
    for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) put(next[key(i)]++, i);
  });
  return begin;
}

}  // namespace factorec
