// Matrix products on the GPU.
//
// exact: gemm_chains_kernel below and, for sums over rows, cuda/linalg/row_products.cu; CPU twin
// GemmChains in cpu/linalg/gemm.cpp.
// fast: cuBLAS (cuda/linalg/cublas.hpp).
#include "core/linalg/gemm_steps.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "cuda/core/engine.hpp"
#include "cuda/linalg/cublas.hpp"
#include "cuda/linalg/cublaslt.hpp"
#include "cuda/linalg/gemm_tiles.hpp"
#include "cuda/linalg/operand_tile.cuh"
#include "cuda/linalg/row_products.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// A product; no padding, because launches are compared byte by byte.
template <Real T>
struct GemmArguments {
  const T* a;
  const T* b;
  T* c;
  Index lda, ldb, ldc, m, n, k;
  // Whether rows of the operand as stored begin at multiples of 16 bytes.
  std::int16_t a_aligned, b_aligned, c_aligned, accumulate;
};

// C = op(A)·op(B), or C += where `accumulate`: every output one chain of fmas in ascending order of
// k, from +0 or from C, in one thread. The bits do not depend on the tile.
//
// Grid: one block per tile of C, in a row (gemm_tiles.hpp: which tile, and the cost functions);
// tiles are numbered in bands of 8 rows of tiles, column by column inside a band, so that blocks
// that run at the same time share operands in the L2 cache. Block: the tile's threads; a warp is 4
// rows by 8 columns of threads. A thread owns thread_rows × thread_cols outputs in packs of 16
// bytes that are `rows` / packs apart, so that a warp's loads from shared memory are consecutive.
//
// Any m, n >= 1, any k >= 0, any leading dimensions and alignment; at the edges zeros stand for
// rows and columns that are not there, but never for steps of k (0·0 would turn a sum of −0 into
// +0).
//
// Shared memory: two stages of both operands' tiles, 16 to 33 KiB for the large tile. While one
// is computed with, the other is filled by cp.async (from compute capability 8.0 on; below, by
// loads into registers and stores after the computation). One barrier per stage: behind it the
// stage that all threads have waited for is complete, and the other one is no longer read by any
// thread. No bank conflicts: reads of a warp are broadcasts or consecutive; for writes see
// OperandTile.
//
// Bytes and flops: gemm_kernel_bytes(), gemm_kernel_flops(). Per step of k and thread 64 fmas (or
// 32) to 4 loads from shared memory of 16 bytes: bound by arithmetic where tiles are large.
template <Real T, GemmTileSize size, Transpose transpose_a, Transpose transpose_b>
__global__ void __launch_bounds__(gemm_tile<T>(size).threads(), 512 / gemm_tile<T>(size).threads())
    gemm_chains_kernel(const GemmArguments<T> p) {
  constexpr GemmTile tile = gemm_tile<T>(size);
  constexpr int rows = tile.rows;
  constexpr int cols = tile.cols;
  // Below 8.0 staged copies take a register per element, of which the large tile has none to spare,
  // and shared memory is 64 KiB: half the depth lets two of its blocks share a multiprocessor, as
  // elsewhere.
  constexpr int depth = has_async_copy || size != GemmTileSize::large ? tile.depth : 8;
  constexpr int thread_rows = tile.thread_rows;
  constexpr int thread_cols = tile.thread_cols;
  constexpr int threads = tile.threads();
  constexpr bool a_along = transpose_a == Transpose::no;
  constexpr bool b_along = transpose_b == Transpose::yes;
  using TileA = OperandTile<T, rows, depth, threads, a_along>;
  using TileB = OperandTile<T, cols, depth, threads, b_along>;
  __shared__ __align__(16) T shared_a[2][TileA::elements];
  __shared__ __align__(16) T shared_b[2][TileB::elements];

  // Which tile.
  constexpr unsigned band = 8;
  const auto tile_rows = static_cast<unsigned>((p.m + rows - 1) / rows);
  const auto tile_cols = static_cast<unsigned>((p.n + cols - 1) / cols);
  const unsigned first_band_row = blockIdx.x / (band * tile_cols) * band;
  const unsigned in_band = blockIdx.x % (band * tile_cols);
  const unsigned band_rows = min(band, tile_rows - first_band_row);
  const Index row = static_cast<Index>(first_band_row + in_band % band_rows) * rows;
  const Index col = static_cast<Index>(in_band / band_rows) * cols;
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
  int thread_row = (warp / warps_across * 4 + lane / 8) * row_pack;
  int thread_col = (warp % warps_across * 8 + lane % 8) * col_pack;
  const auto row_of = [&](int i) { return thread_row + i / row_pack * row_step + i % row_pack; };
  const auto col_of = [&](int j) { return thread_col + j / col_pack * col_step + j % col_pack; };

  T sums[thread_rows][thread_cols];
  Index ldc = p.ldc;
  T* const c = p.c + row * ldc + col;
#pragma unroll
  for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
    for (int j = 0; j < thread_cols; j += col_pack) {
      const T* from = c + row_of(i) * ldc + col_of(j);
      const bool load = p.accumulate != 0 && row_of(i) < rows_inside;
      if (load && p.c_aligned != 0 && col_of(j) + col_pack <= cols_inside) {
        load_pack<col_pack>(from, sums[i] + j);
      } else {
#pragma unroll
        for (int v = 0; v < col_pack; ++v) {
          sums[i][j + v] = load && col_of(j) + v < cols_inside ? from[v] : T{0};
        }
      }
    }
  }

  const T* from_a = p.a + (a_along ? row * p.lda : row);
  const T* from_b = p.b + (b_along ? col * p.ldb : col);
  const Index step_a = a_along ? depth : depth * p.lda;
  const Index step_b = b_along ? depth : depth * p.ldb;
  T staged_a[TileA::per_thread];
  T staged_b[TileB::per_thread];
  const auto begin_stage = [&](int stage, Index left) {
    const int steps = static_cast<int>(min(static_cast<Index>(depth), left));
    TileA::begin(shared_a[stage], staged_a, from_a, p.lda, rows_inside, steps, p.a_aligned != 0);
    TileB::begin(shared_b[stage], staged_b, from_b, p.ldb, cols_inside, steps, p.b_aligned != 0);
    from_a += step_a;
    from_b += step_b;
  };
  const auto finish_stage = [&](int stage) {
    TileA::finish(shared_a[stage], staged_a, p.a_aligned != 0);
    TileB::finish(shared_b[stage], staged_b, p.b_aligned != 0);
  };

  if (p.k > 0) {
    begin_stage(0, p.k);
    finish_stage(0);
  }
  int stage = 0;
  for (Index left = p.k; left > 0; left -= depth, stage ^= 1) {
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
#pragma unroll
      for (int i = 0; i < thread_rows; ++i) {
#pragma unroll
        for (int j = 0; j < thread_cols; ++j) {
          sums[i][j] = math::fma(of_a[i], of_b[j], sums[i][j]);
        }
      }
    };
    if (left >= depth) {
#pragma unroll
      for (int l = 0; l < depth; ++l) add(l);
    } else {
#pragma unroll 1
      for (int l = 0; l < static_cast<int>(left); ++l) add(l);
    }
    if (more) finish_stage(stage ^ 1);
  }

  // As if they were other values than above: otherwise the addresses of all outputs would be kept
  // in registers during the loop.
  asm volatile("" : "+r"(thread_row), "+r"(thread_col), "+l"(ldc));

