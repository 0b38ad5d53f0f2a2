// Alternating least squares on the GPU.
#include <algorithm>

#include "core/recommend/als_steps.hpp"
#include "core/recommend/typed_tree.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/linear/sums_of_chunks.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

inline constexpr int row_threads = 128;
inline constexpr int row_warps = row_threads / 32;
// Features of a thread where there are 1024 factors.
inline constexpr int most_own = 1024 / row_threads;
// Ratings whose weights are in shared memory at a time.
inline constexpr int ratings_at_once = 32;
// Blocks of 1024 ratings: 2^34 of them at most.
inline constexpr int tree_levels = 24;
// A tile of the Gram matrix.
inline constexpr int gram_side = 32;

// Rows of ratings as kernels see them.
template <Real T>
struct AlsView {
  Index rows;
  const Index* offsets;
  const std::int32_t* columns;
  const T* extra;
  const T* y;     // columns × pitch
  const T* gram;  // pitch × pitch
  int factors;
  int pitch;
};

// In lane 0 the dot product of two vectors in the order of core/recommend/als_steps.hpp. All lanes
// of a warp must call it.
template <Real T>
__device__ T warp_dot(const T* a, const T* b, int pitch) {
  T sum = 0;
  for (int j = static_cast<int>(threadIdx.x % 32); j < pitch; j += 32) {
    sum = math::fma(a[j], b[j], sum);
  }
  for (unsigned half = 16; half > 0; half /= 2) sum += __shfl_down_sync(all_lanes, sum, half);
  return sum;
}

// The products of a tile of columns over one block of rows.
//
// Grid: (tiles of columns a ≤ b's tile, blocks of rows), 256 threads: thread (y, x) of 8 × 32 makes
// 4 products of the 32 × 32 tile. A strip of 32 rows of both sides comes to shared memory as
// doubles, 16 KiB; then every thread adds the strip's rows in ascending order to its chains in
// registers. A warp reads neighbouring doubles of b and broadcasts of a. Two barriers per strip.
// Bound by fmas in double from some 32 factors on: rows · pitch² of them.
// Numerics: gram of core/recommend/als_steps.hpp. CPU twin: GramBlock in cpu/recommend/als.cpp.
template <Real T>
__global__ void __launch_bounds__(256)
    gram_kernel(const T* __restrict__ y, Index rows, int pitch, Index first_block,
                double* __restrict__ partial) {
  __shared__ double left[gram_side][gram_side];
  __shared__ double right[gram_side][gram_side];
  const int across = pitch / gram_side;
  int tile = static_cast<int>(blockIdx.x);
  int down = 0;
  while (tile >= across - down) {
    tile -= across - down;
    ++down;
  }
  const int first_a = down * gram_side;
  const int first_b = (down + tile) * gram_side;
  const Index begin = (first_block + blockIdx.y) * sum_block;
  const int here = static_cast<int>(rows - begin < sum_block ? rows - begin : sum_block);
  const int x = static_cast<int>(threadIdx.x) % gram_side;
  const int own = static_cast<int>(threadIdx.x) / gram_side;  // 0 .. 7
  double sums[4] = {};
  for (int first = 0; first < here; first += gram_side) {
    const int count = here - first < gram_side ? here - first : gram_side;
    for (int r = own; r < count; r += 8) {
      const T* const row = y + (begin + first + r) * pitch;
      left[r][x] = static_cast<double>(row[first_a + x]);
      right[r][x] = static_cast<double>(row[first_b + x]);
    }
    __syncthreads();
    for (int r = 0; r < count; ++r) {
      const double b = right[r][x];
#pragma unroll
      for (int i = 0; i < 4; ++i) sums[i] = math::fma(left[r][own + 8 * i], b, sums[i]);
    }
    __syncthreads();
  }
  double* const out = partial + static_cast<Index>(blockIdx.y) * pitch * pitch;
#pragma unroll
  for (int i = 0; i < 4; ++i) out[(first_a + own + 8 * i) * pitch + first_b + x] = sums[i];
}

