// What the kernels of cuda/linear/linear.cu must move and compute, for benchmarks and for the tests
// that count it.
#pragma once

#include <algorithm>
#include <cstddef>

#include "core/linear/linear_steps.hpp"

namespace tandem::cuda {

// How a pass with gradients is done.
//   fused   one kernel; a tile of tile_rows rows is brought to shared memory, from which the
//           outputs and the gradient's sums are made; the sums stay in registers
//   two     one kernel for the outputs and one for the sums, which reads the features again: for
//           more (feature, output) pairs than a block's registers hold
struct PassPlan {
  bool fused = false;
  int tile_rows = 0;
  int features_per_warp = 0;  // registers of a thread hold so many features' sums ...
  int outputs = 0;            // ... for so many outputs
  std::size_t shared_bytes = 0;
};

// Shared memory of the fused kernel: weighted residuals and the factors of the loss in double, the
// features' tile and the model.
[[nodiscard]] constexpr std::size_t fused_shared_bytes(Index tile_rows, Index features,
                                                       Index outputs, std::size_t element) {
  return static_cast<std::size_t>(tile_rows * (outputs + 2)) * sizeof(double) +
         static_cast<std::size_t>(tile_rows * features + outputs * (features + 1)) * element;
}

[[nodiscard]] constexpr PassPlan plan_pass(Index features, Index outputs, std::size_t element,
                                           unsigned threads, std::size_t most_shared) {
  PassPlan plan;
  plan.outputs = outputs == 1 ? 1 : 4;
  const Index warps = static_cast<Index>(threads) / sum_lanes;
  const Index per_warp = (features + 1 + warps - 1) / warps;  // the intercept is a feature of ones
  for (const int size : {2, 8, 32}) {
    if (per_warp <= size && size * plan.outputs <= 32) {
      plan.features_per_warp = size;
      break;
    }
  }
  if (outputs > plan.outputs || plan.features_per_warp == 0) return plan;
  // So little shared memory that several blocks are on a multiprocessor and one's copies run beside
  // another's sums; more where not even 32 rows fit into that.
  constexpr std::size_t good = std::size_t{48} << 10;
  Index rows = static_cast<Index>(threads);
  while (rows > sum_lanes && fused_shared_bytes(rows, features, outputs, element) > good) rows /= 2;
  plan.shared_bytes = fused_shared_bytes(rows, features, outputs, element);
  plan.tile_rows = static_cast<int>(rows);
  plan.fused = plan.shared_bytes <= most_shared;
  return plan;
}

// One pass with a gradient over n rows, all kernels of it together. Rows are read in whole tiles.
// The partial sums of each block of rows are written once and read once. Where two kernels do it,
// the features are read twice, for each four outputs (the second time from the second-level cache
// where 64 blocks of rows fit into it), and n·K weighted residuals in double and the n pairs of
// factors of the loss are written and read.
// An fma counts two operations; an exponential, a logarithm or a division is not counted here, see
// linear_pass_cost for the method's.
[[nodiscard]] constexpr LinearPassCost linear_kernels_cost(const PassPlan& plan, Index rows,
                                                           Index features, Index outputs,
                                                           bool weighted, std::size_t element) {
  const Index blocks = (rows + sum_block - 1) / sum_block;
  const Index tile = plan.fused ? plan.tile_rows : sum_lanes;
  const auto n = static_cast<double>((rows + tile - 1) / tile * tile);
  const auto b = static_cast<double>(blocks);
  const auto d = static_cast<double>(features);
  const auto k = static_cast<double>(outputs);
  const auto s = static_cast<double>(element);
  const double terms = k * (d + 1) + 1;
  const double sums = 2 * 8 * b * terms;
  const double per_row = static_cast<double>(rows) * (weighted ? 2 : 1) * s;
  if (plan.fused) return {n * d * s + per_row + sums, n * k * (4 * d + 2)};
  const double groups = static_cast<double>((outputs + 3) / 4);
  return {n * d * s * (1 + groups) + per_row + sums + n * 8 * (2 * k + 4), n * k * (4 * d + 2)};
}

}  // namespace tandem::cuda
