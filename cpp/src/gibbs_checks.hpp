// What must hold before a Gibbs sampler reads anything.
#pragma once

#include "factorec/control.hpp"
#include "factorec/gibbs.hpp"

namespace factorec {

// Throws std::invalid_argument that names the first thing wrong, but for how fields lie in blocks.
void check_gibbs(const GibbsData& data, const GibbsOptions& options, double bias, std::span<const float> linear,
                 ConstMatrix factors, Control& control);

}  // namespace factorec
