// Which instruction set the kernels use.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace factorec {

// Ordered: a level includes the ones before it.
enum class SimdLevel { baseline = 0, avx2 = 1, avx512 = 2, avx512_vnni = 3 };

const char* name(SimdLevel level);

// The levels that this CPU and operating system run, lowest first.
std::vector<SimdLevel> available_levels();

// The level in use: the highest available one unless pinned.
SimdLevel active_level();

// Pins a level by name. Throws std::invalid_argument for an unknown name or one that the CPU lacks.
void pin_level(std::string_view level_name);

}  // namespace factorec
