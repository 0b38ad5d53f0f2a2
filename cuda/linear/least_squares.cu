// Least squares by orthogonal factorisation on the GPU: tall and skinny QR, a block of threads per
// group of rows, a warp per column.
#include <algorithm>

#include "core/linear/least_squares_steps.hpp"
#include "core/linear/linear_loss.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// Doubles from one column of a block of rows to the next: an odd number, so that the threads that
// bring a row in, one column each, do not meet in one bank of shared memory.
inline constexpr int column_stride = static_cast<int>(sum_block) + 1;
inline constexpr int groups_of_lanes = static_cast<int>(sum_block / sum_lanes);

// A column's numbers that a step of the factorisation needs, published by the warp that owns it.
struct Head {
  double squares;  // Σ_i B_ik²
  double own;      // R_kk
};

// Updates R, p × p row-major, by the rows of B: p columns, column_stride apart, of which `rows`, a
// multiple of 32, are used. Where B is triangular column k has only its first k + 1 rows.
//
// All threads of the block must call it. Warp v owns the columns v, v + warps, ...: it holds the 32
// values per lane of one of them in registers while it forms the product with the reflection, the
// factor and the update. One barrier per column: the owner of the next one computes its Σ B² and
// publishes it in heads (2, shared memory).
__device__ void update_factor(double* r, int p, double* b, int rows, bool triangular, Head* heads) {
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int warp = static_cast<int>(threadIdx.x / warp_size);
  const int warps = static_cast<int>(blockDim.x / warp_size);
  const auto groups_used = [&](int k) {
    const int lanes = static_cast<int>(sum_lanes);
    const int reach = (k + lanes) / lanes * lanes;
    return (triangular && reach < rows ? reach : rows) / lanes;
  };
  // The owner's part after its column is up to date: 0 for the first one.
  const auto publish = [&](int k, const double* column, int groups) {
    double sum = 0.0;
    for (int g = 0; g < groups; ++g) {
      const double value = column[g * 32 + lane];
      sum = math::fma(value, value, sum);
    }
    sum = add_lanes_of_warp(sum);
    if (lane == 0) heads[k % 2] = {sum, r[k * p + k]};
  };
  if (warp == 0) publish(0, b, groups_used(0));
  for (int k = 0; k < p; ++k) {
    __syncthreads();
    const auto [squares, own] = heads[k % 2];
    const bool reflects = !(squares < least_squares_negligible);
    const double* v = b + k * column_stride;
    const double norm = math::sqrt(math::fma(own, own, squares));
    const double head = own + std::copysign(norm, own);
    const double scale = 1 / (norm * std::fabs(head));
    const int groups = groups_used(k);
    // The next reflection reaches one row further down a triangle; what this one leaves unchanged
    // there is multiplied by zeros of v.
    const int reach = k + 1 < p ? groups_used(k + 1) : 0;
    for (int j = k + 1 + (warp - (k + 1) % warps + warps) % warps; j < p; j += warps) {
      double* column = b + j * column_stride;
      if (reflects) {
        double values[groups_of_lanes];
        double sum = 0.0;
#pragma unroll
        for (int g = 0; g < groups_of_lanes; ++g) {
          if (g < reach) values[g] = column[g * 32 + lane];
          if (g < groups) sum = math::fma(v[g * 32 + lane], values[g], sum);
        }
        sum = __shfl_sync(all_lanes, add_lanes_of_warp(sum), 0);
        double* element = r + static_cast<Index>(k) * p + j;
        const double above = *element;
        const double factor = math::fma(head, above, sum) * scale;
        __syncwarp();
        if (lane == 0) *element = math::fma(-factor, head, above);
#pragma unroll
        for (int g = 0; g < groups_of_lanes; ++g) {
          if (g < reach) column[g * 32 + lane] = math::fma(-factor, v[g * 32 + lane], values[g]);
        }
      }
      if (j == k + 1) publish(j, column, reach);
    }
    if (reflects && threadIdx.x == 0) r[static_cast<Index>(k) * p + k] = -std::copysign(norm, own);
  }
  __syncthreads();
}

// A NaN of R is the one NaN.
__device__ void tidy(double* r, int p) {
  for (int e = static_cast<int>(threadIdx.x); e < p * p; e += static_cast<int>(blockDim.x)) {
    r[e] = linear::with_one_nan(r[e]);
  }
}

