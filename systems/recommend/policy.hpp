// What a policy would have earned, from what another one chose and earned.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace tandem::recommend {

// One choice among a pool, and what came of it.
struct LoggedChoice {
  std::vector<std::uint32_t> pool;  // items, by any numbering
  std::uint32_t chosen = 0;         // index into the pool
  double propensity = 1;            // of the choice, in (0, 1]
  double reward = 0;
};

// The probability with which a policy chooses each of the pool; sums to 1.
using Policy = std::function<std::vector<double>(std::span<const std::uint32_t> pool)>;

struct PolicyValue {
  double value = 0;  // mean reward per choice
  double low = 0;    // normal interval at the confidence asked for
  double high = 0;
  // Kish's (Σw)²/Σw²: how many choices of the policy's own the weighted ones are worth.
  double effective = 0;
};

struct PolicyEstimate {
  PolicyValue inverse_propensity;  // Horvitz and Thompson 1952: mean of w·r, w = π(a)/p(a)
  PolicyValue self_normalised;     // Σ w·r / Σ w, Swaminathan and Joachims, NIPS 2015
  PolicyValue doubly_robust;       // Dudík, Langford and Li, ICML 2011
  double largest_weight = 0;
};

// The model of rewards that the doubly robust estimate takes is the mean reward of each item,
// shrunk to the mean of all by `shrinkage` choices; that of a choice is fitted on the half of the
// choices that it is not in (even and odd), so that no choice speaks for itself. Throws InputError
// for a propensity outside of (0, 1], no choices, and a policy whose probabilities are none.
[[nodiscard]] PolicyEstimate evaluate_policy(std::span<const LoggedChoice> choices,
                                             const Policy& policy, double confidence = 0.95,
                                             double shrinkage = 20);

}  // namespace tandem::recommend
