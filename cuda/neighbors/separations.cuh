// Separations of a few rows from the points of a tile, a thread's point each.
#pragma once

#include "core/neighbors/neighbour_steps.hpp"
#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {

inline constexpr int tile_points = 128;   // of a block, a thread each
inline constexpr int tile_rows = 16;      // that a block has, at most
inline constexpr int tile_features = 32;  // in shared memory at a time

// The rows' features of one stretch, in shared memory.
template <Real T>
struct RowFeatures {
  T x[tile_rows][tile_features];
};

// apart[r] = what `separation` adds up for row first_row + r, r < here, and this thread's point,
// first_point + threadIdx.x, which need not be there: points are padded. Rows that stay the same
// are brought to shared memory once, where all of their features fit: `fresh` says that they are
// new. All 128 threads of a block must call it. Two barriers for every 32 features brought.
template <Separation separation, Real T>
__device__ void separations_of_tile(const PointsView<T>& points, const QueriesView<T>& queries,
                                    Index first_row, int here, Index first_point, bool fresh,
                                    RowFeatures<T>& rows, T (&apart)[tile_rows]) {
  const int thread = static_cast<int>(threadIdx.x);
  const Index point = first_point + thread;
  const Index panel = point / point_panel;
  // Threads of a warp that stands past the last panel read the last one.
  const Index last = points.panels() - 1;
  const T* value = points.values + (panel < last ? panel : last) * points.features * point_panel +
                   point % point_panel;
#pragma unroll
  for (int r = 0; r < tile_rows; ++r) apart[r] = neighbours::begin<separation, T>();
  for (Index f0 = 0; f0 < points.features; f0 += tile_features) {
    const Index left = points.features - f0;
    const int width = left < tile_features ? static_cast<int>(left) : tile_features;
    if (fresh || points.features > tile_features) {
      __syncthreads();
      for (int e = thread; e < tile_rows * tile_features; e += tile_points) {
        const int r = e / tile_features;
        const int f = e % tile_features;
        rows.x[r][f] =
            r < here && f < width ? queries.x[(first_row + r) * queries.stride + f0 + f] : T{0};
      }
      __syncthreads();
    }
#pragma unroll 4
    for (int f = 0; f < width; ++f, value += point_panel) {
      const T y = *value;
#pragma unroll
      for (int r = 0; r < tile_rows; ++r) {
        apart[r] = neighbours::add<separation>(rows.x[r][f], y, apart[r]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < tile_rows; ++r) apart[r] = neighbours::end<separation>(apart[r]);
}

}  // namespace tandem::cuda
