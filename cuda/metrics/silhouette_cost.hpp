// How the silhouette's kernel cuts its work, and what that costs.
#pragma once

#include "core/cost.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cuda {

struct SilhouetteShape {
  int warps;
  int depth;      // features in a stage
  bool resident;  // all features of the block's rows are in shared memory from the first on
  int shared_bytes;

  static constexpr int rows_per_warp = 8;
  static constexpr int pitch = 33;  // elements from one feature of 32 members to the next
  [[nodiscard]] constexpr int block_rows() const { return warps * rows_per_warp; }
  // Elements from one feature of the block's rows to the next: 16 bytes more than there are, so
  // that writing by features meets each bank four times and not 32.
  [[nodiscard]] static constexpr int row_pitch(int block_rows, int element_bytes) {
    return block_rows + 16 / element_bytes;
  }
};

// `threads`: of a block, up to 256.
[[nodiscard]] constexpr SilhouetteShape silhouette_shape(Index cols, int element_bytes,
                                                         int threads) {
  SilhouetteShape shape{};
  shape.warps = threads / 32;
  shape.depth = 32;
  while (shape.depth > 1 && shape.depth / 2 >= cols) shape.depth /= 2;
  const int row_bytes =  // of a stage
      shape.depth * SilhouetteShape::row_pitch(shape.block_rows(), element_bytes) * element_bytes;
  const int member_bytes = 2 * shape.depth * SilhouetteShape::pitch * element_bytes;
  const Index all_rows = (cols + shape.depth - 1) / shape.depth * row_bytes;
  shape.resident = all_rows + member_bytes <= (Index{48} << 10);
  shape.shared_bytes = member_bytes + (shape.resident ? static_cast<int>(all_rows) : 2 * row_bytes);
  if (shape.shared_bytes < 16) shape.shared_bytes = 16;
  return shape;
}

// Rows, padded to those of a warp, against all rows: three flops a feature, a square root and an
// addition. Bytes are those of global memory, each counted once.
[[nodiscard]] constexpr Cost silhouette_kernel_cost(Index rows, Index cols, Index clusters,
                                                    int element_bytes) {
  const auto n = static_cast<double>(rows);
  const auto d = static_cast<double>(cols);
  const auto padded = static_cast<double>((rows + 7) / 8 * 8);
  return {n * (d * element_bytes + 20) + 8 * static_cast<double>(clusters + 1),
          padded * n * (3 * d + 2)};
}

}  // namespace tandem::cuda
