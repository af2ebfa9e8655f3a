// The only header that knows OpenMP.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "factorec/control.hpp"

namespace factorec {

// True in a process forked from one that had loaded this library: libgomp's pool does not survive a fork and
// would hang, so such a process runs everything on the calling thread.
bool forked();

// Registers the at-fork handler; called once when the library is loaded.
void watch_forks();

// Whether the core was built with OpenMP.
bool has_openmp();

// Calls body(i, thread) for i in [0, n), i dealt out one at a time, on at most n_threads threads. The first
// exception is rethrown on the calling thread; a stop ends the loop early and throws Interrupted.
template <class Body>
void parallel_for(std::int64_t n, int n_threads, Control& control, Body&& body) {
  if (n <= 0) return;
  if (n_threads > n) n_threads = static_cast<int>(n);
#ifdef _OPENMP
  if (n_threads > 1 && !forked()) {
    std::exception_ptr failure;
    bool failed = false;
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
    for (std::int64_t i = 0; i < n; ++i) {
      if (control.stop()) continue;
      try {
        body(i, omp_get_thread_num());
      } catch (...) {
#pragma omp critical(factorec_failure)
        if (!failed) {
          failed = true;
          failure = std::current_exception();
        }
        control.request_stop();
      }
    }
    if (failure) std::rethrow_exception(failure);
    control.throw_if_stopped();
    return;
  }
#endif
  for (std::int64_t i = 0; i < n; ++i) {
    control.throw_if_stopped();
    body(i, 0);
  }
  control.throw_if_stopped();
}

// Waits, the longer the less eagerly: first on the CPU, then giving it to others, then asleep. A thread that waits
// for one that has lost its CPU to another program must not hold on to its own.
class Waiting {
 public:
  void once();

 private:
  int times_ = 0;
};

// Rounds of n units: calls body(round, i, thread) for i in [0, n), then finish(round) on one thread, and only then
// goes on to the next round. Threads start with units of their own, [n * thread / n_threads, ...), which stay theirs
// from round to round, and then help the others; a thread that comes late is not waited for. Errors and stops as in
// parallel_for.
template <class Body, class Finish>
void parallel_rounds(std::int64_t n_rounds, std::int64_t n, int n_threads, Control& control, Body&& body,
                     Finish&& finish) {
  if (n_threads > n) n_threads = static_cast<int>(n);
#ifdef _OPENMP
  if (n_threads > 1 && !forked()) {
    struct Shared {
      alignas(64) std::atomic<std::int64_t> open{0};  // the round that may run
      alignas(64) std::atomic<std::int64_t> done{0};  // units, of all rounds
    } shared;
    const auto taken_in = std::make_unique<std::atomic<std::int64_t>[]>(static_cast<std::size_t>(n));  // rounds
    std::exception_ptr failure;
    const auto guarded = [&](auto&& work) {
      if (control.stop()) return;
      try {
        work();
      } catch (...) {
#pragma omp critical(factorec_failure)
        if (!failure) failure = std::current_exception();
        control.request_stop();
      }
    };
#pragma omp parallel num_threads(n_threads)
    {
      const int thread = omp_get_thread_num();
      const std::int64_t own = n * thread / omp_get_num_threads();
      for (std::int64_t round = 0; round < n_rounds; ++round) {
        for (std::int64_t at = 0; at < n; ++at) {
          const std::int64_t i = (own + at) % n;
          std::int64_t expected = round;
          if (!taken_in[static_cast<std::size_t>(i)].compare_exchange_strong(expected, round + 1)) continue;
          guarded([&] { body(round, i, thread); });
          if (shared.done.fetch_add(1) + 1 < (round + 1) * n) continue;
          guarded([&] { finish(round); });
          shared.open.store(round + 1);
        }
        for (Waiting waiting; shared.open.load() <= round; waiting.once()) control.stop();
      }
    }
    if (failure) std::rethrow_exception(failure);
    control.throw_if_stopped();
    return;
  }
#endif
  for (std::int64_t round = 0; round < n_rounds; ++round) {
    for (std::int64_t i = 0; i < n; ++i) {
      control.throw_if_stopped();
      body(round, i, 0);
    }
    finish(round);
  }
  control.throw_if_stopped();
}

}  // namespace factorec