// gram ← the sums, mirrored and rounded, λ added to the diagonal. One thread per element.
template <Real T>
__global__ void finish_gram_kernel(const double* __restrict__ sums, int factors, int pitch,
                                   T lambda, T* __restrict__ gram) {
  const int at = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (at >= pitch * pitch) return;
  const int j = at / pitch;
  const int k = at % pitch;
  T value = static_cast<T>(j <= k ? sums[at] : sums[k * pitch + j]);
  if (j == k && j < factors) value += lambda;
  gram[at] = value;
}

enum class Weight { residual, product, confidence };

// The sums of a row's weighted ratings, sum_j for the thread's own features j = thread + 128·c.
// weights: shared, ratings_at_once. All threads of the block must call it.
template <Weight weight, Real T>
__device__ void row_sum(const AlsView<T>& view, Index begin, Index end, const T* p, T* weights,
                        T (&sum)[most_own]) {
  const int thread = static_cast<int>(threadIdx.x);
  TypedTree<T, tree_levels> trees[most_own];
  for (Index block = begin; block < end; block += als_block) {
    const Index last = end - block < als_block ? end : block + als_block;
    T own[most_own] = {};
    for (Index first = block; first < last; first += ratings_at_once) {
      const int here =
          static_cast<int>(last - first < ratings_at_once ? last - first : ratings_at_once);
      for (int i = thread / 32; i < here; i += row_warps) {
        const T extra = view.extra[first + i];
        if (weight == Weight::confidence) {
          if (thread % 32 == 0) weights[i] = T{1} + extra;
        } else {
          const T dot = warp_dot(view.y + static_cast<Index>(view.columns[first + i]) * view.pitch,
                                 p, view.pitch);
          if (thread % 32 == 0) {
            weights[i] =
                weight == Weight::residual ? math::fma(-extra, dot, T{1} + extra) : extra * dot;
          }
        }
      }
      __syncthreads();
      for (int i = 0; i < here; ++i) {
        const T* const row = view.y + static_cast<Index>(view.columns[first + i]) * view.pitch;
        const T w = weights[i];
#pragma unroll
        for (int c = 0; c < most_own; ++c) {
          const int j = thread + row_threads * c;
          if (j < view.pitch) own[c] = math::fma(w, row[j], own[c]);
        }
      }
      __syncthreads();
    }
    if (end - begin <= als_block) {
      for (int c = 0; c < most_own; ++c) sum[c] = own[c];
      return;
    }
    for (int c = 0; c < most_own; ++c) trees[c].add(own[c]);
  }
  for (int c = 0; c < most_own; ++c) sum[c] = trees[c].total();
}

