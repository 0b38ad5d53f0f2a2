// Rows as they come into panels, and what a pass over all columns tells.
#include "cuda/cluster/kmeans.cuh"

namespace tandem::cuda::kmeans {
namespace {

// 32 rows of up to 32 features, from row-major memory into a panel.
//
// Grid: one block of any number of warps for each panel and 32 features. Elements go through a tile
// of shared memory (pitch 33: no conflicts but in a tile of fewer features), so that both the reads
// (runs of 32 features, or of 32·d elements where d < 32) and the writes (runs of 32 rows) are
// coalesced; one synchronisation. Moves 2·32·d elements per panel, no arithmetic. CPU twin:
// transpose_rows in cpu/cluster/kmeans_pack-inl.hpp, which subtracts the origin on the way; here
// that is move_to_origin_kernel.
template <class T>
__global__ void pack_rows_kernel(const T* __restrict__ x, Index count, Index features,
                                 int feature_tiles, T* __restrict__ panels) {
  __shared__ T tile[32][33];
  const Index panel = static_cast<Index>(blockIdx.x) / feature_tiles;
  const Index f0 = static_cast<Index>(blockIdx.x) % feature_tiles * 32;
  const int width = static_cast<int>(features - f0 < 32 ? features - f0 : 32);
  const Index first = panel * panel_rows;
  const int lane = static_cast<int>(threadIdx.x % 32);
  const int warp = static_cast<int>(threadIdx.x / 32);
  const int warps = static_cast<int>(blockDim.x / 32);
  if (width == 32) {
    for (int r = warp; r < 32; r += warps) {
      tile[r][lane] = first + r < count ? x[(first + r) * features + f0 + lane] : T{0};
    }
  } else {
    for (int i = static_cast<int>(threadIdx.x); i < 32 * width; i += static_cast<int>(blockDim.x)) {
      const int r = i / width;
      const int f = i % width;
      tile[r][f] = first + r < count ? x[(first + r) * features + f0 + f] : T{0};
    }
  }
  __syncthreads();
  for (int f = warp; f < width; f += warps) {
    panels[(panel * features + f0 + f) * panel_rows + lane] = tile[lane][f];
  }
}

// A warp for each block of sum_block rows and feature: it reads that feature of 32 panels, 32
// consecutive elements at a time, and its lanes are the lanes of the long sum. Returns false for
// warps past the last.
struct ColumnOfBlock {
  Index block;
  Index feature;
  Index first_panel;
  int panels;

