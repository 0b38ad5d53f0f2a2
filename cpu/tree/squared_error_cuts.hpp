// Ruling out cuts of a regression before their scores are computed.
#pragma once

#include <cstdint>

#include "tandem/core/types.hpp"

namespace tandem::cpu {

// Some cuts of a node, which weighs `weight` and whose sum is `sum` (SquaredErrorScore): what
// stands on the left of each of the first `count`; up to the next multiple of most_lanes anything
// may stand. Cut k counts where bit k of `valid` is set.
struct SquaredErrorCuts {
  static constexpr Index at_once = 64;
  static constexpr Index most_lanes = 8;
  std::int64_t weight;
  std::int64_t sum;
  Index count;
  std::int64_t left_weights[at_once];
  std::int64_t left_sums[at_once];
  std::uint64_t valid;
};

// The valid cuts, a bit each, whose score may be the greatest of the node's. Raises `floor`, below
// which no score counts, to what one of the cuts is sure to score. Scores are bounded from both
// sides in double precision, so that SquaredErrorScore, whose integers of 128 bits take ten times
// as long, has to be asked of few cuts and its word is final.
std::uint64_t cuts_to_score(const SquaredErrorCuts& cuts, double& floor);

}  // namespace tandem::cpu
