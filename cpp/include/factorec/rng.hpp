// Counter-based random numbers: a number is a function of its key and its counter, so any thread may draw any
// part of a sequence and the result does not depend on who did.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "factorec/control.hpp"

namespace factorec {

// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection whose outputs for 0, 1, 2, ... pass the
// usual test batteries when the inputs are spaced by the golden-ratio constant.
constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

class CounterRng {
 public:
  explicit constexpr CounterRng(std::uint64_t seed) : key_(mix(seed + kStep)) {}

  // A generator of its own for each value of `stream`.
  constexpr CounterRng fork(std::uint64_t stream) const {
    CounterRng child(0);
    child.key_ = mix(key_ ^ mix(stream * kStep + 0x632be59bd9b4e019ULL));
    return child;
  }

  constexpr std::uint64_t bits(std::uint64_t counter) const { return mix(key_ + counter * kStep); }

  // What a kernel needs to draw the same: bits(c) = mix(key + c * golden ratio).
  constexpr std::uint64_t key() const { return key_; }

  // Uniform in [0, bound), bound > 0, by multiplication (bias below bound / 2^64).
  std::uint64_t below(std::uint64_t bound, std::uint64_t counter) const {
    return static_cast<std::uint64_t>((static_cast<unsigned __int128>(bits(counter)) * bound) >> 64);
  }

  // Uniform in (0, 1).
  double uniform(std::uint64_t counter) const {
    return (static_cast<double>(bits(counter) >> 11) + 0.5) * 0x1.0p-53;
  }

  // Standard normal by Box-Muller; counters 2c and 2c + 1 of the uniform stream.
  double normal(std::uint64_t counter) const {
    const double radius = std::sqrt(-2.0 * std::log(uniform(2 * counter)));
    return radius * std::cos(2.0 * std::numbers::pi * uniform(2 * counter + 1));
  }

 private:
  static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15ULL;
  std::uint64_t key_ = 0;
};

// Fisher-Yates with one counter per position; throws Interrupted where `control` says so.
// Partners are drawn some steps before they are needed, so that memory can be asked for them.
template <class T>
void shuffle(std::vector<T>& values, const CounterRng& rng, Control& control) {
  constexpr std::size_t kAhead = 32;
  std::size_t partner[kAhead];
  const auto draw = [&](std::size_t i) {
    if (i < 2) return;
    partner[i % kAhead] = rng.below(i, i);
#ifdef __GNUC__
    __builtin_prefetch(&values[partner[i % kAhead]], 1);
#endif
  };
  for (std::size_t i = values.size(); i + kAhead > values.size() && i > 1; --i) draw(i);
  for (std::size_t i = values.size(); i > 1; --i) {
    if (i % 65536 == 0) control.throw_if_stopped();
    std::swap(values[i - 1], values[partner[i % kAhead]]);
    if (i > kAhead) draw(i - kAhead);
  }
}

template <class T>
void shuffle(std::vector<T>& values, const CounterRng& rng) {
  Control never;
  shuffle(values, rng, never);
}

}  // namespace factorec