// Conjugate gradients for one row per block.
//
// Grid: rows of ratings, blocks of 128 threads, whatever the device; thread t has the features t,
// t + 128, .... x, r, p and v stand in shared memory, 4 · pitch
// elements. A rating's dot product is a
// warp's, 32 ratings at a time; then every thread goes over them for its own features, so that both
// passes read whole sectors, the second from the first-level cache. Products with G read its rows,
// which all blocks share, from the second-level cache. 2 barriers per 32 ratings and 4 per step.
// Bytes and flops: als_cg_cost() in core/recommend/als_steps.hpp; bound by the cache's bandwidth.
// Numerics: as that header states. CPU twin: SolveBatch in cpu/recommend/als.cpp.
template <Real T>
__global__ void __launch_bounds__(row_threads, sizeof(T) == 8 ? 6 : 8)
    als_cg_kernel(AlsView<T> view, int steps, T* __restrict__ solution) {
  extern __shared__ __align__(16) unsigned char memory[];
  T* const x = reinterpret_cast<T*>(memory);
  T* const r = x + view.pitch;
  T* const p = r + view.pitch;
  __shared__ T weights[ratings_at_once];
  __shared__ T scalar;
  const int thread = static_cast<int>(threadIdx.x);
  const Index u = blockIdx.x;
  const Index begin = view.offsets[u];
  const Index end = view.offsets[u + 1];
  T* const out = solution + u * view.pitch;
  if (begin == end) {
    for (int j = thread; j < view.pitch; j += row_threads) out[j] = 0;
    return;
  }
  for (int j = thread; j < view.pitch; j += row_threads) x[j] = out[j];
  __syncthreads();
  // The product of a vector in shared memory with G, for the thread's own features.
  const auto product = [&](const T* vector, T(&v)[most_own]) {
    for (int c = 0; c < most_own; ++c) v[c] = 0;
    for (int k = 0; k < view.factors; ++k) {
      const T own = vector[k];
      const T* const row = view.gram + static_cast<Index>(k) * view.pitch;
#pragma unroll
      for (int c = 0; c < most_own; ++c) {
        const int j = thread + row_threads * c;
        if (j < view.pitch) v[c] = math::fma(own, row[j], v[c]);
      }
    }
  };
  const auto dot = [&](const T* a, const T* b) {
    if (thread < 32) {
      const T sum = warp_dot(a, b, view.pitch);
      if (thread == 0) scalar = sum;
    }
    __syncthreads();
    const T sum = scalar;
    __syncthreads();
    return sum;
  };
  T v[most_own];
  T sum[most_own];
  product(x, v);
  row_sum<Weight::residual>(view, begin, end, x, weights, sum);
  for (int c = 0; c < most_own; ++c) {
    const int j = thread + row_threads * c;
    if (j < view.pitch) r[j] = p[j] = sum[c] - v[c];
  }
  __syncthreads();
  T s = dot(r, r);
  T* const shared_v = p + view.pitch;
  for (int step = 0; step < steps; ++step) {
    if (!(static_cast<double>(s) >= als_residual)) break;
    product(p, v);
    row_sum<Weight::product>(view, begin, end, p, weights, sum);
    for (int c = 0; c < most_own; ++c) {
      const int j = thread + row_threads * c;
      if (j >= view.pitch) continue;
      v[c] = sum[c] + v[c];
      shared_v[j] = v[c];
    }
    __syncthreads();
    const T alpha = s / dot(p, shared_v);
    for (int c = 0; c < most_own; ++c) {
      const int j = thread + row_threads * c;
      if (j >= view.pitch) continue;
      x[j] = math::fma(alpha, p[j], x[j]);
      r[j] = math::fma(-alpha, v[c], r[j]);
    }
    __syncthreads();
    const T next = dot(r, r);
    const T beta = next / s;
    for (int c = 0; c < most_own; ++c) {
      const int j = thread + row_threads * c;
      if (j < view.pitch) p[j] = math::fma(beta, p[j], r[j]);
    }
    __syncthreads();
    s = next;
  }
  for (int j = thread; j < view.pitch; j += row_threads) out[j] = x[j];
}

