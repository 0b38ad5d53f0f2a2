// The arithmetic of split search by gradients that every engine shares, so that each grows the same
// tree.
//
// With G and H the sums of gradients and Hessians over the rows of a node, which are integers times
// powers of two, the second-order expansion of the objective (Chen and Guestrin, "XGBoost", KDD
// 2016) is least for a leaf of weight
//   w = −soft(G) / (H + λ),   soft(G) = sign(G)·max(|G| − α, 0),
// kept within max_delta_step and, under monotone constraints, within the node's bounds. A node's
// score is twice what it lowers the objective by; a split gains the scores of its sides less the
// score of the whole.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::tree {

// How splits by sets of categories are sought: see category_split.hpp.
struct CategoryRules {
  std::int32_t max_to_onehot = 4;   // features of so many categories: one against the others
  std::int32_t max_threshold = 32;  // categories of a set, at most
  double smooth = 10;
  double l2 = 10;
};

// The rules of one tree. Plain data, so that a kernel can take it by value.
struct GainRules {
  double lambda = 1;             // λ, L2
  double alpha = 0;              // α, L1
  double max_delta_step = 0;     // 0: none
  bool monotone = false;         // whether any feature is constrained
  std::int64_t min_hessian = 1;  // units; of each side
  double gradient_unit = 1;      // of the integers: powers of two
  double hessian_unit = 1;
  CategoryRules categories;

  // Whether a score is G²/(H + λ).
  [[nodiscard]] TANDEM_HOST_DEVICE bool plain() const {
    return alpha == 0 && max_delta_step == 0 && !monotone;
  }
};

// Bounds of the weights of a node under monotone constraints.
struct WeightBounds {
  double lower = -std::numeric_limits<double>::infinity();
  double upper = std::numeric_limits<double>::infinity();
};

[[nodiscard]] TANDEM_HOST_DEVICE inline double soft_threshold(double g, double alpha) {
  if (g > alpha) return g - alpha;
  if (g < -alpha) return g + alpha;
  return 0.0;
}

[[nodiscard]] TANDEM_HOST_DEVICE inline double leaf_weight(const GainRules& rules, double g,
                                                           double h, WeightBounds bounds) {
  double w = -soft_threshold(g, rules.alpha) / (h + rules.lambda);
  if (rules.max_delta_step > 0) {
    w = w > rules.max_delta_step    ? rules.max_delta_step
        : w < -rules.max_delta_step ? -rules.max_delta_step
                                    : w;
  }
  return w < bounds.lower ? bounds.lower : w > bounds.upper ? bounds.upper : w;
}

[[nodiscard]] TANDEM_HOST_DEVICE inline double plain_score(double g, double h, double lambda) {
  return g * g / (h + lambda);
}
// The score of a leaf of weight w.
[[nodiscard]] TANDEM_HOST_DEVICE inline double score_at(const GainRules& rules, double g, double h,
                                                        double w) {
  return -(2 * g * w + (h + rules.lambda) * (w * w) + 2 * rules.alpha * std::fabs(w));
}
[[nodiscard]] TANDEM_HOST_DEVICE inline double node_score(const GainRules& rules, std::int64_t g,
                                                          std::int64_t h, WeightBounds bounds) {
  const double real_g = static_cast<double>(g) * rules.gradient_unit;
  const double real_h = static_cast<double>(h) * rules.hessian_unit;
  if (rules.plain()) return plain_score(real_g, real_h, rules.lambda);
  return score_at(rules, real_g, real_h, leaf_weight(rules, real_g, real_h, bounds));
}

inline constexpr double no_score_sum = -std::numeric_limits<double>::infinity();

