// For a row with noise precision a and residual e, the score is linear in a feature's vector u = [V_f, w_f] with the
// slope x o, where o = [sum of the other blocks' x V, 1], plus in its first part the rest of the own block's sum. So
// given everything else u is normal, with the precision  P = sum a x^2 o o' + prior  and the mean
// P^-1 (sum a x o (e + x <o, u>) + prior mean).  Features of a one-hot field share no row: drawing them at once is the
// same as one after the other.
//
// A block of ids is drawn while an entity's rows are in the cache. Other blocks first sum  gram = sum a o o'  and
// moment = sum a o e  over the rows of each entity; then their features look at entities only, so that many features
// an entity cost nothing a row; the residuals follow at the end.
#include "feature_draws.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "careful_solve.hpp"
#include "entity_rows.hpp"
#include "factorec/parallel.hpp"
#include "prior_draws.hpp"

namespace factorec {
namespace {

enum Stream : std::uint64_t { kPrior, kFeature, kNoise };

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// Calls body(entity, thread) for each entity, unit by unit in parallel.
template <class Body>
void for_each_entity(const GibbsBlock& block, int n_threads, Control& control, Body&& body) {
  parallel_for(static_cast<std::int64_t>(block.unit.size()) - 1, n_threads, control, [&](std::int64_t unit, int thread) {
    for (std::int64_t e = block.unit[at(unit)]; e < block.unit[at(unit + 1)]; ++e) body(e, at(thread));
  });
}

}  // namespace

// What a thread works with.
struct FeatureDraws::Work {
  explicit Work(GibbsModel& model)
      : rows(model), gram(at(model.padded * model.padded)), moment(at(model.padded)), noise(at(model.padded)),
        change(at(model.padded)), kept(at(model.padded * model.padded)), rest(at(model.padded)) {}

