#include "prior_draws.hpp"

#include <cmath>

#include "random_draws.hpp"

namespace factorec {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

// Normal and Gamma hyperpriors as in libFM and myFM: precision ~ Gamma(1/2, 1/2), mean ~ N(0, 1 / precision). The
// precision is drawn given the mean that was, then the mean given the precision.
void draw_prior(const GibbsModel& model, PriorField& field, const CounterRng& rng) {
  const std::int64_t size = model.size;
  const auto n = static_cast<double>(field.columns.size());
  std::vector<double> sum(at(size), 0.0), squares(at(size), 0.0);
  for (std::int64_t f = field.columns.start; f < field.columns.stop; ++f)
    for (std::int64_t j = 0; j < size; ++j) {
      const auto u = static_cast<double>(model.feature(f)[j]);
      const double off = u - static_cast<double>(field.mean[at(j)]);
      sum[at(j)] += u;
      squares[at(j)] += off * off;
    }
  for (std::int64_t j = 0; j < size; ++j) {
    const auto mean = static_cast<double>(field.mean[at(j)]);
    const double precision = draw_gamma(rng.fork(at(2 * j)), 0.5 * (n + 2.0), 0.5 * (squares[at(j)] + mean * mean + 1.0));
    field.precision[at(j)] = static_cast<float>(precision);
    field.mean[at(j)] =
        static_cast<float>(sum[at(j)] / (n + 1.0) + rng.fork(at(2 * j + 1)).normal(0) / std::sqrt((n + 1.0) * precision));
  }
}

void draw_noise(const GibbsModel& model, GibbsBlock& block, const std::vector<ResidualSums>& of_entity, double shape,
                const CounterRng& rng) {
  if (block.noise.empty()) return;
  for (std::int64_t c = 0; c < block.fields.front().columns.size(); ++c) {
    ResidualSums sums;
    for (const GibbsBlock::Entry& entry : block.entries(c)) sums.add(of_entity[at(entry.entity)]);
    const auto noise =
        static_cast<float>(draw_gamma(rng.fork(static_cast<std::uint64_t>(c)), 0.5 * (shape + sums.count),
                                      0.5 * (shape + model.precision * sums.squares)));
    for (const GibbsBlock::Entry& entry : block.entries(c)) block.noise[at(entry.entity)] = noise;
  }
}

}  // namespace factorec