  template <class T>
  __device__ ColumnOfBlock(const Rows<T>& rows, Index warp)
      : block(warp / rows.features),
        feature(warp % rows.features),
        first_panel(block * block_panels) {
    const Index left = (rows.count + panel_rows - 1) / panel_rows - first_panel;
    panels = static_cast<int>(left < block_panels ? left : block_panels);
  }
};

__device__ Index warp_of_grid() {
  return (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
}

// partial[block][feature] = Σ w·x: see ColumnOfBlock for the mapping. Bound by memory:
// sum_columns_kernel_cost() (the weights are read once per feature, from the cache). CPU twin:
// column_lanes in cpu/cluster/kmeans_load.cpp.
template <class T>
__global__ void sum_columns_kernel(Rows<T> rows, const double* __restrict__ weights,
                                   double* __restrict__ partial) {
  const Index warp = warp_of_grid();
  const ColumnOfBlock column(rows, warp);
  if (column.panels <= 0) return;
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  double sum = 0;
  for (int p = 0; p < column.panels; ++p) {
    const Index panel = column.first_panel + p;
    const Index row = panel * panel_rows + lane;
    if (row >= rows.count) break;
    const auto value = static_cast<double>(
        rows.panels[(panel * rows.features + column.feature) * panel_rows + lane]);
    sum += weights != nullptr ? weights[row] * value : value;
  }
  sum = add_lanes_of_warp(sum);
  if (lane == 0) partial[warp] = sum;
}

__device__ void atomic_max(float* to, float value) {
  atomicMax(reinterpret_cast<unsigned*>(to), __float_as_uint(value));
}
__device__ void atomic_max(double* to, double value) {
  atomicMax(reinterpret_cast<unsigned long long*>(to),
            static_cast<unsigned long long>(__double_as_longlong(value)));
}

// x' = x − origin in place, and in the same pass Σ w·x'² and max |x'|: see ColumnOfBlock for the
// mapping. Magnitudes are compared as integers (bits of floats >= 0 have their order), by one
// atomic per warp. Bound by memory: move_to_origin_kernel_cost(). CPU twin: block_spread in
// cpu/cluster/kmeans_load.cpp.
template <class T>
__global__ void move_to_origin_kernel(T* panels, Rows<T> rows, const T* __restrict__ origin,
                                      const double* __restrict__ weights,
                                      double* __restrict__ partial, T* largest) {
  const Index warp = warp_of_grid();
  const ColumnOfBlock column(rows, warp);
  if (column.panels <= 0) return;
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const T moved_by = origin[column.feature];
  double sum = 0;
  T most = 0;
  for (int p = 0; p < column.panels; ++p) {
    const Index panel = column.first_panel + p;
    const Index row = panel * panel_rows + lane;
    if (row >= rows.count) break;  // zeros stay
    T& element = panels[(panel * rows.features + column.feature) * panel_rows + lane];
    const T value = element - moved_by;
    element = value;
    most = fmax(most, fabs(value));
    const double square = static_cast<double>(value) * static_cast<double>(value);
    sum += weights != nullptr ? weights[row] * square : square;
  }
  sum = add_lanes_of_warp(sum);
  for (unsigned half = warp_size / 2; half > 0; half /= 2) {
    most = fmax(most, __shfl_down_sync(all_lanes, most, half));
  }
  if (lane == 0) {
    partial[warp] = sum;
    atomic_max(largest + column.feature, most);
  }
}

// One element per thread.
__global__ void fill_kernel(std::int32_t* values, Index count, std::int32_t value) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) values[i] = value;
}

template <Real T>
Shape warp_per_column(CudaEngine& engine, const Rows<T>& rows) {
  const unsigned threads = engine.block_threads(256);
  return {.grid = dim3(static_cast<unsigned>(
              blocks_for(rows.block_count() * rows.features, threads / warp_size))),
          .block = dim3(threads)};
}

}  // namespace

template <Real T>
void pack_rows(CudaEngine& engine, const T* x, Index count, Index features, T* panels) {
  const auto feature_tiles = static_cast<int>(blocks_for(features, 32));
  const Index all = blocks_for(count, sum_block) * block_panels;
  engine.launch(pack_rows_kernel<T>,
                {.grid = dim3(static_cast<unsigned>(all * feature_tiles)),
                 .block = dim3(engine.block_threads(256))},
                x, count, features, feature_tiles, panels);
}

template <Real T>
void sum_columns(CudaEngine& engine, const Rows<T>& rows, const double* weights, double* partial) {
  engine.launch(sum_columns_kernel<T>, warp_per_column(engine, rows), rows, weights, partial);
}

template <Real T>
void move_to_origin(CudaEngine& engine, T* panels, const Rows<T>& rows, const T* origin,
                    const double* weights, double* partial, T* largest) {
  engine.launch(move_to_origin_kernel<T>, warp_per_column(engine, rows), panels, rows, origin,
                weights, partial, largest);
}

void fill(CudaEngine& engine, std::int32_t* values, Index count, std::int32_t value) {
  const unsigned threads = engine.block_threads(256);
  engine.launch(
      fill_kernel,
      {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))), .block = dim3(threads)},
      values, count, value);
}

#define TANDEM_INSTANTIATE(T)                                                                     \
  template void pack_rows(CudaEngine&, const T*, Index, Index, T*);                               \
  template void sum_columns(CudaEngine&, const Rows<T>&, const double*, double*);                 \
  template void move_to_origin(CudaEngine&, T*, const Rows<T>&, const T*, const double*, double*, \
                               T*);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::cuda::kmeans
