// How items lie in memory for search: in panels of kPanelItems items, each as n_factors rows of kPanelItems floats,
// so that a vector register of any width holds one factor of neighbouring items.
#pragma once

#include <cstdint>

namespace factorec {

inline constexpr std::int64_t kPanelItems = 32;

constexpr std::int64_t n_panels(std::int64_t n_items) { return (n_items + kPanelItems - 1) / kPanelItems; }

// A search keeps positions in 32 bits.
inline constexpr std::int64_t kMaxItems = (std::int64_t{1} << 32) - 2 * kPanelItems;

// Packed items: n_panels(n_items) panels one after the other, and an offset for each lane, NaN behind the last item:
// a score of NaN is never accepted, so the empty lanes stay out of every list.
struct PackedItems {
  const float* panels = nullptr;
  const float* offsets = nullptr;
  std::int64_t n_items = 0;
  std::int64_t n_factors = 0;
};

}  // namespace factorec
