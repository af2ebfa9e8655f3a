// A batch goes through two rounds, each in parallel without merges or atomics, so that the bits do not depend on who
// does what:
//   1. its rows: scores, slopes, sums of the parts of each row;
//   2. its features: each sums its gradient over its rows in their order and takes its step.
// In between the batch's entries are grouped by feature. A batch of more than kChunkRows rows is cut into chunks; its
// features then step after the last one, and sums of gradients are kept until then.
#include "adam_pass.hpp"

#include <algorithm>
#include <cmath>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kUnitRows = 64;         // that one thread takes at a time
constexpr std::int64_t kChunkRows = 2048;      // a multiple of it
constexpr std::int64_t kChunkEntries = 1 << 20;
constexpr std::int64_t kRowsPerThread = 128;   // of a batch; fewer are done sooner than threads meet
constexpr std::int64_t kStepCost = 8;          // of a feature, in entries
constexpr std::int64_t kSlotsPerCheck = 4096;

double correction(std::int64_t step) {
  const auto t = static_cast<double>(step);
  return std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t));
}

// Rows whose entries are not too many to hold, were they all of mean length.
std::int64_t rows_per_chunk(const Rows& rows) {
  double length = 1;
  for (const RowBlock& block : rows.blocks) {
    const CsrView& entities = block.entities;
    const std::int64_t n = std::max<std::int64_t>(entities.n_rows(), 1);
    length += static_cast<double>(entities.end(entities.n_rows() - 1) - entities.begin(0)) / static_cast<double>(n);
  }
  const auto fit = static_cast<std::int64_t>(static_cast<double>(kChunkEntries) / length);
  return std::clamp(fit / kUnitRows * kUnitRows, kUnitRows, kChunkRows);
}

}  // namespace

AdamPass::AdamPass(const TrainingData& data, const TrainingOptions& options, const FeatureTable& table,
                   const AdamMoments& start)
    : options_(options),
      table_(table),
      gathering_(data, table, nullptr, 0),
      chunk_rows_(rows_per_chunk(data.rows)),
      moment_stride_((2 * table.padded() + kMomentSize + 15) / 16 * 16),
      slot_of_(static_cast<std::size_t>(data.rows.n_features), -1),
      steps_(static_cast<std::size_t>(data.rows.n_features), 0) {
  moments_.resize(static_cast<std::size_t>(data.rows.n_features * moment_stride_));
  std::fill(moments_.begin(), moments_.end(), 0.0f);
  const std::int64_t k = table.view().n_factors;
  for (std::int64_t f = 0; f < data.rows.n_features; ++f) {
    float* row = moments_.data() + f * moment_stride_;
    std::copy_n(start.factors_mean.row(f), k, row);
    std::copy_n(start.factors_square.row(f), k, row + table.padded());
    row[2 * table.padded() + kLinearMean] = start.linear_mean[static_cast<std::size_t>(f)];
    row[2 * table.padded() + kLinearSquare] = start.linear_square[static_cast<std::size_t>(f)];
  }
}

void AdamPass::copy_to(const AdamMoments& arrays) const {
  const std::int64_t k = table_.view().n_factors;
  for (std::int64_t f = 0; f < std::ssize(slot_of_); ++f) {
    const float* row = moments(f);
    std::copy_n(row, k, arrays.factors_mean.row(f));
    std::copy_n(row + table_.padded(), k, arrays.factors_square.row(f));
    arrays.linear_mean[static_cast<std::size_t>(f)] = row[2 * table_.padded() + kLinearMean];
    arrays.linear_square[static_cast<std::size_t>(f)] = row[2 * table_.padded() + kLinearSquare];
  }
}

bool AdamPass::finite() const { return all_finite(moments_.data(), static_cast<std::int64_t>(moments_.size())); }

AdamPass::Chunk AdamPass::chunk_at(std::int64_t begin, std::int64_t batch, std::int64_t batch_begin,
                                   std::int64_t n_rows) const {
  Chunk chunk;
  chunk.batch = batch;
  chunk.batch_end = options_.batch_size < n_rows - batch_begin ? batch_begin + options_.batch_size : n_rows;
  chunk.begin = begin;
  chunk.end = std::min(begin + chunk_rows_, chunk.batch_end);
  chunk.whole_batch = chunk.batch_end - batch_begin <= chunk_rows_;
  return chunk;
}