  EntityRows rows;
  AlignedVector gram, moment, noise, change;
  AlignedVector kept, rest;  // gram and moment as they were before they were solved
};

FeatureDraws::FeatureDraws(GibbsModel& model, const GibbsOptions& options)
    : model_(model),
      kernel_(kernels().gibbs),
      noise_shape_(options.noise_shape),
      precision_linear_(options.precision_linear),
      precision_factors_(options.precision_factors),
      n_threads_(options.n_threads) {
  for (int t = 0; t < n_threads_; ++t) works_.emplace_back(model);
}

FeatureDraws::~FeatureDraws() = default;

ResidualSums FeatureDraws::draw_block(std::size_t b, float shift, bool draw, const CounterRng& rng, Control& control) {
  draw_ = draw;
  GibbsBlock& block = model_.blocks[b];
  if (draw)
    for (std::size_t f = 0; f < block.fields.size(); ++f) draw_prior(model_, block.fields[f], rng.fork(kPrior).fork(f));
  of_entity_.assign(at(block.n_entities), ResidualSums());
  if (block.ids)
    draw_ids(b, shift, rng.fork(kFeature), control);
  else
    draw_features(b, shift, rng.fork(kFeature), control);
  if (draw) draw_noise(model_, block, of_entity_, noise_shape_, rng.fork(kNoise));
  ResidualSums sums;
  for (std::int64_t e = 0; e < block.n_entities; ++e)
    sums.add(of_entity_[at(e)], static_cast<double>(block.noise_of(e)));
  return sums;
}

// Ids one by one, each moving its own rows while they are in the cache.
void FeatureDraws::draw_ids(std::size_t b, float shift, const CounterRng& rng, Control& control) {
  GibbsBlock& block = model_.blocks[b];
  for_each_entity(block, n_threads_, control, [&](std::int64_t e, std::size_t thread) {
    Work& work = works_[thread];
    std::fill(work.change.begin(), work.change.end(), 0.0f);
    if (block.id[at(e)] >= 0) draw_id(b, e, shift, work, rng, control);
    of_entity_[at(e)] = work.rows.move(b, e, shift, work.change.data(), control);
  });
  for (std::int64_t c = 0; c < block.n_columns(); ++c) {
    const std::int64_t f = block.first_column() + c;
    if (block.entries(c).empty()) draw_from_prior(block.fields.front(), f, rng, model_.feature(f));
  }
}

// Sums by entity, the features on them, then the rows.
void FeatureDraws::draw_features(std::size_t b, float shift, const CounterRng& rng, Control& control) {
  GibbsBlock& block = model_.blocks[b];
  const std::int64_t padded = model_.padded;
  for_each_entity(block, n_threads_, control, [&](std::int64_t e, std::size_t thread) {
    float* gram = block.gram.data() + e * padded * padded;
    float* moment = block.moment.data() + e * padded;
    works_[thread].rows.sum(b, e, shift, control, gram, moment);
    const float noise = block.noise_of(e);
    if (noise != 1.0f) {
      for (std::int64_t i = 0; i < padded * padded; ++i) gram[i] *= noise;
      for (std::int64_t i = 0; i < padded; ++i) moment[i] *= noise;
    }
    std::fill_n(block.change.data() + e * padded, padded, 0.0f);
  });
  for (const PriorField& field : block.fields) {
    const std::int64_t n = field.columns.size(), n_units = field.one_hot ? std::min<std::int64_t>(n, 64) : 1;
    parallel_for(n_units, n_threads_, control, [&](std::int64_t unit, int thread) {
      for (std::int64_t i = n * unit / n_units; i < n * (unit + 1) / n_units; ++i) {
        control.throw_if_stopped();
        draw_shared(block, field, field.columns.start + i, works_[at(thread)], rng);
      }
    });
  }
  for_each_entity(block, n_threads_, control, [&](std::int64_t e, std::size_t thread) {
    of_entity_[at(e)] = works_[thread].rows.move(b, e, shift, block.change.data() + e * padded, control);
  });
}

float FeatureDraws::prior_precision(const PriorField& field, std::int64_t f, std::int64_t j) const {
  if (draw_) return field.precision[at(j)];
  const std::vector<float>& penalty = j + 1 < model_.size ? precision_factors_ : precision_linear_;
  return penalty.size() == 1 ? penalty.front() : penalty[at(f)];
}

float FeatureDraws::prior_mean(const PriorField& field, std::int64_t j) const { return draw_ ? field.mean[at(j)] : 0.0f; }

// The vector of a feature that no row has.
void FeatureDraws::draw_from_prior(const PriorField& field, std::int64_t f, const CounterRng& rng, float* u) const {
  std::fill_n(u, model_.size, 0.0f);
  if (!draw_) return;
  kernels().normal.draw(rng.fork(static_cast<std::uint64_t>(f)).key(), model_.size, u);
  for (std::int64_t j = 0; j < model_.size; ++j) u[j] = field.mean[at(j)] + u[j] / std::sqrt(field.precision[at(j)]);
}

// moment += factor gram u, for a gram of which the lower triangle stands.
void FeatureDraws::add_own(const float* gram, const float* u, float factor, float* moment) const {
  for (std::int64_t i = 0; i < model_.size; ++i) {
    float sum = 0.0f;
    for (std::int64_t j = 0; j <= i; ++j) sum += gram[i * model_.padded + j] * u[j];
    for (std::int64_t j = i + 1; j < model_.size; ++j) sum += gram[j * model_.padded + i] * u[j];
    moment[i] += factor * sum;
  }
}

// From sums over rows, times `scale`, to the draw, which is left in `moment`.
void FeatureDraws::draw_vector(const PriorField& field, std::int64_t f, float scale, float* gram, float* moment,
                               Work& work, const CounterRng& rng) const {
  const std::int64_t size = model_.size, padded = model_.padded;
  // The last coordinate of every slope is 1: nothing there means no rows. Then an objective need not penalise either.
  if (gram[(size - 1) * padded + size - 1] == 0.0f) return draw_from_prior(field, f, rng, moment);
  for (std::int64_t i = 0; i < size; ++i) {
    const float precision = prior_precision(field, f, i);
    for (std::int64_t j = 0; j <= i; ++j) gram[i * padded + j] *= scale;
    gram[i * padded + i] += precision;
    moment[i] = scale * moment[i] + precision * prior_mean(field, i);
  }
  if (draw_)
    kernels().normal.draw(rng.fork(static_cast<std::uint64_t>(f)).key(), padded, work.noise.data());
  else
    std::fill(work.noise.begin(), work.noise.end(), 0.0f);
  std::copy_n(gram, size * padded, work.kept.begin());
  std::copy_n(moment, size, work.rest.begin());
  if (kernel_.solve(gram, moment, work.noise.data(), size, padded) && well_determined(gram, work.kept.data())) return;
  std::copy_n(work.rest.begin(), size, moment);
  if (!solve_carefully(work.kept.data(), moment, work.noise.data(), model_.feature(f), size, padded))
    throw std::domain_error("the draw of feature " + std::to_string(f) + " is not finite");
}

// Whether floats were enough: what the rows before left of each pivot, U_jj^2, beside what it was.
bool FeatureDraws::well_determined(const float* factor, const float* precision) const {
  for (std::int64_t i = 0; i < model_.size * model_.padded; i += model_.padded + 1)
    if (!(factor[i] * factor[i] > 1e-5f * precision[i])) return false;
  return true;
}

// In an FM, an entity of one feature has no pairs of its own: the slope has no part of the own block.
void FeatureDraws::draw_id(std::size_t b, std::int64_t e, float shift, Work& work, const CounterRng& rng,
                           Control& control) {
  GibbsBlock& block = model_.blocks[b];
  const std::int32_t column = block.id[at(e)];
  const float x = block.entries(column).front().value;
  const std::int64_t f = block.first_column() + column;
  float* u = model_.feature(f);
  float* gram = work.gram.data();
  float* moment = work.moment.data();
  work.rows.sum(b, e, shift, control, gram, moment);
  for (std::int64_t i = 0; i < model_.size; ++i) moment[i] *= x;
  add_own(gram, u, x * x, moment);
  if (x != 1.0f)
    for (std::int64_t i = 0; i < model_.padded * model_.padded; ++i) gram[i] *= x * x;
  const float precision = static_cast<float>(model_.precision) * block.noise_of(e);
  draw_vector(block.fields.front(), f, precision, gram, moment, work, rng);
  float* sum = block.sum.data() + e * model_.padded;
  for (std::int64_t j = 0; j < model_.size; ++j) {
    work.change[at(j)] = x * (moment[j] - u[j]);
    u[j] = moment[j];
    if (j + 1 < model_.size) sum[j] = x * u[j];
  }
}

// A feature of a block that is summed by entity.
void FeatureDraws::draw_shared(GibbsBlock& block, const PriorField& field, std::int64_t f, Work& work,
                               const CounterRng& rng) {
  const std::int64_t size = model_.size, padded = model_.padded, k = size - 1;
  const std::span<const GibbsBlock::Entry> entries = block.entries(f - block.first_column());
  float* u = model_.feature(f);
  float* gram = work.gram.data();
  float* moment = work.moment.data();
  float* rest = work.change.data();
  std::fill(work.gram.begin(), work.gram.end(), 0.0f);
  std::fill(work.moment.begin(), work.moment.end(), 0.0f);
  for (const auto& [entity, x] : entries) {
    const float* of_entity = block.gram.data() + entity * padded * padded;
    const float* moment_of_entity = block.moment.data() + entity * padded;
    const float* last = of_entity + k * padded;  // sums of a o: its last coordinate is 1
    const float* sum = block.sum.data() + entity * padded;
    for (std::int64_t j = 0; j < k; ++j) rest[j] = model_.bipartite ? 0.0f : sum[j] - x * u[j];
    rest[k] = 0.0f;
    for (std::int64_t i = 0; i < size; ++i) {
      float* row = gram + i * padded;
      for (std::int64_t j = 0; j <= i; ++j)
        row[j] += x * x * (of_entity[i * padded + j] + rest[i] * last[j] + last[i] * rest[j] + rest[i] * rest[j] * last[k]);
      moment[i] += x * (moment_of_entity[i] + rest[i] * moment_of_entity[k]);
    }
  }
  add_own(gram, u, 1.0f, moment);
  draw_vector(field, f, static_cast<float>(model_.precision), gram, moment, work, rng);
  for (const auto& [entity, x] : entries) {
    float* sum = block.sum.data() + entity * padded;
    float* change = work.change.data();
    float last = moment[k] - u[k];
    for (std::int64_t j = 0; j < k; ++j) {
      if (!model_.bipartite) last += (sum[j] - x * u[j]) * (moment[j] - u[j]);
      change[j] = x * (moment[j] - u[j]);
    }
    change[k] = x * last;
    for (std::int64_t j = 0; j < k; ++j) sum[j] += change[j];
    for (std::int64_t j = 0; j < size; ++j) block.change[at(entity * padded + j)] += change[j];
    add_own(block.gram.data() + entity * padded * padded, change, -1.0f, block.moment.data() + entity * padded);
  }
  std::copy_n(moment, size, u);
}

}  // namespace factorec