// Where a block of threads keeps its columns: in shared memory where they fit, else in its part of
// the workspace, which stays in the second-level cache.
__device__ double* columns_of_block(double* shared, double* workspace, int p) {
  return workspace == nullptr ? shared
                              : workspace + static_cast<Index>(blockIdx.x) * p * column_stride;
}

// The factor of each group of rows, at factors + blockIdx.x·p².
//
// Grid: one block of whole warps per group of `group` rows. Blocks of 1024 rows are brought in one
// after the other as columns of doubles times √weight, read coalesced, and update the group's R,
// which is in global memory and cached. Shared memory: two heads, sum_block doubles for √weight,
// and the columns, 8·1025·p bytes, where they fit. Barriers: one per column and block of rows,
// three more per block of rows. Reads each row once; each of the p²/2 column updates of a block of
// rows moves 8 KiB in and out of shared memory or cache and does 4·1024 flops: bound by that, not
// by the device's memory, from p = 8 on. Columns: no bank conflicts beyond the two wavefronts that
// 32 doubles take. Bytes and flops: factor_cost() in cuda/linear/linear_cost.hpp.
// Numerics: as core/linear/least_squares_steps.hpp states it; the same bits for any number of
// threads. CPU twin: UpdateFactor in cpu/linear/least_squares.cpp.
template <Real T>
__global__ void __launch_bounds__(256)
    factor_kernel(const T* __restrict__ x, Index stride, const T* __restrict__ target,
                  const T* __restrict__ weights, Index count, int features, bool intercept,
                  Index group, double* workspace, double* factors) {
  extern __shared__ double shared[];
  __shared__ Head heads[2];
  const int p = features + (intercept ? 2 : 1);
  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  double* scale = shared;
  double* b = columns_of_block(shared + sum_block, workspace, p);
  double* r = factors + static_cast<Index>(blockIdx.x) * p * p;
  for (int e = thread; e < p * p; e += threads) r[e] = 0.0;
  const Index first = blockIdx.x * group;
  const Index last = first + group < count ? first + group : count;
  for (Index begin = first; begin < last; begin += sum_block) {
    const int rows = static_cast<int>(last - begin < sum_block ? last - begin : sum_block);
    const int padded = (rows + 31) / 32 * 32;
    double* columns = b + (intercept ? column_stride : 0);
    double* last_column = b + (p - 1) * column_stride;
    for (int i = thread; i < padded; i += threads) {
      double root = 0.0;
      double value = 0.0;
      if (i < rows) {
        root = weights == nullptr ? 1.0 : math::sqrt(static_cast<double>(weights[begin + i]));
        value = root * static_cast<double>(target[begin + i]);
      }
      scale[i] = root;
      if (intercept) b[i] = root;
      last_column[i] = value;
    }
    __syncthreads();
    // Element e of the block of rows is feature e mod d of row e / d; kept up without divisions.
    const T* from = x + begin * stride;
    int i = thread / features;
    int j = thread % features;
    const int rows_on = threads / features;
    const int features_on = threads % features;
    for (int e = thread; e < padded * features; e += threads) {
      columns[j * column_stride + i] =
          i < rows ? scale[i] * static_cast<double>(from[i * stride + j]) : 0.0;
      i += rows_on;
      j += features_on;
      if (j >= features) {
        j -= features;
        ++i;
      }
    }
    __syncthreads();
    update_factor(r, p, b, padded, false, heads);
  }
  tidy(r, p);
}

// Merges the factor at distance·p² behind every 2·distance-th one into it.
//
// Grid: one block of whole warps per pair. The right factor's rows are the block of rows, 1024 at a
// time; of the first 1024 the triangle below the diagonal is known to be zero. Reads it once,
// coalesced; otherwise like factor_kernel. CPU twin: CpuLeastSquares::merge.
__global__ void __launch_bounds__(256)
    merge_kernel(int p, Index distance, double* workspace, double* factors) {
  extern __shared__ double shared[];
  __shared__ Head heads[2];
  double* b = columns_of_block(shared, workspace, p);
  double* into = factors + 2 * static_cast<Index>(blockIdx.x) * distance * p * p;
  const double* from = into + distance * p * p;
  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  for (int begin = 0; begin < p; begin += static_cast<int>(sum_block)) {
    const int rows =
        p - begin < static_cast<int>(sum_block) ? p - begin : static_cast<int>(sum_block);
    const int padded = (rows + 31) / 32 * 32;
    for (int e = thread; e < padded * p; e += threads) {
      const int i = e / p;
      const int j = e % p;
      b[j * column_stride + i] = i < rows ? from[static_cast<Index>(begin + i) * p + j] : 0.0;
    }
    __syncthreads();
    update_factor(into, p, b, padded, begin == 0, heads);
  }
  tidy(into, p);
}

