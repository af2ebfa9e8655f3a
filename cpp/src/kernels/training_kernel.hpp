// What a training kernel must offer; see training_kernel.inc.
#pragma once

#include <cstdint>

#include "factorec/pass.hpp"

namespace factorec {

// The state of one feature is one row of a table, everything beside its factors:
//   factors (padded with zeros to whole vectors) | linear weight | accumulator of the factors |
//   accumulator of the linear weight | L2 of the factors | L2 of the linear weight | learning rate of the factors |
//   learning rate of the linear weight | padding to 64 bytes
enum StateOffset {
  kLinear = 0,
  kFactorsAccumulator,
  kLinearAccumulator,
  kFactorsL2,
  kLinearL2,
  kFactorsRate,
  kLinearRate,
  kStateSize
};

struct StateTable {
  float* data = nullptr;
  std::int64_t stride = 0;   // floats from one feature to the next
  std::int32_t vectors = 0;  // vectors of factors in a row
  std::int32_t n_factors = 0;
};

// A row of exactly two features of value 1, each by its number in its group of the grid: the second's in the lowest
// `second_bits` of `columns`, the first's above them.
struct PairRow {
  std::uint32_t columns;
  float target;
};

struct StepSettings {
  float rate_linear = 0;
  float rate_factors = 0;
  float l2_linear = 0;
  float l2_factors = 0;
};

// State of a feature of pairs beside its factors. SGD: the linear weight. AdaGrad: accumulator of the factors,
// accumulator of the linear weight, linear weight, nothing.
constexpr int pair_state_size(Solver solver) { return solver == Solver::sgd ? 1 : 4; }
constexpr int pair_linear(Solver solver) { return solver == Solver::sgd ? 0 : 2; }

// The features of one group of a field.
struct PairSide {
  float* factors = nullptr;  // (padded to whole vectors) of one feature after the other
  float* state = nullptr;    // pair_state_size() floats each
  const StepSettings* settings = nullptr;
};

// The cuts between ordered levels (ordinal loss).
struct CutsView {
  std::int32_t n = 0;               // 0: of another loss
  const float* cut = nullptr;
  const float* weight = nullptr;    // of its log loss in the sum
  const float* distance = nullptr;  // between the targets of the levels around it
  const float* constant = nullptr;  // what the log loss of the level above has more than that of the level below,
                                    // beside the log losses of their own cuts
  float* lanes = nullptr;           // kGroupRows of each cut: zero, and left so
  double* slopes = nullptr;         // of each cut, with respect to the score: added to
};

// Rows that are updated together: see loss.inc.
constexpr std::int64_t kGroupRows = 16;

struct PairJob {
  PairSide first;
  PairSide second;
  bool plain = true;         // nothing is clipped, and settings are those of every feature of their side
  float clip = 0;            // entries of a gradient are clipped to +-clip; infinity: never
  float bias = 0;
  std::int32_t vectors = 0;  // vectors of factors of a feature
  std::int32_t n_factors = 0;
  std::int32_t second_bits = 0;
  const PairRow* rows = nullptr;
  const float* weights = nullptr;  // of each row, or null: all 1
  std::int64_t n_rows = 0;
  std::int64_t n_ahead = 0;        // rows beyond n_rows that may be looked at to prefetch
  CutsView cuts;
};

// A row of a grid: its two features, by their places in the table, and other entries beside them. Without a grid
// only the target has a meaning.
struct GroupRow {
  std::int32_t first = 0;
  std::int32_t second = 0;
  float target = 0;
};

// Entries of rows: those of row r are [begin[r], begin[r + 1]).
struct EntryList {
  const std::int64_t* begin = nullptr;
  const std::int32_t* feature = nullptr;
  const float* value = nullptr;        // null: all 1
  const std::uint8_t* row = nullptr;   // of each entry: the number of its row in its group
};

// What is summed of a feature that stays constant for many rows: the slopes times the sums of parts of the rows
// (padded factors), then these. All of a feature's own part of its gradients is left to the merged step, unless
// entries of a gradient are clipped: then the first two are sums of whole gradients, the next two 0.
enum SumOffset {
  kSlopeSum = 0,     // slope * value
  kOwnSlopeSum,      // slope * value^2
  kWeightSum,        // weight of the row
  kCount,            // 1
  kSumSize
};

// Rows of any features. The entries are of frozen features: constant, and what belongs to the gradient of each is
// added to its slot of the sums. In row by row steps they are of live features.
struct GroupJob {
  StateTable table;
  float* entry_table = nullptr;        // the table's row of feature 0 of the entries
  float clip = 0;                      // entries of a gradient are clipped to +-clip; infinity: never
  float bias = 0;
  std::int64_t n_rows = 0;
  std::int64_t n_ahead = 0;            // rows beyond n_rows that may be looked at to prefetch
  const GroupRow* rows = nullptr;
  const float* weights = nullptr;      // of each row, or null: all 1
  EntryList entries;
  const std::int32_t* slot = nullptr;  // of each entry
  float* sums = nullptr;
  std::int64_t sum_stride = 0;
  float* scratch = nullptr;            // a group's padded factors
  CutsView cuts;
};

// One step of a feature from the sums of blocks of rows, added in their order.
struct MergedStep {
  StateTable table;
  float* row = nullptr;                // of the feature
  const float* const* sums = nullptr;  // rows as in GroupJob
  int n_sums = 0;
  float* scratch = nullptr;            // as long as a row of the sums
};

struct TrainingKernels {
  int width = 0;  // floats in a vector
  // Indexed by [solver][loss].
  void (*pair_rows[2][3])(const PairJob&, PassSums*);
  void (*group_rows[2][3])(const GroupJob&, PassSums*);   // two live features a row, frozen ones beside them
  void (*live_rows[2][3])(const GroupJob&, PassSums*);    // live features only, row by row
  void (*frozen_rows[3])(const GroupJob&, PassSums*);     // frozen features only; indexed by [loss]
  // Indexed by [solver].
  void (*merged_step[2])(const MergedStep&);
};

}  // namespace factorec
