#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "check.hpp"
#include "factorec/schedule.hpp"
#include "random_rows.hpp"

using namespace factorec;
using factorec::testing::RandomRows;

FACTOREC_TEST(schedule, blocks_of_a_round_share_no_group) {
  for (const int n_groups : {1, 8, 16}) {
    const CounterRng rng(5);
    for (const CounterRng* order : {static_cast<const CounterRng*>(nullptr), &rng}) {
      const auto blocks = order_blocks(n_groups, order);
      CHECK_EQUAL(std::set<std::int32_t>(blocks.begin(), blocks.end()).size(), static_cast<std::size_t>(n_groups * n_groups));
      for (int round = 0; round < n_groups; ++round) {
        std::set<int> first, second;
        for (int i = 0; i < n_groups; ++i) {
          const std::int32_t block = blocks[static_cast<std::size_t>(round * n_groups + i)];
          first.insert(block / n_groups);
          second.insert(block % n_groups);
        }
        CHECK_EQUAL(first.size(), static_cast<std::size_t>(n_groups));
        CHECK_EQUAL(second.size(), static_cast<std::size_t>(n_groups));
      }
    }
  }
}

FACTOREC_TEST(schedule, groups_balance_and_positions_are_a_permutation) {
  std::vector<std::int64_t> counts;
  for (int i = 0; i < 500; ++i) counts.push_back(1000 / (i + 1));
  const Deal deal = deal_columns(counts, 8);
  std::vector<std::int64_t> load(8);
  for (std::size_t i = 0; i < counts.size(); ++i) load[deal.group[i]] += counts[i];
  // The heaviest column alone is 1000; no group may be much above that or the mean.
  const double mean = std::accumulate(load.begin(), load.end(), 0.0) / 8;
  CHECK(*std::max_element(load.begin(), load.end()) <= std::max(1000.0, 1.05 * mean));
  auto positions = deal.position;
  std::sort(positions.begin(), positions.end());
  for (std::size_t i = 0; i < positions.size(); ++i) CHECK_EQUAL(positions[i], static_cast<std::int32_t>(i));
}

FACTOREC_TEST(schedule, every_row_once_in_the_block_of_its_columns) {
  RandomRows random(5000, {{40, 0, 40}, {60, 40, 100}}, 3);
  const auto fields = choose_grid(random.rows, {});
  CHECK(fields.has_value());
  std::vector<std::int64_t> kept(5000);
  std::iota(kept.begin(), kept.end(), 0);
  Control control;
  const Grid grid = build_grid(random.rows, *fields, control);
  const Schedule schedule = build_schedule(random.rows, &grid, kept, nullptr, 2, control);
  CHECK_EQUAL(schedule.size(), 5000);
  CHECK_EQUAL(std::set<std::int64_t>(schedule.row.begin(), schedule.row.end()).size(), 5000u);
  for (std::int32_t block = 0; block < grid.n_groups * grid.n_groups; ++block)
    for (auto place = schedule.block_begin[block]; place < schedule.block_begin[block + 1]; ++place) {
      const auto row = static_cast<std::size_t>(schedule.row[place]);
      CHECK_EQUAL(grid.first_deal.group[grid.first[row]] * grid.n_groups + grid.second_deal.group[grid.second[row]], block);
    }
}

FACTOREC_TEST(schedule, a_grid_needs_two_one_hot_fields) {
  CHECK(!choose_grid(RandomRows(10, {{40, 0, 40}}, 1).rows, {}).has_value());
  CHECK(!choose_grid(RandomRows(10, {{40, 0, 40}, {30, 40, 70, 1, false}}, 1).rows, {}).has_value());
  CHECK(!choose_grid(RandomRows(10, {{40, 0, 40}, {30, 20, 60}}, 1).rows, {}).has_value());
  // The two widest of three.
  const auto fields = choose_grid(RandomRows(10, {{40, 0, 40}, {5, 40, 45}, {30, 45, 75}}, 1).rows, {});
  CHECK(fields.has_value());
  CHECK_EQUAL(fields->first.start, 0);
  CHECK_EQUAL(fields->second.start, 45);
}
