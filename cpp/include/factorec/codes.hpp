// How items lie in memory for the certified two-stage search: as 8-bit codes for a first pass over everything, and
// as plain float32 rows for the few items that the first pass cannot rule out.
//
// Items lie in bound order (the most promising first), in panels of kPanelItems. Vector v of a panel is
// approximated by scale * V, V whole numbers in [-127, 127] stored as V + 128; what an approximation may be off is
// known per panel from its measured residuals. docs/search.md has the bound and its proof.
#pragma once

#include <cstdint>

#include "factorec/panels.hpp"

namespace factorec {

// What holds for every item of a panel; each entry is rounded up.
struct PanelBounds {
  float scale = 0;       // of the codes: this very float
  float norm = 0;        // the largest |v|
  float residual = 0;    // the largest |v - scale V|
  float offset = 0;      // the largest |offset|
  float top_offset = 0;  // the largest offset, plus what rounding may add to a score besides its share of |q| |v|
  float rest_norm = 0;        // the largest norm of this panel and all after it
  float rest_top_offset = 0;  // the same of top_offset
  float unused = 0;
};

inline constexpr std::int64_t kCodeGroup = 4;  // factors whose codes lie side by side

// More factors, and a sum of products of codes no longer fits into a float.
inline constexpr std::int64_t kMaxCodedFactors = 1040;

constexpr std::int64_t n_code_groups(std::int64_t n_factors) { return (n_factors + kCodeGroup - 1) / kCodeGroup; }
constexpr std::int64_t panel_code_bytes(std::int64_t n_factors) {
  return n_code_groups(n_factors) * kPanelItems * kCodeGroup;
}

// "Place" p is the p-th item in bound order, "position" its number in the caller's order.
struct CodedItems {
  const float* rows = nullptr;           // n_items x n_factors, by place
  const std::uint8_t* codes = nullptr;   // a panel: n_code_groups rows of kPanelItems x kCodeGroup codes; unused ones 128
  const PanelBounds* bounds = nullptr;   // one a panel
  const float* offsets = nullptr;        // by place; 0 in the lanes behind the last item
  const std::uint32_t* positions = nullptr;  // of each place; null: place and position are the same
  const std::uint32_t* places = nullptr;     // of each position; null likewise
  std::int64_t n_items = 0;
  std::int64_t n_factors = 0;
};

// Where pack_codes writes, see CodedItems.
struct CodedItemsOutput {
  float* rows = nullptr;
  std::uint8_t* codes = nullptr;
  PanelBounds* bounds = nullptr;
  float* offsets = nullptr;
  std::uint32_t* positions = nullptr;
  std::uint32_t* places = nullptr;
};

}  // namespace factorec
