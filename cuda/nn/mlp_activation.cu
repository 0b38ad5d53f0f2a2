// Activations of hidden layers, dropout, and the way back through both and through a bias.
#include <algorithm>
#include <stdexcept>

#include "core/nn/mlp_functions.hpp"
#include "cuda/nn/mlp.cuh"
#include "tandem/core/math.hpp"

namespace tandem::cuda::mlp {
namespace {

// --- the way back

// d ← d ∘ slope, a vector per thread. Grid: ceil(count / (block·vector)) blocks. No shared memory.
// Bytes and flops: mlp_activation_gradient_cost with db false. CPU twin: ActivationGradient in
// cpu/nn/mlp_activation.cpp.
template <Real T>
__global__ void __launch_bounds__(most_threads)
    multiply_by_slope_kernel(Index count, const T* __restrict__ slope, T* __restrict__ d,
                             bool whole_vectors) {
  const Index at = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) * vector_size<T>;
  if (at >= count) return;
  const Index n = count - at;
  const bool whole = whole_vectors && n >= vector_size<T>;
  Vector<T> v = load(d + at, whole, n);
  const Vector<T> s = load(slope + at, whole, n);
#pragma unroll
  for (int k = 0; k < vector_size<T>; ++k) v.at[k] = v.at[k] * s.at[k];
  store(d + at, v, whole, n);
}

// d ← d ∘ slope where `sloped`, and db_j = Σ_r d(r, j) by micro-batches: a chain of additions over
// each 32 rows, and their tree (core/linalg/micro_batch.hpp).
//
// A block has 32 columns, or all of a narrower matrix. It goes over tiles of sum_tile_rows rows,
// two micro-batches: all threads load a tile, eight elements each before the first is used, write
// the products back and into shared memory; after a barrier thread j of warp l adds column j of the
// tile's micro-batch l, while the others load the next tile into the other half of the shared
// memory. After the next barrier thread j of the first warp adds both chains' sums, a node of the
// tree's first level, to the roots of column j. One barrier per tile.
//
// Grid: ceil(width / 32) blocks of up to 16 warps. Shared memory: two tiles, twice two sums per
// column, and the roots of any number of rows: 24 KiB for float, 47 KiB for double. Reads and
// writes along rows are coalesced: a warp has 32 consecutive elements, of one row, or, where the
// matrix is narrower than a warp, of as many rows as that takes. No bank conflicts. Bytes and
// flops: mlp_activation_gradient_cost. CPU twin: ActivationGradient in cpu/nn/mlp_activation.cpp.
constexpr int sum_tile_rows = 2 * static_cast<int>(micro_batch);
constexpr int sum_ahead = 8;
constexpr unsigned sum_most_threads = 512;

template <Real T, bool sloped>
__global__ void __launch_bounds__(sum_most_threads)
    activation_gradient_kernel(Index rows, Index width, const T* slope, T* d, T* db) {
  __shared__ T tiles[2][sum_tile_rows * warp_size];
  __shared__ T chains[2][2][warp_size];
  __shared__ T roots[(max_micro_batch_levels - 1) * warp_size];
  const Index first_column = static_cast<Index>(blockIdx.x) * warp_size;
  const auto columns =
      static_cast<unsigned>(width - first_column < warp_size ? width - first_column : warp_size);
  // All of a narrow matrix's elements are consecutive: a tile is as one row.
  const bool narrow = width < warp_size;
  const unsigned stride = narrow ? columns : warp_size;  // of a tile's rows
  const unsigned lane = threadIdx.x % warp_size;
  const unsigned warp = threadIdx.x / warp_size;
  // Thread j of the first warp: the node of tile number `node`, whose chains are in that half.
  const auto add_node = [&](Index node, unsigned half, bool both) {
    const T left = chains[half][0][lane];
    add_leaf(roots + lane, warp_size, node, both ? left + chains[half][1][lane] : left);
  };
  unsigned half = 0;
  Index tiles_done = 0;
  bool both = false;
  for (Index begin = 0; begin < rows; begin += sum_tile_rows, half = 1 - half) {
    T* tile = tiles[half];
    const auto tile_rows =
        static_cast<unsigned>(rows - begin < sum_tile_rows ? rows - begin : sum_tile_rows);
    // Element i of the tile that a thread has: consecutive ones for the threads of a warp.
    const unsigned elements = tile_rows * stride;
    const unsigned first = narrow ? threadIdx.x : warp * (sum_ahead * warp_size) + lane;
    const unsigned apart = narrow ? blockDim.x : warp_size;
    const T* from = d + begin * width + first_column;
    for (unsigned at = first; at < elements; at += blockDim.x * sum_ahead) {
      T values[sum_ahead];
      T slopes[sum_ahead];
      Index offsets[sum_ahead];
#pragma unroll
      for (int k = 0; k < sum_ahead; ++k) {
        const unsigned i = at + static_cast<unsigned>(k) * apart;
        // In a wide tile, i = row·32 + column.
        offsets[k] = narrow ? Index{i} : Index{i / warp_size} * width + lane;
        if (i < elements && (narrow || lane < columns)) {
          values[k] = from[offsets[k]];
          if constexpr (sloped) slopes[k] = slope[begin * width + first_column + offsets[k]];
        }
      }
#pragma unroll
      for (int k = 0; k < sum_ahead; ++k) {
        const unsigned i = at + static_cast<unsigned>(k) * apart;
        if (i < elements && (narrow || lane < columns)) {
          if constexpr (sloped) {
            values[k] = values[k] * slopes[k];
            d[begin * width + first_column + offsets[k]] = values[k];
          }
          tile[i] = values[k];
        }
      }
    }
    __syncthreads();
    if (lane < columns) {
      if (warp == 0 && tiles_done > 0) add_node(tiles_done - 1, 1 - half, true);
      for (unsigned l = warp; l < 2; l += blockDim.x / warp_size) {
        const unsigned from_row = l * static_cast<unsigned>(micro_batch);
        const unsigned past = min(tile_rows, from_row + static_cast<unsigned>(micro_batch));
        T sum = 0;
#pragma unroll 8
        for (unsigned r = from_row; r < past; ++r) sum = sum + tile[r * stride + lane];
        chains[half][l][lane] = sum;
      }
    }
    both = tile_rows > micro_batch;
    ++tiles_done;
  }
  __syncthreads();
  if (warp == 0 && lane < columns) {
    if (tiles_done > 0) add_node(tiles_done - 1, 1 - half, both);
    db[first_column + lane] = sum_of_leaves(roots + lane, warp_size, tiles_done);
  }
}

// --- activations

// MlpDropout with what does not depend on the element worked out. `first` is a multiple of four, so
// that the four elements 4q .. 4q + 3 are the four words of block (first + 4q) / 4.
template <Real T>
struct DropoutDraw {
  bool drops = false;
  std::uint32_t threshold = 0;
  std::uint64_t seed = 0;
  std::uint64_t high = 0;
  std::uint64_t first = 0;
  T scale = 1;
};

// The factors 0 or scale of the elements element .. element + 3 or + 1, element being a multiple of
// their number: all from one block of random numbers.
template <Real T>
__device__ Vector<T> dropout_factors(const DropoutDraw<T>& draw, Index element) {
  const std::uint64_t at = draw.first + static_cast<std::uint64_t>(element);
  const Philox4x32 block = philox4x32(draw.seed, at >> 2, draw.high);
  Vector<T> factors;
#pragma unroll
  for (int k = 0; k < vector_size<T>; ++k) {
    std::uint32_t word = block.word[k];
    if constexpr (vector_size<T> == 2) word = (at & 2) != 0 ? block.word[2 + k] : word;
    factors.at[k] = word < draw.threshold ? T{0} : draw.scale;
  }
  return factors;
}

// a and slope from z: bias or scale and shift, activation, its derivative and dropout in one pass.
// A vector of consecutive elements per thread, which may reach into the next row. z may be a.
//
// Grid: ceil(count / (block·vector)) blocks. No shared memory, no synchronisation. Everything is
// coalesced where the width is a multiple of the vector; else scale and shift are read element by
// element, from the first-level cache. `whole_vectors`: all addresses are multiples of 16;
// `whole_columns`: those of scale and shift are and the width is a multiple of the vector. Bytes
// and flops: mlp_activate_cost; bound by memory but for erf in double. CPU twin: ActivateRowsOf in
// cpu/nn/mlp_activation.cpp.
template <Activation activation, Real T>
__global__ void __launch_bounds__(most_threads)
    activate_kernel(Index count, Index width, const T* __restrict__ scale,
                    const T* __restrict__ shift, DropoutDraw<T> draw, const T* z, T* a, T* slope,
                    bool whole_vectors, bool whole_columns) {
  const Index at = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) * vector_size<T>;
  if (at >= count) return;
  const Index n = count - at;
  const bool whole = whole_vectors && n >= vector_size<T>;
  Vector<T> u = load(z + at, whole, n);
  const Index column = column_of(at, width);
  if (whole_columns) {
    const Vector<T> t = load(shift + column, true, 0);
    Vector<T> s{};
    if (scale != nullptr) s = load(scale + column, true, 0);
#pragma unroll
    for (int k = 0; k < vector_size<T>; ++k) {
      u.at[k] = scale != nullptr ? math::fma(s.at[k], u.at[k], t.at[k]) : u.at[k] + t.at[k];
    }
  } else {
    Index j = column;
#pragma unroll
    for (int k = 0; k < vector_size<T>; ++k) {
      const T t = shift[j];
      u.at[k] = scale != nullptr ? math::fma(scale[j], u.at[k], t) : u.at[k] + t;
      if (++j == width) j = 0;
    }
  }
  Vector<T> slopes{};
#pragma unroll
  for (int k = 0; k < vector_size<T>; ++k) {
    u.at[k] =
        nn::activation_of<activation>(nn::Scalar<T>{}, u.at[k], slope != nullptr, slopes.at[k]);
  }
  if (draw.drops) {
    const Vector<T> factors = dropout_factors(draw, at);
#pragma unroll
    for (int k = 0; k < vector_size<T>; ++k) {
      u.at[k] = u.at[k] * factors.at[k];
      slopes.at[k] = slopes.at[k] * factors.at[k];
    }
  }
  store(a + at, u, whole, n);
  if (slope != nullptr) store(slope + at, slopes, whole, n);
}

}  // namespace

