// Passes over the columns of a row-major table.
#include <limits>

#include "core/preprocess/scaler_steps.hpp"
#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {
namespace {

constexpr unsigned columns_at_once = 32;

// Both kernels below: a thread block of 32 × 32 threads takes one block of sum_block rows and 32
// columns; threadIdx.x is the column, so that a warp reads consecutive elements of a row, and
// threadIdx.y one of 32 shares of the rows. Tables of fewer than 32 columns leave lanes idle.
//
// Grid: (ceil(cols / 32), blocks of rows), strided in y where there are more than 65535 of them.
// Reads each element once: scaler_bytes(). CPU twin: cpu/preprocess/scaler.cpp.

// Share l of the rows are the rows l, l + 32, ...: lane l of the long sum. The lanes of a column
// are then added by a warp, through shared memory (33 wide, so that neither side has bank
// conflicts).
template <Real T>
__global__ void __launch_bounds__(columns_at_once* sum_lanes)
    column_sums_kernel(const T* __restrict__ x, Index rows, Index cols,
                       const double* __restrict__ centre, double* __restrict__ partial) {
  __shared__ double lanes[sum_lanes][columns_at_once + 1];
  const Index column = static_cast<Index>(blockIdx.x) * columns_at_once + threadIdx.x;
  const Index blocks = (rows + sum_block - 1) / sum_block;
  for (Index b = blockIdx.y; b < blocks; b += gridDim.y) {
    double sum = 0.0;
    if (column < cols) {
      const double middle = centre == nullptr ? 0.0 : centre[column];
      const Index end = (b + 1) * sum_block < rows ? (b + 1) * sum_block : rows;
      for (Index i = b * sum_block + threadIdx.y; i < end; i += sum_lanes) {
        const auto value = static_cast<double>(x[i * cols + column]);
        if (value != value) {
          sum += 0.0;
        } else if (centre == nullptr) {
          sum += value;
        } else {
          const double deviation = value - middle;
          sum += deviation * deviation;
        }
      }
    }
    lanes[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    const double total = add_lanes_of_warp(lanes[threadIdx.x][threadIdx.y]);
    const Index of_warp = static_cast<Index>(blockIdx.x) * columns_at_once + threadIdx.y;
    if (threadIdx.x == 0 && of_warp < cols) partial[b * cols + of_warp] = total;
    __syncthreads();
  }
}

// Share l of the rows are 32 consecutive ones, so that folding the shares in order keeps the first
// of equal values.
template <Real T>
__global__ void __launch_bounds__(columns_at_once* sum_lanes)
    column_ranges_kernel(const T* __restrict__ x, Index rows, Index cols,
                         ColumnRange<T>* __restrict__ partial) {
  __shared__ ColumnRange<T> shares[sum_lanes][columns_at_once];
  constexpr T infinity = std::numeric_limits<T>::infinity();
  constexpr Index share_rows = sum_block / sum_lanes;
  const Index column = static_cast<Index>(blockIdx.x) * columns_at_once + threadIdx.x;
  const Index blocks = (rows + sum_block - 1) / sum_block;
  for (Index b = blockIdx.y; b < blocks; b += gridDim.y) {
    ColumnRange<T> range{infinity, -infinity, 0};
    if (column < cols) {
      const Index begin = b * sum_block + threadIdx.y * share_rows;
      const Index end = begin + share_rows < rows ? begin + share_rows : rows;
      for (Index i = begin; i < end; ++i) {
        const T value = x[i * cols + column];
        add_to_range(range, {value, value, value != value ? 1 : 0});
      }
    }
    shares[threadIdx.y][threadIdx.x] = range;
    __syncthreads();
    if (threadIdx.y == 0 && column < cols) {
      for (Index l = 1; l < sum_lanes; ++l) add_to_range(range, shares[l][threadIdx.x]);
      partial[b * cols + column] = range;
    }
    __syncthreads();
  }
}

// Folds the blocks of rows in order, one thread per column.
template <Real T>
__global__ void fold_ranges_kernel(const ColumnRange<T>* __restrict__ partial, Index blocks,
                                   Index cols, ColumnRange<T>* __restrict__ ranges) {
  const Index column = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= cols) return;
  constexpr T infinity = std::numeric_limits<T>::infinity();
  ColumnRange<T> range{infinity, -infinity, 0};
  for (Index b = 0; b < blocks; ++b) add_to_range(range, partial[b * cols + column]);
  ranges[column] = range;
}

// One element per thread. Grid: ceil(rows·cols / block) blocks of any number of threads. Reads and
// writes each element once; a subtraction and a division in double.
template <Real T>
__global__ void scale_kernel(T* __restrict__ x, Index elements, Index cols,
                             const double* __restrict__ shift, const double* __restrict__ divisor) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const Index j = e % cols;
  x[e] = static_cast<T>((static_cast<double>(x[e]) - shift[j]) / divisor[j]);
}

template <Real T>
class CudaScaler final : public ScalerSteps<T> {
 public:
  explicit CudaScaler(Engine& engine) : engine_(cuda_engine(engine)) {}

  void ranges(const T* x, Index rows, Index cols, Buffer<ColumnRange<T>>& ranges) override {
    const Index blocks = blocks_for(rows, sum_block);
    Buffer<ColumnRange<T>> partial(engine_, blocks * cols);
    engine_.launch(column_ranges_kernel<T>, tiles(blocks, cols), x, rows, cols, partial.data());
    engine_.launch(fold_ranges_kernel<T>, per_item(cols), partial.data(), blocks, cols,
                   ranges.data());
  }

  void sums(const T* x, Index rows, Index cols, const double* centre,
            Buffer<double>& sums) override {
    const Index blocks = blocks_for(rows, sum_block);
    Buffer<double> partial(engine_, blocks * cols);
    engine_.launch(column_sums_kernel<T>, tiles(blocks, cols), x, rows, cols, centre,
                   partial.data());
    add_block_sums(engine_, partial.data(), blocks, cols, sums.data());
  }

  void scale(T* x, Index rows, Index cols, const double* shift, const double* divisor) override {
    engine_.launch(scale_kernel<T>, per_item(rows * cols), x, rows * cols, cols, shift, divisor);
  }

 private:
  // The tile fixes the block's shape: EngineOptions::block_threads changes the other kernels only.
  [[nodiscard]] static Shape tiles(Index blocks, Index cols) {
    constexpr Index most = 65535;
    return {.grid = dim3(static_cast<unsigned>(blocks_for(cols, columns_at_once)),
                         static_cast<unsigned>(blocks < most ? blocks : most)),
            .block = dim3(columns_at_once, sum_lanes)};
  }
  [[nodiscard]] Shape per_item(Index count) const {
    const unsigned threads = engine_.block_threads(256);
    return {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))),
            .block = dim3(threads)};
  }

  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_scaler_float32(tandem::Engine& engine) {
  return static_cast<tandem::ScalerSteps<float>*>(new tandem::cuda::CudaScaler<float>(engine));
}
void* tandem_cuda_scaler_float64(tandem::Engine& engine) {
  return static_cast<tandem::ScalerSteps<double>*>(new tandem::cuda::CudaScaler<double>(engine));
}
}
