#include "factorec/parallel.hpp"

#include <atomic>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace factorec {
namespace {
std::atomic<bool> in_fork_child{false};
}  // namespace

bool forked() { return in_fork_child.load(std::memory_order_relaxed); }

void watch_forks() {
#if defined(__unix__) || defined(__APPLE__)
  static const int registered =
      pthread_atfork(nullptr, nullptr, [] { in_fork_child.store(true, std::memory_order_relaxed); });
  (void)registered;
#endif
}

bool has_openmp() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

}  // namespace factorec
