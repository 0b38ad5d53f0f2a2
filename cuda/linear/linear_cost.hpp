// The bytes and flops that the kernels of cuda/linear need, for benchmarks and for the tests that
// count them.
#pragma once

#include <algorithm>
#include <cstddef>

#include "core/linear/least_squares_steps.hpp"
#include "core/linear/linear_steps.hpp"
#include "core/linear/normal_equations_steps.hpp"

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

// Operations of one row's losses and residuals besides the chains: additions, multiplications and
// divisions one each, fmas two, of the formulas in core/linear/linear_loss.inc with Tandem's exp,
// log and log1p, and of the weighting and the cost.
[[nodiscard]] constexpr double loss_flops(LinearLoss loss, Index outputs, std::size_t element) {
  const bool single = element == sizeof(float);
  const double exponential = single ? 29 : 39;
  const double logarithm = single ? 29 : 37;
  const double logarithm_of_sum = single ? 33 : 41;  // log1p
  const auto k = static_cast<double>(outputs);
  switch (loss) {
    case LinearLoss::squared: return 1 + 2 + 2;
    case LinearLoss::logistic: return 7 + exponential + logarithm_of_sum + 1 + 1 + 2;
    case LinearLoss::softmax: return k * (1 + exponential + 1 + 1 + 1 + 1) + logarithm + 2 + 2;
  }
  return 0;
}
// Additions that fold the lanes of one sum, as a warp does them.
inline constexpr double fold_flops = 5 * 32;

[[nodiscard]] constexpr double padded_rows(Index rows, Index to) {
  return static_cast<double>((rows + to - 1) / to * to);
}
[[nodiscard]] constexpr double blocks_of_rows(Index rows) {
  return padded_rows(rows, sum_block) / static_cast<double>(sum_block);
}

// fused_pass_kernel: rows in whole tiles, targets and weights, the model once, and the sums of each
// block, K·(d + 1) + 1 of them.
[[nodiscard]] constexpr Cost fused_pass_cost(const PassPlan& plan, LinearLoss loss, Index rows,
                                             Index features, Index outputs, bool weighted,
                                             std::size_t element) {
  const double n = static_cast<double>(rows);
  const double whole = padded_rows(rows, plan.tile_rows);
  const double d = static_cast<double>(features);
  const double k = static_cast<double>(outputs);
  const double s = static_cast<double>(element);
  const double sums = (k * (d + 1) + 1) * blocks_of_rows(rows);
  return {whole * d * s + n * (weighted ? 2 : 1) * s + k * (d + 1) * s + 8 * sums,
          whole * k * 2 * d + padded_rows(rows, sum_lanes) * k * 2 * (d + 1) +
              n * loss_flops(loss, outputs, element) + sums * fold_flops};
}

// residuals_kernel: the rows once for each sixteen outputs, one copy of it from memory; with more
// than one output the residuals are also read.
[[nodiscard]] constexpr Cost residuals_cost(LinearLoss loss, Index rows, Index features,
                                            Index outputs, bool weighted, std::size_t element) {
  const double n = static_cast<double>(rows);
  const double d = static_cast<double>(features);
  const double k = static_cast<double>(outputs);
  const double s = static_cast<double>(element);
  return {n * (d + (weighted ? 2 : 1)) * s + n * 8 * (outputs == 1 ? 1 : 2 * k) + n * 16 +
              k * (d + 1) * s,
          n * (k * 2 * d + loss_flops(loss, outputs, element) - 2)};
}

// column_sums_kernel: the rows once for each four outputs, one copy of it from memory, and the
// residuals.
[[nodiscard]] constexpr Cost column_sums_cost(Index rows, Index features, Index outputs,
                                              std::size_t element) {
  const double n = padded_rows(rows, sum_lanes);
  const double d = static_cast<double>(features);
  const double k = static_cast<double>(outputs);
  const double sums = k * d * blocks_of_rows(rows);
  return {n * (d * static_cast<double>(element) + 8 * k) + 8 * sums,
          n * k * 2 * d + sums * fold_flops};
}

