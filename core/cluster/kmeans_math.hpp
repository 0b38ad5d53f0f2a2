// Arithmetic of k-means that every exact engine shares, element by element, and the error bounds
// that follow from it. docs/algorithms/kmeans.md derives the bounds.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// All exact engines work on rows and centres moved by one origin near the data's mean:
//   x'_j = fl(x_j − o_j),  c'_j = fl(c_j − o_j).
// The score of row x and centre c is one chain in T, in this order:
//   score = fma(x'_{d−1}, −2c'_{d−1}, ... fma(x'_0, −2c'_0, ‖c'‖²)),
//   ‖c'‖² = fma(c'_{d−1}, c'_{d−1}, ... fma(c'_0, c'_0, 0)).
// It is ‖x' − c'‖² − ‖x'‖² but for rounding. The label is the lowest index of the least score.

// The j-th coordinate of a centre from the fixed-point sum of its rows' x'_j and its weight:
// rounded once to T in the coordinates of the data.
template <Real T>
TANDEM_HOST_DEVICE inline T centre_coordinate(double origin, double sum, double weight) {
  return static_cast<T>(origin + sum / weight);
}

// The part of the cost that coordinate c' of a centre answers for: with S = Σ w x' and W = Σ w over
// the centre's rows, Σ w (x' − c')² = Σ w x'² + c'(W c' − 2 S). Added over all centres and
// coordinates to the constant Σ w ‖x'‖² it gives the cost without a pass over the rows.
TANDEM_HOST_DEVICE inline double cost_term(double centre, double sum, double weight) {
  return centre * (weight * centre - 2.0 * sum);
}

// The magnitude of one coordinate of a centre that enters cost_error_bound.
TANDEM_HOST_DEVICE inline double cost_magnitude(double centre, double sum, double weight) {
  const double size = std::fabs(centre);
  return size * (weight * size + 2.0 * std::fabs(sum));
}

// The error that rounding to fixed point adds to it, for one feature: `most` is max_c |c'_j|,
// `unit` the value of the sum's least bit. A row's w x'_j is rounded by at most half of it, and
// enters twice.
TANDEM_HOST_DEVICE inline double cost_fixed_error(double most, Index rows, double unit) {
  return most * static_cast<double>(rows) * unit;
}

// The fixed point of the sums of w x'_j. Its scale is a double, so that multiplying by it is exact
// scaling; sums of values that are all below 1e-290 or so have fewer bits for that.
[[nodiscard]] inline FixedPoint fixed_point_of_feature(Index rows, double largest) {
  FixedPoint fixed = FixedPoint::for_sum(rows, largest);
  fixed.exponent = std::min(fixed.exponent, 1022);
  return fixed;
}

// w x'_j, scaled by 2^exponent, as an integer: FixedPoint::encode() where `scale` is that power.
TANDEM_HOST_DEVICE inline std::int64_t fixed_units(double value, double scale) {
  return static_cast<std::int64_t>(std::nearbyint(value * scale));
}

// Drawing a row by its share of a long sum. All nodes of the tree over the sums of blocks lie one
// level after the other, the sums of the blocks first and the root last.
[[nodiscard]] inline Index count_tree_nodes(Index blocks) {
  Index nodes = blocks;
  for (Index on_level = blocks; on_level > 1;) {
    on_level = ceil_div<Index>(on_level, 2);
    nodes += on_level;
  }
  return nodes;
}

// Node i of the level above one of `count` nodes.
TANDEM_HOST_DEVICE inline double node_above(const double* below, Index count, Index i) {
  return 2 * i + 1 < count ? below[2 * i] + below[2 * i + 1] : below[2 * i];
}

