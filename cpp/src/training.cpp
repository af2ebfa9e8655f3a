// One epoch, whatever the number of threads:
//
// Grid (two one-hot fields, batch_size 1). The columns of both fields are dealt to B groups (schedule.hpp), rows
// to B x B blocks. B rounds; the B blocks of a round share no column of either field, so they may run at once.
// The bias is constant in a round and takes one step by the round's mean slope. Every other feature is constant
// for kFrozenRows rows of each block of the round, then takes one step from the sums of its row gradients, the
// blocks' sums added in block order.
//
// No grid, batch_size 1: row by row, every feature and the bias, rows shuffled anew each epoch.
// batch_size m > 1: everything is constant for m rows, then takes one merged step.
//
// Ordinal loss: the bias stays as it is, and the cuts between levels step as the bias would, each by its own mean
// slope.
//
// Adam, whatever the batch_size: see adam_pass.cpp.
#include "factorec/training.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "adam_pass.hpp"
#include "cuts.hpp"
#include "factorec/validation.hpp"
#include "feature_table.hpp"
#include "group_pass.hpp"
#include "kernels/kernels.hpp"
#include "pair_pass.hpp"
#include "schedule.hpp"

namespace factorec {
namespace {

void check_size(std::size_t size, std::int64_t expected, const char* name) {
  if (static_cast<std::int64_t>(size) != expected)
    throw std::invalid_argument(std::string(name) + " has " + std::to_string(size) + " entries, expected " +
                                std::to_string(expected));
}

}  // namespace

void PassSums::add(const PassSums& other) {
  weight += other.weight;
  slope += other.slope;
  loss += other.loss;
  absolute += other.absolute;
  positive += other.positive;
  predicted_positive += other.predicted_positive;
  true_positive += other.true_positive;
  squared += other.squared;
}

class Trainer::State {
 public:
  State(TrainingData data, const TrainingOptions& options, const ParameterArrays& start, BiasState bias,
        Control& control)
      : data_(std::move(data)), options_(options), bias_(bias) {
    check(start, control);
    control.throw_if_stopped();
    order_.resize(static_cast<std::size_t>(data_.rows.n_rows));
    std::iota(order_.begin(), order_.end(), RowNumber{0});
    if (options_.loss == Loss::ordinal) cuts_.emplace(data_.cuts);
    const bool adam = options_.solver == Solver::adam;
    const bool by_row = options_.batch_size == 1 && !adam;
    if (by_row)
      if (const auto fields = choose_grid(data_.rows, data_.grid_candidates, options_.n_threads, control))
        grid_ = build_grid(data_.rows, *fields, options_.n_threads, control);
    pairs_ = grid_ && grid_->pairs_fit && only_pairs();
    if (options_.shuffle) shuffle(order_, rng().fork(kRowOrder), control);
    if (pairs_) {
      pair_pass_.emplace(*grid_, start, data_.features, options_, cuts());
    } else {
      table_.emplace(places(by_row), start, data_.features, kernels().training.width);
      if (adam)
        adam_pass_.emplace(data_, options_, *table_, start.moments);
      else
        group_pass_.emplace(data_, options_, *table_, grid_ ? &*grid_ : nullptr, n_live_, cuts());
    }
    if (reshuffles()) return;
    if (data_.negatives) {
      drawing_rows_.emplace(scheduled_rows(), order_, options_.n_threads, control);
    } else {
      schedule_rows(scheduled_rows(), order_, options_.n_threads, control, schedule_);
      follow(control);
    }
    // What every epoch needs of them is in the schedule or beside the draws now.
    std::vector<RowNumber>().swap(order_);
    if (grid_ && (pairs_ || !data_.negatives)) {
      grid_->first = {};
      grid_->second = {};
    }
  }

