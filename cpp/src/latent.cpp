// A row's level is l where its latent value, normal around the score, lies between cuts l - 1 and l. The cuts take a
// random walk of Metropolis and Hastings in (first cut, logarithms of the gaps) with the latent values integrated out.
#include "latent.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "factorec/chunks.hpp"
#include "normal_distribution.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kChunk = 1 << 12;
constexpr int kTries = 2;                // proposals a sweep
constexpr double kInfinity = std::numeric_limits<double>::infinity();
enum Stream : std::uint64_t { kCuts, kValues };

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

Latent::Latent(GibbsModel& model, int n_levels, int n_threads, const CounterRng& rng, Control& control)
    : model_(model), n_threads_(n_threads), value_(model.target), weight_(model.weight) {
  if (!weight_.empty()) model.spread.assign(weight_.size(), 0.0f);
  // Start at the levels' shares of the rows; half a row keeps an empty level finite.
  std::vector<double> count(static_cast<std::size_t>(n_levels), 0.5);
  for (float level : model.target) count[static_cast<std::size_t>(level)] += 1.0;
  double total = 0.0, below = 0.0;
  for (double n : count) total += n;
  for (int l = 0; l + 1 < n_levels; ++l) {
    below += count[static_cast<std::size_t>(l)];
    cuts_.push_back(n_levels == 2 ? 0.0 : normal_quantile(below / total));
  }
  draw_values(rng, control);
}

double Latent::score(std::int64_t p) const {
  return static_cast<double>(value_[at(p)]) - static_cast<double>(model_.residual[at(p)]);
}

double Latent::scale(std::int64_t p) const {
  double precision = 1.0;
  for (const GibbsBlock& block : model_.blocks)
    if (!block.noise.empty()) precision *= static_cast<double>(block.noise[at(block.entity[at(p)])]);
  return std::sqrt(precision);
}

ResidualSums Latent::draw(const CounterRng& rng, Control& control) {
  // Two levels have one cut, which the bias makes superfluous.
  if (cuts_.size() > 1) draw_cuts(rng.fork(kCuts), control);
  return draw_values(rng.fork(kValues), control);
}

double Latent::log_likelihood(const std::vector<double>& cuts, Control& control) const {
  const Chunks chunks(model_.n_rows, kChunk);
  std::vector<double> of_chunk(at(chunks.count()), 0.0);
  parallel_for(chunks.count(), n_threads_, control, [&](std::int64_t chunk, int) {
    double sum = 0.0;
    for (std::int64_t p = chunks.begin(chunk); p < chunks.end(chunk); ++p) {
      const auto level = static_cast<std::size_t>(model_.target[at(p)]);
      const double m = score(p), s = scale(p);
      const double low = level == 0 ? -kInfinity : (cuts[level - 1] - m) * s;
      const double high = level == cuts.size() ? kInfinity : (cuts[level] - m) * s;
      const double weight = weight_.empty() ? 1.0 : static_cast<double>(weight_[at(p)]);
      sum += weight * std::log(std::max(normal_between(low, high), 1e-300));
    }
    of_chunk[at(chunk)] = sum;
  });
  double sum = 0.0;
  for (double part : of_chunk) sum += part;
  return sum;
}

void Latent::draw_cuts(const CounterRng& rng, Control& control) {
  double current = log_likelihood(cuts_, control);
  for (std::uint64_t t = 0; t < kTries; ++t) {
    const CounterRng tries = rng.fork(t);
    std::vector<double> proposed(cuts_.size());
    proposed[0] = cuts_[0] + step_ * tries.normal(0);
    // The walk is symmetric in the logarithms of the gaps; a flat prior on the cuts makes their sum a factor.
    double factor = 0.0;
    for (std::size_t l = 1; l < cuts_.size(); ++l) {
      const double move = step_ * tries.normal(l);
      proposed[l] = proposed[l - 1] + (cuts_[l] - cuts_[l - 1]) * std::exp(move);
      factor += move;
    }
    const double then = log_likelihood(proposed, control);
    const bool accepted = std::log(tries.uniform(1'000'000)) < then - current + factor;
    if (accepted) {
      cuts_ = proposed;
      current = then;
    }
    step_ *= accepted ? 1.1 : 0.95;
  }
}

ResidualSums Latent::draw_values(const CounterRng& rng, Control& control) {
  const Chunks chunks(model_.n_rows, kChunk);
  const CounterRng extra = rng.fork(0);
  std::vector<ResidualSums> of_chunk(at(chunks.count()));
  parallel_for(chunks.count(), n_threads_, control, [&](std::int64_t chunk, int) {
    ResidualSums sums;
    for (std::int64_t p = chunks.begin(chunk); p < chunks.end(chunk); ++p) {
      const auto level = static_cast<std::size_t>(model_.target[at(p)]);
      const double m = score(p), s = scale(p);
      const double low = level == 0 ? -kInfinity : (cuts_[level - 1] - m) * s;
      const double high = level == cuts_.size() ? kInfinity : (cuts_[level] - m) * s;
      std::int64_t n = 1;
      if (!weight_.empty()) {
        const auto weight = static_cast<double>(weight_[at(p)]);
        n = static_cast<std::int64_t>(weight + extra.uniform(static_cast<std::uint64_t>(p)));
        model_.weight[at(p)] = static_cast<float>(n);
        if (!n) continue;  // the row is absent from this sweep
      }
      double total = 0.0, squares = 0.0;
      for (std::int64_t i = 0; i < n; ++i) {
        const auto counter = static_cast<std::uint64_t>(p) + static_cast<std::uint64_t>(i * model_.n_rows);
        const double e = normal_between_quantile(low, high, rng.uniform(counter)) / s;
        total += e;
        squares += e * e;
      }
      const auto count = static_cast<double>(n);
      const double e = total / count;
      value_[at(p)] = static_cast<float>(m + e);
      model_.residual[at(p)] = static_cast<float>(e);
      if (!model_.spread.empty()) model_.spread[at(p)] = static_cast<float>(std::max(squares / count - e * e, 0.0));
      sums.count += count;
      sums.weight += count * s * s;
      sums.first += count * s * s * e;
      sums.squares += s * s * squares;
    }
    of_chunk[at(chunk)] = sums;
  });
  ResidualSums sums;
  for (const ResidualSums& part : of_chunk) sums.add(part);
  return sums;
}

}  // namespace factorec
