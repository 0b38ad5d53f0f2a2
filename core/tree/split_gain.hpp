// The arithmetic of split search that every engine shares, so that each builds the same tree.
//
// Statistics of a node are integers: the weight of each class, or the sums of w, w·y and w·y² in
// fixed point. A candidate split gets a score, an integer that is larger for a better split of the
// same node; scores are compared as integers and equal ones are ties. The functions below are the
// only places where integers become doubles.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/random.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem::tree {

// The rules that stay fixed during a fit. Plain data, so that a kernel can take it by value.
struct SplitRules {
  TreeCriterion criterion = TreeCriterion::gini;
  std::int32_t classes = 0;       // 0 in regression
  std::int64_t total_weight = 0;  // of all rows, in integer units
  // The real values of one integer unit: powers of two.
  double weight_unit = 1;
  double sum_unit = 1;     // of w·y, regression
  double square_unit = 1;  // of w·y²
  double entropy_scale = 1;
  Index max_depth = 0;  // 0: none
  Index min_samples_split = 2;
  Index min_samples_leaf = 1;
  double min_impurity_decrease = 0;
  Index features_per_node = 0;
  std::uint64_t seed = 0;

  // Integers per node: class weights; or the sums of w, w·y, w·y².
  [[nodiscard]] TANDEM_HOST_DEVICE Index width() const { return classes > 0 ? classes : 3; }
};

inline constexpr std::int64_t no_score = std::numeric_limits<std::int64_t>::min();

// φ(w) = w·ln(w) of a weight of `units`, times entropy_scale, rounded to an integer; φ(0) = 0. The
// scale is such that the sums in entropy_score stay below 2^62; one unit of φ is then no more than
// the rounding of a double of that size.
TANDEM_HOST_DEVICE inline std::int64_t entropy_term(const SplitRules& rules, std::int64_t units) {
  if (units <= 0) return 0;
  const double weight = static_cast<double>(units) * rules.weight_unit;
  return static_cast<std::int64_t>(std::rint(weight * math::log(weight) * rules.entropy_scale));
}

// The scale for a node of `total` weight: 2^s with (total·ln(total) + classes)·2^s < 2^59.
inline double entropy_scale_for(double total, std::int32_t classes) {
  int exponent = 0;
  (void)std::frexp(total * std::fabs(math::log(total)) + classes + 1.0, &exponent);
  return std::ldexp(1.0, 59 - exponent);
}

// Doubles that are not negative sort as their bits do.
TANDEM_HOST_DEVICE inline std::int64_t score_of(double merit) {
  return std::bit_cast<std::int64_t>(merit);
}

// Entropy: Σ_c φ(l_c) + Σ_c φ(r_c) − φ(L) − φ(R), which is −ln 2 times the children's weighted
// entropy. Integer sums: any order gives the same.
TANDEM_HOST_DEVICE inline std::int64_t entropy_score(std::int64_t class_terms, std::int64_t left,
                                                     std::int64_t right) {
  return class_terms - left - right;
}

// Gini: Σ_c l_c² / L + Σ_c r_c² / R. The sums of squares are exact integers where the total weight
// is below 2^31, else chains of fmas in class order. Five roundings.
TANDEM_HOST_DEVICE inline std::int64_t gini_score(double left_squares, double left,
                                                  double right_squares, double right) {
  return score_of(left_squares / left + right_squares / right);
}
TANDEM_HOST_DEVICE inline double sum_of_squares(const std::int64_t* weights, std::int32_t classes) {
  double sum = 0;
  for (std::int32_t c = 0; c < classes; ++c) {
    const double weight = static_cast<double>(weights[c]);
    sum = std::fma(weight, weight, sum);
  }
  return sum;
}
[[nodiscard]] TANDEM_HOST_DEVICE inline bool exact_squares(const SplitRules& rules) {
  return rules.total_weight < (std::int64_t{1} << 31);
}

// Squared error: with S the sums of w·y, W of w, mean = S/W of the node and a = S_L − mean·W_L, the
// split lowers the sum of squares by W·a² / (W_L·W_R); the score leaves out the constant W. Taking
// the node's mean out first keeps the difference of nearly equal sums out of the score; `shift`,
// the integer part of S/W, is taken off exactly.
// The right side is counted in integers too, because a difference of doubles could round it to 0.
struct SquaredErrorScore {
  std::int64_t shift = 0;
  std::int64_t total = 0;
  double mean = 0;  // S / W after the shift is taken off

  SquaredErrorScore() = default;
  TANDEM_HOST_DEVICE SquaredErrorScore(std::int64_t weight, std::int64_t sum)
      : shift(sum / weight), total(weight) {
    mean = static_cast<double>(sum - shift * weight) / static_cast<double>(weight);
  }
  [[nodiscard]] TANDEM_HOST_DEVICE std::int64_t operator()(std::int64_t left_weight,
                                                           std::int64_t left_sum) const {
    const double left = static_cast<double>(left_weight);
    const double a = static_cast<double>(left_sum - shift * left_weight) - mean * left;
    return score_of(a * a / (left * static_cast<double>(total - left_weight)));
  }
};

