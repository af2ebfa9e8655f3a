// A row's level is l where its latent value, normal around the score, lies between cuts l - 1 and l. The cuts are drawn
// with the latent values integrated out, then the values given the cuts.
#include "latent.hpp"

#include <algorithm>
#include <cmath>

#include "factorec/chunks.hpp"
#include "kernels/kernels.hpp"
#include "normal_distribution.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kChunk = 1 << 12, kBatch = 256;
constexpr double kFarOut = 1e6;          // in place of infinity
constexpr double kPriorPrecision = 0.01;  // of a cut, around 0: wide beside the noise of 1, and proper
enum Stream : std::uint64_t { kCuts, kValues, kCounts };
enum Term : std::size_t { kValue, kLow, kHigh, kLowLow, kHighHigh, kLowHigh, kTerms };

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace

// Rows looked at together.
struct Latent::Batch {
  double low[kBatch], high[kBatch];  // of each row's interval, around the score in units of its noise
  double scale[kBatch];              // one over that unit
  double score[kBatch];
  double log_probability[kBatch], at_low[kBatch], at_high[kBatch];
  std::vector<double> edge;  // the cuts and what lies beyond them
  std::vector<double> low_of_draw, high_of_draw, uniform, draw;
};

Latent::Latent(GibbsModel& model, int n_levels, int n_threads, const CounterRng& rng, Control& control)
    : model_(model), n_threads_(n_threads), value_(model.target), weight_(model.weight), batches_(at(n_threads)) {
  if (!weight_.empty()) model.spread.assign(weight_.size(), 0.0f);
  // Start at the levels' shares of the rows; half a row keeps an empty level finite.
  std::vector<double> count(at(n_levels), 0.5);
  for (float level : model.target) count[static_cast<std::size_t>(level)] += 1.0;
  double total = 0.0, below = 0.0;
  for (double n : count) total += n;
  for (int l = 0; l + 1 < n_levels; ++l) {
    below += count[static_cast<std::size_t>(l)];
    cuts_.push_back(n_levels == 2 ? 0.0 : normal_quantile(below / total));
  }
  draw_values(rng, control);
}

Latent::~Latent() = default;

ResidualSums Latent::draw(const CounterRng& rng, Control& control) {
  // Two levels have one cut, which the bias makes superfluous.
  if (cuts_.size() > 1)
    cuts_ = draw_cuts(cuts_, [&](const std::vector<double>& cuts) { return terms(cuts, control); }, rng.fork(kCuts));
  return draw_values(rng, control);
}

void Latent::find_intervals(const std::vector<double>& cuts, std::int64_t begin, std::int64_t end, Batch& batch) const {
  const std::int64_t n = end - begin;
  std::fill_n(batch.scale, n, 1.0);
  bool noisy = false;
  for (const GibbsBlock& block : model_.blocks) {
    if (block.noise.empty()) continue;
    noisy = true;
    for (std::int64_t i = 0; i < n; ++i)
      batch.scale[i] *= static_cast<double>(block.noise[at(block.entity[at(begin + i)])]);
  }
  for (std::int64_t i = 0; i < n && noisy; ++i) batch.scale[i] = std::sqrt(batch.scale[i]);
  for (std::int64_t i = 0; i < n; ++i)
    batch.score[i] = static_cast<double>(value_[at(begin + i)]) - static_cast<double>(model_.residual[at(begin + i)]);
  batch.edge.assign(1, -kFarOut);
  batch.edge.insert(batch.edge.end(), cuts.begin(), cuts.end());
  batch.edge.push_back(kFarOut);
  for (std::int64_t i = 0; i < n; ++i) {
    const double* edge = batch.edge.data() + static_cast<int>(model_.target[at(begin + i)]);
    batch.low[i] = (edge[0] - batch.score[i]) * batch.scale[i];
    batch.high[i] = (edge[1] - batch.score[i]) * batch.scale[i];
  }
}

