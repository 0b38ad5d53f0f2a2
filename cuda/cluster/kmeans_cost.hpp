// Costs of the kernels of k-means, and how the assignment is cut.
//
// Bytes are those of global memory, each counted once: what has to move whatever the caches do. An
// fma is two flops; comparisons, conversions and integer arithmetic are none. Rows are padded to
// panels of 32, and what is done for the padding counts. `element` is the bytes of T.
#pragma once

#include "core/cost.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cuda::kmeans {

// How assign_kernel cuts the work of a problem: see there.
struct AssignShape {
  int centres_per_thread;
  int centre_warps;
  int warps;
  int depth;      // features in a stage
  bool resident;  // rows stay in shared memory for all tiles of centres
  Index padded;   // centres, to whole tiles
  int shared_bytes;

  static constexpr int panels_per_warp = 4;

  [[nodiscard]] constexpr int block_panels() const {
    return warps / centre_warps * panels_per_warp;
  }
  [[nodiscard]] constexpr int tile_centres() const { return centre_warps * centres_per_thread; }
};
[[nodiscard]] constexpr AssignShape assign_shape(Index features, Index centres, int element_bytes,
                                                 int threads) {
  AssignShape shape{};
  const int most = element_bytes == 4 ? 16 : 8;
  shape.centres_per_thread = centres > 8 ? most : centres > 4 ? 8 : 4;
  shape.warps = threads / 32 < 8 ? threads / 32 : 8;
  const Index needed = ceil_div<Index>(centres, shape.centres_per_thread);
  // Takes two or four warps side by side, whichever leave fewer centres over.
  shape.centre_warps = 1;
  if (needed > 1 && shape.warps >= 2) {
    shape.centre_warps = shape.warps >= 4 && (needed + 3) / 4 * 4 <= (needed + 1) / 2 * 2 ? 4 : 2;
  }
  shape.padded = ceil_div<Index>(centres, shape.tile_centres()) * shape.tile_centres();
  const int row_bytes = shape.block_panels() * 32 * element_bytes;  // of one feature
  const int centre_bytes = shape.tile_centres() * element_bytes;
  shape.depth = 16384 / row_bytes;
  if (shape.depth > 16) shape.depth = 16;
  if (shape.depth < 2) shape.depth = 2;
  while (shape.depth / 2 >= features && shape.depth > 1) shape.depth /= 2;
  const Index chunks = ceil_div<Index>(features, shape.depth);
  const Index all_rows = chunks * shape.depth * row_bytes;
  const int stages = 2 * shape.depth * centre_bytes;
  shape.resident = shape.padded > shape.tile_centres() && all_rows + stages <= (Index{48} << 10);
  shape.shared_bytes =
      stages + (shape.resident ? static_cast<int>(all_rows) : 2 * shape.depth * row_bytes);
  const int combine = shape.block_panels() * 32 * shape.centre_warps *
                      (element_bytes + static_cast<int>(sizeof(int)));
  if (shape.shared_bytes < combine) shape.shared_bytes = combine;
  return shape;
}

// Each of the 4 panels of a warp is scored against all centres, padded ones too.
[[nodiscard]] constexpr Cost assign_kernel_cost(const AssignShape& shape, Index rows,
                                                Index features, int element) {
  const Index panels = ceil_div<Index>(rows, 32);
  const Index warps = ceil_div<Index>(panels, AssignShape::panels_per_warp);
  const auto d = static_cast<double>(features);
  const auto padded = static_cast<double>(shape.padded);
  const auto scored = static_cast<double>(warps * AssignShape::panels_per_warp * 32);
  return {static_cast<double>(panels * 32) * d * element + padded * (d + 1) * element +
              4 * static_cast<double>(rows),
          2 * scored * d * padded};
}

