// What the kernels of the first pass over codes must offer; see codes_kernel.inc. Only levels with an instruction
// for 8-bit dot products have them.
#pragma once

#include <cstdint>

#include "factorec/codes.hpp"
#include "kernels/search_kernel.hpp"

namespace factorec {

inline constexpr int kCodeLanes = 16;  // queries of a CodesTile at most, one a lane

// What the kernel knows of each query of a tile, a lane each; see query_codes.hpp for what they mean.
struct alignas(64) QueryLanes {
  float theta[kCodeLanes] = {};        // items that cannot reach it are not accepted
  float scale[kCodeLanes] = {};
  float reach[kCodeLanes] = {};        // times a panel's norm, plus its top offset: no score is higher
  float by_norm[kCodeLanes] = {};      // the error of an approximation: by_norm * norm + by_residual * residual
  float by_residual[kCodeLanes] = {};  //   + by_offset * offset + floor
  float size[kCodeLanes] = {};         // size * (norm + residual) + offset at kCertain or above: no bound at all
  std::int32_t seed[kCodeLanes] = {};  // -128 * sum of the query's codes: what storing V + 128 adds
};

inline constexpr float kCertain = 1e38f;

// A few queries against a run of panels of codes.
struct CodesTile {
  const std::int32_t* queries = nullptr;    // n_code_groups rows of n_queries words of 4 signed codes
  const QueryLanes* lanes = nullptr;
  const std::uint8_t* codes = nullptr;
  const PanelBounds* bounds = nullptr;
  const float* offsets = nullptr;
  const std::uint32_t* allowed = nullptr;   // a bit per item, a word per panel; null: all
  std::uint32_t last_lanes = 0;             // the lanes of the last panel that hold items
  std::int64_t n_groups = 0;
  std::int64_t n_panels = 0;
  float by_offset = 0;
  float floor = 0;
  std::uint32_t first_place = 0;
  int n_queries = 0;
  BoundedCandidates* candidates = nullptr;  // one per query
};

struct CodesKernels {
  // Appends every allowed item whose score may reach its query's theta. Returns the number of panels done: less
  // than all when a query's candidates have passed their limit.
  std::int64_t (*scan)(const CodesTile& tile) = nullptr;

  // The scores of the items at `n` places.
  void (*score)(const CodedItems& items, const float* query, const std::uint32_t* places, std::int64_t n,
                float* scores) = nullptr;

  // |row|, a little off.
  float (*norm)(const float* row, std::int64_t n_factors) = nullptr;

  // Writes the codes of a panel of n_rows <= kPanelItems rows and scale, norm and residual of its bounds.
  void (*encode)(const float* rows, int n_rows, std::int64_t n_factors, std::uint8_t* codes, PanelBounds& bounds) =
      nullptr;
};

}  // namespace factorec
