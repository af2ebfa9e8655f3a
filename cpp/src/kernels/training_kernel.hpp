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
};

// Entries of up to 16 rows: those of row r are [begin[r], begin[r + 1]).
struct EntryList {
  const std::int32_t* begin = nullptr;
  const std::int64_t* feature = nullptr;  // place in the table
  const float* value = nullptr;
};

// Up to 16 rows of any features. Live ones are updated row by row; frozen ones are constant, and the gradient of
// each is added to its slot.
struct GroupJob {
  StateTable table;
  float clip = 0;  // entries of a gradient are clipped to +-clip; infinity: never
  float bias = 0;
  std::int32_t n_rows = 0;
  EntryList frozen;
  EntryList live;
  const std::int32_t* slot = nullptr;  // of each frozen entry
  const float* target = nullptr;
  const float* weight = nullptr;
  float* gradients = nullptr;          // rows of `gradient_stride`: factors (padded), then linear
  std::int64_t gradient_stride = 0;
  float* scratch = nullptr;            // 16 times the padded factors
};

// One step of a feature from the sum of `count` row gradients.
struct MergedStep {
  StateTable table;
  std::int64_t feature = 0;
  const float* gradient = nullptr;  // factors (padded), then linear
  float count = 0;
};

struct TrainingKernels {
  int width = 0;  // floats in a vector
  // Indexed by [solver][loss].
  void (*pair_rows[2][2])(const PairJob&, PassSums*);
  void (*group_rows[2][2])(const GroupJob&, PassSums*);
  // Indexed by [solver].
  void (*merged_step[2])(const MergedStep&);
};

}  // namespace factorec
