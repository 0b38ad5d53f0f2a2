// How often drift is reported of rows that have not drifted, and how often of rows that have,
// counted over simulated ones: the table of docs/drift.md.
#pragma once

#include <cstdint>
#include <vector>

#include "systems/statistics/rate.hpp"
#include "tandem/core/run_control.hpp"

namespace tandem::watch {

// `runs` simulated pairs of training data and later rows of each kind. The same seed gives the same
// numbers.
[[nodiscard]] std::vector<statistics::Rate> simulate_drift(std::int64_t runs, std::uint64_t seed,
                                                           RunControl& control);

// How many independent checks the index of stability and the test by Kolmogorov and Smirnov of one
// column of numbers stand for, where the limit of a single check is `limit`: from the share of runs
// in which either is below it.
[[nodiscard]] double effective_checks(std::int64_t runs, std::uint64_t seed, double limit);

}  // namespace tandem::watch