// Where the running total of the blocks' sums, which are >= 0, exceeds `target`: goes down from the
// root, to the left where the left node exceeds what is left of the target, else to the right with
// what is left of it after the left node; never to a right node of 0, so that where rounding leaves
// a target that nothing exceeds it ends in the last block with a sum > 0. Returns the block, and in
// `rest` what its rows have to exceed. Requires: blocks >= 1.
TANDEM_HOST_DEVICE inline Index block_by_share(const double* nodes, Index node_count, Index blocks,
                                               double target, double& rest) {
  rest = target;
  Index node = 0;
  const double* level = nodes + node_count - 1;  // the root's
  for (Index height = sum_tree_height(blocks); height > 0; --height) {
    const Index below = ceil_div<Index>(blocks, Index{1} << (height - 1));
    level -= below;
    const Index left = 2 * node;
    const Index right = left + 1;
    node = left;
    if (right < below && level[right] > 0 && !(level[left] > rest)) {
      rest -= level[left];
      node = right;
    }
  }
  return node;
}

// Adds a block's terms w·D one after the other and returns the first at which the sum exceeds
// `rest`, or, where none does, the last term above 0; −1 where all are 0.
TANDEM_HOST_DEVICE inline Index row_by_share(const double* terms, Index count, double rest) {
  double sum = 0;
  Index last = -1;
  for (Index i = 0; i < count; ++i) {
    if (!(terms[i] > 0)) continue;
    sum += terms[i];
    last = i;
    if (sum > rest) break;
  }
  return last;
}

// w·D of a row.
template <Real T>
struct KMeansPull {
  const T* distance;      // D
  const double* weights;  // null for weights of 1

  TANDEM_HOST_DEVICE double operator()(Index row) const {
    const auto d = static_cast<double>(distance[row]);
    return weights != nullptr ? weights[row] * d : d;
  }
};

// A bound on the error of a cost made of cost_terms and the long_sum `square_total` over `rows`
// rows. `magnitude` is the long_sum of cost_magnitude over the coordinates of the centres, row by
// row; `fixed_error` the long_sum of cost_fixed_error over the features.
[[nodiscard]] inline double cost_error_bound(Index rows, Index terms, double square_total,
                                             double magnitude, double fixed_error) {
  // Each square and term has up to four roundings of its own.
  return (long_sum_bound(rows) + 4 * unit_roundoff<double>)*square_total +
         (long_sum_bound(terms) + 4 * unit_roundoff<double>)*magnitude + fixed_error;
}

// Squares of shifted values and sums of d of them, times four, must neither overflow nor lose their
// small parts to underflow. Both bounds are on the largest |x'| and |c'|.
template <Real T>
[[nodiscard]] inline double largest_magnitude(Index features) {
  return std::sqrt(static_cast<double>(std::numeric_limits<T>::max()) / 16 /
                   static_cast<double>(features > 0 ? features : 1));
}
template <Real T>
[[nodiscard]] inline double least_magnitude() {
  return std::sqrt(static_cast<double>(std::numeric_limits<T>::min())) /
         static_cast<double>(std::numeric_limits<T>::epsilon());
}

// The largest difference between an exact engine's score (plus ‖x − o‖²) and the true ‖x − c‖² of
// the unshifted values: γ_{2d+4} · Σ_j (|x_j − o_j| + |c_j − o_j|)². A label may differ from the
// reference's only where the two distances are closer than the sum of the two bounds (tie-aware).
template <Real T>
[[nodiscard]] double score_bound(std::span<const T> row, std::span<const T> centre,
                                 std::span<const T> origin) {
  double sum = 0;
  for (std::size_t j = 0; j < row.size(); ++j) {
    const double o = static_cast<double>(origin[j]);
    const double magnitude =
        std::abs(static_cast<double>(row[j]) - o) + std::abs(static_cast<double>(centre[j]) - o);
    sum += magnitude * magnitude;
  }
  // Rounding of this sum itself, and of the shifted values that stand in it, is covered by the
  // spare two of the four.
  return gamma_bound<T>(2 * static_cast<Index>(row.size()) + 4) * sum;
}

}  // namespace tandem
