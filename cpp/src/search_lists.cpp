#include "search_lists.hpp"

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

namespace factorec {

void check_search(std::int64_t n_items, std::int64_t n_factors, ConstMatrix queries, const SearchFilter& filter,
                  const SearchOutput& output) {
  const auto fail = [](const std::string& message) { throw std::invalid_argument(message); };
  if (n_items > kMaxItems) fail("more than " + std::to_string(kMaxItems) + " items");
  if (output.n < 1) fail("n is " + std::to_string(output.n) + ", it must be at least 1");
  if (queries.n_columns != n_factors)
    fail("queries has " + std::to_string(queries.n_columns) + " columns, the items have " + std::to_string(n_factors) +
         " factors");
  if (filter.exclude) {
    const CsrView& exclude = *filter.exclude;
    const auto n_entries = static_cast<std::int64_t>(exclude.indices.size());
    if (exclude.indptr.size() == 0 || exclude.n_rows() != queries.n_rows || exclude.n_columns != n_items)
      fail("exclude must have the shape (" + std::to_string(queries.n_rows) + ", " + std::to_string(n_items) + ")");
    if (exclude.begin(0) != 0) fail("exclude: indptr[0] is " + std::to_string(exclude.begin(0)) + ", not 0");
    for (std::int64_t row = 0; row < queries.n_rows; ++row)
      if (exclude.end(row) < exclude.begin(row) || exclude.end(row) > n_entries)
        fail("exclude: indptr[" + std::to_string(row + 1) + "] is " + std::to_string(exclude.end(row)) +
             ", it must lie between indptr[" + std::to_string(row) + "] and the " + std::to_string(n_entries) +
             " stored entries");
  }
}

void fill_up(const SearchOutput& output, std::int64_t query, std::int64_t count) {
  output.counts[query] = count;
  const std::int64_t row = query * output.n;
  std::fill(output.ids + row + count, output.ids + row + output.n, -1);
  std::fill(output.scores + row + count, output.scores + row + output.n, -std::numeric_limits<float>::infinity());
}

SegmentLists::SegmentLists(std::int64_t n_queries, std::int64_t n_segments, std::int64_t n)
    : n_segments_(n_segments), n_(n) {
  const auto n_lists = static_cast<std::size_t>(n_queries * n_segments);
  ids_.resize(n_lists * static_cast<std::size_t>(n));
  scores_.resize(n_lists * static_cast<std::size_t>(n));
  counts_.resize(n_lists);
}

void SegmentLists::merge(std::int64_t query, const SearchOutput& output) {
  std::vector<std::int64_t> at(static_cast<std::size_t>(n_segments_));
  std::int64_t count = 0;
  for (; count < n_; ++count) {
    std::int64_t best = -1, id = 0;
    float score = 0;
    for (std::int64_t segment = 0; segment < n_segments_; ++segment) {
      const std::int64_t next = at[static_cast<std::size_t>(segment)];
      if (next >= this->count(query, segment)) continue;
      const std::int64_t next_id = ids(query, segment)[next];
      const float next_score = scores(query, segment)[next];
      if (best >= 0 && (next_score < score || (next_score == score && next_id > id))) continue;
      best = segment;
      id = next_id;
      score = next_score;
    }
    if (best < 0) break;
    ++at[static_cast<std::size_t>(best)];
    output.ids[query * output.n + count] = id;
    output.scores[query * output.n + count] = score;
  }
  fill_up(output, query, count);
}

}  // namespace factorec
