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
  std::int64_t total_weight = 0;  // of all rows, in integer units; that of a forest's mean tree
  std::int64_t most_weight = 0;   // no node weighs more; total_weight of a single tree
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
  // Whether a feature has one candidate in a node, at a random threshold (extremely randomized
  // trees), in place of every cut.
  bool random_thresholds = false;
  // Whether nodes are split whatever their targets are (isolation forests). Rows then have one
  // class, and all splits score alike.
  bool without_target = false;

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

__extension__ using Wide = __int128;
__extension__ using UnsignedWide = unsigned __int128;

// high + low, where high is the sum rounded to a double.
struct DoublePair {
  double high = 0;
  double low = 0;
};
// Exact below 2^106, else to 105 bits at the least. Requires: value < 2^127.
TANDEM_HOST_DEVICE inline DoublePair pair_of(UnsignedWide value) {
  const bool long_one = (value >> 106) != 0;
  if (long_one) value >>= 21;
  const auto upper = static_cast<double>(static_cast<std::int64_t>(value >> 53));
  const auto lower = static_cast<double>(
      static_cast<std::int64_t>(value & static_cast<UnsignedWide>((std::int64_t{1} << 53) - 1)));
  DoublePair pair;
  pair.high = std::fma(upper, 0x1p53, lower);
  pair.low = lower + std::fma(upper, 0x1p53, -pair.high);
  if (long_one) pair = {pair.high * 0x1p21, pair.low * 0x1p21};
  return pair;
}
TANDEM_HOST_DEVICE inline DoublePair square_of(DoublePair a) {
  const double high = a.high * a.high;
  return {high, std::fma(a.high, a.high, -high) + 2 * a.high * a.low};
}

// numerator / denominator, correctly rounded, so that equal fractions score equal however they are
// written: mirrored partitions, and others that happen to be as good. The correction to a first
// quotient q is known to 50 bits; it is rounded to 24 before it is added, so that a quotient half
// way between two doubles is seen as half way from each of its fractions. (Where the exact quotient
// is within 2^-24 units in the last place of half way without being so, rounding may go to the
// wrong one of the two.) Requires: 0 <= numerator, 1 <= denominator.
TANDEM_HOST_DEVICE inline double rounded_quotient(DoublePair numerator, DoublePair denominator) {
  const double inverse = 1 / denominator.high;
  const double q = numerator.high * inverse;
  const double rest =
      std::fma(-q, denominator.high, numerator.high) + (numerator.low - q * denominator.low);
  const double correction = rest * inverse;
  const double spread = correction * ((1 << 29) + 1.0);  // Veltkamp's splitting
  return q + (spread - (spread - correction));
}

// Entropy: Σ_c φ(l_c) + Σ_c φ(r_c) − φ(L) − φ(R), which is −ln 2 times the children's weighted
// entropy. Integer sums: any order gives the same.
TANDEM_HOST_DEVICE inline std::int64_t entropy_score(std::int64_t class_terms, std::int64_t left,
                                                     std::int64_t right) {
  return class_terms - left - right;
}

// Gini: Σ_c l_c² / L + Σ_c r_c² / R, as one fraction of integers, where the total weight is below
// 2^31 (exact_squares) ... In a node of weight W the numerator is at most L·R·W <= W³ / 4: up to
// W = 2^18 it is a double, and one division gives the rounded quotient.
TANDEM_HOST_DEVICE inline std::int64_t gini_score(std::int64_t left_squares, std::int64_t left,
                                                  std::int64_t right_squares, std::int64_t right) {
  if (left + right <= (std::int64_t{1} << 18)) {
    return score_of(static_cast<double>(left_squares * right + right_squares * left) /
                    static_cast<double>(left * right));
  }
  const UnsignedWide numerator =
      static_cast<UnsignedWide>(left_squares) * static_cast<std::uint64_t>(right) +
      static_cast<UnsignedWide>(right_squares) * static_cast<std::uint64_t>(left);
  const UnsignedWide denominator =
      static_cast<UnsignedWide>(left) * static_cast<std::uint64_t>(right);
  return score_of(rounded_quotient(pair_of(numerator), pair_of(denominator)));
}
// ... else by sums of squares that are chains of fmas in class order, and three more roundings.
// Mirrored partitions score equal.
TANDEM_HOST_DEVICE inline std::int64_t rounded_gini_score(double left_squares, double left,
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
  return rules.most_weight < (std::int64_t{1} << 31);
}

