// Rows in parallel, with the error that one thread would meet first.
#pragma once

#include <atomic>
#include <exception>
#include <mutex>
#include <stdexcept>

#include "factorec/chunks.hpp"

namespace factorec {

// Calls body(row) for each row of [0, n). Of several std::invalid_argument that of the lowest row is thrown.
template <class Body>
void for_each_row(std::int64_t n, int n_threads, Control& control, Body&& body) {
  constexpr std::int64_t kRowsAtOnce = 1024;
  std::atomic<std::int64_t> failed{n};
  std::exception_ptr failure;
  std::mutex mutex;
  for_each_chunk(Chunks(n, kRowsAtOnce), n_threads, control, [&](std::int64_t begin, std::int64_t end) {
    if (begin > failed.load(std::memory_order_relaxed)) return;
    try {
      for (std::int64_t row = begin; row < end; ++row) body(row);
    } catch (const std::invalid_argument&) {
      const std::lock_guard lock(mutex);
      if (begin < failed.load()) {
        failed.store(begin);
        failure = std::current_exception();
      }
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace factorec
