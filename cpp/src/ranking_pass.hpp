// The pass of the ranking losses: mini-batches of positive rows with their negatives.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "factorec/buffer.hpp"
#include "factorec/control.hpp"
#include "factorec/ranking.hpp"
#include "factorec/sampling.hpp"
#include "feature_table.hpp"
#include "gradient_sums.hpp"
#include "kernels/ranking_kernel.hpp"
#include "popularity_sampling.hpp"
#include "schedule.hpp"

namespace factorec {

class RankingPass {
 public:
  // The table's places are the features themselves. `popularity` null: negatives come from `sampler`. All must outlive
  // the pass.
  RankingPass(const RankingData& data, const RankingOptions& options, const NegativeSampler& sampler,
              const PopularitySampler* popularity, const FeatureTable& table, Control& control);

  // One epoch over the rows in `order`.
  RankingSums run_epoch(std::span<const RowNumber> order, std::uint64_t number, Control& control);

  std::span<const double> charged() const { return charged_; }

 private:
  // What a unit of a batch's rows sums up.
  struct Unit {
    RankingSums sums;
    AlignedFloats scratch;  // a row of sums and a gradient, for merged steps
  };

  void list_entities(Control& control);
  void reserve(std::int64_t batch_size, std::int64_t n_units);
  void draw(std::uint64_t epoch, std::int64_t first, std::int64_t end);
  void take_slots();
  std::int32_t take_slot(std::int64_t entity);
  void find_vectors(std::int64_t unit, std::int64_t n_units, Control& control);
  void rank(std::int64_t unit, std::int64_t first, std::int64_t end);
  void group_touches();
  void sum_entities(std::int64_t unit, std::int64_t n_units, Control& control);
  void step_features(std::int64_t unit, std::int64_t n_units, Control& control);

  std::int64_t n_query_blocks() const { return std::ssize(data_.rows.blocks) - 1; }
  std::int64_t items_per_row() const { return 1 + options_.n_negatives; }

  const RankingData& data_;
  const RankingOptions& options_;
  const NegativeSampler& sampler_;
  const PopularitySampler* popularity_;
  const FeatureTable& table_;
  std::vector<double> charged_;

  // Entities of all blocks, numbered through: their entries.
  std::vector<std::int64_t> first_entity_;  // of each block
  std::vector<std::int64_t> entry_begin_;
  Buffer<std::int32_t> entry_feature_;
  Buffer<float> entry_value_;  // empty: all 1
  std::vector<float> log_popularity_;  // of each item; empty: scores are not corrected for it

  // The batch.
  std::span<const RowNumber> batch_;
  Buffer<std::int32_t> candidates_;       // items_per_row() of each row: items, the positive first
  std::vector<std::uint8_t> has_negatives_;
  std::vector<std::int32_t> slot_of_;     // of each entity, -1: none
  std::vector<std::int32_t> entities_;    // of each slot, those of queries first
  std::int64_t n_query_slots_ = 0;
  Buffer<std::int32_t> query_slots_;      // n_query_blocks() of each row
  Buffer<std::int32_t> item_slots_;       // items_per_row() of each row
  Buffer<float> vectors_;                 // of the entities
  Buffer<float> offsets_;
  Buffer<float> touched_;                 // the queries' vectors, then their gradients
  std::vector<float> weights_;            // of each of these
  Buffer<float> slopes_;
  std::int64_t slope_stride_ = 0;
  std::vector<std::int64_t> touch_begin_;
  Buffer<Touch> touches_;
  Buffer<float> sums_;                    // of the entities
  std::int64_t sum_stride_ = 0;

  // Features of the touched entities.
  std::vector<std::int32_t> slot_of_feature_;
  std::vector<std::int32_t> features_;
  std::vector<std::int64_t> feature_begin_;
  std::vector<std::int32_t> feature_entity_;  // slots
  std::vector<float> feature_value_;
  std::vector<Unit> units_;
};

}  // namespace factorec
