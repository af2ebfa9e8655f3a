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

constexpr std::int64_t kBatch = 128;  // pairs of a call of a kernel: their vectors stay in the cache

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
      gibbs_(kernels().gibbs),
      kernel_(kernels().implicit),
      unobserved_(static_cast<float>(unobserved_weight)) {
  const std::int64_t padded = gram.blocks().front().padded;  // the largest
  for (auto* of_pairs : {&vector_, &part_}) of_pairs->resize(at(most_pairs(own)));
  for (auto* of_pairs : {&weight_, &residual_}) of_pairs->resize(at(most_pairs(own)));
  for (auto* of_factors : {&diagonal_, &gradient_, &moment_, &step_, &inverse_}) of_factors->assign(at(padded), 0.0f);
  for (auto* square : {&matrix_, &columns_}) square->assign(at(padded * padded), 0.0f);
  column_.resize(at(padded));
}

double EntitySolver::solve(std::int64_t e, float* p, Control& control) {
  n_ = own_.n_pairs(e);
  const std::int64_t id = own_.id_of(e);
  if (n_ == 0 || id < 0) {
    std::fill_n(p, own_.padded, 0.0f);
    double loss = 0.0;
    for (std::int64_t i = 0; i < n_; ++i) loss += static_cast<double>(own_.weight[at(own_.pair_begin[at(e)] + i)]);
    return loss;
  }
  gather(e);
  start(p, control);
  const float penalty = own_.penalty[at(id)], exposure = own_.exposure_of(e);
  for (const ImplicitGram::Block& block : gram_.blocks()) {
    set_gradient(p, block, exposure, penalty);
    for (std::int64_t i = 0; i < n_; ++i) part_[at(i)] = vector_[at(i)] + block.begin;
    bool solvable = true;
    for (std::int64_t j = 0; j < block.size; ++j) solvable = solvable && diagonal_[at(j)] > 0.0f;
    n_ < block.size && solvable ? step_by_pairs(block) : step_by_factors(block, control);
    for (std::int64_t j = 0; j < block.size; ++j) p[block.begin + j] += step_[at(j)];
  }
  double loss = 0.0;
  for (std::int64_t i = 0; i < n_; ++i) {
    const auto r = static_cast<double>(residual_[at(i)]);
    loss += static_cast<double>(weight_[at(i)]) * r * r;
  }
  return loss;
}

void EntitySolver::gather(std::int64_t e) {
  const auto begin = own_.pair_begin[at(e)];
  for (std::int64_t i = 0; i < n_; ++i) {
    vector_[at(i)] = other_.vector(own_.partner[at(begin + i)]);
    weight_[at(i)] = own_.weight[at(begin + i)];
  }
}

// Residuals of p; where all factors are solved for at once, of p := 0.
void EntitySolver::start(float* p, Control& control) {
  std::fill_n(residual_.begin(), n_, 1.0f);
  if (gram_.blocks().size() == 1) {
    std::fill_n(p, own_.padded, 0.0f);
    return;
  }
  double sums[3];
  for (std::int64_t begin = 0; begin < n_; begin += kBatch) {
    control.throw_if_stopped();
    gibbs_.move({vector_.data() + begin, weight_.data() + begin, residual_.data() + begin, std::min(kBatch, n_ - begin)},
                own_.padded, p, sums);
  }
}

void EntitySolver::set_gradient(const float* p, const ImplicitGram::Block& block, float exposure, float penalty) {
  const float unobserved = unobserved_ * exposure;
  const float* diagonal = gram_.diagonal() + block.begin;
  for (std::int64_t j = 0; j < block.size; ++j) diagonal_[at(j)] = unobserved * diagonal[j] + penalty;
  if (gram_.blocks().size() == 1) {
    std::fill_n(gradient_.begin(), block.size, 0.0f);
    return;
  }
  for (std::int64_t j = 0; j < block.size; ++j) {
    column_[at(j)] = gram_.row(block.begin + j);
    inverse_[at(j)] = 1.0f;
    gradient_[at(j)] = 0.0f;
  }
  double sums[3];
  gibbs_.move({column_.data(), inverse_.data(), gradient_.data(), block.size}, own_.padded, p, sums);  // -G p
  for (std::int64_t j = 0; j < block.size; ++j)
    gradient_[at(j)] = unobserved * gradient_[at(j)] - penalty * p[block.begin + j];
}

void EntitySolver::step_by_factors(const ImplicitGram::Block& block, Control& control) {
  const std::int64_t padded = block.padded;
  std::fill_n(matrix_.begin(), padded * padded, 0.0f);
  std::fill_n(moment_.begin(), padded, 0.0f);
  const auto batch = [&](std::int64_t begin) {
    control.throw_if_stopped();
    return RegressionRows{part_.data() + begin, weight_.data() + begin, residual_.data() + begin,
                          std::min(kBatch, n_ - begin)};
  };
  for (std::int64_t begin = 0; begin < n_; begin += kBatch)
    gibbs_.add(batch(begin), padded, matrix_.data(), moment_.data());
  for (std::int64_t j = 0; j < block.size; ++j) {
    matrix_[at(j * padded + j)] += diagonal_[at(j)];
    moment_[at(j)] += gradient_[at(j)];
  }
  std::fill_n(step_.begin(), padded, 0.0f);
  if (!gibbs_.solve(matrix_.data(), moment_.data(), step_.data(), block.size, padded))
    throw std::domain_error("a system is not positive definite");
  std::copy_n(moment_.begin(), block.size, step_.begin());
  double sums[3];
  for (std::int64_t begin = 0; begin < n_; begin += kBatch) gibbs_.move(batch(begin), padded, step_.data(), sums);
}

void EntitySolver::step_by_pairs(const ImplicitGram::Block& block) {
  const std::int64_t stride = (n_ + 15) / 16 * 16;
  kernel_.transpose(part_.data(), n_, block.size, stride, columns_.data());
  for (std::int64_t j = 0; j < block.size; ++j) {
    column_[at(j)] = columns_.data() + j * stride;
    inverse_[at(j)] = 1.0f / diagonal_[at(j)];
  }
  std::fill_n(matrix_.begin(), stride * stride, 0.0f);
  std::fill_n(moment_.begin(), stride, 0.0f);
  gibbs_.add({column_.data(), inverse_.data(), gradient_.data(), block.size}, stride, matrix_.data(), moment_.data());
  for (std::int64_t i = 0; i < n_; ++i) {
    matrix_[at(i * stride + i)] += 1.0f / weight_[at(i)];
    moment_[at(i)] = residual_[at(i)] - moment_[at(i)];
  }
  std::fill_n(step_.begin(), stride, 0.0f);
  if (!gibbs_.solve(matrix_.data(), moment_.data(), step_.data(), n_, stride))
    throw std::domain_error("a system is not positive definite");
  for (std::int64_t i = 0; i < n_; ++i) {
    residual_[at(i)] = moment_[at(i)] / weight_[at(i)];
    moment_[at(i)] = -moment_[at(i)];
  }
  std::fill(moment_.begin() + n_, moment_.begin() + stride, 0.0f);
  double sums[3];
  gibbs_.move({column_.data(), inverse_.data(), gradient_.data(), block.size}, stride, moment_.data(), sums);
  for (std::int64_t j = 0; j < block.size; ++j) step_[at(j)] = gradient_[at(j)] * inverse_[at(j)];
}

}  // namespace factorec
