// Sums of the rows of each centre, in 64-bit fixed point, and the next centres from them.
#include <algorithm>

#include "cuda/cluster/kmeans.cuh"

namespace tandem::cuda::kmeans {
namespace {

__device__ unsigned long long as_unsigned(std::int64_t value) {
  return static_cast<unsigned long long>(value);
}
__device__ double as_double(unsigned long long sum) {
  return static_cast<double>(static_cast<long long>(sum));
}

// Features that a warp takes at a time: as many as there are, up to 32 (double: 16), as a power of
// two, so that G = 32 / `width` rows go on side by side.
template <class T>
constexpr int widest = sizeof(T) == 4 ? 32 : 16;
constexpr int pitch = 33;

// Rows whose label changed go from the sums of one centre to those of another.
//
// Grid: any number of blocks of W warps; a warp takes every (blocks · W)-th panel. A panel without
// a changed row costs its labels only. Of another, tiles of 32 rows × `width` features go through
// the warp's part of shared memory (read by rows, used by features: pitch 33, no conflicts), so
// that a lane has one feature and walks over the changed rows: what the lanes of a warp add goes to
// consecutive addresses, and two lanes meet at one only where `width` < 32 and two of the G rows
// have the same centre.
//
// Sums: where centres · features sums fit into shared memory beside the tiles, each block has sums
// of its own there and adds them to the global ones at its end; else atomics go to global memory,
// where the L2 cache adds. All are integers: the order cannot show. Synchronisation: warps of their
// own, and twice per block for the private sums.
//
// Bytes and flops: move_sums_kernel_cost(): 8 bytes per row for labels, the panels with a changed
// row; atomics are in shared memory or, as a rule, in the cache. CPU twin: label_row and
// move_row_sums in cpu/cluster/kmeans_sums-inl.hpp.
template <bool private_sums, class T>
__global__ void __launch_bounds__(256, 1)
    move_sums_kernel(Rows<T> rows, const double* __restrict__ weights,
                     const std::int32_t* __restrict__ from, const std::int32_t* __restrict__ to,
                     Index centres, Sums sums, int width, unsigned long long* changed) {
  extern __shared__ __align__(16) unsigned char memory[];
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int warp = static_cast<int>(threadIdx.x / warp_size);
  const int warps = static_cast<int>(blockDim.x / warp_size);
  const Index features = rows.features;
  const Index panels = (rows.count + panel_rows - 1) / panel_rows;
  const Index per_block = centres * (features + 2);
  auto* const block_sums = reinterpret_cast<unsigned long long*>(memory);
  T* const tile =
      reinterpret_cast<T*>(block_sums + (private_sums ? per_block : 0)) + warp * width * pitch;
  if constexpr (private_sums) {
    for (Index i = threadIdx.x; i < per_block; i += blockDim.x) block_sums[i] = 0;
    __syncthreads();
  }
  unsigned long long* const values = private_sums ? block_sums : sums.values;
  unsigned long long* const weight_sums =
      private_sums ? block_sums + centres * features : sums.weights;
  unsigned long long* const counts =
      private_sums ? block_sums + centres * (features + 1) : sums.counts;

  const int own_feature = lane % width;
  const int first_row = lane / width * width;  // of `width` rows: 32 / G = width
  const unsigned group_mask = all_lanes >> (32 - width);
  unsigned long long moved = 0;
  for (Index panel = static_cast<Index>(blockIdx.x) * warps + warp; panel < panels;
       panel += static_cast<Index>(gridDim.x) * warps) {
    const Index row = panel * panel_rows + lane;
    const bool present = row < rows.count;
    const std::int32_t old_label = present ? from[row] : -1;
    const std::int32_t new_label = present ? to[row] : -1;
    const bool differs = old_label != new_label;
    moved += static_cast<unsigned>(__popc(__ballot_sync(all_lanes, differs)));
    const double weight = weights != nullptr && present ? weights[row] : 1.0;
    const bool counts_for_something = differs && weight > 0;
    const unsigned mask = __ballot_sync(all_lanes, counts_for_something);
    if (mask == 0) continue;
    if (counts_for_something) {
      const unsigned long long units = as_unsigned(fixed_units(weight, sums.weight_scale));
      if (new_label >= 0) {
        atomicAdd(counts + new_label, 1ULL);
        if (weights != nullptr) atomicAdd(weight_sums + new_label, units);
      }
      if (old_label >= 0) {
        atomicAdd(counts + old_label, ~0ULL);
        if (weights != nullptr) atomicAdd(weight_sums + old_label, 0ULL - units);
      }
    }
    for (Index f0 = 0; f0 < features; f0 += width) {
      const int here = static_cast<int>(features - f0 < width ? features - f0 : width);
      const T* const elements = rows.panels + (panel * features + f0) * panel_rows + lane;
      for (int f = 0; f < here; ++f) tile[f * pitch + lane] = elements[f * panel_rows];
      __syncwarp();
      const bool has_feature = own_feature < here;
      const double scale = has_feature ? sums.scales[f0 + own_feature] : 0.0;
      // The rows of the lane's group whose label changed, a bit each.
      unsigned left = has_feature ? mask >> first_row & group_mask : 0;
      while (__any_sync(all_lanes, left != 0)) {
        const int r = first_row + (left != 0 ? __ffs(static_cast<int>(left)) - 1 : 0);
        const std::int32_t old_of_row = __shfl_sync(all_lanes, old_label, r);
        const std::int32_t new_of_row = __shfl_sync(all_lanes, new_label, r);
        const double weight_of_row = weights != nullptr ? __shfl_sync(all_lanes, weight, r) : 1.0;
        if (left == 0) continue;
        left &= left - 1;
        const double value = weight_of_row * static_cast<double>(tile[own_feature * pitch + r]);
        const unsigned long long units = as_unsigned(fixed_units(value, scale));
        const Index feature = f0 + own_feature;
        if (new_of_row >= 0) atomicAdd(values + new_of_row * features + feature, units);
        if (old_of_row >= 0) atomicAdd(values + old_of_row * features + feature, 0ULL - units);
      }
      __syncwarp();
    }
  }
  if (lane == 0 && moved != 0) atomicAdd(changed, moved);
  if constexpr (!private_sums) return;
  __syncthreads();
  const Index coordinates = centres * features;
  for (Index i = threadIdx.x; i < per_block; i += blockDim.x) {
    if (block_sums[i] == 0) continue;
    unsigned long long* const target = i < coordinates ? sums.values + i
                                       : i < coordinates + centres
                                           ? sums.weights + (i - coordinates)
                                           : sums.counts + (i - coordinates - centres);
    atomicAdd(target, block_sums[i]);
  }
}

// One row, one block; a feature per thread. The panels may stand in the host's pinned memory. CPU
// twin: move_row in cpu/cluster/kmeans_sums.cpp.
template <class T>
__global__ void move_row_kernel(Rows<T> rows, const double* weights, Index row, std::int32_t to,
                                std::int32_t* labels, Sums sums) {
  const std::int32_t from = labels[row];
  const double weight = weights != nullptr ? weights[row] : 1.0;
  __syncthreads();
  if (threadIdx.x == 0) labels[row] = to;
  if (!(weight > 0)) return;
  if (threadIdx.x == 0) {
    const unsigned long long units = as_unsigned(fixed_units(weight, sums.weight_scale));
    sums.counts[to] += 1;
    if (weights != nullptr) sums.weights[to] += units;
    if (from >= 0) {
      sums.counts[from] -= 1;
      if (weights != nullptr) sums.weights[from] -= units;
    }
  }
  const T* const elements =
      rows.panels + row / panel_rows * rows.features * panel_rows + row % panel_rows;
  for (Index j = threadIdx.x; j < rows.features; j += blockDim.x) {
    double value = static_cast<double>(elements[j * panel_rows]);
    if (weights != nullptr) value = weight * value;
    const unsigned long long units = as_unsigned(fixed_units(value, sums.scales[j]));
    sums.values[to * rows.features + j] += units;
    if (from >= 0) sums.values[from * rows.features + j] -= units;
  }
}

// next = S / W, and the three long sums over the coordinates of the centres that recentre tells.
//
// Grid: a warp for each sum_block of the k·d coordinates, consecutive in centres, next and sums. No
// shared memory, no synchronisation. Bytes and flops: recentre_kernel_cost(). CPU
// twin: recentre in cpu/cluster/kmeans_sums.cpp.
template <class T>
__global__ void recentre_kernel(const T* __restrict__ centres, const T* __restrict__ origin,
                                Index coordinates, Index features, Sums sums, T* __restrict__ next,
                                double* __restrict__ partial) {
  const Index block = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  const Index first = block * sum_block;
  if (first >= coordinates) return;
  const Index end = first + sum_block < coordinates ? first + sum_block : coordinates;
  const Index lane = threadIdx.x % warp_size;
  double shift_squared = 0;
  double terms = 0;
  double magnitude = 0;
  for (Index at = first + lane; at < end; at += sum_lanes) {
    const Index c = at / features;
    const Index j = at % features;
    const unsigned long long count = sums.counts[c];
    const double weight =
        sums.weights != nullptr ? as_double(sums.weights[c]) * sums.weight_unit : as_double(count);
    const double sum = as_double(sums.values[at]) * sums.units[j];
    const T old = centres[at];
    const T mean =
        count == 0 ? old : centre_coordinate<T>(static_cast<double>(origin[j]), sum, weight);
    next[at] = mean;
    const double shift = static_cast<double>(mean) - static_cast<double>(old);
    shift_squared += shift * shift;
    const T moved_centre = old - origin[j];
    terms += cost_term(static_cast<double>(moved_centre), sum, weight);
    magnitude += cost_magnitude(static_cast<double>(moved_centre), sum, weight);
  }
  shift_squared = add_lanes_of_warp(shift_squared);
  terms = add_lanes_of_warp(terms);
  magnitude = add_lanes_of_warp(magnitude);
  if (lane == 0) {
    partial[3 * block] = shift_squared;
    partial[3 * block + 1] = terms;
    partial[3 * block + 2] = magnitude;
  }
}

// errors[j] = cost_fixed_error of a feature, from the largest |c'_j|.
//
// Grid: ceil(d / block) blocks, one feature per thread: loads are coalesced. Reads k·d elements.
template <class T>
__global__ void feature_errors_kernel(const T* __restrict__ centres, const T* __restrict__ origin,
                                      Index count, Index features, Index rows,
                                      const double* __restrict__ units,
                                      double* __restrict__ errors) {
  const Index j = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= features) return;
  double most = 0;
#pragma unroll 4
  for (Index c = 0; c < count; ++c) {
    const T moved = centres[c * features + j] - origin[j];
    most = fmax(most, fabs(static_cast<double>(moved)));
  }
  errors[j] = cost_fixed_error(most, rows, units[j]);
}

// Everything of size one. A single block of any number of warps: the trees over the three sums of
// blocks of coordinates, and the long sum over features, are a warp's each, which takes 32 blocks
// at a time. k·d / 1024 loads: no time beside a pass over the rows.
__global__ void totals_kernel(const double* __restrict__ partial, Index blocks,
                              const double* __restrict__ errors, Index features,
                              const unsigned long long* __restrict__ counts, Index centres,
                              const unsigned long long* __restrict__ changed,
                              DeviceTotals* totals) {
  __shared__ unsigned long long empty;
  if (threadIdx.x == 0) empty = 0;
  __syncthreads();
  unsigned long long own = 0;
  for (Index c = threadIdx.x; c < centres; c += blockDim.x) own += counts[c] == 0 ? 1 : 0;
  if (own != 0) atomicAdd(&empty, own);
  __syncthreads();
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int warps = static_cast<int>(blockDim.x / warp_size);
  for (int part = static_cast<int>(threadIdx.x / warp_size); part < 4; part += warps) {
    WarpSumTree tree;
    if (part < 3) {
      for (Index first = 0; first < blocks; first += warp_size) {
        const Index here = blocks - first < warp_size ? blocks - first : warp_size;
        const double of_block = lane < here ? partial[3 * (first + lane) + part] : 0.0;
        tree.add(__shfl_sync(all_lanes, add_nodes_of_warp(of_block, here), 0));
      }
    } else {
      for (Index first = 0; first < features; first += sum_block) {
        const double sum = sum_of_block(first, features, [&](Index j) { return errors[j]; });
        tree.add(__shfl_sync(all_lanes, sum, 0));
      }
    }
    const double sum = tree.total();
    if (lane == 0) {
      double* const to = part == 0   ? &totals->shift_squared
                         : part == 1 ? &totals->cost_terms
                         : part == 2 ? &totals->magnitude
                                     : &totals->fixed_error;
      *to = sum;
    }
  }
  if (threadIdx.x == 0) {
    totals->empty = empty;
    totals->changed = *changed;
  }
}

}  // namespace