CutTerms Latent::terms(const std::vector<double>& cuts, Control& control) {
  const std::size_t n_levels = cuts.size() + 1;
  const Chunks chunks(model_.n_rows, kChunk);
  std::vector<std::vector<double>> of_chunk(at(chunks.count()));
  parallel_for(chunks.count(), n_threads_, control, [&](std::int64_t chunk, int thread) {
    Batch& batch = batches_[at(thread)];
    std::vector<double>& sums = of_chunk[at(chunk)];
    sums.assign(n_levels * kTerms, 0.0);
    for (std::int64_t begin = chunks.begin(chunk); begin < chunks.end(chunk); begin += kBatch) {
      const std::int64_t end = std::min(begin + kBatch, chunks.end(chunk));
      find_intervals(cuts, begin, end, batch);
      kernels().normal.interval(batch.low, batch.high, end - begin, batch.log_probability, batch.at_low, batch.at_high);
      for (std::int64_t p = begin; p < end; ++p) {
        const std::size_t i = at(p - begin);
        const double weight = weight_.empty() ? 1.0 : static_cast<double>(weight_[at(p)]);
        const double once = weight * batch.scale[i], twice = once * batch.scale[i];
        const double low = batch.at_low[i], high = batch.at_high[i];
        double* sum = sums.data() + static_cast<std::size_t>(model_.target[at(p)]) * kTerms;
        sum[kValue] += weight * batch.log_probability[i];
        sum[kLow] -= once * low;
        sum[kHigh] += once * high;
        sum[kLowLow] += twice * low * (low - batch.low[i]);
        sum[kHighHigh] += twice * high * (high + batch.high[i]);
        sum[kLowHigh] -= twice * low * high;
      }
    }
  });
  std::vector<double> sums(n_levels * kTerms, 0.0);
  for (const std::vector<double>& part : of_chunk)
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += part[i];

  CutTerms out;
  for (std::size_t l = 0; l < n_levels; ++l) out.value += sums[l * kTerms + kValue];
  for (std::size_t c = 0; c < cuts.size(); ++c) {
    const double* below = sums.data() + c * kTerms;
    const double* above = below + kTerms;
    out.value -= 0.5 * kPriorPrecision * cuts[c] * cuts[c];
    out.gradient.push_back(below[kHigh] + above[kLow] - kPriorPrecision * cuts[c]);
    out.diagonal.push_back(below[kHighHigh] + above[kLowLow] + kPriorPrecision);
    if (c + 1 < cuts.size()) out.beside.push_back(above[kLowHigh]);
  }
  return out;
}

ResidualSums Latent::draw_values(const CounterRng& rng, Control& control) {
  const Chunks chunks(model_.n_rows, kChunk);
  std::vector<ResidualSums> of_chunk(at(chunks.count()));
  parallel_for(chunks.count(), n_threads_, control, [&](std::int64_t chunk, int thread) {
    for (std::int64_t begin = chunks.begin(chunk); begin < chunks.end(chunk); begin += kBatch) {
      control.throw_if_stopped();
      const std::int64_t end = std::min(begin + kBatch, chunks.end(chunk));
      of_chunk[at(chunk)].add(draw_batch(begin, end, rng, batches_[at(thread)]));
    }
  });
  ResidualSums sums;
  for (const ResidualSums& part : of_chunk) sums.add(part);
  return sums;
}

ResidualSums Latent::draw_batch(std::int64_t begin, std::int64_t end, const CounterRng& rng, Batch& batch) {
  const CounterRng of_values = rng.fork(kValues), of_counts = rng.fork(kCounts);
  find_intervals(cuts_, begin, end, batch);
  batch.low_of_draw.clear();
  batch.high_of_draw.clear();
  batch.uniform.clear();
  for (std::int64_t p = begin; p < end; ++p) {
    const auto key = static_cast<std::uint64_t>(p);
    if (!weight_.empty())
      model_.weight[at(p)] = static_cast<float>(std::floor(static_cast<double>(weight_[at(p)]) + of_counts.uniform(key)));
    const auto n = weight_.empty() ? std::int64_t{1} : static_cast<std::int64_t>(model_.weight[at(p)]);
    for (std::int64_t i = 0; i < n; ++i) {
      batch.low_of_draw.push_back(batch.low[at(p - begin)]);
      batch.high_of_draw.push_back(batch.high[at(p - begin)]);
      batch.uniform.push_back(of_values.uniform(key + static_cast<std::uint64_t>(i * model_.n_rows)));
    }
  }
  batch.draw.resize(batch.uniform.size());
  kernels().normal.truncated(batch.low_of_draw.data(), batch.high_of_draw.data(), batch.uniform.data(),
                             static_cast<std::int64_t>(batch.draw.size()), batch.draw.data());
  ResidualSums sums;
  const double* draw = batch.draw.data();
  for (std::int64_t p = begin; p < end; ++p) {
    const double n = weight_.empty() ? 1.0 : static_cast<double>(model_.weight[at(p)]);
    if (n == 0) continue;  // the row is absent from this sweep
    const double scale = batch.scale[at(p - begin)];
    double total = 0.0, squares = 0.0;
    for (std::int64_t i = 0; i < static_cast<std::int64_t>(n); ++i) {
      const double e = *draw++ / scale;
      total += e;
      squares += e * e;
    }
    const double e = total / n;
    value_[at(p)] = static_cast<float>(batch.score[at(p - begin)] + e);
    model_.residual[at(p)] = static_cast<float>(e);
    if (!model_.spread.empty()) model_.spread[at(p)] = static_cast<float>(std::max(squares / n - e * e, 0.0));
    sums.count += n;
    sums.weight += n * scale * scale;
    sums.first += n * scale * scale * e;
    sums.squares += scale * scale * squares;
  }
  return sums;
}

}  // namespace factorec
