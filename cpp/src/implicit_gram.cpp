#include "implicit_gram.hpp"

#include <algorithm>

#include "factorec/chunks.hpp"
#include "kernels/kernels.hpp"
#include "symmetric_eigen.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kBatch = 128;    // vectors of a call of the kernel: they stay in the cache
constexpr std::int64_t kMostParts = 64;  // sums in float32, added as double

std::size_t place(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

ImplicitGram::ImplicitGram(std::int64_t n_factors, std::int64_t padded, std::int64_t block_size, int n_threads)
    : n_factors_(n_factors), padded_(padded), n_threads_(n_threads) {
  const std::int64_t whole = (block_size + 15) / 16 * 16;
  for (std::int64_t begin = 0; begin < n_factors; begin += whole)
    blocks_.push_back({begin, std::min(whole, n_factors - begin), std::min(whole, padded - begin)});
}

void ImplicitGram::sum(const ImplicitSide& side, Control& control) {
  const std::int64_t square = padded_ * padded_, n = side.n_entities;
  const Chunks parts(n, std::max<std::int64_t>(1024, (n + kMostParts - 1) / kMostParts));
  AlignedVector of_part(place(parts.count() * square), 0.0f);
  parallel_for(parts.count(), n_threads_, control, [&](std::int64_t part, int) {
    const float* vector[kBatch];
    float weight[kBatch];
    for (std::int64_t begin = parts.begin(part); begin < parts.end(part); begin += kBatch) {
      control.throw_if_stopped();
      const std::int64_t size = std::min(kBatch, parts.end(part) - begin);
      for (std::int64_t i = 0; i < size; ++i) {
        vector[i] = side.vector(begin + i);
        weight[i] = side.exposure_of(begin + i);
      }
      kernels().implicit.gram(vector, weight, size, n_factors_, padded_, of_part.data() + part * square);
    }
  });
  sums_.assign(place(n_factors_ * n_factors_), 0.0);
  for (std::int64_t part = 0; part < parts.count(); ++part)
    for (std::int64_t i = 0; i < n_factors_; ++i)
      for (std::int64_t j = i; j < n_factors_; ++j)
        sums_[place(i * n_factors_ + j)] += static_cast<double>(of_part[place(part * square + i * padded_ + j)]);
  for (std::int64_t i = 0; i < n_factors_; ++i)
    for (std::int64_t j = 0; j < i; ++j) sums_[place(i * n_factors_ + j)] = sums_[place(j * n_factors_ + i)];
}

void ImplicitGram::find_axes() {
  const std::int64_t n = n_factors_;
  basis_.assign(0, 0.0f);
  std::vector<double> half;  // rows turned, columns not yet
  if (blocks_.size() > 1) half.assign(place(n * n), 0.0);
  std::vector<std::vector<double>> axes;
  for (const Block& b : blocks_) {
    std::vector<double> a(place(b.size * b.size));
    for (std::int64_t i = 0; i < b.size; ++i)
      for (std::int64_t j = 0; j < b.size; ++j) a[place(i * b.size + j)] = at(b.begin + i, b.begin + j);
    const std::vector<double> values = symmetric_eigen(a, b.size);
    const std::size_t begin = basis_.size();
    basis_.resize(begin + place(b.size * b.padded), 0.0f);
    for (std::int64_t i = 0; i < b.size; ++i)
      for (std::int64_t j = 0; j < b.size; ++j)
        basis_[begin + place(i * b.padded + j)] = static_cast<float>(a[place(j * b.size + i)]);
    if (blocks_.size() == 1) {
      sums_.assign(place(n * n), 0.0);
      for (std::int64_t i = 0; i < n; ++i) sums_[place(i * n + i)] = std::max(values[place(i)], 0.0);
    } else {
      for (std::int64_t i = 0; i < b.size; ++i)
        for (std::int64_t m = 0; m < b.size; ++m) {
          const double factor = a[place(i * b.size + m)];
          const double* from = sums_.data() + (b.begin + m) * n;
          double* to = half.data() + (b.begin + i) * n;
          for (std::int64_t j = 0; j < n; ++j) to[j] += factor * from[j];
        }
      axes.push_back(std::move(a));
    }
  }
  for (std::size_t block = 0; block < axes.size(); ++block) {
    const Block& b = blocks_[block];
    const std::vector<double>& a = axes[block];
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < b.size; ++j) {
        double sum = 0.0;
        for (std::int64_t m = 0; m < b.size; ++m) sum += half[place(i * n + b.begin + m)] * a[place(j * b.size + m)];
        sums_[place(i * n + b.begin + j)] = sum;
      }
    for (std::int64_t i = 0; i < b.size; ++i)
      for (std::int64_t j = 0; j < b.size; ++j) {
        double& value = sums_[place((b.begin + i) * n + b.begin + j)];
        value = i == j ? std::max(value, 0.0) : 0.0;
      }
  }
  diagonal_.assign(place(padded_), 0.0f);
  for (std::int64_t i = 0; i < n; ++i) diagonal_[place(i)] = static_cast<float>(at(i, i));
  if (blocks_.size() == 1) return;
  rows_.assign(place(n * padded_), 0.0f);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) rows_[place(i * padded_ + j)] = static_cast<float>(at(i, j));
}

void ImplicitGram::rotate(AlignedVector& rows, Control& control) const {
  const std::int64_t n = static_cast<std::int64_t>(rows.size()) / padded_;
  for_each_chunk(Chunks(n, 256), n_threads_, control, [&](std::int64_t begin, std::int64_t end) {
    AlignedVector scratch(place(8 * padded_));
    const float* basis = basis_.data();
    for (const Block& b : blocks_) {
      kernels().implicit.rotate(rows.data() + begin * padded_ + b.begin, end - begin, padded_, basis, b.size, b.padded,
                                scratch.data());
      basis += b.size * b.padded;
    }
  });
}

}  // namespace factorec
