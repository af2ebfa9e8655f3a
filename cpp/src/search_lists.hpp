// What both ways of searching share: the checks of what was asked, and the lists handed out.
#pragma once

#include <cstdint>
#include <vector>

#include "factorec/search.hpp"

namespace factorec {

// Throws std::invalid_argument where queries, filter or output do not fit the items.
void check_search(std::int64_t n_items, std::int64_t n_factors, ConstMatrix queries, const SearchFilter& filter,
                  const SearchOutput& output);

// Sets the count of a query's list and fills up what lies behind it.
void fill_up(const SearchOutput& output, std::int64_t query, std::int64_t count);

// The lists of a query in the segments that the items were cut into, each best first.
class SegmentLists {
 public:
  SegmentLists(std::int64_t n_queries, std::int64_t n_segments, std::int64_t n);

  std::int64_t* ids(std::int64_t query, std::int64_t segment) { return ids_.data() + list(query, segment) * n_; }
  float* scores(std::int64_t query, std::int64_t segment) { return scores_.data() + list(query, segment) * n_; }
  std::int64_t& count(std::int64_t query, std::int64_t segment) {
    return counts_[static_cast<std::size_t>(list(query, segment))];
  }

  // Writes the query's list: the best of all segments.
  void merge(std::int64_t query, const SearchOutput& output);

 private:
  std::int64_t list(std::int64_t query, std::int64_t segment) const { return query * n_segments_ + segment; }

  std::int64_t n_segments_, n_;
  std::vector<std::int64_t> ids_, counts_;
  std::vector<float> scores_;
};

}  // namespace factorec
