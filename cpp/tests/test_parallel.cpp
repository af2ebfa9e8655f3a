#include <atomic>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "factorec/parallel.hpp"

using namespace factorec;

FACTOREC_TEST(parallel, every_index_once_for_any_thread_count) {
  for (int n_threads : {1, 2, 3, 8}) {
    for (int n : {0, 1, 2, 1000}) {
      Control control;
      std::vector<std::atomic<int>> seen(static_cast<std::size_t>(n));
      std::atomic<bool> thread_in_range{true};
      parallel_for(n, n_threads, control, [&](std::int64_t i, int thread) {
        ++seen[static_cast<std::size_t>(i)];
        if (thread < 0 || thread >= n_threads) thread_in_range = false;
      });
      for (const auto& count : seen) CHECK_EQUAL(count.load(), 1);
      CHECK(thread_in_range.load());
    }
  }
}

FACTOREC_TEST(parallel, an_exception_reaches_the_caller_and_ends_the_loop) {
  for (int n_threads : {1, 2}) {
    Control control;
    std::atomic<int> after{0};
    CHECK_THROWS(std::runtime_error,
                 parallel_for(1'000'000, n_threads, control,
                              [&](std::int64_t i, int) {
                                if (i == 10) throw std::runtime_error("body 10");
                                ++after;
                              }),
                 "body 10");
    CHECK(after.load() < 1'000'000 - 1);
  }
}

FACTOREC_TEST(parallel, a_stop_throws_interrupted) {
  for (int n_threads : {1, 2}) {
    Control control;
    control.request_stop();
    std::atomic<int> run{0};
    CHECK_THROWS(Interrupted, parallel_for(1000, n_threads, control, [&](std::int64_t, int) { ++run; }), "interrupted");
    CHECK_EQUAL(run.load(), 0);
  }
}
