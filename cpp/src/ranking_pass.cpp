// An epoch visits the positive rows in an order shuffled anew, in batches. Everything is constant in a batch; then each
// feature of its rows takes one step.
//
// A row's loss compares the score of its item with those of its negatives for the same query, so the query's own terms
// cancel: features of queries learn factors only. With slopes g_i of the loss by the scores of the items, whose sum is 0,
// query vector q and item vectors z_i,
//   dLoss/dV_f = x_f sum_i g_i z_i                   for a feature of the query,
//   dLoss/dV_f = x_f g_i (q + z_i - x_f V_f)         for a feature of item i, and x_f g_i for its linear weight.
// The row and each of its negatives charge L2, times the row's weight, to the features that they touch: those of the
// query once, those of an item each time. (WARP touches only rows and negatives that violate the margin.) A feature's
// gradient is the sum over its touches divided by the square root of their number; then comes AdaGrad's step.
//
// A batch goes through rounds, each in parallel, without merges or atomics, so that the bits do not depend on who does
// what: draws; vectors of the entities that occur, each once; losses of the rows; sums over the touches of each entity,
// in the order of the rows; steps of the features, over the entities that hold them. In between, entities and features
// get slots in the order of their first occurrence.
#include "ranking_pass.hpp"

#include <algorithm>
#include <cmath>

#include "factorec/parallel.hpp"
#include "kernels/kernels.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kUnitRows = 16;        // that one thread takes at a time
constexpr std::int64_t kRowsPerThread = 64;   // of a batch; fewer are done sooner than threads meet
constexpr std::int64_t kSlotsPerCheck = 4096;
constexpr int kRounds = 5;

template <class Action>
void in_parts(std::int64_t n, std::int64_t unit, std::int64_t n_units, Control& control, Action&& action) {
  const std::int64_t end = n * (unit + 1) / n_units;
  for (std::int64_t at = n * unit / n_units; at < end; at += kSlotsPerCheck) {
    control.throw_if_stopped();
    action(at, std::min(at + kSlotsPerCheck, end));
  }
}

}  // namespace

RankingPass::RankingPass(const RankingData& data, const RankingOptions& options, const NegativeSampler& sampler,
                         const PopularitySampler* popularity, const FeatureTable& table, Control& control)
    : data_(data),
      options_(options),
      sampler_(sampler),
      popularity_(popularity),
      table_(table),
      charged_(static_cast<std::size_t>(data.rows.n_features), 0.0),
      sum_stride_((table.padded() + kSumSize + 15) / 16 * 16),
      slot_of_feature_(static_cast<std::size_t>(data.rows.n_features), -1) {
  slope_stride_ = (items_per_row() + 2 * kGroupRows - 1) / kGroupRows * kGroupRows;
  if (popularity && options.loss == RankingLoss::softmax)
    for (std::int64_t item = 0; item < data.seen.n_columns; ++item)
      log_popularity_.push_back(
          static_cast<float>(std::log(static_cast<double>(std::max<std::int64_t>(1, popularity->popularity(item))))));
  list_entities(control);
}

void RankingPass::list_entities(Control& control) {
  std::int64_t n_entities = 0, n_entries = 0;
  bool ones = true;
  for (const RowBlock& block : data_.rows.blocks) {
    first_entity_.push_back(n_entities);
    n_entities += block.entities.n_rows();
    n_entries += block.entities.end(block.entities.n_rows() - 1);
  }
  entry_begin_.reserve(static_cast<std::size_t>(n_entities) + 1);
  entry_begin_.push_back(0);
  entry_feature_.resize(static_cast<std::size_t>(n_entries));
  entry_value_.resize(static_cast<std::size_t>(n_entries));
  std::size_t at = 0;
  for (const RowBlock& block : data_.rows.blocks)
    for (std::int64_t entity = 0; entity < block.entities.n_rows(); ++entity) {
      if (entity % kSlotsPerCheck == 0) control.throw_if_stopped();
      Rows::visit_entity(block, entity, [&](std::int64_t column, float value) {
        entry_feature_[at] = static_cast<std::int32_t>(column);
        entry_value_[at++] = value;
        ones = ones && value == 1.0f;
      });
      entry_begin_.push_back(static_cast<std::int64_t>(at));
    }
  if (ones) entry_value_ = Buffer<float>();
  slot_of_.assign(static_cast<std::size_t>(n_entities), -1);
}