  PassSums epoch(std::uint64_t number, Control& control) {
    if (data_.negatives || reshuffles()) schedule(number, control);
    if (adam_pass_) return adam_pass_->run_epoch(schedule_.size(), bias_, control);
    if (cuts_) cuts_->reserve(grid_ ? static_cast<std::size_t>(schedule_.n_groups) : 1);
    if (!grid_) return run_batches(control);
    const CounterRng order = rng().fork(kBlockOrder).fork(number);
    const std::vector<std::int32_t> blocks = order_blocks(schedule_.n_groups, options_.shuffle ? &order : nullptr);
    const auto n_groups = static_cast<std::size_t>(schedule_.n_groups);
    PassSums sums;
    const auto end_round = [&](const PassSums& of_round) {
      end_batch(of_round);
      sums.add(of_round);
      return bias();
    };
    if (pairs_)
      pair_pass_->run_epoch(blocks, schedule_, bias(), end_round, control);
    else
      for (std::size_t round = 0; round < n_groups; ++round)
        end_round(group_pass_->run_round({blocks.data() + round * n_groups, n_groups}, schedule_, bias(), control));
    return sums;
  }

  BiasState copy_to(const ParameterArrays& arrays) const {
    check_arrays(arrays);
    pairs_ ? pair_pass_->copy_to(arrays) : table_->copy_to(arrays);
    if (adam_pass_) adam_pass_->copy_to(arrays.moments);
    return bias_;
  }

  bool finite() const {
    return std::isfinite(bias_.value) && (!cuts_ || cuts_->finite()) && (pairs_ ? pair_pass_->finite() : table_->finite()) &&
           (!adam_pass_ || adam_pass_->finite());
  }

  std::span<const BatchReport> reports() const {
    return adam_pass_ ? adam_pass_->reports() : std::span<const BatchReport>();
  }
  std::span<const std::int64_t> steps() const {
    return adam_pass_ ? adam_pass_->steps() : std::span<const std::int64_t>();
  }

  std::span<const double> cut_values() const { return cuts_ ? cuts_->values() : std::span<const double>(); }
  std::span<const double> cut_accumulators() const {
    return cuts_ ? cuts_->accumulators() : std::span<const double>();
  }

  bool has_grid() const { return grid_.has_value(); }
  bool has_pairs() const { return pairs_; }

 private:
  // Streams of the seed.
  static constexpr std::uint64_t kRowOrder = 1, kBlockOrder = 2;

  CounterRng rng() const { return CounterRng(options_.seed); }

  void check(const ParameterArrays& start, Control& control) const {
    const Rows& rows = data_.rows;
    if (rows.n_rows < 1) throw std::invalid_argument("no rows to train on");
    if (rows.n_rows > std::numeric_limits<RowNumber>::max()) throw std::invalid_argument("more rows than 32 bits number");
    if (rows.blocks.empty()) throw std::invalid_argument("rows need at least one block");
    if (options_.n_threads < 1) throw std::invalid_argument("n_threads must be at least 1");
    const int n_threads = options_.n_threads;
    check_rows(rows, n_threads, control);
    check_size(data_.target.size(), rows.n_rows, "target");
    check_finite(data_.target, "target", n_threads, control);
    if (!data_.weight.empty()) {
      check_size(data_.weight.size(), rows.n_rows, "weight");
      check_finite(data_.weight, "weight", n_threads, control);
      for (std::size_t i = 0; i < data_.weight.size(); ++i)
        if (data_.weight[i] < 0) throw std::invalid_argument("weight[" + std::to_string(i) + "] is negative");
    }
    if (options_.loss == Loss::ordinal) check_levels();
    check_size(data_.features.rate_linear.size(), rows.n_features, "rate_linear");
    check_size(data_.features.rate_factors.size(), rows.n_features, "rate_factors");
    check_size(data_.features.l2_linear.size(), rows.n_features, "l2_linear");
    check_size(data_.features.l2_factors.size(), rows.n_features, "l2_factors");
    check_arrays(start);
    if (options_.batch_size < 1) throw std::invalid_argument("batch_size must be at least 1");
    if (options_.solver == Solver::adam) {
      if (!(static_cast<float>(options_.adam.epsilon) > 0) || !std::isfinite(options_.adam.epsilon))
        throw std::invalid_argument("epsilon must be a number above 0 that float32 can hold");
      if (!std::isfinite(static_cast<float>(options_.adam.rescale)))
        throw std::invalid_argument("the gradient's factor must be a number that float32 can hold");
      if (options_.adam.report_every < 0) throw std::invalid_argument("report_every must be at least 0");
      if (bias_.n_steps < 0) throw std::invalid_argument("n_steps must be at least 0");
    }
    if (data_.negatives) {
      const std::int64_t n_users = rows.blocks.front().entities.n_rows();
      const std::int64_t n_items = rows.blocks.back().entities.n_rows();
      if (std::max(n_users, n_items) > std::numeric_limits<std::int32_t>::max())
        throw std::invalid_argument("negatives need users and items that 31 bits number");
      if (rows.blocks.size() < 2 || !rows.blocks.front().index.size() || !rows.blocks.back().index.size())
        throw std::invalid_argument("negatives need rows in blocks, users first and items last");
      if (data_.negatives->n_users() != n_users || data_.negatives->n_items() != n_items)
        throw std::invalid_argument("seen items must be (" + std::to_string(n_users) + ", " + std::to_string(n_items) +
                                    ")");
    }
  }

