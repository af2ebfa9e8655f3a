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

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

void check_sizes(const char* what, std::span<const float> scores, std::span<const float> target,
                 std::span<const float> weight, int n_threads) {
  if (scores.empty()) fail(std::string(what) + " is empty: metrics need at least one row");
  if (target.size() != scores.size())
    fail("target has " + std::to_string(target.size()) + " entries, " + what + " has " + std::to_string(scores.size()));
  if (!weight.empty() && weight.size() != scores.size())
    fail("weight has " + std::to_string(weight.size()) + " entries, " + what + " has " + std::to_string(scores.size()));
  if (n_threads < 1) fail("n_threads is " + std::to_string(n_threads) + ", must be at least 1");
}

[[noreturn]] void fail_at(const char* what, std::size_t row, float value, const char* expected) {
  const std::string shown = std::isnan(value) ? "NaN" : std::isinf(value) ? "infinite" : std::to_string(value);
  fail(std::string(what) + "[" + std::to_string(row) + "] is " + shown + expected);
}

bool usable_weight(float weight) { return weight >= 0 && std::isfinite(weight); }

// Names what is wrong with a row that the loops below have found to be bad.
[[noreturn]] void fail_row(const char* what, std::size_t row, std::span<const float> scores,
                           std::span<const float> target, std::span<const float> weight, bool binary) {
  if (!std::isfinite(scores[row])) fail_at(what, row, scores[row], ", must be finite");
  if (!weight.empty() && !usable_weight(weight[row]))
    fail_at("weight", row, weight[row], ", must be finite and not negative");
  fail_at("target", row, target[row], binary ? ", must be 0 or 1" : ", must be finite");
}

void check_total(double weight) {
  if (!(weight > 0)) fail("weight is 0 in every row: metrics need at least one row that counts");
}

// ---- ranking: AUC without comparing rows ---------------------------------------------------------------------

// Unsigned integers in the order of the floats; -0 and +0 are one value.
std::uint32_t ordered(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value + 0.0f);
  return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}

// A row to rank: its key, with the bits of its weight below where rows have weights.
struct Unweighted {
  using Row = std::uint32_t;
  using Sum = std::uint64_t;  // counts: exact
  static Row pack(std::uint32_t key, float) { return key; }
  static std::uint32_t key(Row row) { return row; }
  static Sum weight(Row) { return 1; }
};
struct Weighted {
  using Row = std::uint64_t;
  using Sum = double;
  static Row pack(std::uint32_t key, float weight) {
    return static_cast<Row>(key) << 32 | std::bit_cast<std::uint32_t>(weight);
  }
  static std::uint32_t key(Row row) { return static_cast<std::uint32_t>(row >> 32); }
  static Sum weight(Row row) { return std::bit_cast<float>(static_cast<std::uint32_t>(row)); }
};

// Rows are dealt once into buckets by the top bits of the key; each bucket is then ranked alone, in cache. The
// two classes of one key range are neighbours, so that a row carries no label.
constexpr int kLowBits = 21;
constexpr std::size_t kRanges = std::size_t{1} << (32 - kLowBits);
constexpr std::size_t kBuckets = 2 * kRanges;

std::size_t bucket_of(std::uint32_t key, bool positive) {
  return 2 * static_cast<std::size_t>(key >> kLowBits) + positive;
}

// Stable sort of one bucket by the low bits of its keys; `scratch` holds at least as many rows.
template <class Kind, class Row = typename Kind::Row>
void sort_bucket(std::span<Row> rows, std::vector<Row>& scratch, Control& control) {
  if (rows.size() < 512) {
    std::sort(rows.begin(), rows.end());  // rows of one key come in the order of their weights: as repeatable
    return;
  }
  if (scratch.size() < rows.size()) scratch.resize(rows.size());
  constexpr std::uint32_t mask = (1u << 11) - 1;
  Row* from = rows.data();
  Row* to = scratch.data();
  for (int shift : {0, 11}) {
    std::size_t start[mask + 1] = {};
    for (std::size_t i = 0; i < rows.size(); ++i) ++start[Kind::key(from[i]) >> shift & (shift ? mask >> 1 : mask)];
    std::size_t total = 0;
    for (auto& entry : start) entry = std::exchange(total, total + entry);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if ((i & 0xffff) == 0) control.throw_if_stopped();
      to[start[Kind::key(from[i]) >> shift & (shift ? mask >> 1 : mask)]++] = from[i];
    }
    std::swap(from, to);
  }
}