// Squared error: with S the sums of w·y, W of w, and A = S_L·W − S·W_L, the split lowers the sum of
// squares by A² / (W·W_L·W_R); the score leaves out the constant W. A is an integer of up to 124
// bits, so that nothing is lost to the difference of nearly equal sums, and it changes only its
// sign where left and right change places.
struct SquaredErrorScore {
  std::int64_t weight = 0;
  std::int64_t sum = 0;

  SquaredErrorScore() = default;
  TANDEM_HOST_DEVICE SquaredErrorScore(std::int64_t node_weight, std::int64_t node_sum)
      : weight(node_weight), sum(node_sum) {}
  [[nodiscard]] TANDEM_HOST_DEVICE std::int64_t operator()(std::int64_t left_weight,
                                                           std::int64_t left_sum) const {
    const Wide apart = static_cast<Wide>(left_sum) * weight - static_cast<Wide>(sum) * left_weight;
    const UnsignedWide size =
        apart < 0 ? -static_cast<UnsignedWide>(apart) : static_cast<UnsignedWide>(apart);
    const UnsignedWide weights =
        static_cast<UnsignedWide>(left_weight) * static_cast<std::uint64_t>(weight - left_weight);
    return score_of(rounded_quotient(square_of(pair_of(size)), pair_of(weights)));
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
// node − the children's weighted mean). Not negative, and the same where left and right change
// places. `left` are the statistics of the left child.
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
    decrease = apart * apart * (weight_left * weight_right / (weight * all));
  } else {
    const double children = weight_left / weight * impurity(rules, left) +
                            weight_right / weight * impurity(rules, right);
    const double gain = impurity(rules, node) - children;
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
  return rules.classes == 0 || present > 1 || rules.without_target;
}

// A node's name for random draws: a function of the path from the root, and so independent of the
// order in which nodes are made.
inline constexpr std::uint64_t root_key = 1;
TANDEM_HOST_DEVICE inline std::uint64_t child_key(std::uint64_t parent, bool right) {
  const Philox4x32 block = philox4x32(parent, right ? 1 : 0, 0x7472656570617468ULL);
  return (static_cast<std::uint64_t>(block.word[1]) << 32) | block.word[0];
}
// The name of the root of a forest's tree.
TANDEM_HOST_DEVICE inline std::uint64_t root_key_of(std::uint64_t tree) {
  const Philox4x32 block = philox4x32(tree, 2, 0x7472656570617468ULL);
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
// The random threshold of a feature in a node: uniform on [lowest, highest), where these are the
// least and the greatest of the node's known values. Requires: lowest < highest, both finite.
template <Real T>
TANDEM_HOST_DEVICE inline T random_threshold(const SplitRules& rules, std::uint64_t key,
                                             Index feature, T lowest, T highest) {
  const Philox4x32 block =
      philox4x32(rules.seed ^ key, static_cast<std::uint64_t>(feature),
                 static_cast<std::uint64_t>(Purpose::threshold_of_a_node) << 32);
  const std::uint64_t bits = (static_cast<std::uint64_t>(block.word[1]) << 32) | block.word[0];
  const double part = static_cast<double>(bits >> 11) * 0x1p-53;
  // Of zeros any may have been met first: −0 + 0 is +0.
  lowest += T{0};
  highest += T{0};
  // Halves, lest the difference overflow.
  const double low = static_cast<double>(lowest) * 0.5;
  const double high = static_cast<double>(highest) * 0.5;
  const T value = static_cast<T>(2 * std::fma(part, high - low, low));
  return value >= lowest && value < highest ? value : lowest;
}

}  // namespace tandem::tree
