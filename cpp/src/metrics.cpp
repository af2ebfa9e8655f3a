#include "factorec/metrics.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

[[noreturn]] void fail(const std::string& message) { throw std::invalid_argument(message); }

// A row range [begin, end) per chunk. At most 1,024 chunks, so that one histogram per chunk stays small.
struct Chunks {
  explicit Chunks(std::size_t n_rows) : n(n_rows), size(std::max<std::size_t>(1 << 16, (n_rows + 1023) / 1024)) {}
  std::int64_t count() const { return static_cast<std::int64_t>((n + size - 1) / size); }
  std::size_t begin(std::int64_t chunk) const { return static_cast<std::size_t>(chunk) * size; }
  std::size_t end(std::int64_t chunk) const { return std::min(n, begin(chunk) + size); }

  std::size_t n;
  std::size_t size;
};

struct Rows {
  std::span<const float> scores, target, weight;
  std::size_t size() const { return scores.size(); }
};

void check_sizes(const char* what, const Rows& rows, int n_threads) {
  const auto check = [&](const char* name, std::size_t size) {
    if (size != rows.size())
      fail(std::string(name) + " has " + std::to_string(size) + " entries, " + what + " has " +
           std::to_string(rows.size()));
  };
  if (rows.scores.empty()) fail(std::string(what) + " is empty: metrics need at least one row");
  check("target", rows.target.size());
  if (!rows.weight.empty()) check("weight", rows.weight.size());
  if (n_threads < 1) fail("n_threads is " + std::to_string(n_threads) + ", must be at least 1");
}

[[noreturn]] void fail_at(const char* what, std::size_t row, float value, const char* expected) {
  const std::string shown = std::isnan(value) ? "NaN" : std::isinf(value) ? "infinite" : std::to_string(value);
  fail(std::string(what) + "[" + std::to_string(row) + "] is " + shown + expected);
}

void check_row(const char* what, const Rows& rows, std::size_t row, bool binary) {
  const float score = rows.scores[row], target = rows.target[row], weight = rows.weight.empty() ? 1 : rows.weight[row];
  if (!std::isfinite(score)) fail_at(what, row, score, ", must be finite");
  if (!std::isfinite(weight) || weight < 0) fail_at("weight", row, weight, ", must be finite and not negative");
  if (binary && target != 0 && target != 1) fail_at("target", row, target, ", must be 0 or 1");
  if (!std::isfinite(target)) fail_at("target", row, target, ", must be finite");
}

// Below some milliseconds of work, waking other threads costs more than they save.
int threads_for(std::size_t n_rows, int n_threads) { return n_rows < (std::size_t{1} << 18) ? 1 : n_threads; }

void check_total(double weight) {
  if (!(weight > 0)) fail("weight is 0 in every row: metrics need at least one row that counts");
}

// ---- ranking: AUC without comparing rows ---------------------------------------------------------------------

// Unsigned integers in the order of the floats; -0 and +0 are one value.
std::uint32_t ordered(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0f);
  return bits ^ (0x80000000u | (0u - (bits >> 31)));
}

// Rows are dealt once into buckets by the top bits of their score; each bucket is then ranked alone, in cache.
// What a bucket keeps of a row is the rest of the score with the label below it, so that the negatives of tied
// scores come first, and the bits of the weight where rows have weights.
constexpr int kRestBits = 21;
constexpr std::size_t kBuckets = std::size_t{1} << (32 - kRestBits);

std::size_t bucket_of(std::uint32_t score) { return score >> kRestBits; }

std::uint32_t rest_of(std::uint32_t score, float target) {
  return (score & ((1u << kRestBits) - 1)) << 1 | (target > 0 ? 1u : 0u);
}

struct Unweighted {
  using Row = std::uint32_t;
  using Sum = std::uint64_t;  // counts: exact
  static bool counts(std::span<const float>, std::size_t) { return true; }
  static Row pack(std::uint32_t rest, std::span<const float>, std::size_t) { return rest; }
  static std::uint32_t rest(Row row) { return row; }
  static Sum weight(Row) { return 1; }
};
struct Weighted {
  using Row = std::uint64_t;
  using Sum = double;
  static bool counts(std::span<const float> weight, std::size_t i) { return weight[i] > 0; }
  static Row pack(std::uint32_t rest, std::span<const float> weight, std::size_t i) {
    return static_cast<Row>(rest) << 32 | std::bit_cast<std::uint32_t>(weight[i]);
  }
  static std::uint32_t rest(Row row) { return static_cast<std::uint32_t>(row >> 32); }
  static Sum weight(Row row) { return std::bit_cast<float>(static_cast<std::uint32_t>(row)); }
};

