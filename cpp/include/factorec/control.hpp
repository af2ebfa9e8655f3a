// How a long computation is stopped from outside.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <thread>

namespace factorec {

// Thrown by the core when Control said stop.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

// Shared by the threads of one call. Every thread asks `stop()` once per unit of work (below 20 ms); the
// thread that made the object asks the outside, at most every 50 ms, and tells the others by a flag.
class Control {
 public:
  Control() = default;
  explicit Control(std::function<bool()> interrupted)
      : interrupted_(std::move(interrupted)), owner_(std::this_thread::get_id()), asked_(Clock::now()) {}

  bool stop() {
    if (stopped_.load(std::memory_order_relaxed)) return true;
    if (interrupted_ && std::this_thread::get_id() == owner_) {
      const auto now = Clock::now();
      if (now - asked_ >= std::chrono::milliseconds(50)) {
        asked_ = now;
        if (interrupted_()) stopped_.store(true, std::memory_order_relaxed);
      }
    }
    return stopped_.load(std::memory_order_relaxed);
  }

  void request_stop() { stopped_.store(true, std::memory_order_relaxed); }

  void throw_if_stopped() {
    if (stop()) throw Interrupted();
  }

 private:
  using Clock = std::chrono::steady_clock;
  std::function<bool()> interrupted_;
  std::thread::id owner_;
  Clock::time_point asked_{};
  std::atomic<bool> stopped_{false};
};

}  // namespace factorec