#pragma unroll
  for (int i = 0; i < thread_rows; ++i) {
    if (row_of(i) >= rows_inside) continue;
#pragma unroll
    for (int j = 0; j < thread_cols; j += col_pack) {
      T* const to = c + row_of(i) * ldc + col_of(j);
      if (p.c_aligned != 0 && col_of(j) + col_pack <= cols_inside) {
        store_pack_global<col_pack>(sums[i] + j, to);
      } else {
#pragma unroll
        for (int v = 0; v < col_pack; ++v) {
          if (col_of(j) + v < cols_inside) to[v] = sums[i][j + v];
        }
      }
    }
  }
}

template <Real T>
using GemmKernel = void (*)(GemmArguments<T>);

template <Real T, GemmTileSize size>
GemmKernel<T> kernel_for(Transpose transpose_a, Transpose transpose_b) {
  constexpr auto no = Transpose::no;
  constexpr auto yes = Transpose::yes;
  if (transpose_a == no) {
    return transpose_b == no ? gemm_chains_kernel<T, size, no, no>
                             : gemm_chains_kernel<T, size, no, yes>;
  }
  return transpose_b == no ? gemm_chains_kernel<T, size, yes, no>
                           : gemm_chains_kernel<T, size, yes, yes>;
}

template <Real T>
GemmKernel<T> kernel_for(GemmTileSize size, Transpose transpose_a, Transpose transpose_b) {
  switch (size) {
    case GemmTileSize::large: return kernel_for<T, GemmTileSize::large>(transpose_a, transpose_b);
    case GemmTileSize::medium: return kernel_for<T, GemmTileSize::medium>(transpose_a, transpose_b);
    case GemmTileSize::small: break;
  }
  return kernel_for<T, GemmTileSize::small>(transpose_a, transpose_b);
}

