// Packing items for the two-stage search: bound order, codes, bounds.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "factorec/parallel.hpp"
#include "factorec/search.hpp"
#include "kernels/kernels.hpp"
#include "packing.hpp"

namespace factorec {
namespace {

constexpr std::int64_t kChunk = 1024;  // items

float round_up(double x) { return std::nextafter(static_cast<float>(x), std::numeric_limits<float>::infinity()); }

// Ascending where the values descend.
std::uint32_t descending_key(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  return bits & 0x80000000u ? bits : ~bits & 0x7fffffffu;
}

// How promising each item is: norm * r + offset, r being the length of a typical query. Queries are not known yet;
// in a factorisation they are about as long as items.
std::vector<float> promises(ConstMatrix vectors, std::span<const float> offsets, int n_threads, Control& control) {
  const std::int64_t n = vectors.n_rows, n_chunks = (n + kChunk - 1) / kChunk;
  std::vector<float> norms(static_cast<std::size_t>(n));
  std::vector<double> sums(static_cast<std::size_t>(n_chunks));
  parallel_for(n_chunks, n_threads, control, [&](std::int64_t chunk, int) {
    double sum = 0;
    for (std::int64_t i = chunk * kChunk; i < std::min((chunk + 1) * kChunk, n); ++i) {
      const float norm = kernels().codes->norm(vectors.row(i), vectors.n_columns);
      norms[static_cast<std::size_t>(i)] = norm;
      sum += norm;
    }
    sums[static_cast<std::size_t>(chunk)] = sum;
  });
  if (offsets.empty()) return norms;
  double mean = 0;
  for (const double sum : sums) mean += sum / static_cast<double>(n);
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    norms[at] = static_cast<float>(norms[at] * mean + offsets[at]);
  }
  return norms;
}

// Whether an order would change nothing worth its price: what is promised differs by less than a hundredth.
bool flat(const std::vector<float>& promised) {
  const auto [low, high] = std::minmax_element(promised.begin(), promised.end());
  return !(*high - *low > 0.01f * std::max(std::fabs(*high), std::fabs(*low)));
}

// Positions by promise, descending, equal ones in the order of the caller.
void order(const std::vector<float>& promised, std::uint32_t* positions, Control& control) {
  constexpr int kBits = 11, kDigits = 3, kValues = 1 << kBits;
  const std::size_t n = promised.size();
  std::vector<std::size_t> starts(static_cast<std::size_t>(kDigits * kValues));
  std::vector<std::uint64_t> from(n), to(n);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint32_t key = descending_key(promised[i]);
    from[i] = static_cast<std::uint64_t>(key) << 32 | i;
    for (int digit = 0; digit < kDigits; ++digit)
      ++starts[static_cast<std::size_t>(digit * kValues + (key >> (digit * kBits)) % kValues)];
  }
  for (int digit = 0; digit < kDigits; ++digit) {
    control.throw_if_stopped();
    std::size_t sum = 0;
    std::size_t* start = starts.data() + digit * kValues;
    for (int value = 0; value < kValues; ++value) sum += std::exchange(start[value], sum);
    for (const std::uint64_t entry : from) to[start[(entry >> (32 + digit * kBits)) % kValues]++] = entry;
    from.swap(to);
  }
  for (std::size_t i = 0; i < n; ++i) positions[i] = static_cast<std::uint32_t>(from[i]);
}

}  // namespace

bool can_code() { return kernels().codes != nullptr; }

bool pack_codes(ConstMatrix vectors, std::span<const float> offsets, bool normalise, const CodedItemsOutput& output,
                int n_threads, Control& control) {
  const std::int64_t n = vectors.n_rows, d = vectors.n_columns;
  if (n > kMaxItems) throw std::invalid_argument("more than " + std::to_string(kMaxItems) + " items");
  if (!can_code()) throw std::invalid_argument("this SIMD level has no kernels for codes");
  if (d > kMaxCodedFactors)
    throw std::invalid_argument("items of more than " + std::to_string(kMaxCodedFactors) + " factors cannot be coded");
  check_offsets(offsets, n);

  bool ordered = false;
  if (!normalise && n > 0) {  // with norms of 1 there is nothing to order by
    const std::vector<float> promised = promises(vectors, offsets, n_threads, control);
    if ((ordered = !flat(promised))) {
      order(promised, output.positions, control);
      parallel_for((n + kChunk - 1) / kChunk, n_threads, control, [&](std::int64_t chunk, int) {
        for (std::int64_t place = chunk * kChunk; place < std::min((chunk + 1) * kChunk, n); ++place)
          output.places[output.positions[place]] = static_cast<std::uint32_t>(place);
      });
    }
  }

  const double rounding = (static_cast<double>(d) + 16) * 0x1p-23, underflow = (static_cast<double>(d) + 16) * 0x1p-126;
  const std::int64_t panels = n_panels(n), panels_a_chunk = kChunk / kPanelItems;
  parallel_for((panels + panels_a_chunk - 1) / panels_a_chunk, n_threads, control, [&](std::int64_t chunk, int) {
    for (std::int64_t panel = chunk * panels_a_chunk; panel < std::min((chunk + 1) * panels_a_chunk, panels); ++panel) {
      const std::int64_t begin = panel * kPanelItems, end = std::min(begin + kPanelItems, n);
      const auto position = [&](std::int64_t place) { return ordered ? output.positions[place] : place; };
      float largest = 0, top = -std::numeric_limits<float>::infinity();
      for (std::int64_t place = begin; place < end; ++place) {
        if (ordered && place + kPanelItems < n) {
          const float* next = vectors.row(position(place + kPanelItems));
          for (std::int64_t k = 0; k < d; k += 16) __builtin_prefetch(next + k);
        }
        const std::int64_t from = position(place);
        pack_rows(vectors, from, from + 1, normalise, "vectors", output.rows + place * d, 1);
        const float offset = offsets.empty() ? 0.0f : offsets[static_cast<std::size_t>(from)] + 0.0f;  // never -0
        output.offsets[place] = offset;
        largest = std::max(largest, std::fabs(offset));
        top = std::max(top, offset);
      }
      for (std::int64_t lane = end; lane < begin + kPanelItems; ++lane) output.offsets[lane] = 0.0f;
      PanelBounds& bounds = output.bounds[panel];
      bounds = {};
      kernels().codes->encode(output.rows + begin * d, static_cast<int>(end - begin), d,
                              output.codes + panel * panel_code_bytes(d), bounds);
      bounds.offset = largest;
      bounds.top_offset = round_up(top + rounding * largest + underflow);
    }
  });
  float norm = 0, top = -std::numeric_limits<float>::infinity();
  for (std::int64_t panel = panels - 1; panel >= 0; --panel) {
    PanelBounds& bounds = output.bounds[panel];
    bounds.rest_norm = norm = std::max(norm, bounds.norm);
    bounds.rest_top_offset = top = std::max(top, bounds.top_offset);
  }
  return ordered;
}

}  // namespace factorec
