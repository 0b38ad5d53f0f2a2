// The best items of many users on the GPU: scores and selection in one kernel.
#include <algorithm>

#include "core/recommend/top_items_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/recommend/sorted_list.cuh"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

inline constexpr int top_threads = 128;
inline constexpr int top_warps = top_threads / 32;
inline constexpr int top_items_tile = top_threads;  // a thread's item each
inline constexpr int top_depth = 16;                // factors in shared memory at a time
inline constexpr int top_users = 16;                // of a block, at most

// Whether `item` stands among ascending numbers.
__device__ inline bool stands_in(const std::int32_t* numbers, Index begin, Index end,
                                 std::int32_t item) {
  while (begin < end) {
    const Index middle = begin + (end - begin) / 2;
    if (numbers[middle] < item) {
      begin = middle + 1;
    } else if (numbers[middle] > item) {
      end = middle;
    } else {
      return true;
    }
  }
  return false;
}

// The n best items of up to 16 users per block. The second launch bound keeps the chains in
// registers.
//
// Grid: groups of `group` users, blocks of 128 threads, whatever the device. A tile of 128 items is
// scored at a time: thread t has item t and one chain per user in registers; 16 factors of the tile
// and of the users come to shared memory at a time (pitch 129: written along factors, read along
// items, no bank conflicts), so that an item's factors are read once per 16 users. The scores go to
// shared memory, and a warp takes each user: 32 scores at a time are compared with the user's worst
// chosen one, and those that pass, which get rare, are put into the user's sorted list in ascending
// order of items. Shared memory: (16 · 145 + 16 · 128) elements, and group · n pairs of score and
// number. 2 · users · items · factors flops (top_items_cost()), which bound it.
// Numerics: the chain of core/recommend/top_items_steps.hpp. CPU twin: Tile in
// cpu/recommend/top_items.cpp.
template <Real T>
__global__ void __launch_bounds__(top_threads, sizeof(T) == 8 ? 3 : 4)
    top_items_kernel(TopItemsProblem<T> in, int pitch, int group, int n,
                     std::int32_t* __restrict__ items, T* __restrict__ scores) {
  extern __shared__ __align__(16) unsigned char memory[];
  T* const best = reinterpret_cast<T*>(memory);  // group × n
  std::int32_t* const chosen = reinterpret_cast<std::int32_t*>(best + group * n);
  __shared__ T y[top_depth][top_items_tile + 1];
  __shared__ T x[top_users][top_depth];
  __shared__ T tile[top_users][top_items_tile];
  __shared__ int counts[top_users];
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % 32;
  const Index first_user = static_cast<Index>(blockIdx.x) * group;
  const int here = static_cast<int>(in.users - first_user < group ? in.users - first_user : group);
  if (thread < top_users) counts[thread] = 0;
  __syncthreads();
  for (Index first = 0; first < in.items; first += top_items_tile) {
    T sums[top_users] = {};
    for (Index k0 = 0; k0 < in.factors; k0 += top_depth) {
      for (int e = thread; e < top_items_tile * top_depth; e += top_threads) {
        const int i = e / top_depth;
        const int k = e % top_depth;
        y[k][i] = first + i < in.items && k0 + k < in.factors
                      ? in.item_factors[(first + i) * pitch + k0 + k]
                      : T{0};
      }
      for (int e = thread; e < top_users * top_depth; e += top_threads) {
        const int u = e / top_depth;
        const int k = e % top_depth;
        x[u][k] = u < here && k0 + k < in.factors
                      ? in.user_factors[(first_user + u) * pitch + k0 + k]
                      : T{0};
      }
      __syncthreads();
      const int depth = static_cast<int>(in.factors - k0 < top_depth ? in.factors - k0 : top_depth);
      for (int k = 0; k < depth; ++k) {
        const T own = y[k][thread];
#pragma unroll
        for (int u = 0; u < top_users; ++u) sums[u] = math::fma(x[u][k], own, sums[u]);
      }
      __syncthreads();
    }
#pragma unroll
    for (int u = 0; u < top_users; ++u) tile[u][thread] = sums[u];
    __syncthreads();
    for (int u = thread / 32; u < here; u += top_warps) {
      T* const list = best + u * n;
      std::int32_t* const numbers = chosen + u * n;
      int count = counts[u];
      for (int c = 0; c < top_items_tile; c += 32) {
        const Index item = first + c + lane;
        const T score = tile[u][c + lane];
        // Items ascend, so that one as good as the worst comes too late.
        bool may = item < in.items && score == score && (count < n || score > list[n - 1]);
        if (may && in.allowed != nullptr && in.allowed[item] == 0) may = false;
        if (may && in.offsets != nullptr) {
          may = !stands_in(in.left_out, in.offsets[first_user + u], in.offsets[first_user + u + 1],
                           static_cast<std::int32_t>(item));
        }
        unsigned candidates = __ballot_sync(all_lanes, may);
        while (candidates != 0) {
          const int from = __ffs(static_cast<int>(candidates)) - 1;
          candidates &= candidates - 1;
          const T own = tile[u][c + from];
          if (count == n && !(own > list[n - 1])) continue;
          insert_by_warp(list, numbers, count, n, own, static_cast<std::int32_t>(first + c + from));
        }
      }
      if (lane == 0) counts[u] = count;
    }
    __syncthreads();
  }
  for (int e = thread; e < here * n; e += top_threads) {
    const int u = e / n;
    const int k = e % n;
    const bool there = k < counts[u];
    items[(first_user + u) * n + k] = there ? chosen[u * n + k] : -1;
    scores[(first_user + u) * n + k] = there ? best[u * n + k] : T{0};
  }
}

template <Real T>
class CudaTopItems final : public TopItemsSteps<T> {
 public:
  explicit CudaTopItems(Engine& engine) : engine_(cuda_engine(engine)) {}

  void top(const TopItemsProblem<T>& problem, Index n, Buffer<std::int32_t>& items,
           Buffer<T>& scores) override {
    const Index group = std::clamp<Index>(most_top_items / n, 1, top_users);
    engine_.launch(
        top_items_kernel<T>,
        {.grid = dim3(static_cast<unsigned>(blocks_for(problem.users, group))),
         .block = dim3(top_threads),
         .shared_bytes = static_cast<std::size_t>(group * n) * (sizeof(T) + sizeof(std::int32_t))},
        problem, static_cast<int>(als_pitch(problem.factors)), static_cast<int>(group),
        static_cast<int>(n), items.data(), scores.data());
  }

 private:
  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_top_items_float32(tandem::Engine& engine) {
  return static_cast<tandem::TopItemsSteps<float>*>(new tandem::cuda::CudaTopItems<float>(engine));
}
void* tandem_cuda_top_items_float64(tandem::Engine& engine) {
  return static_cast<tandem::TopItemsSteps<double>*>(
      new tandem::cuda::CudaTopItems<double>(engine));
}
}
