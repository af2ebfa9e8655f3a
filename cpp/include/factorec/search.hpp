// Exact top-n search: for every query the n items with the highest score.
//
// The score of (query q, item i) is one chain of fused multiply-adds in float32 over the factors 0, 1, ..., d - 1
// started at +0, then plus the item's offset; for Metric::l2 the chain adds up the squares of the differences, each
// rounded once, and the score is the offset, +0, minus that. (Not by |q|^2 + |v|^2 - 2 <q, v>, which cancels.)
// It does not depend on how the work is cut, so neither do results: the same bits for any batch, block and thread
// count, and at every SIMD level that has a fused instruction.
// Items are ordered by (score descending, position ascending). A score that is NaN, which only an
// overflow on the way makes, and only without fused instructions, never enters a list.
#pragma once

#include <cstdint>
#include <span>

#include "factorec/codes.hpp"
#include "factorec/control.hpp"
#include "factorec/panels.hpp"
#include "factorec/views.hpp"

namespace factorec {

// What a score is. cosine: the inner product of vectors divided by their Euclidean norms (in double precision, rounded
// once; a zero vector stays zero), which packing does for the items and search for the queries. l2: minus the squared
// Euclidean distance; packed without offsets.
enum class Metric { inner_product, cosine, l2 };

// What a search leaves out. `exclude`: one row per query, its stored columns are the excluded items, in any
// order. `allowed`: one bit an item (bit i of word w is item 32 w + i), the same for every query; null: all.
struct SearchFilter {
  const CsrView* exclude = nullptr;
  const std::uint32_t* allowed = nullptr;
};

// Where the lists go: row q of ids and scores has n entries, best first, filled up with -1 and -infinity; counts
// says how many are items.
struct SearchOutput {
  std::int64_t* ids = nullptr;
  float* scores = nullptr;
  std::int64_t* counts = nullptr;
  std::int64_t n = 0;
};

// Packs `vectors` into `panels` and `offsets` (empty: zeros) into `padded_offsets`, see PackedItems for the sizes. `normalise` divides each vector by its Euclidean norm (double precision, rounded once); a zero
// vector stays zero. Throws std::invalid_argument naming the first value of a row that is not finite.
void pack_items(ConstMatrix vectors, std::span<const float> offsets, bool normalise, float* panels,
                float* padded_offsets, int n_threads, Control& control);

// Whether the active SIMD level has kernels for codes.
bool can_code();

// Packs `vectors` for the two-stage search; the same treatment of offsets, `normalise` and bad values. Returns
// whether places differ from positions: where it returns false, positions and places were not written.
// Throws std::invalid_argument where the SIMD level has no such kernels or the factors are too many.
bool pack_codes(ConstMatrix vectors, std::span<const float> offsets, bool normalise, const CodedItemsOutput& output,
                int n_threads, Control& control);

// Writes the best `output.n` items of every row of `queries`. Memory: a few hundred kilobytes and O(n) a thread. Throws std::invalid_argument for a query value
// that is not finite and for an excluded item out of range.
void search(const PackedItems& items, ConstMatrix queries, Metric metric, const SearchFilter& filter,
            const SearchOutput& output, int n_threads, Control& control);

// The same results, to the bit, from coded items; at any SIMD level. Not for Metric::l2.
void search(const CodedItems& items, ConstMatrix queries, Metric metric, const SearchFilter& filter,
            const SearchOutput& output, int n_threads, Control& control);

}  // namespace factorec
