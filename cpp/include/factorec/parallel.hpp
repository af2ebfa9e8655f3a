// The only header that knows OpenMP.
#pragma once

#include <cstdint>
#include <exception>

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

}  // namespace factorec
