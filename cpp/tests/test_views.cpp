#include <limits>
#include <vector>

#include "check.hpp"
#include "factorec/views.hpp"

using namespace factorec;

FACTOREC_TEST(views, narrow_and_wide_indices_read_alike) {
  const std::vector<std::int32_t> narrow{0, 2, std::numeric_limits<std::int32_t>::max()};
  const std::vector<std::int64_t> wide{0, 2, std::numeric_limits<std::int32_t>::max()};
  const IndexView a(narrow.data(), narrow.size());
  const IndexView b(wide.data(), wide.size());
  CHECK_EQUAL(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK_EQUAL(a[i], b[i]);
  CHECK(a.narrow() == narrow.data() && a.wide() == nullptr);
  CHECK(b.wide() == wide.data() && b.narrow() == nullptr);
}

FACTOREC_TEST(views, indices_beyond_2_to_the_31_are_kept) {
  const std::vector<std::int64_t> wide{0, (std::int64_t{1} << 31) + 5};
  CHECK_EQUAL(IndexView(wide.data(), wide.size())[1], 2147483653LL);
}

FACTOREC_TEST(views, missing_values_are_ones) {
  const std::vector<std::int32_t> indptr{0, 2, 2, 3};
  const std::vector<std::int32_t> indices{4, 1, 0};
  CsrView matrix{{indptr.data(), indptr.size()}, {indices.data(), indices.size()}, {}, 5};
  CHECK_EQUAL(matrix.n_rows(), 3);
  CHECK_EQUAL(matrix.begin(1), matrix.end(1));
  CHECK_EQUAL(matrix.column(matrix.begin(0)), 4);
  CHECK_EQUAL(matrix.value(2), 1.0f);
  const std::vector<float> values{0.5f, 2.0f, -3.0f};
  matrix.values = values;
  CHECK_EQUAL(matrix.value(2), -3.0f);
}

FACTOREC_TEST(views, matrix_rows_are_contiguous) {
  std::vector<float> data{1, 2, 3, 4, 5, 6};
  const Matrix matrix{data.data(), 2, 3};
  matrix.row(1)[2] = 7.0f;
  CHECK_EQUAL(data[5], 7.0f);
}