template <Real T>
class CudaLeastSquares final : public LeastSquaresSteps<T> {
 public:
  explicit CudaLeastSquares(Engine& engine) : engine_(cuda_engine(engine)) {}

  void factor(const RowsView<T>& rows, Index count, bool intercept, Index first_group,
              Buffer<double>& factors) override {
    const Index p = least_squares_columns(rows.features, intercept);
    const Index group = least_squares_group(p);
    const Index groups = blocks_for(count, group);
    constexpr std::size_t scale_bytes = sum_block * sizeof(double);
    const std::size_t shared = columns_in_shared(p, scale_bytes);
    // Where the columns need a workspace, so many groups at a time as it holds.
    const Index at_once = shared > 0 ? groups : groups_at_once(p);
    for (Index g = 0; g < groups; g += at_once) {
      const Index here = std::min(at_once, groups - g);
      const Index row = g * group;
      engine_.launch(factor_kernel<T>,
                     {.grid = dim3(static_cast<unsigned>(here)),
                      .block = dim3(threads()),
                      .shared_bytes = scale_bytes + shared},
                     rows.x + row * rows.stride, rows.stride, rows.target + row,
                     rows.weights == nullptr ? nullptr : rows.weights + row,
                     std::min(count - row, here * group), static_cast<int>(rows.features),
                     intercept, group, workspace(shared, here, p),
                     factors.data() + (first_group + g) * p * p);
    }
  }

  void merge(Index first, Index groups, Index p, Buffer<double>& factors) override {
    const std::size_t shared = columns_in_shared(p, 0);
    for (Index distance = 1; distance < groups; distance *= 2) {
      const Index pairs = (groups - distance + 2 * distance - 1) / (2 * distance);
      const Index at_once = shared > 0 ? pairs : groups_at_once(p);
      for (Index pair = 0; pair < pairs; pair += at_once) {
        const Index here = std::min(at_once, pairs - pair);
        engine_.launch(merge_kernel,
                       {.grid = dim3(static_cast<unsigned>(here)),
                        .block = dim3(threads()),
                        .shared_bytes = shared},
                       static_cast<int>(p), distance, workspace(shared, here, p),
                       factors.data() + (first + 2 * pair * distance) * p * p);
      }
    }
  }

 private:
  [[nodiscard]] unsigned threads() const { return std::min(engine_.block_threads(256), 256U); }

  // Bytes of shared memory for p columns; 0 where they do not fit beside `besides` bytes.
  [[nodiscard]] std::size_t columns_in_shared(Index p, std::size_t besides) const {
    constexpr std::size_t own = 1024;  // the kernel's static part, rounded up
    const std::size_t bytes = static_cast<std::size_t>(p) * column_stride * sizeof(double);
    return bytes + besides + own <= engine_.properties().sharedMemPerBlockOptin ? bytes : 0;
  }
  // Twice as many as run at once, within 64 MiB.
  [[nodiscard]] Index groups_at_once(Index p) const {
    constexpr Index most_workspace = Index{64} << 20;
    return std::max<Index>(
        1,
        std::min<Index>(2 * engine_.properties().multiProcessorCount,
                        most_workspace / (p * column_stride * static_cast<Index>(sizeof(double)))));
  }
  [[nodiscard]] double* workspace(std::size_t shared, Index groups, Index p) {
    if (shared > 0) return nullptr;
    const Index size = groups * p * column_stride;
    if (workspace_.size() < size) workspace_ = Buffer<double>(engine_, size);
    return workspace_.data();
  }

  CudaEngine& engine_;
  Buffer<double> workspace_;  // groups × p × column_stride
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_least_squares_float32(tandem::Engine& engine) {
  return static_cast<tandem::LeastSquaresSteps<float>*>(
      new tandem::cuda::CudaLeastSquares<float>(engine));
}
void* tandem_cuda_least_squares_float64(tandem::Engine& engine) {
  return static_cast<tandem::LeastSquaresSteps<double>*>(
      new tandem::cuda::CudaLeastSquares<double>(engine));
}
}
