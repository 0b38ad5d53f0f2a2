// Nearest neighbours on the GPU: distances and selection in one kernel.
#include <algorithm>
#include <cmath>

#include "core/neighbors/neighbour_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/neighbors/separations.cuh"
#include "cuda/recommend/sorted_list.cuh"

namespace tandem::cuda {
namespace {

// The k nearest points of up to 16 rows per block. The second launch bound keeps the chains in
// registers.
//
// Grid: groups of `group` rows, blocks of 128 threads, whatever the device. A tile of 128 points is
// gone through at a time: thread t has point t and one chain per row in registers; points come
// straight from global memory, 32 of a feature side by side, and the rows' features are the same
// address for a whole block: a broadcast from shared memory. The separations go to shared memory,
// and a warp takes each row: 32 at a time are compared with the row's worst neighbour, and those
// that are nearer, which get rare, are put into its sorted list in ascending order of points. The
// list has them negated, so that values descend. Shared memory: 16 · (128 + 32) elements, and
// group · k pairs. neighbours_cost() counts bytes and flops, which bound it. Numerics: the chain of
// core/neighbors/neighbour_math.hpp. CPU twin: SeparationTile in cpu/neighbors/separations-inl.hpp.
template <Separation separation, Real T>
__global__ void __launch_bounds__(tile_points, sizeof(T) == 8 ? 3 : 4)
    nearest_kernel(PointsView<T> points, QueriesView<T> queries, int group, int k,
                   std::int32_t* __restrict__ nearest, T* __restrict__ separations) {
  extern __shared__ __align__(16) unsigned char memory[];
  T* const best = reinterpret_cast<T*>(memory);  // group × k
  std::int32_t* const chosen = reinterpret_cast<std::int32_t*>(best + group * k);
  __shared__ RowFeatures<T> features;
  __shared__ T tile[tile_rows][tile_points];
  __shared__ int counts[tile_rows];
  const int thread = static_cast<int>(threadIdx.x);
  const int lane = thread % static_cast<int>(warp_size);
  const Index first_row = static_cast<Index>(blockIdx.x) * group;
  const int here =
      static_cast<int>(queries.rows - first_row < group ? queries.rows - first_row : group);
  if (thread < tile_rows) counts[thread] = 0;
  for (Index first = 0; first < points.points; first += tile_points) {
    T apart[tile_rows];
    separations_of_tile<separation>(points, queries, first_row, here, first, first == 0, features,
                                    apart);
#pragma unroll
    for (int r = 0; r < tile_rows; ++r) tile[r][thread] = apart[r];
    __syncthreads();
    for (int r = thread / static_cast<int>(warp_size); r < here;
         r += tile_points / static_cast<int>(warp_size)) {
      T* const list = best + r * k;
      std::int32_t* const numbers = chosen + r * k;
      int count = counts[r];
      const Index self = queries.own >= 0 ? queries.own + first_row + r : -1;
      for (int c = 0; c < tile_points; c += static_cast<int>(warp_size)) {
        const Index point = first + c + lane;
        const T value = -tile[r][c + lane];
        // Points ascend, so that one as far as the worst comes too late. Infinite is no distance.
        const bool may = point < points.points && point != self && isfinite(value) &&
                         (count < k || value > list[k - 1]);
        unsigned candidates = __ballot_sync(all_lanes, may);
        while (candidates != 0) {
          const int from = __ffs(static_cast<int>(candidates)) - 1;
          candidates &= candidates - 1;
          const T own = -tile[r][c + from];
          if (count == k && !(own > list[k - 1])) continue;
          insert_by_warp(list, numbers, count, k, own, static_cast<std::int32_t>(first + c + from));
        }
      }
      if (lane == 0) counts[r] = count;
    }
    __syncthreads();
  }
  for (int e = thread; e < here * k; e += tile_points) {
    const int r = e / k;
    const bool there = e % k < counts[r];
    nearest[first_row * k + e] = there ? chosen[e] : -1;
    // 0 and not −0, and where there is none.
    separations[first_row * k + e] = there && best[e] != T{0} ? -best[e] : T{0};
  }
}

template <Real T>
class CudaNeighbours final : public NeighbourSteps<T> {
 public:
  explicit CudaNeighbours(Engine& engine) : engine_(cuda_engine(engine)) {}

  void nearest(Separation separation, const PointsView<T>& points, const QueriesView<T>& queries,
               Index k, Buffer<std::int32_t>& nearest, Buffer<T>& separations) override {
    switch (separation) {
      case Separation::squared:
        return launch(nearest_kernel<Separation::squared, T>, points, queries, k, nearest,
                      separations);
      case Separation::absolute:
        return launch(nearest_kernel<Separation::absolute, T>, points, queries, k, nearest,
                      separations);
      case Separation::complement:
        return launch(nearest_kernel<Separation::complement, T>, points, queries, k, nearest,
                      separations);
    }
  }

 private:
  template <class Kernel>
  void launch(Kernel kernel, const PointsView<T>& points, const QueriesView<T>& queries, Index k,
              Buffer<std::int32_t>& nearest, Buffer<T>& separations) {
    // 12 KiB of lists at most.
    const Index group = std::clamp<Index>(1024 / k, 1, tile_rows);
    engine_.launch(
        kernel,
        {.grid = dim3(static_cast<unsigned>(blocks_for(queries.rows, group))),
         .block = dim3(tile_points),
         .shared_bytes = static_cast<std::size_t>(group * k) * (sizeof(T) + sizeof(std::int32_t))},
        points, queries, static_cast<int>(group), static_cast<int>(k), nearest.data(),
        separations.data());
  }

  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_neighbours_float32(tandem::Engine& engine) {
  return static_cast<tandem::NeighbourSteps<float>*>(
      new tandem::cuda::CudaNeighbours<float>(engine));
}
void* tandem_cuda_neighbours_float64(tandem::Engine& engine) {
  return static_cast<tandem::NeighbourSteps<double>*>(
      new tandem::cuda::CudaNeighbours<double>(engine));
}
}
