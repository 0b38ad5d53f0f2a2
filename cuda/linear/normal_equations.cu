// Products of the columns of the rows on the GPU, for the normal equations of least squares.
#include <algorithm>

#include "core/linear/linear_loss.hpp"
#include "core/linear/normal_equations_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "cuda/linear/linear_cost.hpp"
#include "cuda/linear/sums_of_chunks.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// Products that a block of threads makes: a square of this many columns by as many.
inline constexpr int products_side = static_cast<int>(product_tile);
// A thread makes a square of products_each × products_each of them.
inline constexpr int products_each = 4;
inline constexpr int products_threads =
    products_side / products_each * (products_side / products_each);
// Rows that are in shared memory at a time.
inline constexpr int products_strip = 32;

// The products of a square of columns over one block of rows.
//
// Grid: (squares of columns, blocks of rows), blocks of 64 threads, whatever the device: a square
// is 32 columns a by 32 columns b, b's square not before a's, numbered along the rows of the upper
// triangle. A strip of 32 rows of both comes to shared memory as doubles less the centre, a's times
// the rows' weights, 16 KiB; then thread (y, x) of the 8 × 8 adds the strip's rows, in ascending
// order, to the products of columns 4y .. 4y + 3 with x, x + 8, x + 16, x + 24, which it keeps in
// registers from the first row of the block to the last. The threads of a warp read 8 neighbouring
// doubles of b, which are in different banks, and broadcasts of a. Two barriers per strip.
//
// A strip is read along its rows, so that every sector that is touched is used where the rows are
// no wider than the square; wider rows are read once per square, from the second-level cache but
// for the first. Bytes and flops: products_cost() in cuda/linear/linear_cost.hpp. Few columns are
// bound by memory where double precision runs at half of single's rate; from some 30 columns on, or
// at 1/64, by the fmas.
// Numerics: as core/linear/normal_equations_steps.hpp states it. partial: products of each block of
// rows. CPU twin: BlockProducts in cpu/linear/normal_equations.cpp.
template <Real T>
__global__ void __launch_bounds__(products_threads)
    products_kernel(RowsView<T> in, int columns, const double* __restrict__ centre,
                    double* __restrict__ partial) {
  __shared__ double q[products_strip][products_side];
  __shared__ double t[products_strip][products_side];
  const int features = static_cast<int>(in.features);
  // The square: row by row of the upper triangle of squares.
  const int across = (columns + products_side - 1) / products_side;
  int square = static_cast<int>(blockIdx.x);
  int down = 0;
  while (square >= across - down) {
    square -= across - down;
    ++down;
  }
  const int first_a = down * products_side;
  const int first_b = (down + square) * products_side;
  const Index block = blockIdx.y;
  const Index begin = block * sum_block;
  const int rows = static_cast<int>(in.rows - begin < sum_block ? in.rows - begin : sum_block);

  // The value of a column in a row, less its centre; 0 past the last one, which nobody writes.
  const auto value = [&](Index row, int column) {
    if (column < features) {
      return static_cast<double>(in.x[row * in.stride + column]) - centre[column];
    }
    if (column == features) return static_cast<double>(in.target[row]) - centre[column];
    return column < columns ? 1.0 : 0.0;
  };

  const int thread = static_cast<int>(threadIdx.x);
  constexpr int along = products_side / products_each;
  const int x = thread % along;
  const int y = thread / along;
  double sums[products_each][products_each] = {};
  for (int first = 0; first < rows; first += products_strip) {
    const int here = rows - first < products_strip ? rows - first : products_strip;
    for (int e = thread; e < here * products_side; e += products_threads) {
      const int r = e / products_side;
      const int c = e % products_side;
      const Index row = begin + first + r;
      const double own = value(row, first_a + c);
      q[r][c] = in.weights == nullptr ? own : static_cast<double>(in.weights[row]) * own;
      t[r][c] = first_a == first_b ? own : value(row, first_b + c);
    }
    __syncthreads();
    for (int r = 0; r < here; ++r) {
      double a[products_each];
      double b[products_each];
#pragma unroll
      for (int i = 0; i < products_each; ++i) {
        a[i] = q[r][products_each * y + i];
        b[i] = t[r][x + along * i];
      }
#pragma unroll
      for (int i = 0; i < products_each; ++i) {
#pragma unroll
        for (int k = 0; k < products_each; ++k) sums[i][k] = math::fma(a[i], b[k], sums[i][k]);
      }
    }
    __syncthreads();
  }

  double* out = partial + block * product_count(columns);
#pragma unroll
  for (int i = 0; i < products_each; ++i) {
#pragma unroll
    for (int k = 0; k < products_each; ++k) {
      const int a = first_a + products_each * y + i;
      const int b = first_b + x + along * k;
      if (a <= b && b < columns) out[product_place(a, b, columns)] = sums[i][k];
    }
  }
}

// NaNs become the one NaN. One thread per product.
__global__ void tidy_products_kernel(Index count, double* products) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e < count) products[e] = linear::with_one_nan(products[e]);
}

template <Real T>
class CudaNormalEquations final : public NormalEquationsSteps<T> {
 public:
  explicit CudaNormalEquations(Engine& engine) : engine_(cuda_engine(engine)), chunks_(engine_) {}

  void products(const RowsView<T>& rows, bool intercept, const Buffer<double>& centre,
                Buffer<double>& products) override {
    const Index p = normal_equations_columns(rows.features, intercept);
    const Index count = product_count(p);
    const Index blocks = sum_blocks(rows.rows);
    const Index across = blocks_for(p, product_tile);
    // So many blocks of rows at a time that their products stay in the cache, but enough of them
    // to fill the device.
    constexpr Index most_bytes = Index{16} << 20;
    constexpr Index most_grid_y = 65535;
    const Index at_once =
        std::clamp<Index>(most_bytes / (count * 8),
                          std::max<Index>(1, 2 * engine_.properties().multiProcessorCount /
                                                 (across * (across + 1) / 2)),
                          most_grid_y);
    if (partial_.size() < std::min(at_once, blocks) * count) {
      partial_ = Buffer<double>(engine_, std::min(at_once, blocks) * count);
    }
    for (Index block = 0; block < blocks; block += at_once) {
      const Index here = std::min(at_once, blocks - block);
      const Index row = block * sum_block;
      const RowsView<T> part{std::min(rows.rows - row, here * sum_block),
                             rows.features,
                             rows.stride,
                             rows.x + row * rows.stride,
                             rows.target + row,
                             rows.weights == nullptr ? nullptr : rows.weights + row};
      engine_.launch(products_kernel<T>,
                     {.grid = dim3(static_cast<unsigned>(across * (across + 1) / 2),
                                   static_cast<unsigned>(here)),
                      .block = dim3(products_threads)},
                     part, static_cast<int>(p), centre.data(), partial_.data());
      chunks_.add(partial_.data(), block, here, blocks, count, products.data());
    }
    const unsigned threads = engine_.block_threads(256);
    engine_.launch(
        tidy_products_kernel,
        {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))), .block = dim3(threads)},
        count, products.data());
  }

 private:
  CudaEngine& engine_;
  SumsOfChunks chunks_;
  Buffer<double> partial_;  // blocks × products
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_normal_equations_float32(tandem::Engine& engine) {
  return static_cast<tandem::NormalEquationsSteps<float>*>(
      new tandem::cuda::CudaNormalEquations<float>(engine));
}
void* tandem_cuda_normal_equations_float64(tandem::Engine& engine) {
  return static_cast<tandem::NormalEquationsSteps<double>*>(
      new tandem::cuda::CudaNormalEquations<double>(engine));
}
}
