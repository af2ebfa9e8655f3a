#include "factorec/ranking.hpp"

#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "factorec/sampling.hpp"
#include "factorec/validation.hpp"
#include "feature_table.hpp"
#include "kernels/kernels.hpp"
#include "popularity_sampling.hpp"
#include "ranking_pass.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

void check_size(std::size_t size, std::int64_t expected, const char* name) {
  if (static_cast<std::int64_t>(size) != expected)
    throw std::invalid_argument(std::string(name) + " has " + std::to_string(size) + " entries, expected " +
                                std::to_string(expected));
}

void check_arrays(const ParameterArrays& arrays, std::int64_t n_features, std::int64_t n_factors) {
  check_size(arrays.linear.size(), n_features, "linear");
  check_size(arrays.linear_accumulator.size(), n_features, "linear accumulator");
  check_size(arrays.factors_accumulator.size(), n_features, "factors accumulator");
  const std::int64_t k = n_factors ? n_factors : arrays.factors.n_columns;
  if (k < 1 || arrays.factors.n_rows != n_features || arrays.factors.n_columns != k)
    throw std::invalid_argument("factors must be (" + std::to_string(n_features) + ", " +
                                (n_factors ? std::to_string(n_factors) : "at least 1") + ")");
}

const RankingData& checked(const RankingData& data, const RankingOptions& options, const ParameterArrays& start,
                           Control& control) {
  const Rows& rows = data.rows;
  const int n_threads = options.n_threads;
  if (n_threads < 1) throw std::invalid_argument("n_threads must be at least 1");
  if (options.batch_size < 1) throw std::invalid_argument("batch_size must be at least 1");
  if (options.n_negatives < 1 || options.n_negatives >= kMost)
    throw std::invalid_argument("n_negatives must be at least 1 and less than 2^31 - 1");
  if (rows.n_rows < 1) throw std::invalid_argument("no rows to train on");
  if (rows.n_rows > kMost) throw std::invalid_argument("more rows than 31 bits number");
  if (rows.n_features > kMost) throw std::invalid_argument("more features than 31 bits number");
  if (rows.blocks.size() < 2) throw std::invalid_argument("ranking needs rows in blocks, users first and items last");
  std::int64_t n_entities = 0;
  for (const RowBlock& block : rows.blocks) {
    if (!block.index.size()) throw std::invalid_argument("ranking needs an index into each block of rows");
    n_entities += block.entities.n_rows();
  }
  if (n_entities > kMost) throw std::invalid_argument("more users, contexts and items than 31 bits number");
  check_rows(rows, n_threads, control);
  // A batch must fit the 32 bits that its parts are numbered by.
  if (std::min(options.batch_size, rows.n_rows) > kMost / (options.n_negatives + std::ssize(rows.blocks)))
    throw std::invalid_argument("batch_size times n_negatives must be less than 2^31");
  if (!data.weight.empty()) {
    check_size(data.weight.size(), rows.n_rows, "weight");
    check_finite(data.weight, "weight", n_threads, control);
    for (std::size_t i = 0; i < data.weight.size(); ++i)
      if (data.weight[i] < 0) throw std::invalid_argument("weight[" + std::to_string(i) + "] is negative");
  }
  check_size(data.features.rate_linear.size(), rows.n_features, "rate_linear");
  check_size(data.features.rate_factors.size(), rows.n_features, "rate_factors");
  check_size(data.features.l2_linear.size(), rows.n_features, "l2_linear");
  check_size(data.features.l2_factors.size(), rows.n_features, "l2_factors");
  check_arrays(start, rows.n_features, 0);
  const std::int64_t n_users = rows.blocks.front().entities.n_rows(), n_items = rows.blocks.back().entities.n_rows();
  if (data.seen.n_rows() != n_users || data.seen.n_columns != n_items)
    throw std::invalid_argument("seen items must be (" + std::to_string(n_users) + ", " + std::to_string(n_items) + ")");
  return data;
}

}  // namespace

class RankingTrainer::State {
 public:
  State(RankingData data, const RankingOptions& options, const ParameterArrays& start, Control& control)
      : data_(std::move(data)),
        options_(options),
        sampler_(checked(data_, options, start, control).seen, options.n_negatives, options.seed, options.n_threads,
                 control),
        table_(identity(data_.rows.n_features), start, data_.features, kernels().training.width),
        order_(static_cast<std::size_t>(data_.rows.n_rows)),
        popularity_(data_.popularity.empty() ? nullptr
                                             : std::make_unique<PopularitySampler>(data_.seen, data_.popularity,
                                                                                   options.n_negatives, options.seed, control)),
        pass_(data_, options_, sampler_, popularity_.get(), table_, control) {}

  RankingSums epoch(std::uint64_t number, Control& control) {
    std::iota(order_.begin(), order_.end(), RowNumber{0});
    if (options_.shuffle) shuffle(order_, CounterRng(options_.seed).fork(kRowOrder).fork(number), control);
    return pass_.run_epoch(order_, number, control);
  }

  void copy_to(const ParameterArrays& arrays) const {
    check_arrays(arrays, data_.rows.n_features, table_.view().n_factors);
    table_.copy_to(arrays);
  }
  bool finite() const { return table_.finite(); }
  std::span<const double> charged() const { return pass_.charged(); }

 private:
  static constexpr std::uint64_t kRowOrder = 1;  // a stream of the seed

  static std::vector<std::int64_t> identity(std::int64_t n) {
    std::vector<std::int64_t> place(static_cast<std::size_t>(n));
    std::iota(place.begin(), place.end(), std::int64_t{0});
    return place;
  }

  RankingData data_;
  RankingOptions options_;
  NegativeSampler sampler_;
  FeatureTable table_;
  std::vector<RowNumber> order_;
  std::unique_ptr<PopularitySampler> popularity_;
  RankingPass pass_;
};

RankingTrainer::RankingTrainer(RankingData data, const RankingOptions& options, const ParameterArrays& start,
                               Control& control)
    : state_(std::make_unique<State>(std::move(data), options, start, control)) {}
RankingTrainer::~RankingTrainer() = default;
RankingSums RankingTrainer::epoch(std::uint64_t number, Control& control) { return state_->epoch(number, control); }
void RankingTrainer::copy_to(const ParameterArrays& arrays) const { state_->copy_to(arrays); }
bool RankingTrainer::finite() const { return state_->finite(); }
std::span<const double> RankingTrainer::charged() const { return state_->charged(); }

}  // namespace factorec
