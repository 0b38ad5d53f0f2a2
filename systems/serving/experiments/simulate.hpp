// How often experiments are wrong and how often they see what is there, counted over simulated
// ones: the table of docs/experiments.md.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "systems/statistics/rate.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem::experiments {

// `runs` simulated experiments of each kind. The same seed gives the same numbers.
[[nodiscard]] std::vector<statistics::Rate> simulate_experiments(std::int64_t runs,
                                                                 std::uint64_t seed,
                                                                 RunControl& control);

}  // namespace tandem::experiments