PassSums AdamPass::run_epoch(std::int64_t n_rows, BiasState& bias, Control& control) {
  const std::int64_t batch_size = std::min(options_.batch_size, n_rows);
  const std::int64_t n_batches = (n_rows + batch_size - 1) / batch_size;
  const auto chunks_of = [&](std::int64_t rows) { return (rows + chunk_rows_ - 1) / chunk_rows_; };
  const std::int64_t n_chunks =
      (n_batches - 1) * chunks_of(batch_size) + chunks_of(n_rows - (n_batches - 1) * batch_size);
  const std::int64_t widest = std::min(batch_size, chunk_rows_);
  const std::int64_t n_units = (widest + kUnitRows - 1) / kUnitRows;
  units_.resize(static_cast<std::size_t>(n_units));
  parts_.resize(static_cast<std::size_t>(widest * table_.padded()));
  slopes_.resize(static_cast<std::size_t>(widest));
  reports_.clear();
  // An interrupted epoch may have left some.
  for (std::int32_t feature : features_) slot_of_[static_cast<std::size_t>(feature)] = -1;
  features_.clear();
  sums_.clear();

  PassSums sums, of_batch;
  std::int64_t batch_begin = 0;
  Chunk chunk = chunk_at(0, 0, 0, n_rows);
  const auto body = [&](std::int64_t round, std::int64_t unit, int) {
    if (round % 2 == 0)
      run_rows(chunk, static_cast<std::size_t>(unit), static_cast<float>(bias.value), control);
    else
      run_features(chunk, unit, n_units, bias.n_steps + 1, control);
  };
  const auto finish = [&](std::int64_t round) {
    if (round % 2 == 0) {
      for (const Unit& unit : units_) of_batch.add(unit.sums);
      return group_by_feature(chunk);
    }
    if (chunk.ends_batch()) {
      double slope = of_batch.slope;
      if (options_.adam.pad_last_batch) {
        pad_batch(options_.batch_size - (chunk.end - batch_begin), static_cast<float>(bias.value), of_batch);
        if (options_.adam.padding_moves_bias) slope = of_batch.slope;
      }
      step_bias(slope, bias);
      sums.add(of_batch);
      of_batch = PassSums();
      if (options_.adam.report_every > 0 && chunk.batch % options_.adam.report_every == 0)
        reports_.push_back({chunk.batch, sums});
      for (std::int32_t feature : features_) slot_of_[static_cast<std::size_t>(feature)] = -1;
      features_.clear();
      sums_.clear();
      batch_begin = chunk.end;
    }
    if (chunk.end < n_rows)
      chunk = chunk_at(chunk.end, chunk.batch + (chunk.ends_batch() ? 1 : 0), batch_begin, n_rows);
  };
  const auto n_threads =
      static_cast<int>(std::clamp<std::int64_t>(widest / kRowsPerThread, 1, options_.n_threads));
  parallel_rounds(2 * n_chunks, n_units, n_threads, control, body, finish);
  return sums;
}

// The forward pass over the rows of one unit, whose entries are kept.
void AdamPass::run_rows(const Chunk& chunk, std::size_t number, float bias, Control& control) {
  Unit& unit = units_[number];
  unit.feature.clear();
  unit.row.clear();
  unit.value.clear();
  unit.sums = PassSums();
  const std::int64_t begin = chunk.begin + static_cast<std::int64_t>(number) * kUnitRows;
  const std::int64_t end = std::min(begin + kUnitRows, chunk.end);
  for (std::int64_t place = begin; place < end;) {
    control.throw_if_stopped();
    GatheredRows& rows = unit.gathered;
    gathering_.gather(place, end, rows);
    AdamRows job;
    job.group.table = table_.view();
    job.group.entry_table = job.group.table.data;
    job.group.bias = bias;
    job.group.rows = gathering_.rows() + place;
    job.group.weights = gathering_.weights() ? gathering_.weights() + place : nullptr;
    job.group.n_rows = rows.n_rows;
    job.group.entries = rows.list();
    job.parts = parts_.data() + (place - chunk.begin) * table_.padded();
    job.slopes = slopes_.data() + (place - chunk.begin);
    kernels().adam.rows[static_cast<int>(options_.loss)](job, &unit.sums);
    unit.feature.insert(unit.feature.end(), rows.feature.begin(), rows.feature.begin() + rows.n_entries);
    if (!rows.ones) unit.value.insert(unit.value.end(), rows.value.begin(), rows.value.begin() + rows.n_entries);
    unit.row.resize(unit.feature.size());
    std::uint32_t* of_entry = unit.row.data() + unit.row.size() - rows.n_entries;
    for (std::int64_t r = 0; r < rows.n_rows; ++r)
      std::fill(of_entry + rows.begin[r], of_entry + rows.begin[r + 1],
                static_cast<std::uint32_t>(place - chunk.begin + r));
    place += rows.n_rows;
  }
}

std::int32_t AdamPass::take_slot(std::int32_t feature) {
  std::int32_t& slot = slot_of_[static_cast<std::size_t>(feature)];
  if (slot < 0) {
    slot = static_cast<std::int32_t>(features_.size());
    features_.push_back(feature);
  }
  return slot;
}

