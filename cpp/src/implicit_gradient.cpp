// The Hessian is never formed: its product with a direction is a sum over the features of entities, one over the pairs
// of entities, and back. A step costs 2 (pairs + features of entities) * factors, whatever features are shared by how
// many entities. The diagonal of the Hessian, exact in the axes of the Gram matrix, is the preconditioner.
#include "implicit_gradient.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "factorec/chunks.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kBatch = 128;
constexpr std::int64_t kFeaturesOfChunk = 1024;

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

class SharedSolver {
 public:
  SharedSolver(ImplicitSide& own, const ImplicitSide& other, const ImplicitGram& gram,
               const ImplicitAlsOptions& options, Control& control)
      : own_(own), other_(other), gram_(gram), options_(options), control_(control),
        unobserved_(static_cast<float>(options.unobserved_weight)) {}

  double solve() {
    const std::size_t size = own_.table.size();
    AlignedVector gradient(size), scaled(size), direction(size), of_direction(size), diagonal(size);
    AlignedVector vectors, of_entities(own_.vectors.size());
    find_diagonal(diagonal, of_entities);
    // The gradient's negative: sum of weight (1 - s) o x - unobserved G p x - penalty V.
    for_each_entity([&](std::int64_t e, Pairs& pairs) {
      float* out = of_entities.data() + e * own_.padded;
      const float* p = own_.vector(e);
      set_unobserved(e, p, -1.0f, out);
      for_batches(e, pairs, [&](RegressionRows& rows) {
        double sums[3];
        move(rows, p, sums);
        add_moment(rows, out);
      });
      return 0.0;
    });
    own_.sum_entities(of_entities, gradient, options_.n_threads, control_);
    for_features([&](std::int64_t f, std::int64_t i) { gradient[at(i)] -= own_.penalty[at(f)] * own_.table[at(i)]; });
    for (std::size_t i = 0; i < size; ++i) direction[i] = scaled[i] = gradient[i] / diagonal[i];
    double rho = dot(gradient, scaled);
    const double enough = options_.tolerance * options_.tolerance * rho;
    for (int step = 0; step < options_.n_steps && rho > enough && rho > 0.0; ++step) {
      own_.sum_features(direction, vectors, options_.n_threads, control_);
      for_each_entity([&](std::int64_t e, Pairs& pairs) {
        float* out = of_entities.data() + e * own_.padded;
        const float* p = vectors.data() + e * own_.padded;
        set_unobserved(e, p, 1.0f, out);
        for_batches(e, pairs, [&](RegressionRows& rows) {
          kernels().implicit.apply(rows.vector, rows.weight, rows.n, own_.padded, p, out);
        });
        return 0.0;
      });
      own_.sum_entities(of_entities, of_direction, options_.n_threads, control_);
      for_features([&](std::int64_t f, std::int64_t i) { of_direction[at(i)] += own_.penalty[at(f)] * direction[at(i)]; });
      const double curvature = dot(direction, of_direction);
      if (!std::isfinite(curvature)) throw std::domain_error("sums over the features are not finite");
      if (!(curvature > 0.0)) break;  // the direction is lost in rounding
      const auto length = static_cast<float>(rho / curvature);
      for_features([&](std::int64_t, std::int64_t i) {
        own_.table[at(i)] += length * direction[at(i)];
        gradient[at(i)] -= length * of_direction[at(i)];
        scaled[at(i)] = gradient[at(i)] / diagonal[at(i)];
      });
      const double next = dot(gradient, scaled);
      const auto kept = static_cast<float>(next / rho);
      for_features([&](std::int64_t, std::int64_t i) { direction[at(i)] = scaled[at(i)] + kept * direction[at(i)]; });
      rho = next;
    }
    own_.sum_features(own_.table, own_.vectors, options_.n_threads, control_);
    return for_each_entity([&](std::int64_t e, Pairs& pairs) {
      double loss = 0.0;
      for_batches(e, pairs, [&](RegressionRows& rows) {
        double sums[3];
        move(rows, own_.vector(e), sums);
        loss += sums[0];
      });
      return loss;
    });
  }

 private:
  struct Pairs {
    const float* vector[kBatch];
    float residual[kBatch];
  };

  // Calls body(entity, pairs) unit by unit; returns the sum of what it returns, in the order of units.
  template <class Body>
  double for_each_entity(Body&& body) {
    std::vector<double> of_unit(own_.unit.size() - 1, 0.0);
    parallel_for(static_cast<std::int64_t>(of_unit.size()), options_.n_threads, control_, [&](std::int64_t unit, int) {
      Pairs pairs;
      for (std::int64_t e = own_.unit[at(unit)]; e < own_.unit[at(unit + 1)]; ++e) of_unit[at(unit)] += body(e, pairs);
    });
    double sum = 0.0;
    for (const double value : of_unit) sum += value;
    return sum;
  }

