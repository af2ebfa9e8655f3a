// What a search kernel must offer; see search_kernel.inc.
//
// The kernel computes scores and lets through what reaches a threshold and is not marked; which items are marked
// (exclusion.cpp) and which of the accepted are kept (selection.cpp) is none of its business.
#pragma once

#include <cstdint>

namespace factorec {

// What a query has accepted so far, in ascending position. Both arrays have kCandidateSlack more entries than
// `limit`: a panel may be appended whole, and whole vectors are stored.
struct Candidates {
  float* scores = nullptr;
  std::uint32_t* positions = nullptr;
  std::int64_t count = 0;
  std::int64_t limit = 0;
  float threshold = 0.0f;  // scores below it, and NaN, are not accepted
};

// The same in any order and with a score known only to lie in [low, high]; an exact one has low = high.
struct BoundedCandidates {
  float* low = nullptr;
  float* high = nullptr;
  std::uint32_t* places = nullptr;
  std::int64_t count = 0;
  std::int64_t limit = 0;
};

inline constexpr std::int64_t kCandidateSlack = 48;

inline constexpr int kMaxScanQueries = 12;  // the highest SearchKernels::max_queries
inline constexpr std::int64_t kMaxRanked = 192;

// A few queries against a run of panels.
struct ScanTile {
  const float* queries = nullptr;          // n_factors rows of n_queries floats
  const float* panels = nullptr;
  const float* offsets = nullptr;
  const std::uint32_t* allowed = nullptr;   // a bit per item, a word per panel; null: all
  const std::uint32_t* excluded = nullptr;  // the same for each query: n_queries words per panel; null: none
  std::int64_t n_factors = 0;
  std::int64_t n_panels = 0;
  std::uint32_t first_position = 0;        // of the first item of the first panel
  int n_queries = 0;
  Candidates* candidates = nullptr;        // one per query
};

struct SearchKernels {
  int max_queries = 0;  // of a ScanTile

  // Appends every accepted item to its query's candidates. Returns the number of panels done: less than all when
  // a query's candidates have passed their limit.
  std::int64_t (*scan)(const ScanTile& tile) = nullptr;

  // The same for squared distances: the score is the offset, which must be +0 or NaN, minus the distance.
  std::int64_t (*scan_distances)(const ScanTile& tile) = nullptr;

  // The smallest and largest of n > 0 scores.
  void (*range)(const float* scores, std::int64_t n, float* smallest, float* largest) = nullptr;

  // How many of `n` scores are at least `threshold`.
  std::int64_t (*count_at_least)(const float* scores, std::int64_t n, float threshold) = nullptr;

  // The place of each of n <= kMaxRanked scores in descending order, equal ones in the order given. `scores` is
  // readable and `ranks` writable up to the next multiple of 32.
  void (*rank)(const float* scores, std::int64_t n, std::int32_t* ranks) = nullptr;

  // Moves the candidates with a score of at least `threshold` to the front, order kept; returns their number.
  std::int64_t (*keep_at_least)(float* scores, std::uint32_t* positions, std::int64_t n, float threshold) = nullptr;

  // The same for bounded candidates: those with a `high` of at least `threshold`. Sets their number.
  void (*keep_reaching)(BoundedCandidates& candidates, float threshold) = nullptr;
};

}  // namespace factorec
