// The n best of what a scan lets through.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/search_kernel.hpp"

namespace factorec {

// A score that at least n > 0 of the `count` >= n scores reach, and not many more than `enough` (ties aside).
float nth_largest(const SearchKernels& kernels, const float* scores, std::int64_t count, std::int64_t n,
                  std::int64_t enough);

// Brings pairs into (score descending, position ascending) and writes the first n; returns how many.
std::int64_t write_in_order(const SearchKernels& kernels, const float* scores, const std::uint32_t* positions,
                            std::int64_t count, std::int64_t n, std::vector<std::uint64_t>& scratch,
                            std::int64_t* to_positions, float* to_scores);

// The candidates of one query in one scan. A scan goes through ascending positions, and everything here relies on
// it: candidates stay in that order, so ties need no comparison of positions.
class TopCandidates {
 public:
  // Enough memory, in entries of scores and of positions, to find the best n of n_items.
  static std::int64_t capacity(std::int64_t n, std::int64_t n_items);

  // Starts a scan with the given memory.
  void start(float* scores, std::uint32_t* positions, std::int64_t n, std::int64_t n_items);

  Candidates& accepted() { return accepted_; }

  // Keeps about the n best when more have been accepted, and raises the threshold to what a later item must reach.
  void make_room(const SearchKernels& kernels);

  // Ends the scan: writes at most n positions and scores, best first; returns how many.
  std::int64_t finish(const SearchKernels& kernels, std::vector<std::uint64_t>& scratch, std::int64_t* positions,
                      float* scores);

 private:
  Candidates accepted_;
  std::int64_t n_ = 0;
};

}  // namespace factorec
