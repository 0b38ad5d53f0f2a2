// The vectors of L-BFGS on the GPU. They are as long as a model has parameters, up to some tens of
// thousands, and a recursion is twenty inner products one after the other: a kernel of one block of
// threads does all of them, because a launch costs more than one of its products.
#include <algorithm>

#include "core/optim/lbfgs_steps.hpp"
#include "cuda/core/block_long_sum.cuh"
#include "cuda/core/engine.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// Σ a_i·b_i as a long sum, the same in all threads of the block.
template <Real T>
__device__ double product(const T* a, const T* b, Index size, double* partial) {
  return long_sum_by_block(size, partial, [&](Index i, double lane) {
    return math::fma(static_cast<double>(a[i]), static_cast<double>(b[i]), lane);
  });
}

// The pairs as kernels see them.
template <Real T>
struct Pairs {
  const T* s;
  const T* y;
  const T* products;
  Index memory;
  Index size;
  Index count;
  Index newest;
  __device__ Index slot(Index age) const { return (newest - age + memory) % memory; }
};

// The first loop of the recursion: q ← −gradient, then for each pair from the newest on
// alpha = sᵀq / sᵀy; q ← q − alpha·y.
//
// Grid: one block of whole warps. Shared memory: sums_at_once doubles. The barriers with which a
// product begins and ends also order the updates of q before and after it.
// Bytes and flops of both loops: lbfgs_direction_cost() in core/optim/lbfgs_steps.hpp; every warp
// also adds the sums of the blocks of 1024 elements for itself. After the first touch vectors come
// from a cache; for a million elements a multiprocessor's share of the bandwidth is what bounds it.
// CPU twin: CpuLbfgs::direction.
template <Real T>
__global__ void __launch_bounds__(1024)
    newest_to_oldest_kernel(Pairs<T> pairs, const T* __restrict__ gradient, T* q,
                            T* __restrict__ alpha) {
  __shared__ double partial[sums_at_once];
  for (Index i = threadIdx.x; i < pairs.size; i += blockDim.x) q[i] = -gradient[i];
  for (Index age = 0; age < pairs.count; ++age) {
    const Index k = pairs.slot(age);
    const double sq = product<T>(pairs.s + k * pairs.size, q, pairs.size, partial);
    const T a = static_cast<T>(sq / static_cast<double>(pairs.products[k]));
    const T* y = pairs.y + k * pairs.size;
    for (Index i = threadIdx.x; i < pairs.size; i += blockDim.x) q[i] = math::fma(-a, y[i], q[i]);
    if (threadIdx.x == 0) alpha[k] = a;
  }
}

// The second loop: q ← γ·scaled, γ = sᵀy / yᵀ·scaled_y of the newest pair, 1 without pairs; then
// for each pair from the oldest on q ← q + (alpha − yᵀq / sᵀy)·s.
//
// Grid, shared memory and cost as the first loop.
template <Real T>
__global__ void __launch_bounds__(1024, 1)
    oldest_to_newest_kernel(Pairs<T> pairs, const T* __restrict__ scaled,
                            const T* __restrict__ scaled_y, const T* __restrict__ alpha, T* q) {
  __shared__ double partial[sums_at_once];
  // Round 0 scales; the others take a pair each. They share one call of product(), because two
  // copies of it want more registers than each of 1024 threads can have.
  for (Index round = 0; round <= pairs.count; ++round) {
    const bool scales = round == 0;
    const Index k = pairs.count == 0 ? 0 : pairs.slot(scales ? 0 : pairs.count - round);
    const T* y = pairs.y + k * pairs.size;
    const double sum =
        pairs.count == 0 ? 1.0 : product<T>(y, scales ? scaled_y : q, pairs.size, partial);
    if (scales) {
      const T gamma =
          pairs.count == 0 ? T{1} : static_cast<T>(static_cast<double>(pairs.products[k]) / sum);
      for (Index i = threadIdx.x; i < pairs.size; i += blockDim.x) q[i] = gamma * scaled[i];
    } else {
      const T difference = alpha[k] - static_cast<T>(sum / static_cast<double>(pairs.products[k]));
      const T* s = pairs.s + k * pairs.size;
      for (Index i = threadIdx.x; i < pairs.size; i += blockDim.x) {
        q[i] = math::fma(difference, s[i], q[i]);
      }
    }
  }
}

// out ← diagonal·x for two vectors at once. One thread per element; 3 elements of T and a double
// each.
template <Real T>
__global__ void apply_diagonal_kernel(const double* __restrict__ diagonal, Index size,
                                      const T* __restrict__ x0, const T* __restrict__ x1,
                                      T* __restrict__ out0, T* __restrict__ out1) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size) return;
  const T factor = static_cast<T>(diagonal[i]);
  out0[i] = factor * x0[i];
  if (x1 != nullptr) out1[i] = factor * x1[i];
}

