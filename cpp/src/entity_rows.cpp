#include "entity_rows.hpp"

#include <algorithm>

namespace factorec {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

EntityRows::EntityRows(GibbsModel& model)
    : model_(model), kernel_(kernels().gibbs), slopes_(model.blocks.size() == 2 ? 0 : at(kBatch * model.padded)) {}

// The rows [begin, end) in the block's order, at most kBatch.
RegressionRows EntityRows::gather(std::size_t b, std::int64_t begin, std::int64_t end, float shift) {
  const GibbsBlock& block = model_.blocks[b];
  const std::int64_t padded = model_.padded, n = end - begin;
  for (std::int64_t i = 0; i < n; ++i)
    place_[i] = block.row.empty() ? static_cast<std::int32_t>(begin + i) : block.row[at(begin + i)];
  if (model_.blocks.size() == 2) {
    const GibbsBlock& other = model_.blocks[1 - b];
    for (std::int64_t i = 0; i < n; ++i) vector_[i] = other.sum.data() + other.entity[at(place_[i])] * padded;
  } else {
    std::fill_n(slopes_.begin(), n * padded, 0.0f);
    for (std::size_t c = 0; c < model_.blocks.size(); ++c) {
      if (!model_.pairs(b, c)) continue;
      for (std::int64_t i = 0; i < n; ++i) {
        const float* v = model_.sum(c, model_.blocks[c].entity[at(place_[i])]);
        for (std::int64_t j = 0; j < padded; ++j) slopes_[at(i * padded + j)] += v[j];
      }
    }
    for (std::int64_t i = 0; i < n; ++i) {
      vector_[i] = slopes_.data() + i * padded;
      slopes_[at(i * padded + model_.size - 1)] = 1.0f;
    }
  }
  for (std::int64_t i = 0; i < n; ++i) {
    weight_[i] = model_.weight.empty() ? 1.0f : model_.weight[at(place_[i])];
    residual_[i] = model_.residual[at(place_[i])] - shift;
  }
  for (std::size_t c = 0; c < model_.blocks.size(); ++c) {
    const GibbsBlock& other = model_.blocks[c];
    if (c == b || other.noise.empty()) continue;
    for (std::int64_t i = 0; i < n; ++i) weight_[i] *= other.noise[at(other.entity[at(place_[i])])];
  }
  return {vector_, weight_, residual_, n};
}

void EntityRows::sum(std::size_t b, std::int64_t e, float shift, Control& control, float* gram, float* moment) {
  const GibbsBlock& block = model_.blocks[b];
  const std::int64_t end = block.row_begin[at(e + 1)];
  std::fill_n(gram, model_.padded * model_.padded, 0.0f);
  std::fill_n(moment, model_.padded, 0.0f);
  for (std::int64_t begin = block.row_begin[at(e)]; begin < end; begin += kBatch) {
    control.throw_if_stopped();
    kernel_.add(gather(b, begin, std::min(begin + kBatch, end), shift), model_.padded, gram, moment);
  }
}

ResidualSums EntityRows::move(std::size_t b, std::int64_t e, float shift, const float* change, Control& control) {
  const GibbsBlock& block = model_.blocks[b];
  const std::int64_t end = block.row_begin[at(e + 1)];
  ResidualSums sums;
  for (std::int64_t begin = block.row_begin[at(e)]; begin < end; begin += kBatch) {
    control.throw_if_stopped();
    const RegressionRows rows = gather(b, begin, std::min(begin + kBatch, end), shift);
    double of_batch[3];
    kernel_.move(rows, model_.padded, change, of_batch);
    sums.squares += of_batch[0];
    sums.first += of_batch[1];
    sums.weight += of_batch[2];
    for (std::int64_t i = 0; i < rows.n; ++i) model_.residual[at(place_[i])] = residual_[i];
    if (model_.weight.empty())
      sums.count += static_cast<double>(rows.n);
    else
      for (std::int64_t i = 0; i < rows.n; ++i) sums.count += static_cast<double>(model_.weight[at(place_[i])]);
    if (!model_.spread.empty())
      for (std::int64_t i = 0; i < rows.n; ++i)
        sums.squares += static_cast<double>(weight_[i]) * static_cast<double>(model_.spread[at(place_[i])]);
  }
  return sums;
}

}  // namespace factorec
