// Bayesian personalised ranking on the GPU.
#include "core/recommend/bpr_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// In lane 0 dot(x, a − b) in the order of core/recommend/bpr_steps.hpp. All lanes must call it.
template <Real T>
__device__ T difference_dot(const T* x, const T* a, const T* b, int pitch) {
  T sum = 0;
  for (int j = static_cast<int>(threadIdx.x % 32); j < pitch; j += 32) {
    sum = math::fma(x[j], a[j] - b[j], sum);
  }
  for (unsigned half = 16; half > 0; half /= 2) sum += __shfl_down_sync(all_lanes, sum, half);
  return sum;
}

// The tasks of one round.
//
// Grid: tasks, one warp each, whatever the device. Every lane has the elements l, l + 32, ... of
// all rows that it reads and writes, so that no lane sees what another wrote; biases are lane 0's,
// and the step size goes to the others by a shuffle. All lanes find the pair and draw the item,
// since they would wait otherwise. A task's pairs are a chain: bound by the latency of one pair
// after the other, two reads of its rows, which the second finds in the first-level cache.
// Rows are written and read again, so that they are not __restrict__.
// Numerics: core/recommend/bpr_steps.hpp. CPU twin: RunTask in cpu/recommend/bpr.cpp.
template <Real T>
__global__ void __launch_bounds__(32)
    bpr_round_kernel(BprView view, Index round, T rate, T keep, T* x, T* y, T* biases,
                     unsigned long long* __restrict__ tally) {
  const int lane = static_cast<int>(threadIdx.x);
  const int pitch = view.pitch;
  BprTask task(view, static_cast<Index>(blockIdx.x), round);
  const std::uint32_t count = task.size();
  unsigned long long all = 0;
  unsigned long long right = 0;
  for (std::uint32_t k = 0; k < count; ++k) {
    std::int32_t user = 0;
    std::int32_t item = 0;
    std::int32_t drawn = 0;
    task.next(user, item, drawn);
    if (drawn < 0) continue;
    T* const own = x + static_cast<Index>(user) * pitch;
    T* const a = y + static_cast<Index>(item) * pitch;
    T* const b = y + static_cast<Index>(drawn) * pitch;
    T g = difference_dot(own, a, b, pitch);
    if (lane == 0) {
      const T of_a = biases[item];
      const T of_b = biases[drawn];
      const T s = g + (of_a - of_b);
      g = rate * math::sigmoid(-s);
      biases[item] = math::fma(keep, of_a, g);
      biases[drawn] = math::fma(keep, of_b, -g);
      ++all;
      right += s > 0 ? 1 : 0;
    }
    g = __shfl_sync(all_lanes, g, 0);
    for (int j = lane; j < pitch; j += 32) {
      const T vx = own[j];
      const T va = a[j];
      const T vb = b[j];
      own[j] = math::fma(g, va - vb, keep * vx);
      a[j] = math::fma(g, vx, keep * va);
      b[j] = math::fma(-g, vx, keep * vb);
    }
  }
  if (lane == 0 && all > 0) {
    atomicAdd(&tally[0], all);
    atomicAdd(&tally[1], right);
  }
}

// One user per warp.
//
// Grid: users / 4, blocks of 4 warps. A lane has the elements l, l + 32, ... of the user's vector,
// in the result's memory. Bound by the latency of one step after the other.
// Numerics: core/recommend/bpr_steps.hpp. CPU twin: FoldIn in cpu/recommend/bpr.cpp.
template <Real T>
__global__ void __launch_bounds__(128)
    bpr_fold_in_kernel(BprFoldIn<T> in, Index rows, const Index* __restrict__ offsets,
                       const std::int32_t* __restrict__ columns, T* x) {
  const Index r = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / 32;
  if (r >= rows) return;
  const int lane = static_cast<int>(threadIdx.x % 32);
  T* const own = x + r * in.x_pitch;
  for (int j = lane; j < in.x_pitch; j += 32) own[j] = 0;
  const std::int32_t* const items = columns + offsets[r];
  const Index count = offsets[r + 1] - offsets[r];
  const Index passes = count == 0 ? 0 : bpr_passes(in.passes, count);
  for (Index pass = 0; pass < passes; ++pass) {
    for (Index k = 0; k < count; ++k) {
      const std::int32_t drawn = bpr_fold_in_draw(in, items, count, items[k], pass);
      if (drawn < 0) continue;
      const T* const a = in.y + static_cast<Index>(items[k]) * in.pitch;
      const T* const b = in.y + static_cast<Index>(drawn) * in.pitch;
      T g = difference_dot(own, a, b, in.pitch);
      if (lane == 0) {
        g = in.rate * math::sigmoid(-(g + (in.biases[items[k]] - in.biases[drawn])));
      }
      g = __shfl_sync(all_lanes, g, 0);
      for (int j = lane; j < in.pitch; j += 32) {
        own[j] = math::fma(g, a[j] - b[j], in.keep * own[j]);
      }
    }
  }
  if (lane == in.factors % 32) own[in.factors] = 1;
}

template <Real T>
class CudaBpr final : public BprSteps<T> {
 public:
  explicit CudaBpr(Engine& engine) : engine_(cuda_engine(engine)) {}

  void pass(const BprView& view, T rate, T keep, BprFactors<T> factors,
            Buffer<std::int64_t>& tally) override {
    for (Index round = 0; round < view.blocks; ++round) {
      engine_.launch(bpr_round_kernel<T>,
                     {.grid = dim3(static_cast<unsigned>(view.blocks)), .block = dim3(32)}, view,
                     round, rate, keep, factors.x.data(), factors.y.data(), factors.biases.data(),
                     reinterpret_cast<unsigned long long*>(tally.data()));
    }
  }

  void fold_in(const BprFoldIn<T>& in, Index rows, const Buffer<Index>& offsets,
               const Buffer<std::int32_t>& columns, Buffer<T>& x) override {
    engine_.launch(bpr_fold_in_kernel<T>,
                   {.grid = dim3(static_cast<unsigned>(blocks_for(rows, 4))), .block = dim3(128)},
                   in, rows, offsets.data(), columns.data(), x.data());
  }

 private:
  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_bpr_float32(tandem::Engine& engine) {
  return static_cast<tandem::BprSteps<float>*>(new tandem::cuda::CudaBpr<float>(engine));
}
void* tandem_cuda_bpr_float64(tandem::Engine& engine) {
  return static_cast<tandem::BprSteps<double>*>(new tandem::cuda::CudaBpr<double>(engine));
}
}