void RankingPass::reserve(std::int64_t batch_size, std::int64_t n_units) {
  const auto rows = static_cast<std::size_t>(batch_size);
  const auto padded = static_cast<std::size_t>(table_.padded());
  candidates_.resize(rows * static_cast<std::size_t>(items_per_row()));
  item_slots_.resize(candidates_.size());
  query_slots_.resize(rows * static_cast<std::size_t>(n_query_blocks()));
  has_negatives_.resize(rows);
  touched_.resize(2 * rows * padded);
  weights_.resize(2 * rows);
  slopes_.resize(rows * static_cast<std::size_t>(slope_stride_));
  if (std::ssize(units_) >= n_units) return;
  units_.resize(static_cast<std::size_t>(n_units));
  for (Unit& unit : units_) unit.scratch = aligned_floats(sum_stride_ + table_.padded());
}

RankingSums RankingPass::run_epoch(std::span<const RowNumber> order, std::uint64_t number, Control& control) {
  const std::int64_t n_rows = std::ssize(order), batch_size = std::min(options_.batch_size, n_rows);
  const std::int64_t n_batches = (n_rows + batch_size - 1) / batch_size;
  const std::int64_t n_units = (batch_size + kUnitRows - 1) / kUnitRows;
  reserve(batch_size, n_units);
  // An interrupted epoch may have left some.
  for (std::int32_t entity : entities_) slot_of_[static_cast<std::size_t>(entity)] = -1;
  for (std::int32_t feature : features_) slot_of_feature_[static_cast<std::size_t>(feature)] = -1;
  entities_.clear();
  features_.clear();

  RankingSums sums;
  const auto take_batch = [&](std::int64_t batch) {
    batch_ = order.subspan(static_cast<std::size_t>(batch * batch_size),
                           static_cast<std::size_t>(std::min(batch_size, n_rows - batch * batch_size)));
  };
  take_batch(0);
  const auto body = [&](std::int64_t round, std::int64_t unit, int) {
    control.throw_if_stopped();
    const std::int64_t first = std::min(unit * kUnitRows, std::ssize(batch_));
    const std::int64_t end = std::min(first + kUnitRows, std::ssize(batch_));
    switch (round % kRounds) {
      case 0:
        return draw(number, first, end);
      case 1:
        return find_vectors(unit, n_units, control);
      case 2:
        return rank(unit, first, end);
      case 3:
        return sum_entities(unit, n_units, control);
      default:
        return step_features(unit, n_units, control);
    }
  };
  const auto finish = [&](std::int64_t round) {
    switch (round % kRounds) {
      case 0:
        return take_slots();
      case 2:
        for (const Unit& unit : units_) {
          sums.weight += unit.sums.weight;
          sums.loss += unit.sums.loss;
        }
        return group_touches();
      case 4:
        for (std::int32_t entity : entities_) slot_of_[static_cast<std::size_t>(entity)] = -1;
        for (std::int32_t feature : features_) slot_of_feature_[static_cast<std::size_t>(feature)] = -1;
        entities_.clear();
        features_.clear();
        if (round / kRounds + 1 < n_batches) take_batch(round / kRounds + 1);
        return;
      default:
        return;
    }
  };
  const auto n_threads =
      static_cast<int>(std::clamp<std::int64_t>(batch_size / kRowsPerThread, 1, options_.n_threads));
  parallel_rounds(kRounds * n_batches, n_units, n_threads, control, body, finish);
  return sums;
}

void RankingPass::draw(std::uint64_t epoch, std::int64_t first, std::int64_t end) {
  const std::vector<RowBlock>& blocks = data_.rows.blocks;
  const NegativeSampler::Epoch draws = sampler_.epoch(epoch);
  for (std::int64_t r = first; r < end; ++r) {
    const std::int64_t row = batch_[static_cast<std::size_t>(r)];
    std::int32_t* items = candidates_.data() + r * items_per_row();
    items[0] = static_cast<std::int32_t>(blocks.back().entity(row));
    const std::int64_t user = blocks.front().entity(row);
    has_negatives_[static_cast<std::size_t>(r)] = popularity_ ? popularity_->draw_all(epoch, user, row, items + 1)
                                                              : draws.draw_all(user, row, items + 1);
  }
}

std::int32_t RankingPass::take_slot(std::int64_t entity) {
  std::int32_t& slot = slot_of_[static_cast<std::size_t>(entity)];
  if (slot < 0) {
    slot = static_cast<std::int32_t>(entities_.size());
    entities_.push_back(static_cast<std::int32_t>(entity));
  }
  return slot;
}