// Cholesky for one row at a time and block.
//
// Grid: a few blocks per multiprocessor, of 128 threads, which take the rows in turn; each has a
// square of pitch² elements and a vector in global memory, which stay in the second-level cache.
// An element of the matrix is a thread's: it adds all ratings in their order, neighbouring threads
// neighbouring columns. Then column by column: the root, the row's division, the update of what is
// left, a barrier after each; the two substitutions have a barrier per factor. Bound by barriers
// for short rows, by ratings · factors² / 2 fmas for long ones. Numerics: as
// core/recommend/als_steps.hpp states. CPU twin: SolveRow in cpu/recommend/als.cpp.
template <Real T>
__global__ void __launch_bounds__(row_threads)
    als_cholesky_kernel(AlsView<T> view, T* scratch, T* solution,
                        unsigned long long* __restrict__ failures) {
  __shared__ T weights[ratings_at_once];
  __shared__ int good;
  const int thread = static_cast<int>(threadIdx.x);
  const int pitch = view.pitch;
  const int f = view.factors;
  T* const a = scratch + static_cast<Index>(blockIdx.x) * (pitch + 1) * pitch;
  T* const b = a + static_cast<Index>(pitch) * pitch;
  for (Index u = blockIdx.x; u < view.rows; u += gridDim.x) {
    const Index begin = view.offsets[u];
    const Index end = view.offsets[u + 1];
    T* const x = solution + u * pitch;
    for (int j = thread; j < pitch; j += row_threads) x[j] = 0;
    if (begin == end) continue;
    T sum[most_own];
    row_sum<Weight::confidence>(view, begin, end, static_cast<const T*>(nullptr), weights, sum);
    for (int c = 0; c < most_own; ++c) {
      const int j = thread + row_threads * c;
      if (j < pitch) b[j] = sum[c];
    }
    for (int e = thread; e < f * f; e += row_threads) {
      const int j = e / f;
      const int k = e % f;
      if (k < j) continue;
      TypedTree<T, tree_levels> tree;
      for (Index block = begin; block < end; block += als_block) {
        const Index last = end - block < als_block ? end : block + als_block;
        T own = 0;
        for (Index i = block; i < last; ++i) {
          const T* const row = view.y + static_cast<Index>(view.columns[i]) * pitch;
          own = math::fma(view.extra[i] * row[j], row[k], own);
        }
        tree.add(own);
      }
      a[j * pitch + k] = view.gram[j * pitch + k] + tree.total();
    }
    __syncthreads();
    for (int j = 0; j < f; ++j) {
      T* const row = a + j * pitch;
      if (thread == 0) {
        const T pivot = row[j];
        good = pivot > 0 && pivot - pivot == 0 ? 1 : 0;
        if (good != 0) row[j] = math::sqrt(pivot);
      }
      __syncthreads();
      if (good == 0) break;
      const T root = row[j];
      for (int k = j + 1 + thread; k < f; k += row_threads) row[k] /= root;
      __syncthreads();
      const int left = f - j - 1;
      for (int e = thread; e < left * left; e += row_threads) {
        const int m = j + 1 + e / left;
        const int k = j + 1 + e % left;
        if (k >= m) a[m * pitch + k] = math::fma(-row[m], row[k], a[m * pitch + k]);
      }
      __syncthreads();
    }
    if (good == 0) {
      if (thread == 0) atomicAdd(failures, 1ULL);
      __syncthreads();
      continue;
    }
    for (int j = 0; j < f; ++j) {
      if (thread == 0) b[j] /= a[j * pitch + j];
      __syncthreads();
      const T z = b[j];
      for (int k = j + 1 + thread; k < f; k += row_threads) {
        b[k] = math::fma(-a[j * pitch + k], z, b[k]);
      }
      __syncthreads();
    }
    for (int j = f - 1; j >= 0; --j) {
      if (thread == 0) x[j] = b[j] / a[j * pitch + j];
      __syncthreads();
      const T own = x[j];
      for (int k = thread; k < j; k += row_threads) b[k] = math::fma(-a[k * pitch + j], own, b[k]);
      __syncthreads();
    }
  }
}

// A warp per row of ratings: dot products by its lanes, the chain by lane 0. Bound by memory: the
// factors of every rating are read once.
// Numerics: rating_loss of core/recommend/als_steps.hpp.
template <Real T>
__global__ void rating_loss_kernel(AlsView<T> view, const T* __restrict__ x,
                                   double* __restrict__ terms) {
  const Index u = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  if (u >= view.rows) return;
  SumTree<> tree;
  const Index end = view.offsets[u + 1];
  for (Index first = view.offsets[u]; first < end; first += als_block) {
    const Index last = end - first < als_block ? end : first + als_block;
    double sum = 0;
    for (Index i = first; i < last; ++i) {
      const auto d =
          static_cast<double>(warp_dot(view.y + static_cast<Index>(view.columns[i]) * view.pitch,
                                       x + u * view.pitch, view.pitch));
      sum += (1 + static_cast<double>(view.extra[i])) * (1 - d) * (1 - d) - d * d;
    }
    tree.add(sum);
  }
  if (threadIdx.x % 32 == 0) terms[u] = tree.total();
}

template <Real T>
class CudaAls final : public AlsSteps<T> {
 public:
  explicit CudaAls(Engine& engine) : engine_(cuda_engine(engine)), chunks_(engine_) {}