// A threshold with below <= threshold < above: the midpoint, rounded, or `below` where rounding
// reaches `above`. Requires: below < above, both finite.
template <Real T>
TANDEM_HOST_DEVICE inline T threshold_between(T below, T above) {
  const T middle =
      static_cast<T>(static_cast<double>(below) * 0.5 + static_cast<double>(above) * 0.5);
  return middle >= below && middle < above ? middle : below;
}

// Weight of a node in integer units.
TANDEM_HOST_DEVICE inline std::int64_t node_weight(const SplitRules& rules,
                                                   const std::int64_t* statistics) {
  if (rules.classes == 0) return statistics[0];
  std::int64_t total = 0;
  for (std::int32_t c = 0; c < rules.classes; ++c) total += statistics[c];
  return total;
}

// Entropy in bits, Gini's index, or the variance.
TANDEM_HOST_DEVICE inline double impurity(const SplitRules& rules, const std::int64_t* statistics) {
  const double weight = static_cast<double>(node_weight(rules, statistics));
  if (rules.classes == 0) {
    const double real_weight = weight * rules.weight_unit;
    const double mean = static_cast<double>(statistics[1]) * rules.sum_unit / real_weight;
    const double square = static_cast<double>(statistics[2]) * rules.square_unit / real_weight;
    const double value = square - mean * mean;
    // Less than the roundings of the two terms is nothing.
    return value > square * 0x1p-49 ? value : 0.0;
  }
  double sum = 0;
  for (std::int32_t c = 0; c < rules.classes; ++c) {
    if (statistics[c] == 0) continue;
    const double share = static_cast<double>(statistics[c]) / weight;
    if (rules.criterion == TreeCriterion::entropy) {
      if (share < 1) sum = std::fma(-share, math::log(share), sum);
    } else {
      sum = std::fma(share, share, sum);
    }
  }
  constexpr double ln2 = 0x1.62e42fefa39efp-1;
  return rules.criterion == TreeCriterion::entropy ? sum / ln2 : 1 - sum;
}

// The gain of a split, which it takes off the tree's impurity: (W / W_total) · (impurity of the
// node − the children's weighted mean). Not negative. `left` are the statistics of the left child.
// Regression uses the difference of the children's means, which loses nothing to cancellation.
TANDEM_HOST_DEVICE inline double impurity_decrease(const SplitRules& rules,
                                                   const std::int64_t* node,
                                                   const std::int64_t* left,
                                                   const std::int64_t* right) {
  const double all = static_cast<double>(rules.total_weight);
  const double weight = static_cast<double>(node_weight(rules, node));
  const double weight_left = static_cast<double>(node_weight(rules, left));
  const double weight_right = static_cast<double>(node_weight(rules, right));
  double decrease = 0;
  if (rules.classes == 0) {
    const double unit = rules.sum_unit / rules.weight_unit;
    const double apart = (static_cast<double>(left[1]) / weight_left -
                          static_cast<double>(right[1]) / weight_right) *
                         unit;
    decrease = apart * apart * (weight_left / weight) * (weight_right / all);
  } else {
    const double gain = impurity(rules, node) - weight_left / weight * impurity(rules, left) -
                        weight_right / weight * impurity(rules, right);
    decrease = weight / all * gain;
  }
  return decrease > 0 ? decrease : 0.0;
}

// False where a node is a leaf whatever its features are. (A regression node of one value is found
// out by the split search.)
TANDEM_HOST_DEVICE inline bool may_split(const SplitRules& rules, Index rows, Index depth,
                                         const std::int64_t* statistics) {
  if (rows < rules.min_samples_split || rows / 2 < rules.min_samples_leaf || rows < 2) return false;
  if (rules.max_depth > 0 && depth >= rules.max_depth) return false;
  std::int32_t present = 0;
  for (std::int32_t c = 0; c < rules.classes; ++c) present += statistics[c] != 0 ? 1 : 0;
  return rules.classes == 0 || present > 1;
}

// A node's name for random draws: a function of the path from the root, and so independent of the
// order in which nodes are made.
inline constexpr std::uint64_t root_key = 1;
TANDEM_HOST_DEVICE inline std::uint64_t child_key(std::uint64_t parent, bool right) {
  const Philox4x32 block = philox4x32(parent, right ? 1 : 0, 0x7472656570617468ULL);
  return (static_cast<std::uint64_t>(block.word[1]) << 32) | block.word[0];
}
// The draw of a feature in a node: of the features that vary in the node, those with the
// features_per_node smallest draws (lower index first among equals) are looked at.
TANDEM_HOST_DEVICE inline std::uint64_t feature_draw(const SplitRules& rules, std::uint64_t key,
                                                     Index feature) {
  const Philox4x32 block =
      philox4x32(rules.seed ^ key, static_cast<std::uint64_t>(feature),
                 static_cast<std::uint64_t>(Purpose::features_of_a_node) << 32);
  return (static_cast<std::uint64_t>(block.word[1]) << 32) | block.word[0];
}

}  // namespace tandem::tree
