// SLIM's coordinate descent on the GPU.
#include <algorithm>

#include "core/recommend/slim_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

inline constexpr int slim_threads = 128;

// The weights of one item at a time and block.
//
// Grid: a few blocks per multiprocessor, of 128 threads, which take the items in turn; each has the
// numbers of the item's candidates, what is left to explain of them and their weights in global
// memory, which stay in the second-level cache. The first warp finds the candidates in ascending
// order. In a sweep every warp works out the new weights of the next 32 candidates at once: those
// before the first that changes are as they were, whatever the others become. All threads then
// subtract its change, neighbouring threads neighbouring candidates, and the sweep goes on behind
// it. Two barriers for a change, none for 32 candidates without one. Bound by the gathers from one
// row of G for a change. `rest` and `weights` go from thread to thread across barriers, so that
// they are not __restrict__. Numerics: core/recommend/slim_steps.hpp. CPU twin: solve_item in
// cpu/recommend/slim.cpp.
__global__ void __launch_bounds__(slim_threads, 6)
    slim_kernel(SlimProblem problem, Index first, Index count, std::int32_t* candidates_of_all,
                double* rest_of_all, double* weights_of_all, double* __restrict__ out,
                std::int32_t* __restrict__ sweeps) {
  __shared__ int found;
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const Index n = problem.items;
  std::int32_t* const candidates = candidates_of_all + static_cast<Index>(blockIdx.x) * n;
  double* const rest = rest_of_all + static_cast<Index>(blockIdx.x) * n;
  double* const weights = weights_of_all + static_cast<Index>(blockIdx.x) * n;
  for (Index i = blockIdx.x; i < count; i += gridDim.x) {
    const Index j = first + i;
    const double* const own = problem.gram + j * n;
    if (thread < 32) {
      int kept = 0;
      for (Index begin = 0; begin < n; begin += 32) {
        const Index k = begin + lane;
        const bool take = k < n && k != j && own[k] > problem.l1;
        const unsigned who = __ballot_sync(all_lanes, take);
        if (take) {
          const int at = kept + __popc(who & ((1U << lane) - 1));
          candidates[at] = static_cast<std::int32_t>(k);
          rest[at] = own[k];
          weights[at] = 0;
        }
        kept += __popc(who);
      }
      if (lane == 0) found = kept;
    }
    __syncthreads();
    const int all = found;
    std::int32_t done = 0;
    bool converged = false;
    while (!converged && done < problem.sweeps) {
      double change = 0;
      double largest = 0;
      for (int at = 0; at < all;) {
        const int k = at + lane;
        double value = 0;
        double difference = 0;
        if (k < all) {
          const Index item = candidates[k];
          const double square = problem.gram[item * n + item];
          const double before = weights[k];
          value = slim_weight(math::fma(before, square, rest[k]), problem.l1, square, problem.l2);
          difference = value - before;
        }
        const double wanted = value;
        const unsigned who = __ballot_sync(all_lanes, difference != 0);
        const int from = who == 0 ? 32 : __ffs(static_cast<int>(who)) - 1;
        // Weights as far as the one that changes have been looked at.
        if (lane > from) value = 0;
        for (unsigned half = 16; half > 0; half /= 2) {
          const double other = __shfl_xor_sync(all_lanes, value, half);
          value = value > other ? value : other;
        }
        largest = value > largest ? value : largest;
        if (who == 0) {
          at += 32;
          continue;
        }
        const double by = __shfl_sync(all_lanes, difference, from);
        const double size = by < 0 ? -by : by;
        change = size > change ? size : change;
        const int changed = at + from;
        const double* const row = problem.gram + static_cast<Index>(candidates[changed]) * n;
        __syncthreads();
        if (thread == from) weights[changed] = wanted;
        for (int m = thread; m < all; m += slim_threads) {
          rest[m] = math::fma(-by, row[candidates[m]], rest[m]);
        }
        __syncthreads();
        at = changed + 1;
      }
      ++done;
      converged = change <= problem.tolerance * largest;
    }
    double* const to = out + i * n;
    for (Index k = thread; k < n; k += slim_threads) to[k] = 0;
    __syncthreads();
    for (int m = thread; m < all; m += slim_threads) to[candidates[m]] = weights[m];
    if (thread == 0) sweeps[i] = converged ? done : -done;
    __syncthreads();
  }
}

template <Real T>
class CudaSlim final : public SlimStepsOf<T> {
 public:
  explicit CudaSlim(Engine& engine) : engine_(cuda_engine(engine)) {}

  void solve(const SlimProblem& problem, Index first, Index count, Buffer<double>& weights,
             Buffer<std::int32_t>& sweeps) override {
    const Index blocks = std::min<Index>(count, 8 * engine_.properties().multiProcessorCount);
    if (rest_.size() < blocks * problem.items) {
      candidates_ = Buffer<std::int32_t>(engine_, blocks * problem.items);
      rest_ = Buffer<double>(engine_, blocks * problem.items);
      weights_ = Buffer<double>(engine_, blocks * problem.items);
    }
    engine_.launch(slim_kernel,
                   {.grid = dim3(static_cast<unsigned>(blocks)), .block = dim3(slim_threads)},
                   problem, first, count, candidates_.data(), rest_.data(), weights_.data(),
                   weights.data(), sweeps.data());
  }

 private:
  CudaEngine& engine_;
  Buffer<std::int32_t> candidates_;
  Buffer<double> rest_, weights_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_slim_float32(tandem::Engine& engine) {
  return static_cast<tandem::SlimStepsOf<float>*>(new tandem::cuda::CudaSlim<float>(engine));
}
void* tandem_cuda_slim_float64(tandem::Engine& engine) {
  return static_cast<tandem::SlimStepsOf<double>*>(new tandem::cuda::CudaSlim<double>(engine));
}
}
