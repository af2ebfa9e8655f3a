// The candidates of one query in a two-stage search.
#pragma once

#include <cstdint>
#include <vector>

#include "exclusion.hpp"
#include "kernels/codes_kernel.hpp"

namespace factorec {

// What turns a candidate with bounds into one with a score.
struct Scorer {
  const CodedItems& items;
  const CodesKernels* kernels;  // null: every candidate is exact already
  const float* query;
};

// Keeps what may be among the n best while items come in any order, each with a lower and an upper bound of its
// score. theta is a score that n items are known to reach: what cannot reach it is dropped.
class Shortlist {
 public:
  // Enough memory, in entries, for the best n of n_items.
  static std::int64_t capacity(std::int64_t n, std::int64_t n_items);

  // Starts with memory of that size; `excluded` may be null.
  void start(float* low, float* high, std::uint32_t* places, std::int64_t n, std::int64_t n_items,
             const ExcludedPlaces* excluded);

  BoundedCandidates& entries() { return entries_; }
  float theta() const { return theta_; }
  void raise_theta(float theta) { theta_ = theta > theta_ ? theta : theta_; }

  // Drops what is excluded or cannot be among the n best, and raises theta. Where bounds alone leave too many,
  // the rest is scored and exactly the n best stay; returns whether that was so.
  bool tighten(const SearchKernels& kernels, const Scorer& scorer);

  // Ends the search: scores what is left and writes at most n positions and scores, best first; returns how many.
  std::int64_t finish(const SearchKernels& kernels, const Scorer& scorer, std::vector<std::uint64_t>& scratch,
                      std::int64_t* positions, float* scores);

 private:
  void drop_excluded();
  void drop_unreachable(const SearchKernels& kernels);
  void score_reaching(const Scorer& scorer, float threshold);
  void keep_best(const SearchKernels& kernels, const CodedItems& items);

  BoundedCandidates entries_;
  const ExcludedPlaces* excluded_ = nullptr;
  std::int64_t n_ = 0;
  std::int64_t checked_ = 0;  // entries before it are known not to be excluded
  float theta_ = 0;
  std::vector<std::uint32_t> wanted_, wanted_at_;
  std::vector<float> scores_;
};

}  // namespace factorec
