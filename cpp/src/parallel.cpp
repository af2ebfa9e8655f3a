#include "factorec/parallel.hpp"

#include <atomic>
#include <chrono>
#include <thread>

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

void Waiting::once() {
  constexpr int kSpins = 2000, kYields = 2000;  // tens of microseconds, then about a millisecond
  if (times_ < kSpins) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    asm volatile("yield");
#endif
  } else if (times_ < kSpins + kYields) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(50));
    return;
  }
  ++times_;
}

bool has_openmp() {
#ifdef _OPENMP
  return true;
#else
  return false;
#endif
}

}  // namespace factorec