// The sum of the scores of both sides, or no_score_sum where the split is not admissible.
// `direction`: 1 where the weights must not fall from left to right, −1 where they must not rise.
[[nodiscard]] TANDEM_HOST_DEVICE inline double score_sum(const GainRules& rules,
                                                         std::int64_t left_g, std::int64_t left_h,
                                                         std::int64_t g, std::int64_t h,
                                                         WeightBounds bounds, int direction) {
  const std::int64_t right_h = h - left_h;
  if (left_h < rules.min_hessian || right_h < rules.min_hessian) return no_score_sum;
  const double gl = static_cast<double>(left_g) * rules.gradient_unit;
  const double hl = static_cast<double>(left_h) * rules.hessian_unit;
  const double gr = static_cast<double>(g - left_g) * rules.gradient_unit;
  const double hr = static_cast<double>(right_h) * rules.hessian_unit;
  if (rules.plain()) return plain_score(gl, hl, rules.lambda) + plain_score(gr, hr, rules.lambda);
  const double wl = leaf_weight(rules, gl, hl, bounds);
  const double wr = leaf_weight(rules, gr, hr, bounds);
  if ((direction > 0 && wl > wr) || (direction < 0 && wl < wr)) return no_score_sum;
  return score_at(rules, gl, hl, wl) + score_at(rules, gr, hr, wr);
}

// The best split of a node: the highest sum of scores; among equal ones the lowest feature, then
// the lowest bin, then missing values to the left.
struct HistogramSplit {
  double sum = no_score_sum;
  std::int32_t feature = -1;  // −1: no admissible split
  std::int32_t bin = 0;       // bins 0 .. bin go left; of categories: see category_split.hpp
  std::int32_t missing_left = 0;
  std::int64_t left_g = 0;
  std::int64_t left_h = 0;
};
// Whether a cut of the same feature takes the place of `best`.
[[nodiscard]] TANDEM_HOST_DEVICE inline bool better_cut(double sum, std::int32_t bin,
                                                        bool missing_left,
                                                        const HistogramSplit& best) {
  if (sum != best.sum) return sum > best.sum;
  if (sum == no_score_sum) return false;
  if (bin != best.bin) return bin < best.bin;
  return missing_left && best.missing_left == 0;
}
// Where a node has no missing rows of a feature, missing values go to the heavier side, to the left
// where both weigh the same.
[[nodiscard]] TANDEM_HOST_DEVICE inline bool heavier_left(std::int64_t left_h, std::int64_t h) {
  return left_h >= h - left_h;
}

// --- gradients in integers -----------------------------------------------------------------------

// How a row's gradient and Hessian become integers, and how both stand in one word of 64 bits:
// word = g·2^shift + h, 0 <= h < 2^(shift − rows), so that the words of rows_per_word rows add up
// without a carry out of h. Where `wide`, values need more bits: g and h are words of their own.
struct GradientPacking {
  double gradient_scale = 1;  // powers of two
  double hessian_scale = 1;
  double most_gradient = 0;  // in units: values beyond, by rounding, are cut to it
  double most_hessian = 0;
  bool unit = false;  // every h is 1
  bool wide = false;
  int shift = 32;
};
inline constexpr Index rows_per_word = 4096;

// round(v) of a |v| < 2^51, to even.
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int64_t round_to_integer(double v) {
  constexpr double magic = 6755399441055744.0;  // 1.5·2^52
  return static_cast<std::int64_t>((v + magic) - magic);
}
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int64_t packed_value(double value, double scale,
                                                                  double most) {
  const double v = value * scale;
  return round_to_integer(v > most ? most : v < -most ? -most : v);
}
// h is 1 where the packing says so, and at least 1 elsewhere: a row is never without weight.
template <Real T>
TANDEM_HOST_DEVICE inline void pack_row(const GradientPacking& packing, T gradient, T hessian,
                                        std::int64_t& g, std::int64_t& h) {
  g = packed_value(static_cast<double>(gradient), packing.gradient_scale, packing.most_gradient);
  h = 1;
  if (!packing.unit) {
    h = packed_value(static_cast<double>(hessian), packing.hessian_scale, packing.most_hessian);
    if (h < 1) h = 1;
  }
}
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int64_t word_of(const GradientPacking& packing,
                                                             std::int64_t g, std::int64_t h) {
  return static_cast<std::int64_t>((static_cast<std::uint64_t>(g) << packing.shift) +
                                   static_cast<std::uint64_t>(h));
}

// The range of the gradients of one output, known before they are packed.
struct GradientRange {
  double most_gradient = 0;  // max |g|; not finite where any is not
  double most_hessian = 0;
};
// A packing for sums over `rows` rows. Narrow ones keep 19 bits of gradients and 20 of Hessians, or
// 38 where the Hessian of every row is 1.
[[nodiscard]] GradientPacking packing_for(const GradientRange& range, Index rows, bool unit,
                                          bool wide);

}  // namespace tandem::tree
