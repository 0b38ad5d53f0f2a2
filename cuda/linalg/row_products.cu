// Products that sum over rows, C = Aᵀ·B: chains inside micro-batches of 32 rows and a tree above
// them (core/linalg/micro_batch.hpp). CPU twin: row_products in cpu/linalg/gemm.cpp.
#include "cuda/linalg/row_products.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "core/linalg/micro_batch.hpp"
#include "cuda/linalg/gemm_tiles.hpp"
#include "cuda/linalg/operand_tile.cuh"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// No padding, because launches are compared byte by byte.
template <Real T>
struct RowProductArguments {
  const T* a;
  const T* b;
  T* c;
  T* nodes;
  Index lda, ldb, ldc, m, n, rows;
  // Whether rows begin at multiples of 16 bytes.
  std::int16_t a_aligned, b_aligned, c_aligned, unused;
};

// Every output is the tree of its micro-batches, computed in one thread. The bits do not depend on
// the tile.
//
// Grid: one block per tile of C, column by column. Block: the tile's threads, each with
// thread_rows × thread_cols outputs, arranged as in gemm_chains_kernel (gemm.cu), which also says
// how operands pass through shared memory and why there are no bank conflicts; both are stored the
// way they are read. Zeros stand for rows and columns past the edges of C, never for rows that are
// summed.
//
// The roots that wait for their right siblings: those of the first row_product_levels levels in
// registers, of higher ones in `nodes`, where an element of all threads of a block is consecutive.
// So up to 4 micro-batches of float (2 of double) need no memory; beyond, a node is written and
// read back once per 4 (2) micro-batches.
//
// Any m, n, rows >= 1, leading dimensions and alignment. Shared memory: two stages of both tiles, 4
// or 16 KiB. One barrier per stage. Bytes and flops: row_product_kernel_bytes(), …_flops().
template <Real T, GemmTileSize size>
__global__ void __launch_bounds__(gemm_tile<T>(size).threads(), size == GemmTileSize::small ? 8
                                                                : sizeof(T) == 4            ? 2
                                                                                            : 3)
    row_products_kernel(const RowProductArguments<T> p) {
  constexpr GemmTile tile = gemm_tile<T>(size);
  constexpr int rows = tile.rows;
  constexpr int cols = tile.cols;
  constexpr int depth = tile.depth;
  constexpr int thread_rows = tile.thread_rows;
  constexpr int thread_cols = tile.thread_cols;
  constexpr int threads = tile.threads();
  constexpr int levels = row_product_levels<T>;
  static_assert(levels == 0 || levels == 2);
  static_assert(micro_batch % depth == 0, "a micro-batch is whole stages");
  using TileA = OperandTile<T, rows, depth, threads, false>;
  using TileB = OperandTile<T, cols, depth, threads, false>;
  __shared__ __align__(16) T shared_a[2][TileA::elements];
  __shared__ __align__(16) T shared_b[2][TileB::elements];

  const auto tile_rows = static_cast<unsigned>((p.m + rows - 1) / rows);
  const Index row = static_cast<Index>(blockIdx.x % tile_rows) * rows;
  const Index col = static_cast<Index>(blockIdx.x / tile_rows) * cols;
  const int rows_inside = static_cast<int>(min(static_cast<Index>(rows), p.m - row));
  const int cols_inside = static_cast<int>(min(static_cast<Index>(cols), p.n - col));

  // Which outputs: of pack f of rows, thread_row + f · row_step and what follows it in the pack.
  constexpr int row_pack = thread_rows < vector_length<T> ? thread_rows : vector_length<T>;
  constexpr int col_pack = thread_cols < vector_length<T> ? thread_cols : vector_length<T>;
  constexpr int row_step = rows / (thread_rows / row_pack);
  constexpr int col_step = cols / (thread_cols / col_pack);
  constexpr int warps_across = cols / thread_cols / 8;
  const int thread = static_cast<int>(threadIdx.x);
  const int warp = thread / warp_lanes;
  const int lane = thread % warp_lanes;
  const int thread_row = (warp / warps_across * 4 + lane / 8) * row_pack;
  const int thread_col = (warp % warps_across * 8 + lane % 8) * col_pack;

  T sums[thread_rows][thread_cols] = {};
  // Roots that wait on the first and the second level.
  [[maybe_unused]] T singles[thread_rows][thread_cols];
  [[maybe_unused]] T pairs[thread_rows][thread_cols];
  const auto each = [&](auto&& f) {
#pragma unroll
    for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
      for (int j = 0; j < thread_cols; ++j) f(i, j);
    }
  };
  // The chains of micro-batch `leaf` are complete. The roots to their left: those that become
  // complete with it, or, with the last one, all. Whether `sums` waits on this level, then as
  // `root`.
  [[maybe_unused]] const auto waits = [&](bool complete, bool last,
                                          T(&root)[thread_rows][thread_cols]) {
    if (complete) {
      each([&](int i, int j) { sums[i][j] = root[i][j] + sums[i][j]; });
    } else if (!last) {
      each([&](int i, int j) {
        root[i][j] = sums[i][j];
        sums[i][j] = T{0};
      });
      return true;
    }
    return false;
  };
  const auto add_to_tree = [&](Index leaf, bool last) {
    if constexpr (levels == 2) {
      if (waits((leaf & 1) != 0, last, singles)) return;
      if (waits((leaf & 2) != 0, last, pairs)) return;
    }
    constexpr Index outputs = static_cast<Index>(rows) * cols;
    T* node = p.nodes + static_cast<Index>(blockIdx.x) * outputs + thread;
    for (Index bits = leaf >> levels; last ? bits != 0 : (bits & 1) != 0; bits >>= 1) {
      if ((bits & 1) != 0) {
        each(
            [&](int i, int j) { sums[i][j] = node[(i * thread_cols + j) * threads] + sums[i][j]; });
      }
      node += static_cast<Index>(gridDim.x) * outputs;
    }
    if (last) return;
    each([&](int i, int j) {
      node[(i * thread_cols + j) * threads] = sums[i][j];
      sums[i][j] = T{0};
    });
  };

  const T* from_a = p.a + row;
  const T* from_b = p.b + col;
  T staged_a[TileA::per_thread];
  T staged_b[TileB::per_thread];
  const auto begin_stage = [&](int stage, Index left) {
    const int steps = static_cast<int>(min(static_cast<Index>(depth), left));
    TileA::begin(shared_a[stage], staged_a, from_a, p.lda, rows_inside, steps, p.a_aligned != 0);
    TileB::begin(shared_b[stage], staged_b, from_b, p.ldb, cols_inside, steps, p.b_aligned != 0);
    from_a += depth * p.lda;
    from_b += depth * p.ldb;
  };
  const auto finish_stage = [&](int stage) {
    TileA::finish(shared_a[stage], staged_a, p.a_aligned != 0);
    TileB::finish(shared_b[stage], staged_b, p.b_aligned != 0);
  };

  begin_stage(0, p.rows);
  finish_stage(0);
  int stage = 0;
  Index begin = 0;  // of the stage's rows
  for (Index left = p.rows; left > 0; left -= depth, begin += depth, stage ^= 1) {
    await_async_copies();
    __syncthreads();
    const bool more = left > depth;
    if (more) begin_stage(stage ^ 1, left - depth);
    const T* const tile_a = shared_a[stage] + thread_row;
    const T* const tile_b = shared_b[stage] + thread_col;
    const auto add = [&](int l) {
      T of_a[thread_rows];
      T of_b[thread_cols];
#pragma unroll
      for (int i = 0; i < thread_rows; i += row_pack) {
        load_pack<row_pack>(tile_a + l * TileA::stride + i / row_pack * row_step, of_a + i);
      }
#pragma unroll
      for (int j = 0; j < thread_cols; j += col_pack) {
        load_pack<col_pack>(tile_b + l * TileB::stride + j / col_pack * col_step, of_b + j);
      }
      each([&](int i, int j) { sums[i][j] = math::fma(of_a[i], of_b[j], sums[i][j]); });
    };
    if (left >= depth) {
#pragma unroll 4
      for (int l = 0; l < depth; ++l) add(l);
    } else {
#pragma unroll 1
      for (int l = 0; l < static_cast<int>(left); ++l) add(l);
    }
    if (more) finish_stage(stage ^ 1);
    if (!more || (begin + depth) % micro_batch == 0) add_to_tree(begin / micro_batch, !more);
  }

  T* const c = p.c + row * p.ldc + col;
