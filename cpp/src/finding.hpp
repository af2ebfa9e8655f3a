// The first of many, found in parallel.
#pragma once

#include <atomic>

#include "factorec/chunks.hpp"
#include "factorec/views.hpp"

namespace factorec {

constexpr std::int64_t kTested = std::int64_t{1} << 18;  // of one unit of work: a test takes little time

// The first i of [0, n) that is bad, n if none is. any_bad(begin, end) says whether a range has one, is_bad(i) which.
// The range is looked at as a whole, so that the test can be a loop without branches.
template <class AnyBad, class IsBad>
std::int64_t find_first(std::int64_t n, int n_threads, Control& control, AnyBad&& any_bad, IsBad&& is_bad) {
  std::atomic<std::int64_t> found{n};
  for_each_chunk(Chunks(n, kTested), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
    if (begin > found.load(std::memory_order_relaxed) || !any_bad(begin, end)) return;
    while (begin < end && !is_bad(begin)) ++begin;
    if (begin == end) return;
    std::int64_t before = found.load();
    while (begin < before && !found.compare_exchange_weak(before, begin)) {
    }
  });
  return found.load();
}

// Calls run(pointer) with the array of 32- or 64-bit numbers that an index is.
template <class Run>
auto with_array(const IndexView& index, Run&& run) {
  return index.wide() ? run(index.wide()) : run(index.narrow());
}

}  // namespace factorec