// A counting sort of the chunk's entries by slot: the rows of each keep their order.
void AdamPass::group_by_feature(const Chunk& chunk) {
  // begin_[slot + 2] counts, then begin_[slot + 1] is where the next entry of a slot goes, in the end where they end.
  begin_.assign(features_.size() + 2, 0);
  std::size_t n_entries = 0;
  bool ones = true;
  for (Unit& unit : units_) {
    for (std::int32_t& feature : unit.feature) {
      feature = take_slot(feature);
      const auto at = static_cast<std::size_t>(feature) + 2;
      if (at == begin_.size()) begin_.push_back(0);
      ++begin_[at];
    }
    n_entries += unit.feature.size();
    ones = ones && unit.value.empty();
  }
  if (chunk.ends_batch() && !options_.adam.lazy) {
    for (std::int64_t f = 0; f < std::ssize(slot_of_); ++f) take_slot(static_cast<std::int32_t>(f));
    begin_.resize(features_.size() + 2, 0);
  }
  for (std::size_t at = 2; at < begin_.size(); ++at) begin_[at] += begin_[at - 1];
  row_.resize(n_entries);
  value_.resize(ones ? 0 : n_entries);
  for (const Unit& unit : units_)
    for (std::size_t e = 0; e < unit.feature.size(); ++e) {
      const auto to = static_cast<std::size_t>(begin_[static_cast<std::size_t>(unit.feature[e]) + 1]++);
      row_[to] = unit.row[e];
      if (!ones) value_[to] = unit.value[e];
    }
  if (!chunk.whole_batch) {
    const auto stride = static_cast<std::size_t>(table_.padded() + 16);
    sums_.resize(features_.size() * stride, 0.0f);
  }
}

// Part `unit` of the features: gradients, and steps where the batch ends.
void AdamPass::run_features(const Chunk& chunk, std::int64_t unit, std::int64_t n_units, std::int64_t step,
                            Control& control) {
  const auto n_slots = static_cast<std::int64_t>(features_.size());
  const auto cost = [&](std::int64_t slot) { return begin_[static_cast<std::size_t>(slot)] + slot * kStepCost; };
  // The first slot from which on at least `part` of the cost lies before.
  const auto slot_at = [&](std::int64_t part) {
    std::int64_t low = 0, high = n_slots;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (cost(middle) < part)
        low = middle + 1;
      else
        high = middle;
    }
    return low;
  };
  const std::int64_t total = cost(n_slots);
  const std::int64_t first = slot_at(total * unit / n_units);
  const std::int64_t end = unit + 1 == n_units ? n_slots : slot_at(total * (unit + 1) / n_units);
  AdamFeatures job;
  job.table = table_.view();
  job.moments = moments_.data();
  job.moment_stride = moment_stride_;
  job.parts = parts_.data();
  job.slopes = slopes_.data();
  job.feature = features_.data();
  job.begin = begin_.data();
  job.row = row_.data();
  job.value = value_.empty() ? nullptr : value_.data();
  job.sums = sums_.empty() ? nullptr : sums_.data();
  job.sum_stride = table_.padded() + 16;
  job.step = chunk.ends_batch();
  job.rescale = static_cast<float>(options_.adam.rescale);
  job.clip = options_.clip;
  job.epsilon = static_cast<float>(options_.adam.epsilon);
  job.correction = static_cast<float>(correction(step));
  for (std::int64_t at = first; at < end; at = job.end) {
    control.throw_if_stopped();
    job.first = at;
    job.end = std::min(at + kSlotsPerCheck, end);
    kernels().adam.features(job);
  }
  if (job.step)
    for (std::int64_t slot = first; slot < end; ++slot)
      ++steps_[static_cast<std::size_t>(features_[static_cast<std::size_t>(slot)])];
}

// Rows without features of target 0: all alike.
void AdamPass::pad_batch(std::int64_t n_rows, float bias, PassSums& sums) const {
  if (n_rows <= 0) return;
  const GroupRow row;
  const std::int64_t begin[2] = {0, 0};
  const AlignedFloats parts = aligned_floats(table_.padded());
  float slope = 0;
  AdamRows job;
  job.group.table = table_.view();
  job.group.entry_table = job.group.table.data;
  job.group.bias = bias;
  job.group.rows = &row;
  job.group.n_rows = 1;
  job.group.entries.begin = begin;
  job.parts = parts.get();
  job.slopes = &slope;
  PassSums one;
  kernels().adam.rows[static_cast<int>(options_.loss)](job, &one);
  const auto n = static_cast<double>(n_rows);
  sums.weight += n * one.weight;
  sums.slope += n * one.slope;
  sums.loss += n * one.loss;
  sums.absolute += n * one.absolute;
  sums.predicted_positive += n * one.predicted_positive;
}

void AdamPass::step_bias(double slope, BiasState& bias) const {
  const double limit = options_.clip;
  const double gradient =
      std::clamp(options_.adam.rescale * slope + options_.l2_bias * bias.value, -limit, limit);
  ++bias.n_steps;
  bias.mean += 0.1 * (gradient - bias.mean);
  bias.square += 0.001 * (gradient * gradient - bias.square);
  bias.value -= options_.rate_bias * correction(bias.n_steps) * bias.mean /
                (std::sqrt(bias.square) + options_.adam.epsilon);
}

}  // namespace factorec
