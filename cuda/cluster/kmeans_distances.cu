// The squared distance of each row to its own centre or to the nearest of given rows (D), the cost
// of a clustering, and draws of rows by their D.
#include <limits>

#include "cuda/cluster/kmeans.cuh"

namespace tandem::cuda::kmeans {
namespace {

// ‖x' − c'‖² of a row and its centre, one chain in type A over ascending features; 0 without a
// centre. −2c' is c' but for an exact factor.
template <class A, class T>
__device__ A distance_to_own_centre(const Rows<T>& rows, Index row, std::int32_t label,
                                    const Centres<T>& centres) {
  if (label < 0) return A{0};
  const T* x = rows.panels + row / panel_rows * rows.features * panel_rows + row % panel_rows;
  const T* c = centres.values + label;
  A sum{0};
#pragma unroll 4
  for (Index j = 0; j < rows.features; ++j) {
    const A difference =
        static_cast<A>(x[j * panel_rows]) - static_cast<A>(T(-0.5) * c[j * centres.padded]);
    sum = fma(difference, difference, sum);
  }
  return sum;
}

// One row per thread. Loads of rows are coalesced; those of centres go to one feature of up to 32
// centres, which lie side by side in the L1 cache. Bound by memory: n·d elements, 8 bytes of label
// and distance per row; own_distances_kernel_cost(). CPU twin: distances_by_label in
// cpu/cluster/kmeans_distances.cpp.
template <class T>
__global__ void own_distances_kernel(Rows<T> rows, const std::int32_t* __restrict__ labels,
                                     Centres<T> centres, T* __restrict__ distance) {
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows.count) return;
  distance[row] = distance_to_own_centre<T>(rows, row, labels[row], centres);
}

// partial[block] = Σ w ‖x' − c'‖²: a block of any number of threads for each sum_block rows. Costs
// of the rows go to shared memory (8 KiB), then one warp adds them in the shape of a long sum: one
// synchronisation. Bytes and flops, in double: block_costs_kernel_cost(). CPU twin: inertia in
// cpu/cluster/kmeans.cpp.
template <class T>
__global__ void block_costs_kernel(Rows<T> rows, const std::int32_t* __restrict__ labels,
                                   const double* __restrict__ weights, Centres<T> centres,
                                   double* __restrict__ partial) {
  __shared__ double costs[sum_block];
  const Index first = static_cast<Index>(blockIdx.x) * sum_block;
  const Index left = rows.count - first;
  const int here = static_cast<int>(left < sum_block ? left : sum_block);
  for (int i = static_cast<int>(threadIdx.x); i < here; i += static_cast<int>(blockDim.x)) {
    const Index row = first + i;
    const auto cost = distance_to_own_centre<double>(rows, row, labels[row], centres);
    costs[i] = weights != nullptr ? weights[row] * cost : cost;
  }
  __syncthreads();
  if (threadIdx.x >= warp_size) return;
  const double sum = sum_of_block(0, here, [&](Index i) { return costs[i]; });
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

// Rows out of their panels, as distances_to_rows_kernel reads them: one element per thread. The
// panels may stand in the host's pinned memory.
template <class T>
__global__ void gather_rows_kernel(Rows<T> rows, const Index* __restrict__ chosen, Index count,
                                   int tile_rows, Index elements, T* __restrict__ gathered) {
  const Index at = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= elements) return;
  const Index tile = at / (rows.features * tile_rows);
  const Index feature = at / tile_rows % rows.features;
  const Index slot = tile * tile_rows + at % tile_rows;
  const Index row = chosen[slot < count ? slot : count - 1];
  gathered[at] =
      rows.panels[(row / panel_rows * rows.features + feature) * panel_rows + row % panel_rows];
}

// D_i = min(D_i, ‖x' − y'‖²): one row per thread, Y gathered rows at a time.
//
// Grid: ceil(n / block) blocks. A thread carries Y chains over ascending features; loads of its row
// are coalesced, those of the gathered rows the same for all threads (Y consecutive elements: two
// or four loads of 16 bytes from the cache). No shared memory, no synchronisation. Elements of rows
// are read once per tile of Y gathered rows, from L2 if more than one; D is read and written. 3
// flops per row, feature and gathered row: distances_to_rows_kernel_cost(). With one gathered row
// (k-means++) bound by memory. CPU twin: panel_distances in
// cpu/cluster/kmeans_distances.cpp.
template <int Y, class T>
__global__ void distances_to_rows_kernel(Rows<T> rows, const T* __restrict__ gathered, Index tiles,
                                         bool first, T* __restrict__ distance) {
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= rows.count) return;
  const T* const x = rows.panels + row / panel_rows * rows.features * panel_rows + row % panel_rows;
  T least = first ? std::numeric_limits<T>::infinity() : distance[row];
  for (Index tile = 0; tile < tiles; ++tile) {
    const T* const y = gathered + tile * rows.features * Y;
    T sum[Y] = {};
#pragma unroll 4
    for (Index j = 0; j < rows.features; ++j) {
      const T value = x[j * panel_rows];
#pragma unroll
      for (int i = 0; i < Y; ++i) {
        const T difference = value - y[j * Y + i];
        sum[i] = fma(difference, difference, sum[i]);
      }
    }
#pragma unroll
    for (int i = 0; i < Y; ++i) least = fmin(least, sum[i]);
  }
  distance[row] = least;
}