// out ← matrix·x for the groups of one or two vectors: rows of the matrix, m × m, times the m
// variables of each group, one ascending chain of fmas per output.
//
// Grid: (ceil(m / 32), ceil(columns / warps)): lane l computes row 32·blockIdx.x + l, each warp one
// column, which is a group of one of the vectors. A tile of 32 × 32 of the matrix goes through
// shared memory, read along its rows and used along its columns, 33 doubles apart so that neither
// has more than the two wavefronts that 32 doubles take. Two barriers per tile. Moves 8·m² bytes
// once per `warps` columns; flops 2·m² per column. CPU twin: apply() in cpu/optim/lbfgs.cpp.
template <Real T>
__global__ void __launch_bounds__(1024, 1)
    apply_matrix_kernel(const double* __restrict__ matrix, Index m, Index groups, Index columns,
                        const T* __restrict__ x0, const T* __restrict__ x1, T* __restrict__ out0,
                        T* __restrict__ out1) {
  constexpr int side = 32;
  __shared__ double tile[side][side + 1];
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int warp = static_cast<int>(threadIdx.x / warp_size);
  const int warps = static_cast<int>(blockDim.x / warp_size);
  const Index first = static_cast<Index>(blockIdx.x) * side;
  const Index column = static_cast<Index>(blockIdx.y) * warps + warp;
  const Index k = column % groups;
  const T* x = column < groups ? x0 : x1;
  T* out = column < groups ? out0 : out1;
  const auto at = [&](Index j) { return j + 1 < m ? k * (m - 1) + j : groups * (m - 1) + k; };
  double sum = 0.0;
  for (Index begin = 0; begin < m; begin += side) {
    __syncthreads();
    for (int r = warp; r < side; r += warps) {
      tile[r][lane] =
          first + r < m && begin + lane < m ? matrix[(first + r) * m + begin + lane] : 0.0;
    }
    __syncthreads();
    if (column >= columns) continue;
    const int here = static_cast<int>(m - begin < side ? m - begin : side);
    for (int j = 0; j < here; ++j) {
      sum = math::fma(tile[lane][j], static_cast<double>(x[at(begin + j)]), sum);
    }
  }
  if (column < columns && first + lane < m) out[at(first + lane)] = static_cast<T>(sum);
}

// Two points and their gradients.
template <Real T>
struct Change {
  const T* x;
  const T* x_before;
  const T* g;
  const T* g_before;
};

// s ← x − x_before, y ← g − g_before; products[slot] ← sᵀy; result ← sᵀy / yᵀy, 0 where y is 0.
//
// Grid: one block of whole warps. Moves 6 elements per variable and 4 more from the cache.
template <Real T>
__global__ void __launch_bounds__(1024)
    store_kernel(Index size, Change<T> change, T* s, T* y, T* __restrict__ slot_product,
                 double* __restrict__ result) {
  __shared__ double partial[sums_at_once];
  for (Index i = threadIdx.x; i < size; i += blockDim.x) {
    s[i] = change.x[i] - change.x_before[i];
    y[i] = change.g[i] - change.g_before[i];
  }
  const double sy = product<T>(s, y, size, partial);
  const double yy = product<T>(y, y, size, partial);
  if (threadIdx.x == 0) {
    *slot_product = static_cast<T>(sy);
    *result = yy > 0 ? sy / yy : 0.0;
  }
}

// x ← fma(length, direction, from), one element per thread.
template <Real T>
__global__ void move_kernel(const T* __restrict__ from, T length, const T* __restrict__ direction,
                            Index size, T* __restrict__ x) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < size) x[i] = math::fma(length, direction[i], from[i]);
}

// result ← aᵀb. Grid: one block of whole warps.
template <Real T>
__global__ void __launch_bounds__(1024) dot_kernel(const T* __restrict__ a, const T* __restrict__ b,
                                                   Index size, double* __restrict__ result) {
  __shared__ double partial[sums_at_once];
  const double sum = product<T>(a, b, size, partial);
  if (threadIdx.x == 0) *result = sum;
}

// The larger of two magnitudes; NaN where one is.
__device__ double larger(double a, double b) { return a != a || a > b ? a : b; }

// result ← the largest magnitude, NaN where there is one; no order of comparisons changes it. Grid:
// one block of whole warps, at most 1024 threads.
template <Real T>
__global__ void __launch_bounds__(1024)
    largest_kernel(const T* __restrict__ a, Index size, double* __restrict__ result) {
  __shared__ double of_warp[warp_size];
  double value = 0.0;
  for (Index i = threadIdx.x; i < size; i += blockDim.x) {
    value = larger(std::fabs(static_cast<double>(a[i])), value);
  }
  const unsigned lane = threadIdx.x % warp_size;
  for (unsigned half = warp_size / 2; half > 0; half /= 2) {
    value = larger(value, __shfl_down_sync(all_lanes, value, half));
  }
  if (lane == 0) of_warp[threadIdx.x / warp_size] = value;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (unsigned w = 1; w < blockDim.x / warp_size; ++w) value = larger(value, of_warp[w]);
  *result = value;
}

