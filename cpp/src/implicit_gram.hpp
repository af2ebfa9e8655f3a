// The sum over all entities of a side that makes unobserved pairs cheap.
#pragma once

#include <cstdint>
#include <vector>

#include "implicit_side.hpp"

namespace factorec {

// Sums of exposure p p' over the entities of a side, (n_factors, n_factors). Factors are in blocks; `rotate` chooses
// axes in which each block of the Gram matrix is diagonal.
class ImplicitGram {
 public:
  ImplicitGram(std::int64_t n_factors, std::int64_t padded, std::int64_t block_size, int n_threads);

  struct Block {
    std::int64_t begin, size, padded;
  };
  const std::vector<Block>& blocks() const { return blocks_; }

  void sum(const ImplicitSide& side, Control& control);
  // Finds the axes, and turns the matrix to them.
  void find_axes();
  // Turns rows of factors to the axes.
  void rotate(AlignedVector& rows, Control& control) const;

  double at(std::int64_t i, std::int64_t j) const { return sums_[static_cast<std::size_t>(i * n_factors_ + j)]; }
  // The diagonal, (padded,), and whole rows, (n_factors, padded), after find_axes.
  const float* diagonal() const { return diagonal_.data(); }
  const float* row(std::int64_t i) const { return rows_.data() + i * padded_; }

 private:
  std::int64_t n_factors_, padded_;
  int n_threads_;
  std::vector<Block> blocks_;
  std::vector<double> sums_;
  AlignedVector basis_;  // (size, padded) of each block
  AlignedVector diagonal_, rows_;
};

}  // namespace factorec
