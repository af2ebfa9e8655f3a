// What is drawn above the features: their fields' priors, and the noise of ids.
#pragma once

#include "factorec/rng.hpp"
#include "gibbs_blocks.hpp"
#include "residual_sums.hpp"

namespace factorec {

// Draws mean and precision of each coordinate of the field's features.
void draw_prior(const GibbsModel& model, PriorField& field, const CounterRng& rng);

// Draws each id's factor of its rows' noise precision, from the sums over each entity's rows.
void draw_noise(const GibbsModel& model, GibbsBlock& block, const std::vector<ResidualSums>& of_entity, double shape,
                const CounterRng& rng);

}  // namespace factorec
