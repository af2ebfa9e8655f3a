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

#include "factorec/parallel.hpp"
#include "random_draws.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kBatch = 128;  // rows of an entity looked at together

enum Stream : std::uint64_t { kPrior, kFeature, kNoise };

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

struct FeatureDraws::Work {
  Work(std::int64_t padded, bool sums_needed)
      : sums(sums_needed ? at(kBatch * padded) : 0), gram(at(padded * padded)), moment(at(padded)), noise(at(padded)),
        change(at(padded)) {}

  const float* vector[kBatch];
  float weight[kBatch];
  float residual[kBatch];
  std::int32_t place[kBatch];
  AlignedVector sums, gram, moment, noise, change;
};

FeatureDraws::FeatureDraws(GibbsModel& model, const GibbsOptions& options)
    : model_(model),
      kernel_(kernels().gibbs),
      noise_shape_(options.noise_shape),
      precision_linear_(options.precision_linear),
      precision_factors_(options.precision_factors),
      n_threads_(options.n_threads) {
  for (int t = 0; t < n_threads_; ++t) works_.emplace_back(model.padded, model.blocks.size() != 2);
}

FeatureDraws::~FeatureDraws() = default;

// Calls body(entity, work), which returns the sums of its rows, unit by unit in parallel; adds in the order of units.
template <class Body>
ResidualSums FeatureDraws::for_each_entity(const GibbsBlock& block, Control& control, Body&& body) {
  const auto n_units = static_cast<std::int64_t>(block.unit.size()) - 1;
  std::vector<ResidualSums> of_unit(at(n_units));
  parallel_for(n_units, n_threads_, control, [&](std::int64_t unit, int thread) {
    for (std::int64_t e = block.unit[at(unit)]; e < block.unit[at(unit + 1)]; ++e) {
      const ResidualSums sums = body(e, works_[at(thread)]);
      const auto noise = static_cast<double>(block.noise_of(e));
      of_unit[at(unit)].weight += noise * sums.weight;
      of_unit[at(unit)].first += noise * sums.first;
      of_unit[at(unit)].squares += noise * sums.squares;
    }
  });
  ResidualSums sums;
  for (const ResidualSums& unit : of_unit) {
    sums.weight += unit.weight;
    sums.first += unit.first;
    sums.squares += unit.squares;
  }
  return sums;
}

ResidualSums FeatureDraws::draw_block(std::size_t b, float shift, bool draw, const CounterRng& rng, Control& control) {
  draw_ = draw;
  GibbsBlock& block = model_.blocks[b];
  const CounterRng of_feature = rng.fork(kFeature), of_noise = rng.fork(kNoise);
  for (std::size_t f = 0; f < block.fields.size(); ++f) draw_prior(block.fields[f], rng.fork(kPrior).fork(f));
  const auto move = [&](std::int64_t e, const float* change, Work& work) {
    const ResidualSums sums = move_rows(b, e, shift, change, work);
    draw_noise(block, e, sums.squares, of_noise);
    return sums;
  };
  if (block.ids) {
    draw_unused(block, of_feature);
    // Each entity's feature is where its entry is.
    std::vector<std::int64_t> feature(at(block.n_entities), -1);
    for (std::int64_t c = 0; c < block.n_columns(); ++c)
      for (const GibbsBlock::Entry& entry : block.entries(c)) feature[at(entry.entity)] = c;
    return for_each_entity(block, control, [&](std::int64_t e, Work& work) {
      std::fill(work.change.begin(), work.change.end(), 0.0f);
      if (feature[at(e)] >= 0) draw_id(b, feature[at(e)], shift, work, of_feature);
      return move(e, work.change.data(), work);
    });
  }
  for_each_entity(block, control, [&](std::int64_t e, Work& work) {
    float* gram = block.gram.data() + e * model_.padded * model_.padded;
    float* moment = block.moment.data() + e * model_.padded;
    add_rows(b, e, shift, work, gram, moment);
    const float noise = block.noise_of(e);
    if (noise != 1.0f) {
      for (std::int64_t i = 0; i < model_.padded * model_.padded; ++i) gram[i] *= noise;
      for (std::int64_t i = 0; i < model_.padded; ++i) moment[i] *= noise;
    }
    std::fill_n(block.change.data() + e * model_.padded, model_.padded, 0.0f);
    return ResidualSums();
  });
  for (const PriorField& field : block.fields) {
    const std::int64_t n = field.columns.size(), n_units = field.one_hot ? std::min<std::int64_t>(n, 64) : 1;
    parallel_for(n_units, n_threads_, control, [&](std::int64_t unit, int thread) {
      for (std::int64_t i = n * unit / n_units; i < n * (unit + 1) / n_units; ++i) {
        control.throw_if_stopped();
        draw_shared(block, field, field.columns.start + i, works_[at(thread)], of_feature);
      }
    });
  }
  return for_each_entity(block, control, [&](std::int64_t e, Work& work) {
    return move(e, block.change.data() + e * model_.padded, work);
  });
}