template <Real T>
class CudaLbfgs final : public LbfgsSteps<T> {
 public:
  explicit CudaLbfgs(Engine& engine) : engine_(cuda_engine(engine)), result_(engine, 1) {}

  void direction(const LbfgsPairs<T>& pairs, const LbfgsInitial& initial, const Buffer<T>& gradient,
                 Buffer<T>& direction) override {
    const Index n = pairs.size;
    const Pairs<T> all{pairs.s.data(), pairs.y.data(), pairs.products.data(), pairs.memory, n,
                       pairs.count,    pairs.newest};
    if (scaled_.size() < n) {
      scaled_ = Buffer<T>(engine_, n);
      scaled_y_ = Buffer<T>(engine_, n);
    }
    if (alpha_.size() < pairs.memory) alpha_ = Buffer<T>(engine_, pairs.memory);
    engine_.launch(newest_to_oldest_kernel<T>, one_block(), all, gradient.data(), direction.data(),
                   alpha_.data());
    const T* newest_y = pairs.count > 0 ? pairs.y.data() + pairs.newest * n : nullptr;
    if (initial.groups == 0) {
      engine_.launch(apply_diagonal_kernel<T>, per_element(n), initial.inverse.data(), n,
                     direction.data(), newest_y, scaled_.data(), scaled_y_.data());
    } else {
      const Index m = n / initial.groups;
      const Index columns = initial.groups * (pairs.count > 0 ? 2 : 1);
      const unsigned threads = engine_.block_threads(256);
      engine_.launch(apply_matrix_kernel<T>,
                     {.grid = dim3(static_cast<unsigned>(blocks_for(m, 32)),
                                   static_cast<unsigned>(blocks_for(columns, threads / warp_size))),
                      .block = dim3(threads)},
                     initial.inverse.data(), m, initial.groups, columns, direction.data(), newest_y,
                     scaled_.data(), scaled_y_.data());
    }
    engine_.launch(oldest_to_newest_kernel<T>, one_block(), all, scaled_.data(), scaled_y_.data(),
                   alpha_.data(), direction.data());
  }

  double store(Index slot, const Buffer<T>& x, const Buffer<T>& x_before, const Buffer<T>& g,
               const Buffer<T>& g_before, LbfgsPairs<T>& pairs) override {
    const Index n = pairs.size;
    engine_.launch(store_kernel<T>, one_block(), n,
                   Change<T>{x.data(), x_before.data(), g.data(), g_before.data()},
                   pairs.s.data() + slot * n, pairs.y.data() + slot * n,
                   pairs.products.data() + slot, result_.data());
    return result();
  }

  void move(const Buffer<T>& from, double length, const Buffer<T>& direction,
            Buffer<T>& x) override {
    engine_.launch(move_kernel<T>, per_element(x.size()), from.data(), static_cast<T>(length),
                   direction.data(), x.size(), x.data());
  }

  double dot(const Buffer<T>& a, const Buffer<T>& b) override {
    engine_.launch(dot_kernel<T>, one_block(), a.data(), b.data(), a.size(), result_.data());
    return result();
  }

  double largest(const Buffer<T>& a) override {
    engine_.launch(largest_kernel<T>, one_block(), a.data(), a.size(), result_.data());
    return result();
  }

 private:
  [[nodiscard]] Shape one_block() const {
    return {.grid = dim3(1), .block = dim3(engine_.block_threads(512))};
  }
  [[nodiscard]] Shape per_element(Index size) const {
    const unsigned threads = engine_.block_threads(256);
    return {.grid = dim3(static_cast<unsigned>(blocks_for(size, threads))), .block = dim3(threads)};
  }
  [[nodiscard]] double result() const {
    double value = 0;
    engine_.copy_to_host(&value, result_.data(), sizeof value);
    return value;
  }

  CudaEngine& engine_;
  Buffer<double> result_;
  Buffer<T> alpha_;     // per slot
  Buffer<T> scaled_;    // initial·q
  Buffer<T> scaled_y_;  // initial·y of the newest pair
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_lbfgs_float32(tandem::Engine& engine) {
  return static_cast<tandem::LbfgsSteps<float>*>(new tandem::cuda::CudaLbfgs<float>(engine));
}
void* tandem_cuda_lbfgs_float64(tandem::Engine& engine) {
  return static_cast<tandem::LbfgsSteps<double>*>(new tandem::cuda::CudaLbfgs<double>(engine));
}
}
