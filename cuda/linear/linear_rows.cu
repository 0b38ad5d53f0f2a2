// Packing, drawing, measuring and standardising rows on the GPU.
#include "cuda/linear/linear_rows.cuh"

#include <algorithm>

#include "core/linear/linear_loss.hpp"
#include "cuda/core/long_sum.cuh"
#include "cuda/linear/linear_cost.hpp"

namespace tandem::cuda {
namespace {

using linear::with_one_nan;

// Where a row of the packed form comes from.
struct InOrder {
  __device__ Index operator()(Index i) const { return i; }
};
struct Shuffled {
  RandomPermutation order;
  Index first;
  __device__ Index operator()(Index i) const { return order(first + i); }
};

// Rows of `from` into whole blocks of packed rows, zeros behind them.
//
// Grid: (blocks of rows·32, ceil(d / 32)): a tile of 32 rows × 32 features goes through shared
// memory, read along the features and written along the rows, both coalesced (with few features a
// row is less than a sector, and the tile's rows are one piece of memory only where they are in
// order). Any number of whole warps. Shared memory: 33 elements per row, so that neither way has
// bank conflicts. Two barriers. Bytes: pack_cost(). CPU twin:
// fill_block in cpu/linear/linear_rows.cpp.
template <Real T, class Source>
__global__ void pack_kernel(const T* __restrict__ from_x, Index stride,
                            const T* __restrict__ from_target, const T* __restrict__ from_weights,
                            Source source, Index count, Index features, T* __restrict__ x,
                            T* __restrict__ target, T* __restrict__ weights) {
  constexpr int side = 32;
  __shared__ T tile[side][side + 1];
  __shared__ Index source_of[side];
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int warp = static_cast<int>(threadIdx.x / warp_size);
  const int warps = static_cast<int>(blockDim.x / warp_size);
  const Index first_row = static_cast<Index>(blockIdx.x) * side;
  const Index first_feature = static_cast<Index>(blockIdx.y) * side;
  const Index row = first_row + lane;
  if (warp == 0) {
    source_of[lane] = row < count ? source(row) : -1;
    if (blockIdx.y == 0) {
      const Index at = source_of[lane];
      if (target != nullptr && (at < 0 || from_target != nullptr)) {
        target[row] = at < 0 ? T{0} : from_target[at];
      }
      if (weights != nullptr && (at < 0 || from_weights != nullptr)) {
        weights[row] = at < 0 ? T{0} : from_weights[at];
      }
    }
  }
  __syncthreads();
  for (int i = warp; i < side; i += warps) {
    const Index j = first_feature + lane;
    tile[i][lane] = source_of[i] >= 0 && j < features ? from_x[source_of[i] * stride + j] : T{0};
  }
  __syncthreads();
  for (int c = warp; c < side; c += warps) {
    const Index j = first_feature + c;
    if (j < features) {
      x[(row / sum_block * features + j) * packed_stride + row % sum_block] = tile[lane][c];
    }
  }
}

// Sums of w·(x − centre), or of its square, of each feature, the target and, as column d + 1, of
// the weights themselves, per block of rows: partial, blocks × (d + 2).
//
// Grid: (ceil((d + 2) / warps), blocks of rows), a warp per column. Reads each column once and the
// weights once per column, from the first-level cache for all but one warp. Bytes and flops of both
// launches: moments_cost(). CPU twin: MomentBlock in
// cpu/linear/linear_rows.cpp.
template <Real T>
__global__ void __launch_bounds__(1024)
    moments_kernel(Rows<T> in, const double* __restrict__ centre, bool squares,
                   double* __restrict__ partial) {
  const Index j =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  const Index block = blockIdx.y;
  if (j > in.features + 1) return;
  const Index rows = rows_of_block(in.rows, block);
  const T* weights = in.weights == nullptr ? nullptr : in.weights + block * sum_block;
  double sum;
  if (j == in.features + 1) {
    sum = sum_of_block(0, rows, [&](Index i) {
      return weights == nullptr ? 1.0 : static_cast<double>(weights[i]) - 0.0;
    });
  } else {
    const T* x = j < in.features ? in.x + (block * in.features + j) * packed_stride
                                 : in.target + block * sum_block;
    const double middle = squares ? centre[j] : 0.0;
    sum = sum_of_block(0, rows, [&](Index i) {
      double term = static_cast<double>(x[i]) - middle;
      if (squares) term = term * term;
      return weights == nullptr ? term : static_cast<double>(weights[i]) * term;
    });
  }
  if (threadIdx.x % warp_size == 0) partial[block * (in.features + 2) + j] = sum;
}

// Means, or deviations, from the sums of all blocks. One thread per column.
__global__ void finish_moments_kernel(const double* __restrict__ sums, Index features, bool squares,
                                      double* __restrict__ moments) {
  const Index j = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j > features) return;
  const double mean = with_one_nan(sums[j] / sums[features + 1]);
  moments[squares ? features + 1 + j : j] = squares ? with_one_nan(math::sqrt(mean)) : mean;
  if (j == 0) moments[2 * features + 2] = with_one_nan(sums[features + 1]);
}

// x ← (x − centre)·factor, and the target as column d.
//
// Grid: (blocks of rows, up to d + 1 columns), any number of threads. Reads and writes every
// element once, coalesced. CPU twin: standardise_rows.
template <Real T>
__global__ void standardise_kernel(const double* __restrict__ centre,
                                   const double* __restrict__ factor, Index rows, Index features,
                                   T* __restrict__ x, T* __restrict__ target) {
  const Index block = blockIdx.x;
  const Index count = rows_of_block(rows, block);
  for (Index j = blockIdx.y; j <= features; j += gridDim.y) {
    const double middle = centre[j];
    const double scale = factor[j];
    T* column =
        j < features ? x + (block * features + j) * packed_stride : target + block * sum_block;
    for (Index i = threadIdx.x; i < count; i += blockDim.x) {
      column[i] = with_one_nan(static_cast<T>((static_cast<double>(column[i]) - middle) * scale));
    }
  }
}

// Rows that stand on the host are next read by copies of another stream.
template <Real T>
void finish_on_host(CudaEngine& engine, const PackedRows<T>& rows) {
  if (!engine.on_device(rows.x.data())) engine.wait();
}

template <Real T, class Source>
void fill(CudaEngine& engine, const RowsView<T>& from, const Source& source, Index count,
          Index first_block, PackedRows<T>& to) {
  const Index d = to.features;
  const Index blocks = PackedRows<T>::blocks(count);
  const auto at = [&](Buffer<T>& buffer) {
    return buffer.empty() ? nullptr : buffer.data() + first_block * sum_block;
  };
  engine.launch(pack_kernel<T, Source>,
                {.grid = dim3(whole(blocks * (sum_block / 32)), whole(blocks_for(d, 32))),
                 .block = dim3(engine.block_threads(256))},
                from.x, from.stride, from.target, from.weights, source, count, d,
                to.x.data() + first_block * d * packed_stride, at(to.target), at(to.weights));
  finish_on_host(engine, to);
}

}  // namespace

