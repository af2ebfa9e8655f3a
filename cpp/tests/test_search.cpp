#include "factorec/search.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "search_problem.hpp"

using namespace factorec;
using namespace factorec::testing;

namespace {

Lists run(const Problem& problem, std::int64_t n, int n_threads, Control& control) {
  std::vector<float> panels(n_panels(problem.n_items) * kPanelItems * problem.n_factors);
  std::vector<float> offsets(n_panels(problem.n_items) * kPanelItems);
  pack_items({problem.vectors.data(), problem.n_items, problem.n_factors}, problem.offsets, false, panels.data(),
             offsets.data(), n_threads, control);
  Lists lists;
  lists.ids.resize(problem.n_queries * n);
  lists.scores.resize(problem.n_queries * n);
  lists.counts.resize(problem.n_queries);
  const CsrView exclude = problem.exclude();
  search({panels.data(), offsets.data(), problem.n_items, problem.n_factors},
         {problem.queries.data(), problem.n_queries, problem.n_factors}, problem.metric, {&exclude, nullptr},
         {lists.ids.data(), lists.scores.data(), lists.counts.data(), n}, n_threads, control);
  return lists;
}

void check_exact(const Problem& problem, std::int64_t n, int n_threads) {
  Control control;
  testing::check_exact(problem, run(problem, n, n_threads, control), n);
}

}  // namespace

FACTOREC_TEST(search, lists_are_exact_at_every_level) {
  const SimdLevel before = active_level();
  for (const SimdLevel level : available_levels()) {
    pin_level(name(level));
    for (const int levels : {0, 1, 3}) {
      for (const std::int64_t n : {1, 10, 100, 400, 2000}) {
        check_exact(Problem(25, 1000, 9, levels, 1), n, 1);
        check_exact(Problem(13, 777, 33, levels, 2), n, 3);
        check_exact(Problem(25, 1000, 9, levels, 1).by_distance(), n, 2);
      }
      check_exact(Problem(0, 10, 3, levels, 3), 5, 2);
      check_exact(Problem(3, 0, 3, levels, 3), 5, 2);
      check_exact(Problem(3, 50, 0, levels, 3), 5, 2);
      check_exact(Problem(2, 90'000, 24, levels, 4), 50, 4);  // split over items
      check_exact(Problem(2, 90'000, 24, levels, 4).by_distance(), 50, 4);
      check_exact(Problem(3, 50, 0, levels, 3).by_distance(), 5, 2);
    }
  }
  pin_level(name(before));
}

FACTOREC_TEST(search, a_stop_ends_it) {
  const Problem problem(40, 500, 8, 0, 5);
  Control control;
  control.request_stop();
  CHECK_THROWS(Interrupted, run(problem, 10, 1, control), "interrupted");
  CHECK_THROWS(Interrupted, run(problem, 10, 2, control), "interrupted");
}

FACTOREC_TEST(search, bad_input_is_named) {
  Control control;
  Problem problem(3, 40, 2, 0, 6);
  problem.indices[5] = 40;
  CHECK_THROWS(std::invalid_argument, run(problem, 3, 1, control), "has item 40, outside 0..39");
  problem = Problem(3, 40, 2, 0, 6);
  problem.queries[3] = std::nanf("");
  CHECK_THROWS(std::invalid_argument, run(problem, 3, 1, control), "queries[1, 1] is NaN");
  problem = Problem(3, 40, 2, 0, 6);
  problem.vectors[79] = std::numeric_limits<float>::infinity();
  CHECK_THROWS(std::invalid_argument, run(problem, 3, 1, control), "vectors[39, 1] is infinite");
}
