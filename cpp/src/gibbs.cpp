// One sweep: the bias and the noise, block by block the features, and the latent values of levels.
#include "factorec/gibbs.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>

#include "factorec/chunks.hpp"
#include "factorec/rng.hpp"
#include "feature_draws.hpp"
#include "gibbs_blocks.hpp"
#include "latent.hpp"
#include "random_draws.hpp"

namespace factorec {
namespace {

enum Stream : std::uint64_t { kBias, kNoise, kLatent, kStart, kFirstBlock };

}  // namespace

class GibbsSampler::State {
 public:
  State(const GibbsData& data, const GibbsOptions& options, double bias, std::span<const float> linear,
        ConstMatrix factors, Control& control)
      : options_(options), model_(make_gibbs_model(data, options, bias, linear, factors, control)) {
    draws_.emplace(model_, options);
    if (options.n_levels) latent_.emplace(model_, options.n_levels, options.n_threads, CounterRng(options.seed).fork(kStart), control);
    for (std::size_t p = 0; p < model_.residual.size(); ++p) {
      const double weight = model_.weight.empty() ? 1.0 : static_cast<double>(model_.weight[p]);
      const auto e = static_cast<double>(model_.residual[p]);
      sums_.count += weight;
      sums_.weight += weight;
      sums_.first += weight * e;
      sums_.squares += weight * e * e;
    }
  }

  double sweep(std::uint64_t number, Control& control) {
    const CounterRng rng = CounterRng(options_.seed).fork(number);
    float shift = draw_bias_and_noise(rng);
    for (std::size_t b = 0; b < model_.blocks.size(); ++b) {
      sums_ = draws_->draw_block(b, shift, options_.draw, rng.fork(kFirstBlock + b), control);
      shift = 0.0f;
    }
    const double error = root_mean_square(control);
    if (latent_) sums_ = latent_->draw(rng.fork(kLatent), control);
    return error;
  }

  void set_drawing(bool draw) { options_.draw = draw; }
  double bias() const { return model_.bias; }
  double noise_precision() const { return model_.precision; }
  std::span<const double> cuts() const {
    return latent_ ? std::span<const double>(latent_->cuts()) : std::span<const double>();
  }

  void copy_noise_to(std::span<float> log_noise) const {
    if (static_cast<std::int64_t>(log_noise.size()) != model_.n_features)
      throw std::invalid_argument("log_noise must have an entry for each feature");
    std::fill(log_noise.begin(), log_noise.end(), 0.0f);
    for (const GibbsBlock& block : model_.blocks)
      for (std::int64_t c = 0; !block.noise.empty() && c < block.fields.front().columns.size(); ++c)
        if (const auto entries = block.entries(c); !entries.empty())
          log_noise[static_cast<std::size_t>(block.first_column() + c)] = std::log(block.noise_of(entries.front().entity));
  }

  std::int64_t n_fields() const { return static_cast<std::int64_t>(model_.fields.size()); }
  std::int64_t n_factors() const { return model_.size - 1; }

  void copy_priors_to(std::span<double> mean, std::span<double> precision) const {
    const auto size = static_cast<std::size_t>(model_.size);
    if (mean.size() != model_.fields.size() * size || precision.size() != mean.size())
      throw std::invalid_argument("mean and precision must have a row for each field");
    for (std::size_t f = 0; f < model_.fields.size(); ++f) {
      std::copy_n(model_.fields[f].mean.begin(), size, mean.begin() + static_cast<std::ptrdiff_t>(f * size));
      std::copy_n(model_.fields[f].precision.begin(), size, precision.begin() + static_cast<std::ptrdiff_t>(f * size));
    }
  }

  void copy_to(std::span<float> linear, Matrix factors) const {
    const std::int64_t k = model_.size - 1;
    if (static_cast<std::int64_t>(linear.size()) != model_.n_features || factors.n_rows != model_.n_features ||
        factors.n_columns != k)
      throw std::invalid_argument("linear and factors must have a row for each feature");
    for (std::int64_t f = 0; f < model_.n_features; ++f) {
      std::copy_n(model_.feature(f), k, factors.row(f));
      linear[static_cast<std::size_t>(f)] = model_.feature(f)[k];
    }
  }

 private:
  // Returns what the residuals have yet to lose.
  float draw_bias_and_noise(const CounterRng& rng) {
    if (options_.n_levels > 2) return 0.0f;  // the cuts take the place of the bias
    double step = sums_.first / sums_.weight;
    if (options_.draw) {
      const double squares = std::max(sums_.squares - step * sums_.first, 0.0);
      // Together with the bias, which has a flat prior: that takes one of the rows.
      if (!latent_) model_.precision = draw_gamma(rng.fork(kNoise), 0.5 * sums_.count, 0.5 * (1.0 + squares));
      step += rng.fork(kBias).normal(0) / std::sqrt(model_.precision * sums_.weight);
    }
    model_.bias += step;
    return static_cast<float>(step);
  }

  double root_mean_square(Control& control) const {
    const Chunks chunks(model_.n_rows, 1 << 14);
    std::vector<ResidualSums> of_chunk(static_cast<std::size_t>(chunks.count()));
    parallel_for(chunks.count(), options_.n_threads, control, [&](std::int64_t chunk, int) {
      ResidualSums sums;
      for (std::int64_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
        const auto p = static_cast<std::size_t>(i);
        const double weight = model_.weight.empty() ? 1.0 : static_cast<double>(model_.weight[p]);
        sums.count += weight;
        sums.squares += weight * static_cast<double>(model_.residual[p]) * static_cast<double>(model_.residual[p]);
      }
      of_chunk[static_cast<std::size_t>(chunk)] = sums;
    });
    ResidualSums sums;
    for (const ResidualSums& part : of_chunk) sums.add(part);
    return sums.count > 0 ? std::sqrt(sums.squares / sums.count) : 0.0;
  }

  GibbsOptions options_;
  GibbsModel model_;
  std::optional<FeatureDraws> draws_;
  std::optional<Latent> latent_;
  ResidualSums sums_;
};

GibbsSampler::GibbsSampler(const GibbsData& data, const GibbsOptions& options, double bias, std::span<const float> linear,
                           ConstMatrix factors, Control& control)
    : state_(std::make_unique<State>(data, options, bias, linear, factors, control)) {}
GibbsSampler::~GibbsSampler() = default;
double GibbsSampler::sweep(std::uint64_t number, Control& control) { return state_->sweep(number, control); }
void GibbsSampler::set_drawing(bool draw) { state_->set_drawing(draw); }
double GibbsSampler::bias() const { return state_->bias(); }
double GibbsSampler::noise_precision() const { return state_->noise_precision(); }
std::span<const double> GibbsSampler::cuts() const { return state_->cuts(); }
void GibbsSampler::copy_noise_to(std::span<float> log_noise) const { state_->copy_noise_to(log_noise); }
std::int64_t GibbsSampler::n_fields() const { return state_->n_fields(); }
std::int64_t GibbsSampler::n_factors() const { return state_->n_factors(); }
void GibbsSampler::copy_priors_to(std::span<double> mean, std::span<double> precision) const {
  state_->copy_priors_to(mean, precision);
}
void GibbsSampler::copy_to(std::span<float> linear, Matrix factors) const { state_->copy_to(linear, factors); }

}  // namespace factorec