// row_sums_kernel after a pass with a gradient.
[[nodiscard]] constexpr Cost row_sums_cost(Index rows, Index outputs) {
  const double n = padded_rows(rows, sum_lanes);
  const double k = static_cast<double>(outputs);
  const double sums = (k + 1) * blocks_of_rows(rows);
  return {n * 8 * (k + 2) + 8 * sums, n * (k + 2) + sums * fold_flops};
}

// pack_kernel: each element is read and written once, the columns in whole blocks.
[[nodiscard]] constexpr Cost pack_cost(Index rows, Index features, bool weighted,
                                       std::size_t element) {
  const double columns = static_cast<double>(features) + (weighted ? 2 : 1);
  return {(static_cast<double>(rows) + padded_rows(rows, sum_block)) * columns *
              static_cast<double>(element),
          0};
}

// Both launches of moments_kernel.
[[nodiscard]] constexpr Cost moments_cost(Index rows, Index features, bool weighted,
                                          std::size_t element) {
  const double n = static_cast<double>(rows);
  const double columns = static_cast<double>(features) + 1;
  const double sums = 2 * (columns + 1) * blocks_of_rows(rows);
  const double first = weighted ? 3 : 2;  // − 0, weight, addition
  return {2 * n * (columns + (weighted ? 1 : 0)) * static_cast<double>(element) + 8 * sums,
          n * columns * (2 * first + 1) + n * 2 * (weighted ? 2 : 1) + sums * fold_flops};
}

// predict_kernel.
[[nodiscard]] constexpr double predict_bytes(LinearLoss loss, Index rows, Index features,
                                             Index outputs, std::size_t element) {
  const double n = static_cast<double>(rows);
  const double columns = loss == LinearLoss::logistic ? 2
                         : loss == LinearLoss::softmax
                             ? 2 * static_cast<double>(outputs)  // and read
                             : 1;
  return (n * (static_cast<double>(features) + columns) +
          static_cast<double>(outputs * (features + 1))) *
         static_cast<double>(element);
}

// factor_kernel over n rows, a multiple of sum_block: each row and target (and weight) once, and
// the factors of the groups, written and read; what is read of them again comes from a cache.
// Besides the method's 2·n·p², every thread computes a reflection's scalars, 6 operations, and
// every lane a column's factor.
[[nodiscard]] constexpr Cost factor_cost(Index rows, Index features, bool intercept, bool weighted,
                                         std::size_t element, unsigned threads) {
  const Index columns = least_squares_columns(features, intercept);
  const Index group = least_squares_group(columns);
  const double n = static_cast<double>(rows);
  const double p = static_cast<double>(columns);
  const double groups = static_cast<double>((rows + group - 1) / group);
  const double updates = p * (p - 1) / 2;
  const double scalars =
      blocks_of_rows(rows) * ((updates + p) * fold_flops + updates * 3 * 32 + p * 6 * threads);
  return {n * (static_cast<double>(features) + (weighted ? 2 : 1)) * static_cast<double>(element) +
              groups * p * p * 8 * 2,
          2 * n * p * p + n * static_cast<double>(features + 1) + scalars};
}

// A block of threads of products_kernel makes the products of so many columns by as many.
inline constexpr Index product_tile = 32;

// products_kernel: the rows once, from memory, and the products of each block of rows. Each pair of
// tiles computes all its products, those of columns that are not there too, and its own values less
// the centre, times the weight.
[[nodiscard]] constexpr Cost products_cost(Index rows, Index features, bool intercept,
                                           bool weighted, std::size_t element) {
  const Index p = normal_equations_columns(features, intercept);
  const Index across = (p + product_tile - 1) / product_tile;
  const double n = static_cast<double>(rows);
  const double squares = static_cast<double>(across * (across + 1) / 2);
  const double side = static_cast<double>(product_tile);
  // A column is in `across` pairs of tiles, of which the one on the diagonal subtracts it once.
  const double subtractions = static_cast<double>((features + 1) * across);
  return {n * static_cast<double>(features + (weighted ? 2 : 1)) * static_cast<double>(element) +
              8 * static_cast<double>(product_count(p)) * blocks_of_rows(rows),
          n * (squares * 2 * side * side + subtractions + (weighted ? squares * side : 0))};
}

}  // namespace tandem::cuda