// Stable sort of one bucket in two passes; `scratch` grows to the largest bucket.
template <class Kind, class Row = typename Kind::Row>
void sort_bucket(std::span<Row> rows, std::vector<Row>& scratch, Control& control) {
  if (rows.size() < 256) {
    std::sort(rows.begin(), rows.end());  // rows alike come in the order of their weights: as repeatable
    return;
  }
  if (scratch.size() < rows.size()) scratch.resize(rows.size());
  constexpr int bits = (kRestBits + 1) / 2;
  constexpr std::uint32_t mask = (1u << bits) - 1;
  std::size_t start[2][mask + 1] = {};
  for (Row row : rows) {
    ++start[0][Kind::rest(row) & mask];
    ++start[1][Kind::rest(row) >> bits];
  }
  Row* from = rows.data();
  Row* to = scratch.data();
  for (int pass : {0, 1}) {
    std::size_t total = 0;
    for (auto& entry : start[pass]) entry = std::exchange(total, total + entry);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if ((i & 0xffff) == 0) control.throw_if_stopped();
      to[start[pass][Kind::rest(from[i]) >> (pass * bits) & mask]++] = from[i];
    }
    std::swap(from, to);
  }
}

// Weight of each class in a bucket, and twice the weight of its (positive, negative) pairs in right order, ties
// counting half.
template <class Sum>
struct Ranked {
  Sum positive = 0, negative = 0, twice_pairs = 0;
};

template <class Kind>
Ranked<typename Kind::Sum> rank_bucket(std::span<const typename Kind::Row> sorted) {
  using Sum = typename Kind::Sum;
  Ranked<Sum> bucket;
  Sum below = 0;  // negatives below the current score; bucket.negative - below: those tied with it
  std::uint32_t previous = ~0u;
  for (const auto row : sorted) {
    const std::uint32_t rest = Kind::rest(row);
    const Sum weight = Kind::weight(row), label = static_cast<Sum>(rest & 1u);
    below = rest >> 1 == previous ? below : bucket.negative;
    previous = rest >> 1;
    bucket.twice_pairs += label * weight * (below + bucket.negative);
    bucket.positive += label * weight;
    bucket.negative += (1 - label) * weight;
  }
  return bucket;
}

template <class Kind>
double area_under_curve(const Rows& rows, int n_threads, Control& control) {
  using Row = typename Kind::Row;
  using Sum = typename Kind::Sum;
  const Chunks chunks(rows.size());

  // Where each chunk writes the rows of each bucket: chunk after chunk, so that the order is that of the input.
  std::vector<std::vector<std::size_t>> place(static_cast<std::size_t>(chunks.count()));
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    auto& histogram = place[static_cast<std::size_t>(chunk)];
    histogram.assign(kBuckets, 0);
    for (std::size_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
      if (Kind::counts(rows.weight, i)) ++histogram[bucket_of(ordered(rows.scores[i]))];
  });
  std::vector<std::size_t> start(kBuckets + 1, 0);
  std::size_t total = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    start[bucket] = total;
    for (auto& histogram : place) histogram[bucket] = std::exchange(total, total + histogram[bucket]);
  }
  start[kBuckets] = total;

  const auto packed = std::make_unique_for_overwrite<Row[]>(total);
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    auto& next = place[static_cast<std::size_t>(chunk)];
    for (std::size_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
      if (!Kind::counts(rows.weight, i)) continue;
      const std::uint32_t score = ordered(rows.scores[i]);
      packed[next[bucket_of(score)]++] = Kind::pack(rest_of(score, rows.target[i]), rows.weight, i);
    }
  });

  std::vector<Ranked<Sum>> ranked(kBuckets);
  std::vector<std::vector<Row>> scratch(static_cast<std::size_t>(n_threads));
  const auto rank = [&](std::size_t bucket, std::size_t thread) {
    const std::span<Row> members(packed.get() + start[bucket], start[bucket + 1] - start[bucket]);
    sort_bucket<Kind>(members, scratch[thread], control);
    ranked[bucket] = rank_bucket<Kind>(members);
  };
  // Very large buckets are ranked by the calling thread, the only one that hears an interrupt while it works.
  std::vector<std::size_t> shared;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    const std::size_t size = start[bucket + 1] - start[bucket];
    if (size > (std::size_t{1} << 23)) rank(bucket, 0);
    else if (size > 0) shared.push_back(bucket);
  }
  parallel_for(static_cast<std::int64_t>(shared.size()), n_threads, control, [&](std::int64_t i, int thread) {
    rank(shared[static_cast<std::size_t>(i)], static_cast<std::size_t>(thread));
  });

  Sum positive = 0, negative = 0, twice_pairs = 0;
  for (const auto& bucket : ranked) {
    twice_pairs += bucket.twice_pairs + 2 * bucket.positive * negative;
    positive += bucket.positive;
    negative += bucket.negative;
  }
  if (!(positive > 0 && negative > 0)) return std::numeric_limits<double>::quiet_NaN();
  const double pairs = static_cast<double>(positive) * static_cast<double>(negative);
  return std::min(1.0, static_cast<double>(twice_pairs) / (2 * pairs));
}