void RankingPass::take_slots() {
  const std::vector<RowBlock>& blocks = data_.rows.blocks;
  for (std::size_t r = 0; r < batch_.size(); ++r)
    if (has_negatives_[r])
      for (std::int64_t b = 0; b < n_query_blocks(); ++b)
        query_slots_[r * static_cast<std::size_t>(n_query_blocks()) + static_cast<std::size_t>(b)] =
            take_slot(first_entity_[static_cast<std::size_t>(b)] + blocks[static_cast<std::size_t>(b)].entity(batch_[r]));
  n_query_slots_ = std::ssize(entities_);
  const auto n_items = static_cast<std::size_t>(items_per_row());
  for (std::size_t r = 0; r < batch_.size(); ++r)
    if (has_negatives_[r])
      for (std::size_t i = r * n_items; i < (r + 1) * n_items; ++i)
        item_slots_[i] = take_slot(first_entity_.back() + candidates_[i]);
  const std::size_t n_slots = entities_.size(), padded = static_cast<std::size_t>(table_.padded());
  vectors_.resize(n_slots * padded);
  offsets_.resize(n_slots);
  sums_.resize(n_slots * static_cast<std::size_t>(sum_stride_));
}

void RankingPass::find_vectors(std::int64_t unit, std::int64_t n_units, Control& control) {
  EntityVectors job;
  job.features.table = table_.view();
  job.features.entry_table = job.features.table.data;
  job.features.entries.begin = entry_begin_.data();
  job.features.entries.feature = entry_feature_.data();
  job.features.entries.value = entry_value_.empty() ? nullptr : entry_value_.data();
  job.entity = entities_.data();
  job.vectors = vectors_.data();
  job.offsets = offsets_.data();
  in_parts(std::ssize(entities_), unit, n_units, control, [&](std::int64_t first, std::int64_t end) {
    job.first = first;
    job.end = end;
    kernels().ranking.entity_vectors(job);
    if (log_popularity_.empty()) return;
    for (std::int64_t slot = std::max(first, n_query_slots_); slot < end; ++slot)
      offsets_[static_cast<std::size_t>(slot)] -=
          log_popularity_[static_cast<std::size_t>(entities_[static_cast<std::size_t>(slot)] - first_entity_.back())];
  });
}

void RankingPass::rank(std::int64_t number, std::int64_t first, std::int64_t end) {
  Unit& unit = units_[static_cast<std::size_t>(number)];
  unit.sums = RankingSums();
  const std::int64_t padded = table_.padded(), n_batch = std::ssize(batch_);
  const auto loss = kernels().ranking.ranked_row[static_cast<int>(options_.loss)];
  const IndexView& seen = data_.seen.indptr;
  RankedRow job;
  job.vectors = table_.view().vectors;
  job.entities = vectors_.data();
  job.offsets = offsets_.data();
  job.n_query = static_cast<std::int32_t>(n_query_blocks());
  job.n_items = static_cast<std::int32_t>(items_per_row());
  for (std::int64_t r = first; r < end; ++r) {
    const auto at = static_cast<std::size_t>(r);
    if (!has_negatives_[at]) continue;
    const auto row = static_cast<std::size_t>(batch_[at]);
    const auto user = static_cast<std::size_t>(data_.rows.blocks.front().entity(batch_[at]));
    job.query = query_slots_.data() + r * n_query_blocks();
    job.item = item_slots_.data() + r * items_per_row();
    job.weight = data_.weight.empty() ? 1.0f : data_.weight[row];
    job.n_unseen = data_.seen.n_columns - (seen[user + 1] - seen[user]);
    job.query_vector = touched_.data() + r * padded;
    job.query_gradient = touched_.data() + (n_batch + r) * padded;
    job.slopes = slopes_.data() + r * slope_stride_;
    weights_[at] = weights_[at + static_cast<std::size_t>(n_batch)] = job.weight;
    unit.sums.loss += static_cast<double>(job.weight) * static_cast<double>(loss(job));
    unit.sums.weight += static_cast<double>(job.weight);
  }
}