// blocks[b] = Σ w·D: a warp for each sum_block rows. Bound by memory: sum_pulls_kernel_cost(). CPU
// twin: sum_pulls in cpu/cluster/kmeans_draw.cpp.
template <class T>
__global__ void sum_pulls_kernel(Pull<T> pull, Index rows, double* __restrict__ blocks) {
  const Index block = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (block * sum_block >= rows) return;
  const double sum = sum_of_block(block * sum_block, rows, pull);
  if (threadIdx.x % warp_size == 0) blocks[block] = sum;
}

// KMeansSteps::sample. One block of any number of threads: all of them build the levels of the tree
// above the sums of blocks, one synchronisation a level; thread 0 goes down it. All threads bring
// the w·D of that block's rows into shared memory (8 KiB), and thread 0 adds them in order: within
// a block running totals are chains by definition. CPU twin: sample in
// cpu/cluster/kmeans_draw.cpp.
template <class T>
__global__ void sample_kernel(Pull<T> pull, Index rows, double* nodes, Index node_count, double u,
                              Index* chosen_row) {
  __shared__ double values[sum_block];
  __shared__ Index chosen;
  __shared__ double rest;
  const Index blocks = sum_blocks(rows);
  double* below = nodes;
  for (Index count = blocks; count > 1; count = ceil_div<Index>(count, 2)) {
    double* const level = below + count;
    for (Index i = threadIdx.x; 2 * i < count; i += blockDim.x) {
      level[i] = node_above(below, count, i);
    }
    below = level;
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    chosen = block_by_share(nodes, node_count, blocks, u * nodes[node_count - 1], rest);
  }
  __syncthreads();
  const Index first = chosen * sum_block;
  const int here = static_cast<int>(rows - first < sum_block ? rows - first : sum_block);
  for (int i = static_cast<int>(threadIdx.x); i < here; i += static_cast<int>(blockDim.x)) {
    values[i] = pull(first + i);
  }
  __syncthreads();
  if (threadIdx.x != 0) return;
  const Index row = row_by_share(values, here, rest);
  *chosen_row = row < 0 ? -1 : first + row;
}

Shape one_per_thread(CudaEngine& engine, Index count) {
  const unsigned threads = engine.block_threads(128);
  return {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))), .block = dim3(threads)};
}

}  // namespace

template <Real T>
void distances_to_own_centres(CudaEngine& engine, const Rows<T>& rows, const std::int32_t* labels,
                              const Centres<T>& centres, T* distance) {
  engine.launch(own_distances_kernel<T>, one_per_thread(engine, rows.count), rows, labels, centres,
                distance);
}

template <Real T>
void block_costs(CudaEngine& engine, const Rows<T>& rows, const std::int32_t* labels,
                 const double* weights, const Centres<T>& centres, double* partial) {
  engine.launch(block_costs_kernel<T>,
                {.grid = dim3(static_cast<unsigned>(rows.block_count())),
                 .block = dim3(engine.block_threads(256))},
                rows, labels, weights, centres, partial);
}

template <Real T>
void gather_rows(CudaEngine& engine, const Rows<T>& rows, const Index* chosen, Index count,
                 T* gathered) {
  const Index elements = padded_rows(count) * rows.features;
  engine.launch(gather_rows_kernel<T>, one_per_thread(engine, elements), rows, chosen, count,
                count == 1 ? 1 : rows_of_tile, elements, gathered);
}

template <Real T>
void distances_to_rows(CudaEngine& engine, const Rows<T>& rows, const T* gathered, Index count,
                       bool first, T* distance) {
  const Shape shape = one_per_thread(engine, rows.count);
  if (count == 1) {
    engine.launch(distances_to_rows_kernel<1, T>, shape, rows, gathered, Index{1}, first, distance);
  } else {
    engine.launch(distances_to_rows_kernel<rows_of_tile, T>, shape, rows, gathered,
                  padded_rows(count) / rows_of_tile, first, distance);
  }
}

template <Real T>
void sum_pulls(CudaEngine& engine, const Pull<T>& pull, Index rows, double* blocks) {
  const unsigned threads = engine.block_threads(128);
  const Index warps = blocks_for(rows, sum_block);
  engine.launch(sum_pulls_kernel<T>,
                {.grid = dim3(static_cast<unsigned>(blocks_for(warps, threads / warp_size))),
                 .block = dim3(threads)},
                pull, rows, blocks);
}

template <Real T>
void sample(CudaEngine& engine, const Pull<T>& pull, Index rows, double* nodes, double u,
            Index* row) {
  engine.launch(sample_kernel<T>, {.grid = dim3(1), .block = dim3(engine.block_threads(256))}, pull,
                rows, nodes, count_tree_nodes(sum_blocks(rows)), u, row);
}

#define TANDEM_INSTANTIATE(T)                                                                \
  template void distances_to_own_centres(CudaEngine&, const Rows<T>&, const std::int32_t*,   \
                                         const Centres<T>&, T*);                             \
  template void block_costs(CudaEngine&, const Rows<T>&, const std::int32_t*, const double*, \
                            const Centres<T>&, double*);                                     \
  template void gather_rows(CudaEngine&, const Rows<T>&, const Index*, Index, T*);           \
  template void distances_to_rows(CudaEngine&, const Rows<T>&, const T*, Index, bool, T*);   \
  template void sum_pulls(CudaEngine&, const Pull<T>&, Index, double*);                      \
  template void sample(CudaEngine&, const Pull<T>&, Index, double*, double, Index*);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::cuda::kmeans