  void check_levels() const {
    if (options_.solver == Solver::adam) throw std::invalid_argument("Adam has no ordinal loss");
    if (data_.negatives) throw std::invalid_argument("negatives have no level");
    const auto highest = static_cast<float>(data_.cuts.cut.size());
    for (std::size_t i = 0; i < data_.target.size(); ++i) {
      const float level = data_.target[i];
      if (!(level >= 0 && level <= highest) || level != std::floor(level))
        throw std::invalid_argument("target[" + std::to_string(i) + "] is no level from 0 to " +
                                    std::to_string(data_.cuts.cut.size()));
    }
  }

  void check_arrays(const ParameterArrays& arrays) const {
    const std::int64_t n = data_.rows.n_features;
    check_size(arrays.linear.size(), n, "linear");
    check_size(arrays.linear_accumulator.size(), n, "linear accumulator");
    check_size(arrays.factors_accumulator.size(), n, "factors accumulator");
    if (arrays.factors.n_rows != n || arrays.factors.n_columns < 1)
      throw std::invalid_argument("factors must be (" + std::to_string(n) + ", at least 1)");
    if (options_.solver == Solver::adam) {
      check_size(arrays.moments.linear_mean.size(), n, "mean of the linear gradients");
      check_size(arrays.moments.linear_square.size(), n, "mean square of the linear gradients");
      for (const Matrix& moment : {arrays.moments.factors_mean, arrays.moments.factors_square})
        if (moment.n_rows != n || moment.n_columns != arrays.factors.n_columns)
          throw std::invalid_argument("moments of the factors must have the factors' shape");
    }
    const std::int64_t k = pair_pass_ ? pair_pass_->n_factors() : table_ ? table_->view().n_factors : -1;
    if (k >= 0 && arrays.factors.n_columns != k)
      throw std::invalid_argument("factors must have " + std::to_string(k) + " columns");
  }

  // Whether every row is its two grid features and nothing else.
  bool only_pairs() const {
    std::int64_t per_row = 0;
    for (const RowBlock& block : data_.rows.blocks) {
      const std::int64_t length = block.entities.end(0) - block.entities.begin(0);
      for (std::int64_t entity = 0; entity < block.entities.n_rows(); ++entity)
        if (block.entities.end(entity) - block.entities.begin(entity) != length) return false;
      per_row += length;
    }
    return per_row == 2;
  }

  // Places in the table: the grid's features first, in the order of their blocks, then the others in theirs.
  std::vector<std::int64_t> places(bool by_row) {
    const auto n = static_cast<std::size_t>(data_.rows.n_features);
    std::vector<std::int64_t> place(n, -1);
    std::int64_t next = 0;
    const auto place_field = [&](const Field& field, const Deal& deal) {
      for (std::int64_t column = 0; column < field.size(); ++column)
        place[static_cast<std::size_t>(field.start + column)] = next + deal.position[static_cast<std::size_t>(column)];
      next += field.size();
    };
    if (grid_) {
      place_field(grid_->fields.first, grid_->first_deal);
      place_field(grid_->fields.second, grid_->second_deal);
    }
    n_live_ = grid_ ? next : (by_row ? data_.rows.n_features : 0);
    for (std::int64_t& at : place)
      if (at < 0) at = next++;
    return place;
  }