// A counting sort of the touches by slot: those of each keep the order of the rows. Then the same of the features.
void RankingPass::group_touches() {
  const auto n_items = static_cast<std::size_t>(items_per_row()), n_query = static_cast<std::size_t>(n_query_blocks());
  const bool only_violations = options_.loss == RankingLoss::warp;
  const auto visit_touches = [&](auto&& visit) {
    for (std::size_t r = 0; r < batch_.size(); ++r) {
      const float* slopes = slopes_.data() + r * static_cast<std::size_t>(slope_stride_);
      if (!has_negatives_[r] || (only_violations && slopes[0] == 0.0f)) continue;
      const auto row = static_cast<std::uint32_t>(r);
      for (std::size_t b = 0; b < n_query; ++b)
        visit(query_slots_[r * n_query + b], Touch{row + static_cast<std::uint32_t>(batch_.size()), 1.0f});
      for (std::size_t i = 0; i < n_items; ++i)
        if (!only_violations || slopes[i] != 0.0f) visit(item_slots_[r * n_items + i], Touch{row, slopes[i]});
    }
  };
  // begin[slot + 2] counts, then begin[slot + 1] is where the next touch of a slot goes, in the end where they end.
  const auto count_up = [](std::vector<std::int64_t>& begin) {
    for (std::size_t at = 2; at < begin.size(); ++at) begin[at] += begin[at - 1];
  };
  touch_begin_.assign(entities_.size() + 2, 0);
  visit_touches([&](std::int32_t slot, const Touch&) { ++touch_begin_[static_cast<std::size_t>(slot) + 2]; });
  count_up(touch_begin_);
  touches_.resize(static_cast<std::size_t>(touch_begin_.back()));
  visit_touches([&](std::int32_t slot, const Touch& touch) {
    touches_[static_cast<std::size_t>(touch_begin_[static_cast<std::size_t>(slot) + 1]++)] = touch;
  });

  const auto visit_entries = [&](auto&& visit) {
    for (std::size_t slot = 0; slot < entities_.size(); ++slot) {
      if (touch_begin_[slot] == touch_begin_[slot + 1]) continue;
      const auto entity = static_cast<std::size_t>(entities_[slot]);
      for (auto e = static_cast<std::size_t>(entry_begin_[entity]); e < static_cast<std::size_t>(entry_begin_[entity + 1]); ++e)
        visit(static_cast<std::int32_t>(slot), e);
    }
  };
  feature_begin_.assign(2, 0);
  visit_entries([&](std::int32_t, std::size_t e) {
    std::int32_t& slot = slot_of_feature_[static_cast<std::size_t>(entry_feature_[e])];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(features_.size());
      features_.push_back(entry_feature_[e]);
      feature_begin_.push_back(0);
    }
    ++feature_begin_[static_cast<std::size_t>(slot) + 2];
  });
  count_up(feature_begin_);
  feature_entity_.resize(static_cast<std::size_t>(feature_begin_.back()));
  feature_value_.resize(feature_entity_.size());
  visit_entries([&](std::int32_t entity, std::size_t e) {
    const auto slot = static_cast<std::size_t>(slot_of_feature_[static_cast<std::size_t>(entry_feature_[e])]);
    const auto to = static_cast<std::size_t>(feature_begin_[slot + 1]++);
    feature_entity_[to] = entity;
    feature_value_[to] = entry_value_.empty() ? 1.0f : entry_value_[e];
  });
}

void RankingPass::sum_entities(std::int64_t unit, std::int64_t n_units, Control& control) {
  EntitySums job;
  job.vectors = table_.view().vectors;
  job.touched = touched_.data();
  job.weights = weights_.data();
  job.touches = touches_.data();
  job.begin = touch_begin_.data();
  job.first_item = n_query_slots_;
  job.entities = vectors_.data();
  job.sums = sums_.data();
  job.sum_stride = sum_stride_;
  in_parts(std::ssize(entities_), unit, n_units, control, [&](std::int64_t first, std::int64_t end) {
    job.first = first;
    job.end = end;
    kernels().ranking.entity_sums(job);
  });
}

void RankingPass::step_features(std::int64_t number, std::int64_t n_units, Control& control) {
  const auto step = kernels().training.merged_step[static_cast<int>(Solver::adagrad)];
  const auto add = kernels().ranking.add_entity;
  float* merged = units_[static_cast<std::size_t>(number)].scratch.get();
  MergedStep job;
  job.table = table_.view();
  job.n_sums = 1;
  job.scratch = merged + sum_stride_;
  in_parts(std::ssize(features_), number, n_units, control, [&](std::int64_t first, std::int64_t end) {
    for (auto slot = static_cast<std::size_t>(first); slot < static_cast<std::size_t>(end); ++slot) {
      const auto feature = static_cast<std::size_t>(features_[slot]);
      const auto begin = static_cast<std::size_t>(feature_begin_[slot]);
      const auto stop = static_cast<std::size_t>(feature_begin_[slot + 1]);
      const float* sums = sums_.data() + feature_entity_[begin] * sum_stride_;
      if (stop - begin > 1 || feature_value_[begin] != 1.0f) {
        std::fill_n(merged, sum_stride_, 0.0f);
        for (std::size_t e = begin; e < stop; ++e)
          add(sums_.data() + feature_entity_[e] * sum_stride_, feature_value_[e], job.table.vectors, merged);
        sums = merged;
      }
      job.sums = &sums;
      job.row = job.table.data + static_cast<std::int64_t>(feature) * job.table.stride;
      step(job);
      charged_[feature] += static_cast<double>(sums[table_.padded() + kWeightSum]);
    }
  });
}

}  // namespace factorec