// ---- sums over rows ------------------------------------------------------------------------------------------

// The kernel's sums of each chunk, in order. Where a row was not usable, the first such row is named.
template <class Sums, class Kernel>
std::vector<Sums> sum_chunks(const char* what, const Rows& rows, bool binary, int n_threads, Control& control,
                             Kernel&& kernel) {
  const Chunks chunks(rows.size());
  std::vector<Sums> partial(static_cast<std::size_t>(chunks.count()));
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    const std::size_t begin = chunks.begin(chunk);
    const float* weight = rows.weight.empty() ? nullptr : rows.weight.data() + begin;
    partial[static_cast<std::size_t>(chunk)] =
        kernel(rows.scores.data() + begin, rows.target.data() + begin, weight, chunks.end(chunk) - begin);
  });
  for (std::int64_t chunk = 0; chunk < chunks.count(); ++chunk) {
    if (partial[static_cast<std::size_t>(chunk)].usable) continue;
    for (std::size_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) check_row(what, rows, i, binary);
  }
  return partial;
}

}  // namespace

ClassificationMetrics classification_metrics(std::span<const float> scores, std::span<const float> target,
                                             std::span<const float> weight, int n_threads, Control& control) {
  const Rows rows{scores, target, weight};
  check_sizes("scores", rows, n_threads);
  n_threads = threads_for(rows.size(), n_threads);
  ClassificationSums sums;
  for (const auto& part : sum_chunks<ClassificationSums>("scores", rows, true, n_threads, control,
                                                         kernels().metrics.classification)) {
    sums.weight += part.weight;
    sums.loss += part.loss;
    sums.true_positive += part.true_positive;
    sums.false_positive += part.false_positive;
    sums.false_negative += part.false_negative;
  }
  check_total(sums.weight);

  ClassificationMetrics result;
  const double wrong = sums.false_positive + sums.false_negative;
  const double f1_total = 2 * sums.true_positive + wrong;
  result.log_loss = sums.loss / sums.weight;
  result.accuracy = std::max(0.0, (sums.weight - wrong) / sums.weight);
  result.f1 = f1_total > 0 ? 2 * sums.true_positive / f1_total : 0.0;
  result.auc = weight.empty() ? area_under_curve<Unweighted>(rows, n_threads, control)
                              : area_under_curve<Weighted>(rows, n_threads, control);
  return result;
}

RegressionMetrics regression_metrics(std::span<const float> predictions, std::span<const float> target,
                                     std::span<const float> weight, int n_threads, Control& control) {
  const Rows rows{predictions, target, weight};
  check_sizes("predictions", rows, n_threads);
  n_threads = threads_for(rows.size(), n_threads);
  RegressionSums sums;
  for (const auto& part :
       sum_chunks<RegressionSums>("predictions", rows, false, n_threads, control, kernels().metrics.regression)) {
    sums.weight += part.weight;
    sums.squared += part.squared;
    sums.absolute += part.absolute;
  }
  check_total(sums.weight);
  return {std::sqrt(sums.squared / sums.weight), sums.absolute / sums.weight};
}

}  // namespace factorec
