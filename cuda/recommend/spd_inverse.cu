// Rows of the factor of a symmetric positive definite matrix, and of its inverse, on the GPU.
#include "core/recommend/spd_inverse_steps.hpp"
#include "cuda/core/engine.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

inline constexpr int spd_rows = static_cast<int>(spd_block);
inline constexpr int spd_threads = 128;

// The block on the diagonal, in shared memory (32 KiB), by one block of 128 threads: row by row its
// root, its division, and what all later rows take from it, a barrier after each. rows³/3 fmas,
// bound by 3 barriers a row. status: 1 where a pivot is not above 0 or not finite.
// Numerics: core/recommend/spd_inverse_steps.hpp. CPU twin: factor_rows in
// cpu/recommend/spd_inverse.cpp.
__global__ void __launch_bounds__(spd_threads)
    factor_block_kernel(Index n, Index first, int rows, double* a, int* status) {
  __shared__ double block[spd_rows][spd_rows];
  __shared__ int good;
  const int thread = static_cast<int>(threadIdx.x);
  for (int e = thread; e < rows * rows; e += spd_threads) {
    block[e / rows][e % rows] = a[(first + e / rows) * n + first + e % rows];
  }
  __syncthreads();
  for (int j = 0; j < rows; ++j) {
    if (thread == 0) {
      const double pivot = block[j][j];
      good = pivot > 0 && pivot - pivot == 0 ? 1 : 0;
      if (good != 0) block[j][j] = math::sqrt(pivot);
    }
    __syncthreads();
    if (good == 0) {
      if (thread == 0) *status = 1;
      return;
    }
    for (int k = j + 1 + thread; k < rows; k += spd_threads) block[j][k] /= block[j][j];
    __syncthreads();
    const int left = rows - j - 1;
    for (int e = thread; e < left * left; e += spd_threads) {
      const int m = j + 1 + e / left;
      const int k = j + 1 + e % left;
      if (k >= m) block[m][k] = math::fma(-block[j][m], block[j][k], block[m][k]);
    }
    __syncthreads();
  }
  for (int e = thread; e < rows * rows; e += spd_threads) {
    if (e % rows >= e / rows)
      a[(first + e / rows) * n + first + e % rows] = block[e / rows][e % rows];
  }
}

// The same rows behind the block: a thread per column, its 64 elements in local memory, the block's
// factor in shared memory. Reads and writes whole sectors; rows²/2 fmas a column.
__global__ void __launch_bounds__(spd_threads)
    factor_columns_kernel(Index n, Index first, int rows, double* __restrict__ a,
                          const int* __restrict__ status) {
  __shared__ double block[spd_rows][spd_rows];
  const int thread = static_cast<int>(threadIdx.x);
  if (*status != 0) return;
  for (int e = thread; e < rows * rows; e += spd_threads) {
    block[e / rows][e % rows] = a[(first + e / rows) * n + first + e % rows];
  }
  __syncthreads();
  const Index k = first + rows + static_cast<Index>(blockIdx.x) * spd_threads + thread;
  if (k >= n) return;
  double own[spd_rows];
  for (int j = 0; j < rows; ++j) {
    double sum = a[(first + j) * n + k];
    for (int m = 0; m < j; ++m) sum = math::fma(-block[m][j], own[m], sum);
    own[j] = sum / block[j][j];
    a[(first + j) * n + k] = own[j];
  }
}

// One thread per element.
__global__ void negate_rows_kernel(Index n, Index first, Index rows, const double* __restrict__ u,
                                   double* __restrict__ negated) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const Index columns = n - first;
  if (e >= rows * columns) return;
  const Index r = e / columns;
  const Index k = first + e % columns;
  negated[r * n + k] = -u[(first + r) * n + k];
}

// One thread per element; those below the diagonal are read from above it.
__global__ void mirror_kernel(Index n, double* a) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= n * n) return;
  const Index j = e / n;
  const Index k = e % n;
  if (k < j) a[e] = a[k * n + j];
}

// Rows of the inverse: a thread per column from the block on, its elements in local memory, the
// block's factor in shared memory.
// Numerics: core/recommend/spd_inverse_steps.hpp. CPU twin: invert_rows in
// cpu/recommend/spd_inverse.cpp.
__global__ void __launch_bounds__(spd_threads)
    invert_rows_kernel(Index n, Index first, int rows, const double* __restrict__ u,
                       double* __restrict__ v) {
  __shared__ double block[spd_rows][spd_rows];
  const int thread = static_cast<int>(threadIdx.x);
  for (int e = thread; e < rows * rows; e += spd_threads) {
    block[e / rows][e % rows] = u[(first + e / rows) * n + first + e % rows];
  }
  __syncthreads();
  const Index k = first + static_cast<Index>(blockIdx.x) * spd_threads + thread;
  if (k >= n) return;
  // Left of the diagonal zeros, which add nothing.
  double own[spd_rows] = {};
  for (int j = rows - 1; j >= 0; --j) {
    if (k < first + j) continue;
    double sum = v[(first + j) * n + k];
    if (k == first + j) sum += 1.0;
    for (int m = rows - 1; m > j; --m) sum = math::fma(-block[j][m], own[m], sum);
    own[j] = sum / block[j][j];
    v[(first + j) * n + k] = own[j];
  }
}

template <Real T>
class CudaSpdInverse final : public SpdInverseSteps<T> {
 public:
  explicit CudaSpdInverse(Engine& engine) : engine_(cuda_engine(engine)), status_(engine_, 1) {}

  bool factor_rows(Index n, Index first, Index rows, Buffer<double>& a,
                   Buffer<double>& negated) override {
    status_.fill_zero();
    engine_.launch(factor_block_kernel, {.grid = dim3(1), .block = dim3(spd_threads)}, n, first,
                   static_cast<int>(rows), a.data(), status_.data());
    engine_.launch(factor_columns_kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(n - first - rows, spd_threads))),
                    .block = dim3(spd_threads)},
                   n, first, static_cast<int>(rows), a.data(), status_.data());
    negate_rows(n, first, rows, a, negated);
    return status_.to_host().front() == 0;
  }

  void negate_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                   Buffer<double>& negated) override {
    const unsigned threads = engine_.block_threads(256);
    engine_.launch(negate_rows_kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(rows * (n - first), threads))),
                    .block = dim3(threads)},
                   n, first, rows, u.data(), negated.data());
  }

  void mirror(Index n, Buffer<double>& a) override {
    const unsigned threads = engine_.block_threads(256);
    engine_.launch(
        mirror_kernel,
        {.grid = dim3(static_cast<unsigned>(blocks_for(n * n, threads))), .block = dim3(threads)},
        n, a.data());
  }

  void invert_rows(Index n, Index first, Index rows, const Buffer<double>& u,
                   Buffer<double>& v) override {
    engine_.launch(invert_rows_kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(n - first, spd_threads))),
                    .block = dim3(spd_threads)},
                   n, first, static_cast<int>(rows), u.data(), v.data());
  }

 private:
  CudaEngine& engine_;
  Buffer<int> status_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_spd_inverse_float32(tandem::Engine& engine) {
  return static_cast<tandem::SpdInverseSteps<float>*>(
      new tandem::cuda::CudaSpdInverse<float>(engine));
}
void* tandem_cuda_spd_inverse_float64(tandem::Engine& engine) {
  return static_cast<tandem::SpdInverseSteps<double>*>(
      new tandem::cuda::CudaSpdInverse<double>(engine));
}
}
