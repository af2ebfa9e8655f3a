#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "check.hpp"
#include "random_rows.hpp"
#include "schedule.hpp"

using namespace factorec;
using factorec::testing::RandomRows;

namespace {

std::optional<GridFields> grid_of(const RandomRows& random) {
  Control control;
  return choose_grid(random.rows, {}, 2, control);
}

}  // namespace

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

FACTOREC_TEST(schedule, columns_that_no_row_has_do_not_crowd_one_group) {
  std::vector<std::int64_t> counts(80'000, 0);
  for (int i = 0; i < 1000; ++i) counts[static_cast<std::size_t>(i) * 7] = 1 + 5000 / (i + 1);
  const Deal deal = deal_columns(counts, 16);
  CHECK(deal.largest_group() < 2 * 80'000 / 16);
}

FACTOREC_TEST(schedule, every_row_once_in_the_block_of_its_columns) {
  RandomRows random(5000, {{40, 0, 40}, {60, 40, 100}}, 3);
  Control control;
  const auto fields = choose_grid(random.rows, {}, 2, control);
  CHECK(fields.has_value());
  std::vector<RowNumber> order(5000);
  std::iota(order.begin(), order.end(), 0);
  const Grid grid = build_grid(random.rows, *fields, 2, control);
  TrainingData data;
  data.rows = random.rows;
  Schedule schedule;
  schedule_rows({data, &grid, false}, order, 2, control, schedule);
  CHECK_EQUAL(schedule.size(), 5000);
  CHECK_EQUAL(std::set<std::int64_t>(schedule.row.begin(), schedule.row.end()).size(), 5000u);
  for (std::int32_t block = 0; block < grid.n_groups * grid.n_groups; ++block)
    for (auto place = schedule.block_begin[block]; place < schedule.block_begin[block + 1]; ++place) {
      const auto row = static_cast<std::size_t>(schedule.row[place]);
      CHECK_EQUAL(grid.first_deal.group[grid.first[row]] * grid.n_groups + grid.second_deal.group[grid.second[row]], block);
    }
}

FACTOREC_TEST(schedule, a_grid_needs_two_one_hot_fields) {
  CHECK(!grid_of(RandomRows(10, {{40, 0, 40}}, 1)).has_value());
  CHECK(!grid_of(RandomRows(10, {{40, 0, 40}, {30, 40, 70, 1, false}}, 1)).has_value());
  CHECK(!grid_of(RandomRows(10, {{40, 0, 40}, {30, 20, 60}}, 1)).has_value());
  // The two widest of three.
  const auto fields = grid_of(RandomRows(10, {{40, 0, 40}, {5, 40, 45}, {30, 45, 75}}, 1));
  CHECK(fields.has_value());
  CHECK_EQUAL(fields->first.start, 0);
  CHECK_EQUAL(fields->second.start, 45);
}

// The schedule of an epoch with negatives against the same in plain loops, for rows of any features and for pairs.
FACTOREC_TEST(schedule, negatives_follow_their_row_in_the_block_of_their_item) {
  constexpr std::int64_t n_rows = 20'000, n_users = 40, n_items = 60, m = 3;
  const RandomRows random(n_rows, {{n_users, 0, 40}, {n_items, 40, 100}}, 3);
  std::vector<std::int32_t> indptr{0}, items;
  for (int user = 0; user < n_users; ++user) {
    for (int item = user % 7; item < n_items; item += user == 5 ? 60 : 1 + user % 4) items.push_back(item);
    indptr.push_back(static_cast<std::int32_t>(items.size()));
  }
  Control control;
  const CsrView seen{{indptr.data(), indptr.size()}, {items.data(), items.size()}, {}, n_items};
  const NegativeSampler sampler(seen, m, 9, 2, control);
  std::vector<float> target;
  for (std::int64_t row = 0; row < n_rows; ++row) target.push_back(static_cast<float>(row % 3 != 0));
  TrainingData data;
  data.rows = random.rows;
  data.target = target;
  const Grid grid = build_grid(random.rows, *grid_of(random), 2, control);
  std::vector<RowNumber> order(n_rows);
  std::iota(order.begin(), order.end(), 0);
  shuffle(order, CounterRng(2));

  struct Visit {
    RowNumber row;
    std::int32_t item;
  };
  std::vector<std::vector<Visit>> blocks(static_cast<std::size_t>(grid.n_groups * grid.n_groups));
  const auto draws = sampler.epoch(4);
  for (const RowNumber row : order) {
    const auto visit = [&](std::int32_t item, std::int32_t second) {
      blocks[static_cast<std::size_t>(grid.first_deal.group[grid.first[row]] * grid.n_groups +
                                      grid.second_deal.group[second])]
          .push_back({row, item});
    };
    visit(-1, grid.second[row]);
    for (std::int64_t j = 0; target[row] == 1.0f && j < m; ++j) {
      const std::int64_t item = draws.draw(random.rows.blocks[0].entity(row), row, j);
      if (item >= 0) visit(static_cast<std::int32_t>(item), grid.second_of_item[item]);
    }
  }

  for (const int n_threads : {1, 2}) {
    Schedule rows, pairs;
    DrawingRows({data, &grid, false}, order, n_threads, control).schedule(sampler, 4, n_threads, control, rows);
    DrawingRows({data, &grid, true}, order, n_threads, control).schedule(sampler, 4, n_threads, control, pairs);
    CHECK_EQUAL(rows.block_begin.size(), blocks.size() + 1);
    CHECK(pairs.block_begin == rows.block_begin);
    bool same = true;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      CHECK_EQUAL(rows.end(static_cast<std::int32_t>(b)) - rows.begin(static_cast<std::int32_t>(b)),
                  static_cast<std::int64_t>(blocks[b].size()));
      for (std::size_t i = 0; i < blocks[b].size(); ++i) {
        const auto at = static_cast<std::size_t>(rows.block_begin[b]) + i;
        const Visit& visit = blocks[b][i];
        const std::int32_t second = visit.item < 0 ? grid.second[visit.row] : grid.second_of_item[visit.item];
        same = same && rows.row[at] == visit.row && rows.negative_item[at] == visit.item;
        same = same && pairs.pair[at].columns == grid.pair(grid.first[visit.row], second);
        same = same && pairs.pair[at].target == (visit.item < 0 ? target[visit.row] : 0.0f);
      }
    }
    CHECK(same);
  }
}