template <Real T>
void activate(CudaEngine& engine, Activation activation, Index rows, Index width, const T* scale,
              const T* shift, const MlpDropout& dropout, const T* z, T* a, T* slope) {
  if (dropout.first() % 4 != 0) {
    throw std::logic_error("the capacity of a dropout is no multiple of 4");
  }
  DropoutDraw<T> draw;
  draw.drops = dropout.rate > 0;
  draw.threshold = dropout.threshold();
  draw.seed = dropout.seed;
  draw.high = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(Purpose::dropout)) << 32) |
              dropout.layer;
  draw.first = dropout.first();
  draw.scale = static_cast<T>(dropout.scale());
  const auto launch = [&](auto* kernel) {
    const unsigned threads = engine.block_threads(256);
    engine.launch(kernel,
                  {.grid = grid_of(rows * width, threads * vector_size<T>), .block = threads},
                  rows * width, width, scale, shift, draw, z, a, slope, aligned(z, a, slope),
                  width % vector_size<T> == 0 && aligned(scale, shift));
  };
  switch (activation) {
    case Activation::sigmoid: return launch(activate_kernel<Activation::sigmoid, T>);
    case Activation::tanh: return launch(activate_kernel<Activation::tanh, T>);
    case Activation::relu: return launch(activate_kernel<Activation::relu, T>);
    case Activation::gelu: return launch(activate_kernel<Activation::gelu, T>);
  }
}

