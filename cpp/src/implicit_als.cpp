// A factorization machine with pairs of a query and an item feature only, s(q, i) = <V'x_q, V'x_i>, minimises
//   1/2 sum of weight (1 - s)^2 over the observed pairs  +  1/2 unobserved_weight sum of exposure_q exposure_i s^2 over
//   all pairs  +  1/2 sum of penalty_f |V_f|^2 over the features
// (Hu, Koren and Volinsky 2008 in the form of Rendle et al. 2021). Given the vectors of one side this is a least-squares
// problem in the factors of the other, where the sum over all pairs needs only the Gram matrix of the given side.
// Before each half of a sweep, both sides are turned to axes in which that matrix is diagonal: no score and no penalty
// changes, and systems become cheap. Nothing is random, and sums are over fixed parts: the same bits on any number of
// threads.
#include "factorec/implicit_als.hpp"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "factorec/parallel.hpp"
#include "implicit_gradient.hpp"
#include "implicit_gram.hpp"
#include "implicit_side.hpp"
#include "implicit_solve.hpp"

namespace factorec {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

class ImplicitAls::State {
 public:
  State(const ImplicitAlsData& data, const ImplicitAlsOptions& options, ConstMatrix factors, Control& control)
      : options_(options),
        n_features_(factors.n_rows),
        n_factors_(factors.n_columns),
        sides_(make_implicit_sides(data, options, factors, control)),
        of_queries_(n_factors_, sides_.queries.padded, options.block_size, options.n_threads),
        of_items_(of_queries_) {}

  double sweep(Control& control) {
    of_items_.sum(sides_.items, control);
    solve(sides_.queries, sides_.items, of_items_, false, control);
    of_queries_.sum(sides_.queries, control);
    const double loss = solve(sides_.items, sides_.queries, of_queries_, true, control);
    of_items_.sum(sides_.items, control);
    double unobserved = 0.0;
    for (std::int64_t i = 0; i < n_factors_; ++i)
      for (std::int64_t j = 0; j < n_factors_; ++j) unobserved += of_queries_.at(i, j) * of_items_.at(i, j);
    return 0.5 * (loss + options_.unobserved_weight * unobserved + penalty(sides_.queries) + penalty(sides_.items));
  }

  void copy_to(Matrix factors) const {
    if (factors.n_rows != n_features_ || factors.n_columns != n_factors_)
      throw std::invalid_argument("factors must be (" + std::to_string(n_features_) + ", " +
                                  std::to_string(n_factors_) + ")");
    std::fill_n(factors.data, n_features_ * n_factors_, 0.0f);
    for (const ImplicitSide* side : {&sides_.queries, &sides_.items})
      for (std::int64_t f = 0; f < side->n_features; ++f)
        if (const float* of_feature = factors_of(*side, f))
          std::copy_n(of_feature, n_factors_, factors.row(side->first_column + f));
  }

 private:
  static const float* factors_of(const ImplicitSide& side, std::int64_t f) {
    if (!side.ids) return side.table.data() + f * side.padded;
    const std::int64_t i = side.feature_begin[at(f)];
    return i < side.feature_begin[at(f + 1)] ? side.vector(side.of_feature[at(i)].at) : nullptr;
  }

  // Returns, if wanted, the sum of weight (1 - s)^2.
  double solve(ImplicitSide& own, ImplicitSide& other, ImplicitGram& gram, bool want_loss, Control& control) {
    gram.find_axes();
    control.throw_if_stopped();
    gram.rotate(other.vectors, control);
    gram.rotate(other.table, control);
    gram.rotate(own.table, control);
    if (!own.ids || gram.blocks().size() > 1) gram.rotate(own.vectors, control);
    if (!own.ids)
      return solve_shared(own, other, gram, options_, control);
    std::vector<std::optional<EntitySolver>> solvers(at(options_.n_threads));
    std::vector<double> loss(own.unit.size() - 1, 0.0);
    parallel_for(static_cast<std::int64_t>(loss.size()), options_.n_threads, control, [&](std::int64_t unit, int thread) {
      std::optional<EntitySolver>& solver = solvers[at(thread)];
      if (!solver) solver.emplace(own, other, gram, options_.unobserved_weight);
      for (std::int64_t e = own.unit[at(unit)]; e < own.unit[at(unit + 1)]; ++e)
        loss[at(unit)] += solver->solve(e, own.vector(e), want_loss, control);
    });
    double sum = 0.0;
    for (const double of_unit : loss) sum += of_unit;
    return sum;
  }

  double penalty(const ImplicitSide& side) const {
    double sum = 0.0;
    for (std::int64_t f = 0; f < side.n_features; ++f) {
      const float* of_feature = factors_of(side, f);
      if (!of_feature) continue;
      float squares = 0.0f;
      for (std::int64_t j = 0; j < n_factors_; ++j) squares += of_feature[j] * of_feature[j];
      sum += static_cast<double>(side.penalty[at(f)]) * static_cast<double>(squares);
    }
    return sum;
  }

  ImplicitAlsOptions options_;
  std::int64_t n_features_, n_factors_;
  ImplicitSides sides_;
  ImplicitGram of_queries_, of_items_;
};

ImplicitAls::ImplicitAls(const ImplicitAlsData& data, const ImplicitAlsOptions& options, ConstMatrix factors,
                         Control& control)
    : state_(std::make_unique<State>(data, options, factors, control)) {}
ImplicitAls::~ImplicitAls() = default;
double ImplicitAls::sweep(Control& control) { return state_->sweep(control); }
void ImplicitAls::copy_to(Matrix factors) const { state_->copy_to(factors); }

}  // namespace factorec