template <Real T>
void move_sums(CudaEngine& engine, const Rows<T>& rows, const double* weights,
               const std::int32_t* from, const std::int32_t* to, Index centres, const Sums& sums,
               unsigned long long* changed) {
  constexpr std::size_t most_shared = std::size_t{48} << 10;
  const unsigned threads = std::min(engine.block_threads(128), 256U);
  const Index warps = threads / warp_size;
  int width = 1;
  while (width < widest<T> && width < rows.features) width *= 2;
  const std::size_t tiles = static_cast<std::size_t>(warps * width * pitch) * sizeof(T);
  const auto sums_bytes = static_cast<std::size_t>(centres * (rows.features + 2)) * 8;
  const bool private_sums = sums_bytes + tiles <= most_shared;
  // Blocks that keep the device busy, and no more: each has sums to hand over.
  const Index panels = rows.panel_count();
  const Index blocks =
      std::min(blocks_for(panels, warps), Index{8} * engine.properties().multiProcessorCount);
  engine.launch(private_sums ? move_sums_kernel<true, T> : move_sums_kernel<false, T>,
                {.grid = dim3(static_cast<unsigned>(blocks)),
                 .block = dim3(threads),
                 .shared_bytes = tiles + (private_sums ? sums_bytes : 0)},
                rows, weights, from, to, centres, sums, width, changed);
}