template <Real T>
void pack_rows(CudaEngine& engine, const RowsView<T>& from, Index count, Index at,
               PackedRows<T>& to) {
  fill(engine, from, InOrder{}, count, at / sum_block, to);
}

template <Real T>
void gather_rows(CudaEngine& engine, const RowsView<T>& from, const RandomPermutation& order,
                 Index first, Index count, PackedRows<T>& batch) {
  batch.rows = count;
  fill(engine, from, Shuffled{order, first}, count, 0, batch);
}

template <Real T>
void moments_of_rows(PackedChunks<T>& chunks, const PackedRows<T>& rows, Buffer<double>& moments) {
  CudaEngine& engine = chunks.engine();
  const Index d = rows.features;
  const Index columns = d + 2;
  const unsigned threads = engine.block_threads(256);
  for (const bool squares : {false, true}) {
    const double* sums = chunks.sums(
        rows, columns, 0, most_grid_y, 0, [&](const Rows<T>& in, Index blocks, double* partial) {
          engine.launch(
              moments_kernel<T>,
              {.grid = dim3(whole(blocks_for(columns, threads / warp_size)), whole(blocks)),
               .block = dim3(threads)},
              in, moments.data(), squares, partial);
        });
    engine.launch(finish_moments_kernel,
                  {.grid = dim3(whole(blocks_for(d + 1, threads))), .block = dim3(threads)}, sums,
                  d, squares, moments.data());
  }
}

template <Real T>
void standardise_rows(CudaEngine& engine, const Buffer<double>& centre,
                      const Buffer<double>& factor, PackedRows<T>& rows) {
  engine.launch(standardise_kernel<T>,
                {.grid = dim3(whole(PackedRows<T>::blocks(rows.rows)),
                              whole(std::min(most_grid_y, rows.features + 1))),
                 .block = dim3(engine.block_threads(256))},
                centre.data(), factor.data(), rows.rows, rows.features, rows.x.data(),
                rows.target.data());
  finish_on_host(engine, rows);
}

template void pack_rows(CudaEngine&, const RowsView<float>&, Index, Index, PackedRows<float>&);
template void pack_rows(CudaEngine&, const RowsView<double>&, Index, Index, PackedRows<double>&);
template void gather_rows(CudaEngine&, const RowsView<float>&, const RandomPermutation&, Index,
                          Index, PackedRows<float>&);
template void gather_rows(CudaEngine&, const RowsView<double>&, const RandomPermutation&, Index,
                          Index, PackedRows<double>&);
template void moments_of_rows(PackedChunks<float>&, const PackedRows<float>&, Buffer<double>&);
template void moments_of_rows(PackedChunks<double>&, const PackedRows<double>&, Buffer<double>&);
template void standardise_rows(CudaEngine&, const Buffer<double>&, const Buffer<double>&,
                               PackedRows<float>&);
template void standardise_rows(CudaEngine&, const Buffer<double>&, const Buffer<double>&,
                               PackedRows<double>&);

}  // namespace tandem::cuda