  // Whether rows come in another order each epoch. In a grid the order of the blocks is enough.
  bool reshuffles() const { return !grid_ && options_.shuffle; }

  ScheduledRows scheduled_rows() const { return {data_, grid_ ? &*grid_ : nullptr, pairs_}; }

  void schedule(std::uint64_t epoch, Control& control) {
    if (reshuffles()) {
      std::vector<RowNumber> order = order_;
      shuffle(order, rng().fork(kRowOrder).fork(epoch), control);
      if (data_.negatives)
        drawing_rows_.emplace(scheduled_rows(), order, options_.n_threads, control);
      else
        schedule_rows(scheduled_rows(), order, options_.n_threads, control, schedule_);
    }
    if (drawing_rows_) drawing_rows_->schedule(*data_.negatives, epoch, options_.n_threads, control, schedule_);
    follow(control);
  }

  void follow(Control& control) {
    if (adam_pass_)
      adam_pass_->follow(schedule_, control);
    else if (!pairs_)
      group_pass_->follow(schedule_, control);
  }

  // Without a grid: a step of everything after every batch_size rows.
  PassSums run_batches(Control& control) {
    PassSums sums;
    for (std::int64_t begin = 0; begin < schedule_.size(); begin += options_.batch_size) {
      const std::int64_t end = std::min(begin + options_.batch_size, schedule_.size());
      const PassSums of_batch = group_pass_->run_rows(begin, end, bias(), control);
      end_batch(of_batch);
      sums.add(of_batch);
    }
    return sums;
  }

  float bias() const { return static_cast<float>(bias_.value); }

  const Cuts* cuts() const { return cuts_ ? &*cuts_ : nullptr; }

  // What is constant in a round, or a batch, takes one step by the mean slope of its rows.
  void end_batch(const PassSums& sums) {
    if (cuts_)
      cuts_->step(sums.weight, options_);
    else
      step_bias(sums);
  }

  void step_bias(const PassSums& sums) {
    if (sums.weight <= 0) return;
    const double limit = options_.clip;
    const double gradient =
        std::clamp(sums.slope / sums.weight + options_.l2_bias * bias_.value, -limit, limit);
    if (options_.solver == Solver::adagrad) {
      bias_.accumulator += gradient * gradient;
      bias_.value -= options_.rate_bias * gradient / std::sqrt(bias_.accumulator);
    } else {
      bias_.value -= options_.rate_bias * gradient;
    }
  }

  TrainingData data_;
  TrainingOptions options_;
  BiasState bias_;
  std::optional<Cuts> cuts_;         // of ordinal loss
  std::vector<RowNumber> order_;     // rows in the order of the seed
  std::optional<Grid> grid_;
  bool pairs_ = false;
  std::int64_t n_live_ = 0;          // features at places below are updated row by row
  std::optional<FeatureTable> table_;
  std::optional<DrawingRows> drawing_rows_;
  Schedule schedule_;
  std::optional<PairPass> pair_pass_;  // for pairs; otherwise the table and the group pass
  std::optional<GroupPass> group_pass_;
  std::optional<AdamPass> adam_pass_;  // instead of it
};

Trainer::Trainer(TrainingData data, const TrainingOptions& options, const ParameterArrays& start, BiasState bias,
                 Control& control)
    : state_(std::make_unique<State>(std::move(data), options, start, bias, control)) {}
Trainer::~Trainer() = default;
PassSums Trainer::epoch(std::uint64_t number, Control& control) { return state_->epoch(number, control); }
BiasState Trainer::copy_to(const ParameterArrays& arrays) const { return state_->copy_to(arrays); }
bool Trainer::finite() const { return state_->finite(); }
std::span<const BatchReport> Trainer::reports() const { return state_->reports(); }
std::span<const std::int64_t> Trainer::steps() const { return state_->steps(); }
std::span<const double> Trainer::cuts() const { return state_->cut_values(); }
std::span<const double> Trainer::cut_accumulators() const { return state_->cut_accumulators(); }
bool Trainer::has_grid() const { return state_->has_grid(); }
bool Trainer::has_pairs() const { return state_->has_pairs(); }

}  // namespace factorec