#pragma unroll
  for (int i = 0; i < thread_rows; ++i) {
    const int at_row = thread_row + i / row_pack * row_step + i % row_pack;
    if (at_row >= rows_inside) continue;
#pragma unroll
    for (int j = 0; j < thread_cols; j += col_pack) {
      const int at_col = thread_col + j / col_pack * col_step;
      T* const to = c + at_row * p.ldc + at_col;
      if (p.c_aligned != 0 && at_col + col_pack <= cols_inside) {
        store_pack_global<col_pack>(sums[i] + j, to);
      } else {
#pragma unroll
        for (int v = 0; v < col_pack; ++v) {
          if (at_col + v < cols_inside) to[v] = sums[i][j + v];
        }
      }
    }
  }
}

}  // namespace

template <Real T>
void RowProducts<T>::run(Index m, Index n, Index rows, const T* a, Index lda, const T* b, Index ldb,
                         T* c, Index ldc) {
  if (m == 0 || n == 0) return;
  if (rows == 0) {
    for (Index i = 0; i < m; ++i) {
      engine_.fill_zero(c + i * ldc, static_cast<std::size_t>(n) * sizeof(T));
    }
    return;
  }
  const int forced = static_cast<int>(engine_.block_threads(0));
  const GemmTileSize size =
      choose_row_product_tile<T>(m, n, engine_.properties().multiProcessorCount, forced);
  const GemmTile tile = gemm_tile<T>(size);
  const Index tiles = tile.tiles(m, n);
  if (tiles > std::numeric_limits<int>::max()) {
    throw DeviceError("a product of " + std::to_string(m) + " by " + std::to_string(n) +
                      " outputs takes more blocks of threads than a launch may have");
  }
  const Index nodes = row_product_node_levels<T>(rows) * tiles * tile.rows * tile.cols;
  if (nodes_.size() < nodes) nodes_ = Buffer<T>(engine_, nodes);
  const RowProductArguments<T> arguments{
      .a = a,
      .b = b,
      .c = c,
      .nodes = nodes_.data(),
      .lda = lda,
      .ldb = ldb,
      .ldc = ldc,
      .m = m,
      .n = n,
      .rows = rows,
      .a_aligned = rows_aligned(a, lda),
      .b_aligned = rows_aligned(b, ldb),
      .c_aligned = rows_aligned(c, ldc),
      .unused = 0,
  };
  engine_.launch(size == GemmTileSize::small ? row_products_kernel<T, GemmTileSize::small>
                                             : row_products_kernel<T, GemmTileSize::medium>,
                 {.grid = dim3(static_cast<unsigned>(tiles)),
                  .block = dim3(static_cast<unsigned>(tile.threads()))},
                 arguments);
}

template class RowProducts<float>;
template class RowProducts<double>;

}  // namespace tandem::cuda