// Mean and precision of each coordinate: normal and Gamma hyperpriors as in libFM and myFM, all of their parameters 1
// and the mean's centre 0.
void FeatureDraws::draw_prior(PriorField& field, const CounterRng& rng) const {
  const std::int64_t size = model_.size;
  if (!draw_) {
    std::fill(field.mean.begin(), field.mean.end(), 0.0f);
    std::fill_n(field.precision.begin(), size - 1, static_cast<float>(precision_factors_));
    field.precision[at(size - 1)] = static_cast<float>(precision_linear_);
    return;
  }
  const auto n = static_cast<double>(field.columns.size());
  std::vector<double> sum(at(size), 0.0), squares(at(size), 0.0);
  for (std::int64_t f = field.columns.start; f < field.columns.stop; ++f)
    for (std::int64_t j = 0; j < size; ++j) {
      const auto u = static_cast<double>(model_.feature(f)[j]);
      const double off = u - static_cast<double>(field.mean[at(j)]);
      sum[at(j)] += u;
      squares[at(j)] += off * off;
    }
  for (std::int64_t j = 0; j < size; ++j) {
    const auto mean = static_cast<double>(field.mean[at(j)]);
    const double precision =
        draw_gamma(rng.fork(at(2 * j)), 0.5 * (n + 2.0), 0.5 * (squares[at(j)] + mean * mean + 1.0));
    field.precision[at(j)] = static_cast<float>(precision);
    field.mean[at(j)] =
        static_cast<float>(sum[at(j)] / (n + 1.0) + rng.fork(at(2 * j + 1)).normal(0) / std::sqrt((n + 1.0) * precision));
  }
}

// The rows [begin, end) in the block's order, at most kBatch. Their weights lack the factor of the block's own entity.
RegressionRows FeatureDraws::gather(std::size_t b, std::int64_t begin, std::int64_t end, float shift,
                                    Work& work) const {
  const GibbsBlock& block = model_.blocks[b];
  const std::int64_t padded = model_.padded, n = end - begin;
  for (std::int64_t i = 0; i < n; ++i)
    work.place[i] = block.row.empty() ? static_cast<std::int32_t>(begin + i) : block.row[at(begin + i)];
  if (model_.blocks.size() == 2) {
    const GibbsBlock& other = model_.blocks[1 - b];
    for (std::int64_t i = 0; i < n; ++i) work.vector[i] = other.sum.data() + other.entity[at(work.place[i])] * padded;
  } else {
    std::fill_n(work.sums.begin(), n * padded, 0.0f);
    for (std::size_t c = 0; c < model_.blocks.size(); ++c) {
      if (!model_.pairs(b, c)) continue;
      for (std::int64_t i = 0; i < n; ++i) {
        const float* v = model_.sum(c, model_.blocks[c].entity[at(work.place[i])]);
        for (std::int64_t j = 0; j < padded; ++j) work.sums[at(i * padded + j)] += v[j];
      }
    }
    for (std::int64_t i = 0; i < n; ++i) {
      work.vector[i] = work.sums.data() + i * padded;
      work.sums[at(i * padded + model_.size - 1)] = 1.0f;
    }
  }
  for (std::int64_t i = 0; i < n; ++i) {
    work.weight[i] = model_.weight.empty() ? 1.0f : model_.weight[at(work.place[i])];
    work.residual[i] = model_.residual[at(work.place[i])] - shift;
  }
  for (std::size_t c = 0; c < model_.blocks.size(); ++c) {
    const GibbsBlock& other = model_.blocks[c];
    if (c == b || other.noise.empty()) continue;
    for (std::int64_t i = 0; i < n; ++i) work.weight[i] *= other.noise[at(other.entity[at(work.place[i])])];
  }
  return {work.vector, work.weight, work.residual, n};
}

