#include "factorec/cpu.hpp"

#include <atomic>
#include <stdexcept>

namespace factorec {
namespace {

constexpr SimdLevel kLevels[] = {SimdLevel::baseline, SimdLevel::avx2, SimdLevel::avx512, SimdLevel::avx512_vnni};

bool runs(SimdLevel level) {
  switch (level) {
    case SimdLevel::baseline:
      return true;
#ifdef FACTOREC_X86
    // libgcc's detection covers the operating system's part (XSAVE) as well.
    case SimdLevel::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SimdLevel::avx512:
      return runs(SimdLevel::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case SimdLevel::avx512_vnni:
      return runs(SimdLevel::avx512) && __builtin_cpu_supports("avx512vnni");
#endif
    default:
      return false;
  }
}

std::atomic<int>& active() {
  static std::atomic<int> level{static_cast<int>(available_levels().back())};
  return level;
}

}  // namespace

const char* name(SimdLevel level) {
  switch (level) {
    case SimdLevel::avx2:
      return "avx2";
    case SimdLevel::avx512:
      return "avx512";
    case SimdLevel::avx512_vnni:
      return "avx512_vnni";
    default:
      return "baseline";
  }
}

std::vector<SimdLevel> available_levels() {
  std::vector<SimdLevel> levels;
  for (SimdLevel level : kLevels)
    if (runs(level)) levels.push_back(level);
  return levels;
}

SimdLevel active_level() { return static_cast<SimdLevel>(active().load(std::memory_order_relaxed)); }

void pin_level(std::string_view level_name) {
  std::string known;
  for (SimdLevel level : kLevels) {
    if (level_name == name(level)) {
      if (!runs(level)) throw std::invalid_argument("this CPU does not run the SIMD level '" + std::string(level_name) + "'");
      active().store(static_cast<int>(level), std::memory_order_relaxed);
      return;
    }
    known += (known.empty() ? "" : ", ") + std::string(name(level));
  }
  throw std::invalid_argument("unknown SIMD level '" + std::string(level_name) + "' (known: " + known + ")");
}

}  // namespace factorec