// Weight of each class in a key range, and twice the weight of its (positive, negative) pairs in right order,
// ties counting half.
template <class Sum>
struct Ranked {
  Sum positive = 0, negative = 0, twice_pairs = 0;
};

template <class Kind, class Row = typename Kind::Row, class Sum = typename Kind::Sum>
Ranked<Sum> rank_range(std::span<Row> negatives, std::span<Row> positives, std::vector<Row>& scratch,
                       Control& control) {
  Ranked<Sum> range;
  if (negatives.empty() || positives.empty()) {  // no pair inside the range: its order does not matter
    for (Row row : negatives) range.negative += Kind::weight(row);
    for (Row row : positives) range.positive += Kind::weight(row);
    return range;
  }
  sort_bucket<Kind>(negatives, scratch, control);
  sort_bucket<Kind>(positives, scratch, control);
  std::size_t n = 0;
  for (std::size_t p = 0; p < positives.size();) {
    const std::uint32_t key = Kind::key(positives[p]);
    Sum positive = 0, tied = 0;
    for (; p < positives.size() && Kind::key(positives[p]) == key; ++p) positive += Kind::weight(positives[p]);
    for (; n < negatives.size() && Kind::key(negatives[n]) < key; ++n) range.negative += Kind::weight(negatives[n]);
    for (; n < negatives.size() && Kind::key(negatives[n]) == key; ++n) tied += Kind::weight(negatives[n]);
    range.twice_pairs += positive * (2 * range.negative + tied);
    range.positive += positive;
    range.negative += tied;
  }
  for (; n < negatives.size(); ++n) range.negative += Kind::weight(negatives[n]);
  return range;
}

template <class Kind>
double area_under_curve(std::span<const float> scores, std::span<const float> target, std::span<const float> weight,
                        int n_threads, Control& control) {
  using Row = typename Kind::Row;
  using Sum = typename Kind::Sum;
  const Chunks chunks(scores.size());
  const auto counts = [&](std::size_t i) { return weight.empty() || weight[i] > 0; };
  const auto weight_of = [&](std::size_t i) { return weight.empty() ? 1.0f : weight[i]; };

  // Where each chunk writes the rows of each bucket: chunk after chunk, so that the order is that of the input.
  std::vector<std::vector<std::size_t>> place(static_cast<std::size_t>(chunks.count()));
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    auto& histogram = place[static_cast<std::size_t>(chunk)];
    histogram.assign(kBuckets, 0);
    for (std::size_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
      if (counts(i)) ++histogram[bucket_of(ordered(scores[i]), target[i] > 0)];
  });
  std::vector<std::size_t> start(kBuckets + 1, 0);
  std::size_t total = 0;
  for (std::size_t bucket = 0; bucket < kBuckets; ++bucket) {
    start[bucket] = total;
    for (auto& histogram : place) histogram[bucket] = std::exchange(total, total + histogram[bucket]);
  }
  start[kBuckets] = total;

  const auto rows = std::make_unique_for_overwrite<Row[]>(total);
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    auto& next = place[static_cast<std::size_t>(chunk)];
    for (std::size_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i) {
      if (!counts(i)) continue;
      const std::uint32_t key = ordered(scores[i]);
      rows[next[bucket_of(key, target[i] > 0)]++] = Kind::pack(key, weight_of(i));
    }
  });

  std::vector<Ranked<Sum>> ranked(kRanges);
  std::vector<std::vector<Row>> scratch(static_cast<std::size_t>(n_threads));
  const auto rank = [&](std::size_t range, std::size_t thread) {
    const std::size_t* bound = &start[2 * range];
    ranked[range] = rank_range<Kind>(std::span(rows.get() + bound[0], bound[1] - bound[0]),
                                     std::span(rows.get() + bound[1], bound[2] - bound[1]), scratch[thread], control);
  };
  // Very large ranges are ranked by the calling thread, the only one that hears an interrupt while it works.
  std::vector<std::size_t> shared;
  for (std::size_t range = 0; range < kRanges; ++range) {
    const std::size_t size = start[2 * range + 2] - start[2 * range];
    if (size > (std::size_t{1} << 23)) rank(range, 0);
    else if (size > 0) shared.push_back(range);
  }
  parallel_for(static_cast<std::int64_t>(shared.size()), n_threads, control, [&](std::int64_t i, int thread) {
    rank(shared[static_cast<std::size_t>(i)], static_cast<std::size_t>(thread));
  });

  Sum positive = 0, negative = 0, twice_pairs = 0;
  for (const auto& range : ranked) {
    twice_pairs += range.twice_pairs + 2 * range.positive * negative;
    positive += range.positive;
    negative += range.negative;
  }
  if (!(positive > 0 && negative > 0)) return std::numeric_limits<double>::quiet_NaN();
  const double pairs = static_cast<double>(positive) * static_cast<double>(negative);
  return std::min(1.0, static_cast<double>(twice_pairs) / (2 * pairs));
}

