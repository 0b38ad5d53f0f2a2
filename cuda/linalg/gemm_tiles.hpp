// The tiles into which cuda/linalg/gemm.cu cuts a product, which of them it takes, and what a
// product then costs. Apart from the kernels, so that tests and benchmarks see the same figures.
#pragma once

#include <array>

#include "core/linalg/micro_batch.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cuda {

// A block of threads computes rows × cols outputs, each thread thread_rows × thread_cols of them,
// and keeps `depth` steps of k of both operands in shared memory, twice.
struct GemmTile {
  int rows;
  int cols;
  int depth;
  int thread_rows;
  int thread_cols;

  [[nodiscard]] constexpr int threads() const { return rows / thread_rows * (cols / thread_cols); }
  [[nodiscard]] constexpr Index rows_of_tiles(Index m) const { return (m + rows - 1) / rows; }
  [[nodiscard]] constexpr Index cols_of_tiles(Index n) const { return (n + cols - 1) / cols; }
  [[nodiscard]] constexpr Index tiles(Index m, Index n) const {
    return rows_of_tiles(m) * cols_of_tiles(n);
  }
};

enum class GemmTileSize { large, medium, small };
inline constexpr std::array<GemmTileSize, 3> gemm_tile_sizes{
    GemmTileSize::large, GemmTileSize::medium, GemmTileSize::small};

// Large: 64 accumulators of 4 bytes per thread, or 32 of 8, in 64 registers. Small: for products of
// few outputs, which would leave most of the device idle; its 64 threads do little work per
// barrier.
template <Real T>
[[nodiscard]] constexpr GemmTile gemm_tile(GemmTileSize size) {
  constexpr bool single = sizeof(T) == 4;
  switch (size) {
    case GemmTileSize::large:
      return single ? GemmTile{128, 128, 16, 8, 8} : GemmTile{128, 64, 8, 8, 4};
    case GemmTileSize::medium:
      return single ? GemmTile{64, 64, 16, 8, 4} : GemmTile{64, 64, 8, 8, 4};
    case GemmTileSize::small: break;
  }
  return single ? GemmTile{16, 16, 16, 2, 2} : GemmTile{16, 16, 8, 2, 2};
}

// The tile for an m×n product on a device of `processors` multiprocessors; `threads` other than 0
// forces the largest tile whose blocks have at most that many threads.
//
// A model, in place of measurements on every GPU: a multiprocessor issues, per output and step of
// k, one fma and its share of the loads of the operands from shared memory, and the time is that of
// the multiprocessor with the most blocks. A smaller tile reads more memory, and has to win by a
// fifth.
template <Real T>
[[nodiscard]] constexpr GemmTileSize choose_gemm_tile(Index m, Index n, int processors,
                                                      int threads) {
  if (threads != 0) {
    for (const GemmTileSize size : gemm_tile_sizes) {
      if (gemm_tile<T>(size).threads() <= threads) return size;
    }
    return GemmTileSize::small;
  }
  GemmTileSize best = GemmTileSize::large;
  double best_time = 0;
  for (const GemmTileSize size : gemm_tile_sizes) {
    const GemmTile tile = gemm_tile<T>(size);
    const Index rounds = (tile.tiles(m, n) + processors - 1) / processors;
    const int fmas = tile.thread_rows * tile.thread_cols;
    const int at_once = 16 / static_cast<int>(sizeof(T));
    const auto loads = [&](int elements) { return (elements + at_once - 1) / at_once; };
    const double issued = fmas + loads(tile.thread_rows) + loads(tile.thread_cols);
    const double time = static_cast<double>(rounds) * tile.threads() * issued;
    if (size == GemmTileSize::large || time < 0.8 * best_time) {
      best = size;
      best_time = time;
    }
  }
  return best;
}

// The bytes that gemm_chains_kernel asks of global memory: each row of tiles reads B once, each
// column of tiles A once; C is written once, and read once where `accumulate`. Only elements of the
// matrices are asked for, at the edges too. And its floating-point operations, where the tiles at
// the edges count whole: it computes with zeros there.
template <Real T>
[[nodiscard]] constexpr double gemm_kernel_bytes(const GemmTile& tile, Index m, Index n, Index k,
                                                 bool accumulate) {
  const auto fm = static_cast<double>(m);
  const auto fn = static_cast<double>(n);
  const auto fk = static_cast<double>(k);
  return static_cast<double>(sizeof(T)) *
         (fm * fk * static_cast<double>(tile.cols_of_tiles(n)) +
          fk * fn * static_cast<double>(tile.rows_of_tiles(m)) + (accumulate ? 2 : 1) * fm * fn);
}
[[nodiscard]] constexpr double gemm_kernel_flops(const GemmTile& tile, Index m, Index n, Index k) {
  return 2.0 * static_cast<double>(tile.tiles(m, n)) * tile.rows * tile.cols *
         static_cast<double>(k);
}

// --- sums over rows (row_products_kernel) --------------------------------------------------------

// Levels of the tree over micro-batches whose waiting roots a thread keeps in registers: with
// its outputs, 96 registers of float. Outputs in double take 64, which leaves too few.
template <Real T>
inline constexpr int row_product_levels = sizeof(T) == 4 ? 2 : 0;

// Levels that are in memory.
template <Real T>
[[nodiscard]] constexpr Index row_product_node_levels(Index rows) {
  const Index levels = micro_batch_levels(rows) - row_product_levels<T>;
  return levels > 0 ? levels : 0;
}

// As choose_gemm_tile; the large tile has no registers left for roots.
template <Real T>
[[nodiscard]] constexpr GemmTileSize choose_row_product_tile(Index m, Index n, int processors,
                                                             int threads) {
  const GemmTileSize size = choose_gemm_tile<T>(m, n, processors, threads);
  return size == GemmTileSize::large ? GemmTileSize::medium : size;
}

// Roots that wait in memory in the course of a sum, each written once and read once: of all nodes
// with so many levels below them, those that are complete before the last micro-batch.
template <Real T>
[[nodiscard]] constexpr Index row_product_nodes(Index rows) {
  return ((rows - 1) / micro_batch) >> row_product_levels<T>;
}

// The bytes that row_products_kernel asks of global memory, and its floating-point operations:
// those of gemm_chains_kernel, the roots in memory, and the additions of the tree.
template <Real T>
[[nodiscard]] constexpr double row_product_kernel_bytes(const GemmTile& tile, Index m, Index n,
                                                        Index rows) {
  const double outputs = static_cast<double>(tile.tiles(m, n)) * tile.rows * tile.cols;
  return gemm_kernel_bytes<T>(tile, m, n, rows, false) +
         2 * static_cast<double>(sizeof(T)) * outputs *
             static_cast<double>(row_product_nodes<T>(rows));
}
[[nodiscard]] constexpr double row_product_kernel_flops(const GemmTile& tile, Index m, Index n,
                                                        Index rows) {
  const double outputs = static_cast<double>(tile.tiles(m, n)) * tile.rows * tile.cols;
  return gemm_kernel_flops(tile, m, n, rows) +
         outputs * static_cast<double>((rows - 1) / micro_batch);
}

}  // namespace tandem::cuda