  template <class Body>
  void for_batches(std::int64_t e, Pairs& pairs, Body&& body) {
    for (std::int64_t begin = own_.pair_begin[at(e)]; begin < own_.pair_begin[at(e + 1)]; begin += kBatch) {
      control_.throw_if_stopped();
      const std::int64_t n = std::min(kBatch, own_.pair_begin[at(e + 1)] - begin);
      for (std::int64_t i = 0; i < n; ++i) pairs.vector[i] = other_.vector(own_.partner[at(begin + i)]);
      std::fill_n(pairs.residual, n, 1.0f);
      RegressionRows rows{pairs.vector, own_.weight.data() + begin, pairs.residual, n};
      body(rows);
    }
  }

  void move(const RegressionRows& rows, const float* p, double* sums) const {
    kernels().gibbs.move(rows, own_.padded, p, sums);
  }

  void add_moment(const RegressionRows& rows, float* out) const {
    for (std::int64_t i = 0; i < rows.n; ++i) {
      const float factor = rows.weight[i] * rows.residual[i];
      for (std::int64_t j = 0; j < own_.padded; ++j) out[j] += factor * rows.vector[i][j];
    }
  }

  // out := sign * unobserved * exposure * G p.
  void set_unobserved(std::int64_t e, const float* p, float sign, float* out) const {
    const float factor = sign * unobserved_ * own_.exposure_of(e);
    if (gram_.blocks().size() == 1) {
      for (std::int64_t j = 0; j < own_.padded; ++j) out[j] = factor * gram_.diagonal()[j] * p[j];
      return;
    }
    const std::int64_t n = gram_.blocks().back().begin + gram_.blocks().back().size;
    std::fill_n(out, own_.padded, 0.0f);
    for (std::int64_t i = 0; i < n; ++i) {
      const float* row = gram_.row(i);
      const float scaled = factor * p[i];
      for (std::int64_t j = 0; j < own_.padded; ++j) out[j] += scaled * row[j];
    }
  }

  void find_diagonal(AlignedVector& diagonal, AlignedVector& of_entities) {
    for_each_entity([&](std::int64_t e, Pairs& pairs) {
      float* out = of_entities.data() + e * own_.padded;
      const float factor = unobserved_ * own_.exposure_of(e);
      for (std::int64_t j = 0; j < own_.padded; ++j) out[j] = factor * gram_.diagonal()[j];
      for_batches(e, pairs, [&](RegressionRows& rows) {
        kernels().implicit.add_squares(rows.vector, rows.weight, rows.n, own_.padded, out);
      });
      return 0.0;
    });
    const std::int64_t padded = own_.padded;
    parallel_for(own_.n_features, options_.n_threads, control_, [&](std::int64_t f, int) {
      float* sum = diagonal.data() + f * padded;
      std::fill_n(sum, padded, own_.penalty[at(f)]);
      for (std::int64_t i = own_.feature_begin[at(f)]; i < own_.feature_begin[at(f + 1)]; ++i) {
        const auto& [e, x] = own_.of_feature[at(i)];
        for (std::int64_t j = 0; j < padded; ++j) sum[j] += x * x * of_entities[at(e * padded + j)];
      }
      for (std::int64_t j = 0; j < padded; ++j)
        if (!(sum[j] > 0.0f)) sum[j] = 1.0f;  // nothing depends on it
    });
  }

  // Calls body(feature, place of its factor) for all factors.
  template <class Body>
  void for_features(Body&& body) {
    for_each_chunk(Chunks(own_.n_features, kFeaturesOfChunk), options_.n_threads, control_,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t f = begin; f < end; ++f)
                       for (std::int64_t i = f * own_.padded; i < (f + 1) * own_.padded; ++i) body(f, i);
                   });
  }

  double dot(const AlignedVector& a, const AlignedVector& b) {
    const Chunks chunks(static_cast<std::int64_t>(a.size()));
    std::vector<double> of_chunk(at(chunks.count()), 0.0);
    parallel_for(chunks.count(), options_.n_threads, control_, [&](std::int64_t chunk, int) {
      for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
        of_chunk[at(chunk)] += static_cast<double>(a[at(i)]) * static_cast<double>(b[at(i)]);
    });
    double sum = 0.0;
    for (const double value : of_chunk) sum += value;
    return sum;
  }

  ImplicitSide& own_;
  const ImplicitSide& other_;
  const ImplicitGram& gram_;
  const ImplicitAlsOptions& options_;
  Control& control_;
  float unobserved_;
};

}  // namespace

double solve_shared(ImplicitSide& own, const ImplicitSide& other, const ImplicitGram& gram,
                    const ImplicitAlsOptions& options, Control& control) {
  return SharedSolver(own, other, gram, options, control).solve();
}

}  // namespace factorec