// `panels` with a changed row, `changed` rows in them; sums of private copies are added to the
// global ones at the end. Two products an element: by the weight, which may be 1, and by the scale.
[[nodiscard]] constexpr Cost move_sums_kernel_cost(Index rows, Index panels, Index changed,
                                                   Index features, Index centres, int element,
                                                   bool weighted) {
  const auto d = static_cast<double>(features);
  const auto n = static_cast<double>(rows);
  const auto k = static_cast<double>(centres);
  const double parts = weighted ? 2 : 1;  // of the sums beside the values
  return {8 * n + (weighted ? 8 * n : 0) + static_cast<double>(panels * 32) * d * element + 8 * d +
              16 * k * (d + parts),
          static_cast<double>(changed) * (2 * d + 1)};
}

// The difference, after the centre's exact factor, and an fma for each element; D or the sum.
[[nodiscard]] constexpr Cost own_distances_kernel_cost(Index rows, Index features, Index centres,
                                                       int element) {
  const auto d = static_cast<double>(features);
  const auto n = static_cast<double>(rows);
  return {n * (d * element + 4 + element) + static_cast<double>(centres) * d * element, 4 * n * d};
}
[[nodiscard]] constexpr Cost block_costs_kernel_cost(Index rows, Index features, Index centres,
                                                     int element, bool weighted) {
  const auto d = static_cast<double>(features);
  const auto n = static_cast<double>(rows);
  return {n * (d * element + 4 + (weighted ? 8 : 0)) + static_cast<double>(centres) * d * element,
          n * (4 * d + (weighted ? 2 : 1))};
}

// `gathered` rows, padded as they are in memory.
[[nodiscard]] constexpr Cost distances_to_rows_kernel_cost(Index rows, Index features,
                                                           Index gathered, bool first,
                                                           int element) {
  const auto d = static_cast<double>(features);
  const auto n = static_cast<double>(rows);
  const auto y = static_cast<double>(gathered);
  return {n * (d + (first ? 1 : 2)) * element + y * d * element, 3 * n * d * y};
}

[[nodiscard]] constexpr Cost sum_columns_kernel_cost(Index rows, Index features, int element,
                                                     bool weighted) {
  const auto d = static_cast<double>(features);
  const auto n = static_cast<double>(rows);
  const auto blocks = static_cast<double>(ceil_div<Index>(rows, sum_block));
  // 160 additions fold the lanes of a block.
  return {n * d * element + (weighted ? 8 * n : 0) + 8 * blocks * d,
          n * d * (weighted ? 2 : 1) + 160 * blocks * d};
}
[[nodiscard]] constexpr Cost move_to_origin_kernel_cost(Index rows, Index features, int element,
                                                        bool weighted) {
  const auto d = static_cast<double>(features);
  const auto n = static_cast<double>(rows);
  const auto blocks = static_cast<double>(ceil_div<Index>(rows, sum_block));
  return {2 * n * d * element + (weighted ? 8 * n : 0) + 8 * blocks * d + 3 * d * element,
          n * d * (weighted ? 4 : 3) + 160 * blocks * d};
}

[[nodiscard]] constexpr Cost sum_pulls_kernel_cost(Index rows, int element, bool weighted) {
  const auto n = static_cast<double>(rows);
  const auto blocks = static_cast<double>(ceil_div<Index>(rows, sum_block));
  return {n * (element + (weighted ? 8 : 0)) + 8 * blocks, n * (weighted ? 2 : 1) + 160 * blocks};
}

// 17 flops a coordinate: the quotient and its move, the three terms, and adding them up; two more
// with weights, whose sums are scaled.
[[nodiscard]] constexpr Cost recentre_kernel_cost(Index centres, Index features, int element,
                                                  bool weighted) {
  const auto d = static_cast<double>(features);
  const auto k = static_cast<double>(centres);
  const auto blocks = static_cast<double>(ceil_div<Index>(centres * features, sum_block));
  return {k * d * (2 * element + 8) + k * (weighted ? 16 : 8) + d * (element + 8) + 24 * blocks,
          k * d * (weighted ? 18 : 17) + 480 * blocks};
}

}  // namespace tandem::cuda::kmeans