template <Real T>
class GemmChainsCuda final : public GemmSteps<T> {
 public:
  explicit GemmChainsCuda(Engine& engine) : engine_(cuda_engine(engine)), rows_(engine_) {}

  void gemm(Transpose transpose_a, Transpose transpose_b, Index m, Index n, Index k, const T* a,
            Index lda, const T* b, Index ldb, bool accumulate, T* c, Index ldc) override {
    if (m == 0 || n == 0 || (k == 0 && accumulate)) return;
    const int forced = static_cast<int>(engine_.block_threads(0));
    const GemmTileSize size =
        choose_gemm_tile<T>(m, n, engine_.properties().multiProcessorCount, forced);
    const GemmTile tile = gemm_tile<T>(size);
    const Index tiles = tile.tiles(m, n);
    if (tiles > std::numeric_limits<int>::max()) {
      throw DeviceError("a product of " + std::to_string(m) + " by " + std::to_string(n) +
                        " outputs takes more blocks of threads than a launch may have");
    }
    const GemmArguments<T> arguments{
        .a = a,
        .b = b,
        .c = c,
        .lda = lda,
        .ldb = ldb,
        .ldc = ldc,
        .m = m,
        .n = n,
        .k = k,
        .a_aligned = rows_aligned(a, lda),
        .b_aligned = rows_aligned(b, ldb),
        .c_aligned = rows_aligned(c, ldc),
        .accumulate = accumulate,
    };
    engine_.launch(kernel_for<T>(size, transpose_a, transpose_b),
                   {.grid = dim3(static_cast<unsigned>(tiles)),
                    .block = dim3(static_cast<unsigned>(tile.threads()))},
                   arguments);
  }

  void row_products(Index m, Index n, Index rows, const T* a, Index lda, const T* b, Index ldb,
                    T* c, Index ldc) override {
    rows_.run(m, n, rows, a, lda, b, ldb, c, ldc);
  }

 private:
  CudaEngine& engine_;
  RowProducts<T> rows_;
};

template <Real T>
class GemmCublas final : public GemmSteps<T> {
 public:
  explicit GemmCublas(Engine& engine)
      : compute_(compute_of(engine.numerics())),
        chains_(engine),
        cublas_(cuda_engine(engine)),
        lt_(cuda_engine(engine)) {}