template <Real T>
void activation_gradient(CudaEngine& engine, Index rows, Index width, const T* slope, T* d, T* db) {
  if (width == 0) return;
  if (db == nullptr) {
    if (slope == nullptr) return;
    const unsigned threads = engine.block_threads(256);
    engine.launch(multiply_by_slope_kernel<T>,
                  {.grid = grid_of(rows * width, threads * vector_size<T>), .block = threads},
                  rows * width, slope, d, aligned(slope, d));
    return;
  }
  const unsigned threads = std::min(engine.block_threads(256), sum_most_threads);
  engine.launch(
      slope != nullptr ? activation_gradient_kernel<T, true> : activation_gradient_kernel<T, false>,
      {.grid = grid_of(width, warp_size), .block = threads}, rows, width, slope, d, db);
}

template void activate(CudaEngine&, Activation, Index, Index, const float*, const float*,
                       const MlpDropout&, const float*, float*, float*);
template void activate(CudaEngine&, Activation, Index, Index, const double*, const double*,
                       const MlpDropout&, const double*, double*, double*);
template void activation_gradient(CudaEngine&, Index, Index, const float*, float*, float*);
template void activation_gradient(CudaEngine&, Index, Index, const double*, double*, double*);

}  // namespace tandem::cuda::mlp
