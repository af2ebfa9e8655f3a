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

FACTOREC_TEST(parallel, a_round_begins_when_the_one_before_is_finished) {
  for (int n_threads : {1, 2, 3, 8}) {
    constexpr std::int64_t n_rounds = 50, n = 5;
    Control control;
    std::vector<std::atomic<int>> seen(n_rounds * n);
    std::atomic<std::int64_t> finished{0};
    std::atomic<bool> in_order{true};
    parallel_rounds(
        n_rounds, n, n_threads, control,
        [&](std::int64_t round, std::int64_t i, int) {
          if (finished != round) in_order = false;
          ++seen[static_cast<std::size_t>(round * n + i)];
        },
        [&](std::int64_t round) {
          for (std::int64_t i = 0; i < n; ++i)
            if (seen[static_cast<std::size_t>(round * n + i)] != 1) in_order = false;
          ++finished;
        });
    CHECK(in_order.load());
    CHECK_EQUAL(finished.load(), n_rounds);
  }
}

FACTOREC_TEST(parallel, rounds_end_by_an_exception_or_a_stop) {
  for (int n_threads : {1, 2}) {
    Control control;
    std::atomic<int> finished{0};
    CHECK_THROWS(std::runtime_error,
                 parallel_rounds(
                     1000, 4, n_threads, control,
                     [&](std::int64_t round, std::int64_t i, int) {
                       if (round == 3 && i == 2) throw std::runtime_error("round 3");
                     },
                     [&](std::int64_t) { ++finished; }),
                 "round 3");
    CHECK_EQUAL(finished.load(), 3);
    CHECK_THROWS(Interrupted,
                 parallel_rounds(
                     10, 4, n_threads, control, [&](std::int64_t, std::int64_t, int) { control.request_stop(); },
                     [&](std::int64_t) { ++finished; }),
                 "interrupted");
  }
}