// ---- sums over rows ------------------------------------------------------------------------------------------

// log(1 + exp(-margin)) without overflow. The second term gives back what 1 + e rounds away (as log1p does,
// at half its cost), so that small losses keep their digits.
double logistic_loss(double margin) {
  const double e = std::exp(-std::abs(margin));
  const double u = 1.0 + e;
  return std::max(0.0, -margin) + std::log(u) - ((u - 1.0) - e) / u;
}

struct ClassificationSums {
  double weight = 0, loss = 0, true_positive = 0, false_positive = 0, false_negative = 0;
  std::size_t bad_row = kNone;
};

struct RegressionSums {
  double weight = 0, squared = 0, absolute = 0;
  std::size_t bad_row = kNone;
};

// The chunks' sums, in order. Body(i, sums) returns whether row i is usable.
template <class Sums, class Body>
std::vector<Sums> sum_chunks(std::size_t n_rows, int n_threads, Control& control, Body&& body) {
  const Chunks chunks(n_rows);
  std::vector<Sums> partial(static_cast<std::size_t>(chunks.count()));
  parallel_for(chunks.count(), n_threads, control, [&](std::int64_t chunk, int) {
    Sums sums;
    for (std::size_t i = chunks.begin(chunk); i < chunks.end(chunk); ++i)
      if (!body(i, sums)) {
        sums.bad_row = i;
        break;
      }
    partial[static_cast<std::size_t>(chunk)] = sums;
  });
  return partial;
}

}  // namespace

ClassificationMetrics classification_metrics(std::span<const float> scores, std::span<const float> target,
                                             std::span<const float> weight, int n_threads, Control& control) {
  check_sizes("scores", scores, target, weight, n_threads);
  const auto partial = sum_chunks<ClassificationSums>(
      scores.size(), n_threads, control, [&](std::size_t i, ClassificationSums& sums) {
        const float score = scores[i], label = target[i], w = weight.empty() ? 1.0f : weight[i];
        if (!std::isfinite(score) || !usable_weight(w) || !(label == 0.0f || label == 1.0f)) return false;
        const bool positive = label == 1.0f, predicted = score >= 0.0f;
        sums.weight += w;
        sums.loss += w * logistic_loss(positive ? score : -static_cast<double>(score));
        sums.true_positive += positive && predicted ? w : 0.0f;
        sums.false_positive += !positive && predicted ? w : 0.0f;
        sums.false_negative += positive && !predicted ? w : 0.0f;
        return true;
      });
  ClassificationSums sums;
  for (const auto& part : partial) {
    if (part.bad_row != kNone) fail_row("scores", part.bad_row, scores, target, weight, true);
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
  result.auc = weight.empty() ? area_under_curve<Unweighted>(scores, target, weight, n_threads, control)
                              : area_under_curve<Weighted>(scores, target, weight, n_threads, control);
  return result;
}

RegressionMetrics regression_metrics(std::span<const float> predictions, std::span<const float> target,
                                     std::span<const float> weight, int n_threads, Control& control) {
  check_sizes("predictions", predictions, target, weight, n_threads);
  const auto partial =
      sum_chunks<RegressionSums>(predictions.size(), n_threads, control, [&](std::size_t i, RegressionSums& sums) {
        const float w = weight.empty() ? 1.0f : weight[i];
        if (!std::isfinite(predictions[i]) || !std::isfinite(target[i]) || !usable_weight(w)) return false;
        const double error = static_cast<double>(predictions[i]) - target[i];
        sums.weight += w;
        sums.squared += w * error * error;
        sums.absolute += w * std::abs(error);
        return true;
      });
  RegressionSums sums;
  for (const auto& part : partial) {
    if (part.bad_row != kNone) fail_row("predictions", part.bad_row, predictions, target, weight, false);
    sums.weight += part.weight;
    sums.squared += part.squared;
    sums.absolute += part.absolute;
  }
  check_total(sums.weight);
  return {std::sqrt(sums.squared / sums.weight), sums.absolute / sums.weight};
}

}  // namespace factorec