template <Real T>
void move_row(CudaEngine& engine, const Rows<T>& rows, const double* weights, Index row,
              std::int32_t to, std::int32_t* labels, const Sums& sums) {
  engine.launch(move_row_kernel<T>, {.grid = dim3(1), .block = dim3(engine.block_threads(128))},
                rows, weights, row, to, labels, sums);
}

template <Real T>
void recentre(CudaEngine& engine, const T* centres, const T* origin, Index count, Index features,
              Index rows, const Sums& sums, const unsigned long long* changed, T* next,
              double* partial, double* errors, DeviceTotals* totals) {
  const unsigned threads = engine.block_threads(128);
  const Index blocks = blocks_for(count * features, sum_block);
  engine.launch(recentre_kernel<T>,
                {.grid = dim3(static_cast<unsigned>(blocks_for(blocks, threads / warp_size))),
                 .block = dim3(threads)},
                centres, origin, count * features, features, sums, next, partial);
  engine.launch(
      feature_errors_kernel<T>,
      {.grid = dim3(static_cast<unsigned>(blocks_for(features, threads))), .block = dim3(threads)},
      centres, origin, count, features, rows, sums.units, errors);
  engine.launch(totals_kernel, {.grid = dim3(1), .block = dim3(threads)}, partial, blocks, errors,
                features, sums.counts, count, changed, totals);
}

#define TANDEM_INSTANTIATE(T)                                                               \
  template void move_sums(CudaEngine&, const Rows<T>&, const double*, const std::int32_t*,  \
                          const std::int32_t*, Index, const Sums&, unsigned long long*);    \
  template void move_row(CudaEngine&, const Rows<T>&, const double*, Index, std::int32_t,   \
                         std::int32_t*, const Sums&);                                       \
  template void recentre(CudaEngine&, const T*, const T*, Index, Index, Index, const Sums&, \
                         const unsigned long long*, T*, double*, double*, DeviceTotals*);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem::cuda::kmeans
