// With axes in which the Gram matrix is diagonal, the Hessian of a block of factors is D + O'WO for a diagonal D, one row
// of O a pair. An entity with fewer pairs than factors solves a system of the size of its pairs instead:
//   (D + O'WO)^-1 (g + O'W r) = D^-1 (g + O'z),   (W^-1 + O D^-1 O') z = r - O D^-1 g,
// and W^-1 z is what is left of the residuals r.
#include "implicit_solve.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace factorec {
namespace {

constexpr std::int64_t kPairsAtOnce = 128;  // their vectors stay in the cache

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

std::int64_t most_pairs(const ImplicitSide& side) {
  std::int64_t most = 0;
  for (std::int64_t e = 0; e < side.n_entities; ++e) most = std::max(most, side.n_pairs(e));
  return most;
}

}  // namespace

EntitySolver::EntitySolver(const ImplicitSide& own, const ImplicitSide& other, const ImplicitGram& gram,
                           double unobserved_weight)
    : own_(own),
      other_(other),
      gram_(gram),
      kernel_(kernels().implicit),
      unobserved_(static_cast<float>(unobserved_weight)) {
  const std::int64_t padded = gram.blocks().front().padded;  // the largest
  for (auto* of_pairs : {&vector_, &part_}) of_pairs->resize(at(most_pairs(own)));
  residual_.resize(at(most_pairs(own)));
  for (auto* row : {&diagonal_, &gradient_, &step_, &inverse_, &solved_}) row->assign(at(padded), 0.0f);
  for (auto* square : {&matrix_, &columns_}) square->assign(at(padded * padded), 0.0f);
  column_.resize(at(padded));
}

double EntitySolver::solve(std::int64_t e, float* p, bool want_loss, Control& control) {
  n_ = own_.n_pairs(e);
  const std::int64_t id = own_.id_of(e);
  if (n_ == 0 || id < 0) {
    std::fill_n(p, own_.padded, 0.0f);
    double loss = 0.0;
    for (std::int64_t i = 0; i < n_; ++i) loss += static_cast<double>(own_.weight[at(own_.pair_begin[at(e)] + i)]);
    return loss;
  }
  const auto begin = own_.pair_begin[at(e)];
  weight_ = own_.weight.data() + begin;
  for (std::int64_t i = 0; i < n_; ++i) vector_[at(i)] = other_.vector(own_.partner[at(begin + i)]);
  const bool at_once = gram_.blocks().size() == 1;
  std::fill_n(residual_.begin(), n_, 1.0f);
  if (at_once)
    std::fill_n(p, own_.padded, 0.0f);  // where from does not matter
  else
    move(vector_.data(), own_.padded, p, control);
  for (const ImplicitGram::Block& block : gram_.blocks()) {
    set_gradient(p, block, own_.exposure_of(e), own_.penalty[at(id)]);
    const float* const* part = vector_.data();
    if (block.begin) {
      for (std::int64_t i = 0; i < n_; ++i) part_[at(i)] = vector_[at(i)] + block.begin;
      part = part_.data();
    }
    if (n_ < block.size)
      step_by_pairs(block, part);
    else
      step_by_factors(block, part, want_loss || !at_once, control);
    for (std::int64_t j = 0; j < block.size; ++j) p[block.begin + j] += step_[at(j)];
  }
  double loss = 0.0;
  if (want_loss)
    for (std::int64_t i = 0; i < n_; ++i) {
      const auto r = static_cast<double>(residual_[at(i)]);
      loss += static_cast<double>(weight_[i]) * r * r;
    }
  return loss;
}

// The residuals lose <o, change>.
void EntitySolver::move(const float* const* vector, std::int64_t padded, const float* change, Control& control) {
  for (std::int64_t begin = 0; begin < n_; begin += kPairsAtOnce) {
    control.throw_if_stopped();
    kernel_.move(vector + begin, residual_.data() + begin, std::min(kPairsAtOnce, n_ - begin), padded, change);
  }
}