void FeatureDraws::add_rows(std::size_t b, std::int64_t e, float shift, Work& work, float* gram, float* moment) const {
  const GibbsBlock& block = model_.blocks[b];
  const std::int64_t end = block.row_begin[at(e + 1)];
  std::fill_n(gram, model_.padded * model_.padded, 0.0f);
  std::fill_n(moment, model_.padded, 0.0f);
  for (std::int64_t begin = block.row_begin[at(e)]; begin < end; begin += kBatch)
    kernel_.add(gather(b, begin, std::min(begin + kBatch, end), shift, work), model_.padded, gram, moment);
}

// residual -= <o, change> for the rows of an entity.
ResidualSums FeatureDraws::move_rows(std::size_t b, std::int64_t e, float shift, const float* change, Work& work) {
  const GibbsBlock& block = model_.blocks[b];
  const std::int64_t end = block.row_begin[at(e + 1)];
  ResidualSums sums;
  for (std::int64_t begin = block.row_begin[at(e)]; begin < end; begin += kBatch) {
    const RegressionRows rows = gather(b, begin, std::min(begin + kBatch, end), shift, work);
    double of_batch[3];
    kernel_.move(rows, model_.padded, change, of_batch);
    sums.squares += of_batch[0];
    sums.first += of_batch[1];
    sums.weight += of_batch[2];
    for (std::int64_t i = 0; i < rows.n; ++i) model_.residual[at(work.place[i])] = rows.residual[i];
  }
  return sums;
}

// The entity's factor of its rows' noise precision: Gamma with mean 1 before any row is seen.
void FeatureDraws::draw_noise(GibbsBlock& block, std::int64_t e, double squares, const CounterRng& rng) const {
  if (block.noise.empty() || !draw_) return;
  const double shape = 0.5 * noise_shape_, n = static_cast<double>(block.n_rows(e));
  block.noise[at(e)] = static_cast<float>(
      draw_gamma(rng.fork(static_cast<std::uint64_t>(e)), shape + 0.5 * n, shape + 0.5 * model_.precision * squares));
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
  for (std::int64_t i = 0; i < size; ++i) {
    for (std::int64_t j = 0; j <= i; ++j) gram[i * padded + j] *= scale;
    gram[i * padded + i] += field.precision[at(i)];
    moment[i] = scale * moment[i] + field.precision[at(i)] * field.mean[at(i)];
  }
  if (draw_)
    draw_normals(rng.fork(static_cast<std::uint64_t>(f)), size, work.noise.data());
  else
    std::fill(work.noise.begin(), work.noise.end(), 0.0f);
  if (!kernel_.solve(gram, moment, work.noise.data(), size, padded))
    throw std::domain_error("the posterior of feature " + std::to_string(f) + " has no positive definite precision");
}

void FeatureDraws::draw_id(std::size_t b, std::int64_t column, float shift, Work& work, const CounterRng& rng) {
  GibbsBlock& block = model_.blocks[b];
  const auto [entity, x] = block.entries(column).front();
  const std::int64_t f = block.first_column() + column;
  float* u = model_.feature(f);
  float* gram = work.gram.data();
  float* moment = work.moment.data();
  add_rows(b, entity, shift, work, gram, moment);
  for (std::int64_t i = 0; i < model_.size; ++i) moment[i] *= x;
  add_own(gram, u, x * x, moment);
  // In an FM without a second feature in the block, the slope has no part of the own block.
  const float noise = static_cast<float>(model_.precision) * block.noise_of(entity);
  if (x != 1.0f)
    for (std::int64_t i = 0; i < model_.padded * model_.padded; ++i) gram[i] *= x * x;
  draw_vector(block.fields.front(), f, noise, gram, moment, work, rng);
  float* sum = block.sum.data() + entity * model_.padded;
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

// Ids that no entity has come from the prior.
void FeatureDraws::draw_unused(const GibbsBlock& block, const CounterRng& rng) {
  const PriorField& field = block.fields.front();
  float* noise = works_.front().noise.data();
  for (std::int64_t c = 0; c < block.n_columns(); ++c) {
    if (!block.entries(c).empty()) continue;
    const std::int64_t f = block.first_column() + c;
    if (draw_)
      draw_normals(rng.fork(static_cast<std::uint64_t>(f)), model_.size, noise);
    else
      std::fill_n(noise, model_.size, 0.0f);
    for (std::int64_t j = 0; j < model_.size; ++j)
      model_.feature(f)[j] = field.mean[at(j)] + noise[j] / std::sqrt(field.precision[at(j)]);
  }
}

}  // namespace factorec