  void gemm(Transpose transpose_a, Transpose transpose_b, Index m, Index n, Index k, const T* a,
            Index lda, const T* b, Index ldb, bool accumulate, T* c, Index ldc) override {
    if (m == 0 || n == 0 || k == 0) {
      chains_.gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc);
      return;
    }
    cublas_.gemm(compute_, transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc);
  }

  void row_products(Index m, Index n, Index rows, const T* a, Index lda, const T* b, Index ldb,
                    T* c, Index ldc) override {
    gemm(Transpose::yes, Transpose::no, m, n, rows, a, lda, b, ldb, false, c, ldc);
  }

  // In float: cuBLASLt has no epilogues in double.
  bool fuses_relu(Index rows, Index inputs, Index outputs, Index next_outputs) override {
    if (sizeof(T) != 4) return false;
    if (next_outputs == 0) {
      return lt_.has(fused(cublas::Epilogue::relu, Transpose::no, rows, outputs, inputs));
    }
    return lt_.has(fused(cublas::Epilogue::relu_with_mask, Transpose::no, rows, outputs, inputs)) &&
           lt_.has(
               fused(cublas::Epilogue::relu_gradient, Transpose::yes, rows, outputs, next_outputs));
  }
  Index relu_mask_bytes(Index m, Index n) const override {
    return sizeof(T) == 4 ? m * CublasLt::mask_ld(n) / 8 : 0;
  }
  void gemm_relu([[maybe_unused]] Index m, [[maybe_unused]] Index n, [[maybe_unused]] Index k,
                 [[maybe_unused]] const T* a, [[maybe_unused]] const T* b,
                 [[maybe_unused]] const T* bias, [[maybe_unused]] void* mask,
                 [[maybe_unused]] T* c) override {
    if constexpr (sizeof(T) == 4) {
      const auto epilogue =
          mask != nullptr ? cublas::Epilogue::relu_with_mask : cublas::Epilogue::relu;
      lt_.run(fused(epilogue, Transpose::no, m, n, k), a, b, bias, mask, c);
    }
  }
  void gemm_relu_gradient([[maybe_unused]] Index m, [[maybe_unused]] Index n,
                          [[maybe_unused]] Index k, [[maybe_unused]] const T* a,
                          [[maybe_unused]] const T* b, [[maybe_unused]] const void* mask,
                          [[maybe_unused]] T* column_sums, [[maybe_unused]] T* c) override {
    if constexpr (sizeof(T) == 4) {
      lt_.run(fused(cublas::Epilogue::relu_gradient, Transpose::yes, m, n, k), a, b, column_sums,
              mask, c);
    }
  }

 private:
  static cublas::Compute compute_of(Numerics numerics) {
    if (sizeof(T) != 4) return cublas::Compute::float64;
    switch (numerics) {
      case Numerics::fast_tf32: return cublas::Compute::tf32;
      case Numerics::fast_bf16: return cublas::Compute::bfloat16;
      case Numerics::exact:
      case Numerics::fast: break;
    }
    return cublas::Compute::float32;
  }
  [[nodiscard]] FusedProduct fused(cublas::Epilogue epilogue, Transpose transpose_b, Index m,
                                   Index n, Index k) const {
    return {epilogue, compute_, Transpose::no, transpose_b, m, n, k};
  }

  cublas::Compute compute_;
  GemmChainsCuda<T> chains_;
  Cublas cublas_;
  CublasLt lt_;
};

template <Real T>
GemmSteps<T>* make_gemm(Engine& engine) {
  if (engine.numerics() != Numerics::exact) return new GemmCublas<T>(engine);
  return new GemmChainsCuda<T>(engine);
}

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_gemm_float32(tandem::Engine& engine) {
  return tandem::cuda::make_gemm<float>(engine);
}
void* tandem_cuda_gemm_float64(tandem::Engine& engine) {
  return tandem::cuda::make_gemm<double>(engine);
}
}
