#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "check.hpp"
#include "factorec/validation.hpp"

using namespace factorec;

namespace {

// Owns what a CsrView points at.
struct Csr {
  std::vector<std::int64_t> indptr;
  std::vector<std::int32_t> indices;
  std::vector<float> values;
  std::int64_t n_columns;

  CsrFacts check() const {
    Control control;
    return check_csr({{indptr.data(), indptr.size()}, {indices.data(), indices.size()}, values, n_columns},
                     2, control);
  }
};

}  // namespace

FACTOREC_TEST(validation, facts_of_a_good_matrix) {
  const CsrFacts facts = Csr{{0, 2, 2, 3}, {0, 2, 1}, {1, 1, 1}, 3}.check();
  CHECK(!facts.has_duplicates);
  CHECK(facts.all_ones);
  CHECK(!Csr({{0, 1}, {0}, {0.5f}, 1}).check().all_ones);
  CHECK(Csr({{0, 1}, {0}, {}, 1}).check().all_ones);
}

FACTOREC_TEST(validation, duplicates_are_found_unsorted_is_allowed) {
  CHECK(!Csr({{0, 3}, {2, 0, 1}, {}, 3}).check().has_duplicates);
  CHECK(Csr({{0, 3}, {2, 0, 2}, {}, 3}).check().has_duplicates);
  CHECK(Csr({{0, 2}, {1, 1}, {}, 3}).check().has_duplicates);
  // The same column in two rows is no duplicate, even when the rows are unsorted.
  CHECK(!Csr({{0, 2, 4}, {1, 0, 1, 0}, {}, 2}).check().has_duplicates);
}

FACTOREC_TEST(validation, an_unsorted_row_costs_no_memory_by_the_columns_claimed) {
  const std::int64_t huge = std::int64_t{1} << 62;
  CHECK(!Csr({{0, 3}, {2, 0, 1}, {}, huge}).check().has_duplicates);
  CHECK(Csr({{0, 3}, {2, 0, 2}, {}, huge}).check().has_duplicates);
}

FACTOREC_TEST(validation, the_first_bad_position_of_many_chunks) {
  Csr large{{0}, {}, {}, 10};
  for (int row = 0; row < 500'000; ++row) {
    large.indices.insert(large.indices.end(), {row % 5, 5 + row % 5});
    large.indptr.push_back(static_cast<std::int64_t>(large.indices.size()));
  }
  CHECK(!large.check().has_duplicates);
  std::swap(large.indices[800'000], large.indices[800'001]);
  CHECK(!large.check().has_duplicates);
  large.indices[800'000] = large.indices[800'001];
  CHECK(large.check().has_duplicates);
  large.indices[900'001] = large.indices[700'001] = 10;
  CHECK_THROWS(std::invalid_argument, large.check(), "row 350000 has column 10");
  large.indptr[300'000] = 3;
  CHECK_THROWS(std::invalid_argument, large.check(), "falls after row 299999");
}

FACTOREC_TEST(validation, bad_indptr_is_named) {
  CHECK_THROWS(std::invalid_argument, (Csr{{}, {}, {}, 1}.check()), "indptr is empty");
  CHECK_THROWS(std::invalid_argument, (Csr{{1, 1}, {0}, {}, 1}.check()), "indptr[0] is 1");
  CHECK_THROWS(std::invalid_argument, (Csr{{0, 2, 1}, {0, 0}, {}, 1}.check()), "falls after row 1");
  CHECK_THROWS(std::invalid_argument, (Csr{{0, 3}, {0, 0}, {}, 1}.check()), "beyond the 2 stored entries");
}

FACTOREC_TEST(validation, a_huge_indptr_is_never_followed) {
  const std::int64_t huge = (std::int64_t{1} << 62);
  CHECK_THROWS(std::invalid_argument, (Csr{{0, huge, huge, 1}, {0}, {}, 1}.check()), "indptr[1]");
}

FACTOREC_TEST(validation, bad_columns_and_values_are_named) {
  CHECK_THROWS(std::invalid_argument, (Csr{{0, 1, 2}, {0, -1}, {}, 2}.check()), "row 1 has column -1");
  CHECK_THROWS(std::invalid_argument, (Csr{{0, 1}, {2}, {}, 2}.check()), "row 0 has column 2, outside 0..1");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS(std::invalid_argument, (Csr{{0, 0, 1}, {0}, {nan}, 1}.check()), "row 1, column 0 is NaN");
  CHECK_THROWS(std::invalid_argument, (Csr{{0, 1}, {0}, {INFINITY}, 1}.check()), "infinite");
  CHECK_THROWS(std::invalid_argument, (Csr{{0, 1}, {0}, {1, 2}, 1}.check()), "data has 2 entries");
}

FACTOREC_TEST(validation, finite_values) {
  const std::vector<float> good{0.0f, -1e38f, 1e-45f};
  Control control;
  check_finite(good, "y", 1, control);
  const std::vector<float> bad{0.0f, -INFINITY};
  CHECK_THROWS(std::invalid_argument, check_finite(bad, "y", 2, control), "y[1] is infinite");
}