// Of what does not depend on pairs: the Hessian's diagonal, and minus the gradient.
void EntitySolver::set_gradient(const float* p, const ImplicitGram::Block& block, float exposure, float penalty) {
  const float unobserved = unobserved_ * exposure;
  const float* diagonal = gram_.diagonal() + block.begin;
  for (std::int64_t j = 0; j < block.size; ++j) diagonal_[at(j)] = unobserved * diagonal[j] + penalty;
  std::fill_n(gradient_.begin(), block.padded, 0.0f);
  if (gram_.blocks().size() == 1) return;
  for (std::int64_t j = 0; j < block.size; ++j) column_[at(j)] = gram_.row(block.begin + j);
  kernel_.move(column_.data(), gradient_.data(), block.size, own_.padded, p);
  for (std::int64_t j = 0; j < block.size; ++j)
    gradient_[at(j)] = unobserved * gradient_[at(j)] - penalty * p[block.begin + j];
}

void EntitySolver::step_by_factors(const ImplicitGram::Block& block, const float* const* part, bool moves,
                                   Control& control) {
  const std::int64_t padded = block.padded;
  std::fill_n(matrix_.begin(), block.size * padded, 0.0f);
  std::copy_n(gradient_.begin(), padded, step_.begin());
  for (std::int64_t begin = 0; begin < n_; begin += kPairsAtOnce) {
    control.throw_if_stopped();
    const std::int64_t n = std::min(kPairsAtOnce, n_ - begin);
    kernel_.gram(part + begin, weight_ + begin, n, block.size, padded, matrix_.data());
    float factor[kPairsAtOnce];
    for (std::int64_t i = 0; i < n; ++i) factor[i] = weight_[begin + i] * residual_[at(begin + i)];
    kernel_.combine(part + begin, factor, n, padded, step_.data());
  }
  for (std::int64_t j = 0; j < block.size; ++j) matrix_[at(j * padded + j)] += diagonal_[at(j)];
  if (!kernel_.solve(matrix_.data(), step_.data(), block.size, padded)) throw_singular();
  if (moves) move(part, padded, step_.data(), control);
}

void EntitySolver::step_by_pairs(const ImplicitGram::Block& block, const float* const* part) {
  const std::int64_t stride = (n_ + 15) / 16 * 16;
  kernel_.transpose(part, n_, block.padded, stride, columns_.data());
  for (std::int64_t j = 0; j < block.size; ++j) {
    column_[at(j)] = columns_.data() + j * stride;
    inverse_[at(j)] = 1.0f / diagonal_[at(j)];
  }
  std::fill_n(matrix_.begin(), n_ * stride, 0.0f);
  kernel_.gram(column_.data(), inverse_.data(), block.size, n_, stride, matrix_.data());
  if (gram_.blocks().size() > 1) {
    for (std::int64_t j = 0; j < block.size; ++j) step_[at(j)] = gradient_[at(j)] * inverse_[at(j)];
    std::fill(step_.begin() + block.size, step_.begin() + block.padded, 0.0f);
    kernel_.move(part, residual_.data(), n_, block.padded, step_.data());
  }
  for (std::int64_t i = 0; i < n_; ++i) {
    matrix_[at(i * stride + i)] += 1.0f / weight_[i];
    solved_[at(i)] = residual_[at(i)];
  }
  if (!kernel_.solve(matrix_.data(), solved_.data(), n_, stride)) throw_singular();
  for (std::int64_t i = 0; i < n_; ++i) residual_[at(i)] = solved_[at(i)] / weight_[i];
  kernel_.combine(part, solved_.data(), n_, block.padded, gradient_.data());
  for (std::int64_t j = 0; j < block.size; ++j) step_[at(j)] = gradient_[at(j)] * inverse_[at(j)];
}

void EntitySolver::throw_singular() { throw std::domain_error("a system has no positive definite matrix in float32"); }

}  // namespace factorec
