// The pass of Adam: mini-batches of any rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "factorec/buffer.hpp"
#include "factorec/control.hpp"
#include "factorec/training.hpp"
#include "feature_table.hpp"
#include "gathering.hpp"
#include "gradient_sums.hpp"
#include "schedule.hpp"

namespace factorec {

class AdamPass {
 public:
  // The table's places are the features themselves. All must outlive the pass.
  AdamPass(const TrainingData& data, const TrainingOptions& options, const FeatureTable& table,
           const AdamMoments& start);

  // Takes the rows of a schedule over: before the first epoch and whenever it is a new one.
  void follow(Schedule& schedule, Control& control) { gathering_.follow(schedule, options_.n_threads, control); }

  // One epoch of a schedule of `n_rows`.
  PassSums run_epoch(std::int64_t n_rows, BiasState& bias, Control& control);

  void copy_to(const AdamMoments& arrays) const;
  bool finite() const;
  std::span<const BatchReport> reports() const { return reports_; }
  std::span<const std::int64_t> steps() const { return steps_; }

 private:
  // A part of a chunk: what its rows hold, one entry after the other.
  struct Unit {
    GatheredRows gathered;
    std::vector<std::int32_t> feature;  // then the feature's slot
    std::vector<std::uint32_t> row;     // its number in the chunk
    std::vector<float> value;           // empty: all 1
    PassSums sums;
  };

  // The rows [begin, end) that are looked at together: a batch, or a part of a large one.
  struct Chunk {
    std::int64_t batch = 0;
    std::int64_t batch_end = 0;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    bool whole_batch = true;
    bool ends_batch() const { return end == batch_end; }
  };

  Chunk chunk_at(std::int64_t begin, std::int64_t batch, std::int64_t batch_begin, std::int64_t n_rows) const;
  void run_rows(const Chunk& chunk, std::size_t unit, float bias, Control& control);
  void group_by_feature(const Chunk& chunk);
  void run_features(const Chunk& chunk, std::int64_t unit, std::int64_t n_units, std::int64_t step, Control& control);
  void pad_batch(std::int64_t n_rows, float bias, PassSums& sums) const;
  void step_bias(double slope, BiasState& bias) const;
  std::int32_t take_slot(std::int32_t feature);
  const float* moments(std::int64_t feature) const { return moments_.data() + feature * moment_stride_; }

  const TrainingOptions& options_;
  const FeatureTable& table_;
  Gathering gathering_;
  std::int64_t chunk_rows_;
  std::int64_t moment_stride_;
  Buffer<float> moments_;  // a row for each feature: see MomentOffset
  std::vector<Unit> units_;
  Buffer<float> parts_;    // of the rows of a chunk
  Buffer<float> slopes_;
  // Features of the batch by slot, in order of first occurrence, and the chunk's entries of each in the order of rows.
  std::vector<std::int32_t> slot_of_;  // of each feature, -1: none
  std::vector<std::int32_t> features_;
  std::vector<std::int64_t> begin_;
  std::vector<std::uint32_t> row_;
  std::vector<float> value_;
  std::vector<float, AlignedAllocator<float>> sums_;  // of gradients, where a batch takes several chunks
  std::vector<std::int64_t> steps_;
  std::vector<BatchReport> reports_;
};

}  // namespace factorec
