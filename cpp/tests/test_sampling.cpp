#include <cmath>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "factorec/sampling.hpp"

using namespace factorec;

namespace {

// Three users over seven items: some seen, all seen, none seen.
const std::vector<std::int32_t> kIndptr{0, 3, 10, 10};
const std::vector<std::int32_t> kItems{0, 3, 6, 0, 1, 2, 3, 4, 5, 6};

NegativeSampler sampler_of(const CsrView& seen, std::int64_t per_positive, std::uint64_t seed) {
  Control control;
  return {seen, per_positive, seed, 1, control};
}

CsrView seen() { return {{kIndptr.data(), kIndptr.size()}, {kItems.data(), kItems.size()}, {}, 7}; }

}  // namespace

FACTOREC_TEST(sampling, unseen_items_uniformly_and_never_a_seen_one) {
  const NegativeSampler sampler = sampler_of(seen(), 8, 1);
  const auto epoch = sampler.epoch(0);
  std::vector<int> of_first(7), of_last(7);
  constexpr int n = 40'000;
  for (int row = 0; row < n / 8; ++row)
    for (int j = 0; j < 8; ++j) {
      ++of_first[static_cast<std::size_t>(epoch.draw(0, row, j))];
      ++of_last[static_cast<std::size_t>(epoch.draw(2, row, j))];
    }
  for (const int item : {0, 3, 6}) CHECK_EQUAL(of_first[static_cast<std::size_t>(item)], 0);
  for (const int item : {1, 2, 4, 5}) CHECK_NEAR(of_first[static_cast<std::size_t>(item)], n / 4.0, 6 * std::sqrt(n / 4.0));
  for (const int count : of_last) CHECK_NEAR(count, n / 7.0, 6 * std::sqrt(n / 7.0));
}

FACTOREC_TEST(sampling, a_user_who_has_seen_all_gets_none) {
  const NegativeSampler sampler = sampler_of(seen(), 1, 1);
  CHECK_EQUAL(sampler.epoch(0).draw(1, 0, 0), -1);
}

FACTOREC_TEST(sampling, a_draw_is_a_function_of_seed_epoch_row_and_j) {
  const NegativeSampler one = sampler_of(seen(), 1, 1), same = sampler_of(seen(), 1, 1);
  const NegativeSampler other = sampler_of(seen(), 1, 2);
  int epochs = 0, rows = 0, draws = 0, seeds = 0;
  for (int i = 0; i < 100; ++i) {
    const auto item = one.epoch(0).draw(2, i, 0);
    CHECK_EQUAL(item, same.epoch(0).draw(2, i, 0));
    epochs += item != one.epoch(1).draw(2, i, 0);
    rows += item != one.epoch(0).draw(2, i + 1, 0);
    draws += item != one.epoch(0).draw(2, i, 1);
    seeds += item != other.epoch(0).draw(2, i, 0);
  }
  // Six of seven differ by chance.
  for (const int differ : {epochs, rows, draws, seeds}) CHECK(differ > 60);
}

FACTOREC_TEST(sampling, bad_input_is_named) {
  CHECK_THROWS(std::invalid_argument, sampler_of(seen(), 0, 1), "at least 1");
  const std::vector<std::int32_t> indptr{0, 2}, items{3, 3};
  const CsrView twice{{indptr.data(), 2}, {items.data(), 2}, {}, 7};
  CHECK_THROWS(std::invalid_argument, sampler_of(twice, 1, 1), "row 0 are not strictly rising");
}

FACTOREC_TEST(sampling, all_draws_of_a_row_are_its_single_draws) {
  const CsrView of_user = seen();
  for (const std::int64_t m : {1, 2, 3, 8, 21}) {
    const NegativeSampler sampler = sampler_of(of_user, m, 5);
    const auto epoch = sampler.epoch(3);
    for (const std::int64_t user : {0, 2})
      for (std::int64_t row = 0; row < 20; ++row) {
        std::vector<std::int32_t> items(static_cast<std::size_t>(m), -7);
        CHECK(epoch.draw_all(user, row, items.data()));
        for (std::int64_t j = 0; j < m; ++j) CHECK_EQUAL(items[static_cast<std::size_t>(j)], epoch.draw(user, row, j));
      }
    std::int32_t untouched = -7;
    CHECK(!epoch.draw_all(1, 0, &untouched));
    CHECK_EQUAL(untouched, -7);
  }
}