  void gram(const Buffer<T>& y, Index rows, Index factors, T lambda, Buffer<T>& gram) override {
    const Index pitch = als_pitch(factors);
    const Index square = pitch * pitch;
    if (sums_.size() < square) sums_ = Buffer<double>(engine_, square);
    const Index blocks = sum_blocks(rows);
    const Index across = pitch / gram_side;
    constexpr Index most_bytes = Index{64} << 20;
    const Index at_once = std::min(blocks, std::clamp<Index>(most_bytes / (square * 8), 1, 65535));
    if (partial_.size() < at_once * square) partial_ = Buffer<double>(engine_, at_once * square);
    // What lies left of the tiles on the diagonal is nobody's, but is added too.
    partial_.fill_zero();
    sums_.fill_zero();
    for (Index block = 0; block < blocks; block += at_once) {
      const Index here = std::min(at_once, blocks - block);
      engine_.launch(gram_kernel<T>,
                     {.grid = dim3(static_cast<unsigned>(across * (across + 1) / 2),
                                   static_cast<unsigned>(here)),
                      .block = dim3(256)},
                     y.data(), rows, static_cast<int>(pitch), block, partial_.data());
      chunks_.add(partial_.data(), block, here, blocks, square, sums_.data());
    }
    const unsigned threads = engine_.block_threads(256);
    engine_.launch(
        finish_gram_kernel<T>,
        {.grid = dim3(static_cast<unsigned>(blocks_for(square, threads))), .block = dim3(threads)},
        sums_.data(), static_cast<int>(factors), static_cast<int>(pitch), lambda, gram.data());
  }

  Index solve(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& gram,
              Index factors, AlsSolver solver, Index cg_steps, Buffer<T>& x) override {
    const AlsView<T> view = view_of(ratings, y, gram, factors);
    if (solver == AlsSolver::cg) {
      engine_.launch(als_cg_kernel<T>,
                     {.grid = dim3(static_cast<unsigned>(ratings.rows)),
                      .block = dim3(row_threads),
                      .shared_bytes = static_cast<std::size_t>(4 * view.pitch) * sizeof(T)},
                     view, static_cast<int>(cg_steps), x.data());
      return 0;
    }
    const Index blocks =
        std::min<Index>(ratings.rows, 8 * engine_.properties().multiProcessorCount);
    const Index each = (als_pitch(factors) + 1) * als_pitch(factors);
    if (scratch_.size() < blocks * each) scratch_ = Buffer<T>(engine_, blocks * each);
    Buffer<unsigned long long> failures(engine_, 1);
    failures.fill_zero();
    engine_.launch(als_cholesky_kernel<T>,
                   {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(row_threads)}, view,
                   scratch_.data(), x.data(), failures.data());
    return static_cast<Index>(failures.to_host().front());
  }

  void rating_loss(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& x,
                   Index factors, Buffer<double>& terms) override {
    const AlsView<T> view = view_of(ratings, y, Buffer<T>(), factors);
    engine_.launch(
        rating_loss_kernel<T>,
        {.grid = dim3(static_cast<unsigned>(blocks_for(ratings.rows, 4))), .block = dim3(128)},
        view, x.data(), terms.data());
  }

 private:
  static AlsView<T> view_of(const AlsRatings<T>& ratings, const Buffer<T>& y, const Buffer<T>& gram,
                            Index factors) {
    return {ratings.rows,
            ratings.offsets.data(),
            ratings.columns.data(),
            ratings.extra.data(),
            y.data(),
            gram.data(),
            static_cast<int>(factors),
            static_cast<int>(als_pitch(factors))};
  }

  CudaEngine& engine_;
  SumsOfChunks chunks_;
  Buffer<double> partial_;  // blocks × pitch²
  Buffer<double> sums_;     // pitch²
  Buffer<T> scratch_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_als_float32(tandem::Engine& engine) {
  return static_cast<tandem::AlsSteps<float>*>(new tandem::cuda::CudaAls<float>(engine));
}
void* tandem_cuda_als_float64(tandem::Engine& engine) {
  return static_cast<tandem::AlsSteps<double>*>(new tandem::cuda::CudaAls<double>(engine));
}
}
