// The multi-layer perceptron's steps on the GPU, apart from matrix products.
//
// What the kernels have in common: no result depends on the number of threads of a block; sizes and
// widths are any, bounded by the memory; every operation rounds as core/nn/mlp_steps.hpp says, in
// its order, so that two runs and the CPU give the same bits. Which NaN stands for an invalid
// operation is the processor's affair and not fixed. Bytes and flops are the functions mlp_*_cost
// there.
#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <stdexcept>
#include <utility>

#include "core/nn/mlp_steps.hpp"
#include "core/steps.hpp"
#include "cuda/core/check.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "tandem/core/buffer.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// --- vectors of 16 bytes
// --------------------------------------------------------------------------------

constexpr std::size_t vector_bytes = 16;

// Elements that one memory access of 16 bytes moves: four floats or two doubles.
template <class T>
constexpr int vector_size = static_cast<int>(vector_bytes / sizeof(T));

template <class T>
struct alignas(vector_bytes) Vector {
  T at[vector_size<T>];
};

template <class... P>
[[nodiscard]] bool aligned(const P*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % vector_bytes == 0) && ...);
}

// The first `count` elements of a vector; `whole` where all of them are, at an aligned address.
template <class T>
__device__ Vector<T> load(const T* from, bool whole, Index count) {
  Vector<T> v{};
  if (whole) {
    v = *reinterpret_cast<const Vector<T>*>(from);
  } else {
#pragma unroll
    for (int k = 0; k < vector_size<T>; ++k) {
      if (k < count) v.at[k] = from[k];
    }
  }
  return v;
}
template <class T>
__device__ void store(T* to, const Vector<T>& v, bool whole, Index count) {
  if (whole) {
    *reinterpret_cast<Vector<T>*>(to) = v;
  } else {
#pragma unroll
    for (int k = 0; k < vector_size<T>; ++k) {
      if (k < count) to[k] = v.at[k];
    }
  }
}

// The column of an element of a row-major matrix. A division of 32 bits where that is enough: one
// of 64 bits takes five times as long.
__device__ inline Index column_of(Index element, Index width) {
  if ((static_cast<std::uint64_t>(element) | static_cast<std::uint64_t>(width)) >> 32 == 0) {
    return static_cast<std::uint32_t>(element) % static_cast<std::uint32_t>(width);
  }
  return element % width;
}

// The dynamic shared memory.
template <class T>
__device__ T* shared_array() {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  return reinterpret_cast<T*>(shared_bytes);
}

// Dynamic shared memory that a block may have on every GPU without being asked for specially: 48
// KiB less what kernels have besides.
constexpr std::size_t shared_limit = (std::size_t{48} << 10) - 512;

// Of a block, for kernels that take any number of threads: so many registers are left to each.
constexpr int most_threads = 1024;

// --- gathering rows
// --------------------------------------------------------------------------------

// out(r, ·) = x(order[r], ·), in units of 16, 8 or 4 bytes: the largest that rows and addresses are
// multiples of.
//
// Block: x threads, a power of two up to 32, go over a row; y rows. Grid: x over the rows, y over
// pieces of gather_ahead·blockDim.x units of a row. A thread issues its loads before its stores. No
// shared memory, no synchronisation. Reads are coalesced along a row; a row whose first byte is not
// at a multiple of 32 costs one sector more. x may also be pinned memory of the host: then each row
// crosses the bus once, in pieces of up to 512 bytes. Bytes: mlp_gather_cost; no flops. CPU twin:
// CpuMlp::gather_rows in cpu/nn/mlp.cpp.
constexpr int gather_ahead = 4;

template <class Unit>
__global__ void __launch_bounds__(most_threads)
    gather_rows_kernel(const Unit* __restrict__ x, Index units, const Index* __restrict__ order,
                       Index rows, Unit* __restrict__ out) {
  const Index r = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (r >= rows) return;
  const Unit* from = x + order[r] * units;
  Unit* to = out + r * units;
  const Index step = static_cast<Index>(blockDim.x) * gather_ahead;
  for (Index begin = blockIdx.y * step + threadIdx.x; begin < units; begin += gridDim.y * step) {
    Unit values[gather_ahead];
#pragma unroll
    for (int k = 0; k < gather_ahead; ++k) {
      const Index j = begin + static_cast<Index>(k) * blockDim.x;
      if (j < units) values[k] = from[j];
    }
#pragma unroll
    for (int k = 0; k < gather_ahead; ++k) {
      const Index j = begin + static_cast<Index>(k) * blockDim.x;
      if (j < units) to[j] = values[k];
    }
  }
}

struct GatherShape {
  dim3 grid;
  dim3 block;
};

[[nodiscard]] GatherShape gather_shape(Index units, Index rows, unsigned threads) {
  unsigned along = 1;
  while (along < 32 && along < units) along *= 2;
  const Index pieces = blocks_for(units, static_cast<Index>(along) * gather_ahead);
  return {.grid = dim3(static_cast<unsigned>(blocks_for(rows, threads / along)),
                       static_cast<unsigned>(std::min<Index>(pieces, 65535))),
          .block = dim3(along, threads / along)};
}

// --- backwards through an activation and a bias
// ----------------------------------------------------

// d ← d ∘ slope, a vector per thread. Grid: ceil(count / (block·vector)) blocks. No shared memory.
// Bytes and flops: mlp_activation_gradient_cost with db false. CPU twin: ActivationGradient in
// cpu/nn/mlp.cpp.
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

// d ← d ∘ slope where `sloped`, and db_j = Σ_r d(r, j): one chain of additions per column.
//
// A block has 32 columns, or all of a narrower matrix. It goes over tiles of sum_tile_rows rows:
// all threads load a tile, eight elements each before the first is used, write the products back
// and into shared memory, and after a barrier thread j of the first warp continues column j's
// chain, while the others load the next tile into the other half of the shared memory: one barrier
// per tile. The chain is what takes the time for many rows: one addition after another, about four
// clocks each.
//
// Grid: ceil(width / 32) blocks of up to 16 warps. Shared memory: two tiles, 16 KiB for float,
// 32 KiB for double. Reads and writes along rows are coalesced: a warp has 32 consecutive elements,
// of one row, or, where the matrix is narrower than a warp, of as many rows as that takes. No bank
// conflicts. Bytes and flops: mlp_activation_gradient_cost. CPU twin: ActivationGradient in
// cpu/nn/mlp.cpp.
constexpr int sum_tile_rows = 64;
constexpr int sum_ahead = 8;
constexpr unsigned sum_most_threads = 512;

template <Real T, bool sloped>
__global__ void __launch_bounds__(sum_most_threads)
    activation_gradient_kernel(Index rows, Index width, const T* slope, T* d, T* db) {
  __shared__ T tiles[2][sum_tile_rows * warp_size];
  const Index first_column = static_cast<Index>(blockIdx.x) * warp_size;
  const auto columns =
      static_cast<unsigned>(width - first_column < warp_size ? width - first_column : warp_size);
  // All of a narrow matrix's elements are consecutive: a tile is as one row.
  const bool narrow = width < warp_size;
  const unsigned stride = narrow ? columns : warp_size;  // of a tile's rows
  const unsigned lane = threadIdx.x % warp_size;
  const unsigned warp = threadIdx.x / warp_size;
  T sum = 0;
  unsigned half = 0;
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
    if (warp == 0 && lane < columns) {
#pragma unroll 8
      for (unsigned r = 0; r < tile_rows; ++r) sum = sum + tile[r * stride + lane];
    }
  }
  if (warp == 0 && lane < columns) db[first_column + lane] = sum;
}

// --- activations
// -----------------------------------------------------------------------------------

// The value of the activation at u, and, where it is wanted, its derivative.
template <Activation activation, Real T>
__device__ T activation_at(T u, bool wanted, T& slope) {
  if constexpr (activation == Activation::sigmoid) {
    const T a = math::sigmoid(u);
    slope = a * (T{1} - a);
    return a;
  } else if constexpr (activation == Activation::tanh) {
    const T a = math::tanh(u);
    slope = math::fma(-a, a, T{1});
    return a;
  } else if constexpr (activation == Activation::relu) {
    slope = u > 0 ? T{1} : T{0};
    return u < 0 ? T{0} : u;
  } else {
    const T root_half = static_cast<T>(0.70710678118654752440);
    const T density_at_0 = static_cast<T>(0.39894228040143267794);
    const T half = static_cast<T>(0.5);
    const T distribution = math::fma(half, math::erf(u * root_half), half);
    if (wanted) {
      const T density = math::exp(-(half * (u * u))) * density_at_0;
      slope = math::fma(u, density, distribution);
    }
    return u * distribution;
  }
}

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
// cpu/nn/mlp.cpp.
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
    u.at[k] = activation_at<activation>(u.at[k], slope != nullptr, slopes.at[k]);
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

// --- batch normalisation
// ---------------------------------------------------------------------------

// A block has norm_columns columns: a row's part is 32 bytes of float, one sector. Thread i has
// column i mod norm_columns and, of the 32 lanes of a long sum, i / norm_columns and those every
// `groups` = 32 / each further. A warp therefore reads four consecutive rows' parts.
constexpr unsigned norm_columns = 8;
constexpr unsigned norm_partials = static_cast<unsigned>(sum_lanes) * norm_columns;
// Elements of the tile are kept in shared memory up to so many bytes, and read again beyond.
constexpr std::size_t norm_stage_bytes = std::size_t{40} << 10;

struct NormThread {
  unsigned column;  // of the block's
  unsigned group;   // its first lane
  Index j;          // of the matrix
  bool inside;
};

__device__ inline NormThread norm_thread(Index width) {
  NormThread t;
  t.column = threadIdx.x % norm_columns;
  t.group = threadIdx.x / norm_columns;
  t.j = static_cast<Index>(blockIdx.x) * norm_columns + t.column;
  t.inside = t.j < width;
  return t;
}

// finish(s) of the long sums s of the block's columns over all rows, in all threads of the column:
// called by one of them, that of group 0, since it may divide doubles. term(r) is the term of row r
// in this thread's column. All threads of the block must call it. Shared memory: norm_partials +
// norm_columns doubles; threads of a warp touch consecutive ones.
template <int each, class Term, class Finish>
__device__ double column_sum(const NormThread& t, Index rows, double* partials, Term&& term,
                             Finish&& finish) {
  constexpr unsigned groups = static_cast<unsigned>(sum_lanes) / each;
  double* sums = partials + norm_partials;
  double total = 0.0;
  for (Index begin = 0; begin < rows; begin += sum_block) {
    const Index end = begin + sum_block < rows ? begin + sum_block : rows;
    double lanes[each] = {};
#pragma unroll 4
    for (Index row = begin; row < end; row += sum_lanes) {
#pragma unroll
      for (int k = 0; k < each; ++k) {
        const Index r = row + t.group + static_cast<unsigned>(k) * groups;
        if (t.inside && r < end) lanes[k] = lanes[k] + term(r);
      }
    }
    __syncthreads();  // what was in `partials` and `sums` has been read
#pragma unroll
    for (int k = 0; k < each; ++k) {
      partials[(t.group + static_cast<unsigned>(k) * groups) * norm_columns + t.column] = lanes[k];
    }
    __syncthreads();
    if (threadIdx.x < warp_size) {
      // Thread 8l + c has lane l < 4 of column c: halves 16, 8 and 4, then 2 and 1 by shuffles.
      const double* p = partials + threadIdx.x;
      const auto lane = [&](unsigned l) { return p[l * norm_columns]; };
      double sum = ((lane(0) + lane(16)) + (lane(8) + lane(24))) +
                   ((lane(4) + lane(20)) + (lane(12) + lane(28)));
      sum += __shfl_down_sync(all_lanes, sum, 2 * norm_columns);
      sum += __shfl_down_sync(all_lanes, sum, norm_columns);
      total += sum;
    }
  }
  if (t.group == 0) sums[t.column] = finish(total);
  __syncthreads();
  return sums[t.column];
}

// The columns' means and variances over a batch, z normalised, and the running averages.
//
// Grid: ceil(width / 8) blocks of 32·8 / each threads. Three passes over the block's columns: where
// they fit into norm_stage_bytes of dynamic shared memory (`staged`: 1280 rows of float), z is read
// once and each thread reads back what it put there itself; else z is read three times, from the
// second-level cache mostly. Besides, 2112 bytes of static shared memory. Three barriers per sum
// and two more per further 1024 rows. A row's part is one or two whole sectors where the width is a
// multiple of 8; else parts straddle sectors. Bytes and flops: mlp_normalize_cost. CPU twin:
// NormalizeColumns in cpu/nn/mlp.cpp.
template <int each, Real T>
__global__ void __launch_bounds__(norm_partials, 1)
    normalize_kernel(Index rows, Index width, double epsilon, double momentum, T* z,
                     T* __restrict__ inverse_of, T* __restrict__ running_mean,
                     T* __restrict__ running_variance, bool staged) {
  __shared__ double partials[norm_partials + norm_columns];
  constexpr Index groups = sum_lanes / each;
  const NormThread t = norm_thread(width);
  T* stage = shared_array<T>() + t.column;
  const auto count = static_cast<double>(rows);
  const double mean = column_sum<each>(
      t, rows, partials,
      [&](Index r) {
        const T v = z[r * width + t.j];
        if (staged) stage[r * norm_columns] = v;
        return static_cast<double>(v);
      },
      [&](double sum) { return sum / count; });
  const auto value = [&](Index r) { return staged ? stage[r * norm_columns] : z[r * width + t.j]; };
  double squares = 0.0;  // in group 0
  const T inverse = static_cast<T>(column_sum<each>(
      t, rows, partials,
      [&](Index r) {
        const double difference = static_cast<double>(value(r)) - mean;
        return difference * difference;
      },
      [&](double sum) {
        squares = sum;
        return 1.0 / math::sqrt(sum / count + epsilon);
      }));
  if (!t.inside) return;
  const T centre = static_cast<T>(mean);
#pragma unroll 4
  for (Index r = t.group; r < rows; r += groups) {
    z[r * width + t.j] = (value(r) - centre) * inverse;
  }
  if (t.group != 0) return;
  inverse_of[t.j] = inverse;
  const auto average = [&](T& running, double batch) {
    running = static_cast<T>(momentum * static_cast<double>(running) + (1 - momentum) * batch);
  };
  average(running_mean[t.j], mean);
  average(running_variance[t.j], squares / static_cast<double>(rows > 1 ? rows - 1 : 1));
}

// Backwards through a normalisation: du becomes dz; the gradients of scale and shift.
//
// As normalize_kernel, with du and the normalised values both staged (640 rows of float); beyond,
// both are read three times. Bytes and flops: mlp_normalize_backward_cost. CPU twin:
// NormalizeColumnsBackward in cpu/nn/mlp.cpp.
template <int each, Real T>
__global__ void __launch_bounds__(norm_partials)
    normalize_backward_kernel(Index rows, Index width, const T* normalized,
                              const T* __restrict__ scale, const T* __restrict__ inverse, T* du,
                              T* __restrict__ scale_gradient, T* __restrict__ shift_gradient,
                              bool staged) {
  __shared__ double partials[norm_partials + norm_columns];
  constexpr Index groups = sum_lanes / each;
  const NormThread t = norm_thread(width);
  T* stage = shared_array<T>() + t.column;
  T* stage_normalized = stage + rows * norm_columns;
  const auto count = static_cast<double>(rows);
  double shift_sum = 0.0;  // in group 0, as scale_sum
  double scale_sum = 0.0;
  const T shift_mean = static_cast<T>(column_sum<each>(
      t, rows, partials,
      [&](Index r) {
        const T v = du[r * width + t.j];
        if (staged) {
          stage[r * norm_columns] = v;
          stage_normalized[r * norm_columns] = normalized[r * width + t.j];
        }
        return static_cast<double>(v);
      },
      [&](double sum) {
        shift_sum = sum;
        return sum / count;
      }));
  const auto du_at = [&](Index r) {
    return staged ? stage[r * norm_columns] : du[r * width + t.j];
  };
  const auto normalized_at = [&](Index r) {
    return staged ? stage_normalized[r * norm_columns] : normalized[r * width + t.j];
  };
  const T scale_mean = static_cast<T>(column_sum<each>(
      t, rows, partials,
      [&](Index r) {
        return static_cast<double>(du_at(r)) * static_cast<double>(normalized_at(r));
      },
      [&](double sum) {
        scale_sum = sum;
        return sum / count;
      }));
  if (!t.inside) return;
  const T factor = scale[t.j] * inverse[t.j];
#pragma unroll 4
  for (Index r = t.group; r < rows; r += groups) {
    du[r * width + t.j] = factor * ((du_at(r) - shift_mean) - normalized_at(r) * scale_mean);
  }
  if (t.group != 0) return;
  scale_gradient[t.j] = static_cast<T>(scale_sum);
  shift_gradient[t.j] = static_cast<T>(shift_sum);
}

// The running averages as a scale and a shift, a column per thread. Grid: ceil(width / block).
// Bytes and flops: mlp_running_affine_cost. CPU twin: CpuMlp::running_affine in cpu/nn/mlp.cpp.
template <Real T>
__global__ void running_affine_kernel(Index width, double epsilon, const T* __restrict__ scale,
                                      const T* __restrict__ shift, const T* __restrict__ mean,
                                      const T* __restrict__ variance, T* __restrict__ s,
                                      T* __restrict__ t) {
  const Index j = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= width) return;
  const double factor =
      static_cast<double>(scale[j]) / math::sqrt(static_cast<double>(variance[j]) + epsilon);
  s[j] = static_cast<T>(factor);
  t[j] = static_cast<T>(static_cast<double>(shift[j]) - static_cast<double>(mean[j]) * factor);
}

// --- outputs and losses
// ----------------------------------------------------------------------------

// What the blocks of a loss kernel tell each other; all zero between kernels.
struct LossState {
  unsigned long long right = 0;  // rows whose most probable class is right
  unsigned blocks = 0;           // blocks that are done
};

template <Real T>
struct LossArguments {
  Index rows;
  Index width;
  bool gradient;
  const T* bias;
  MlpTargets<T> targets;
  const Index* order;
  T* z;
  double* row_losses;  // weight·loss of each row
  LossState* state;
  double* totals;
};

template <Real T>
struct RowTarget {
  Index row;
  T weight;
  T factor;  // of the gradient
};

template <Real T>
__device__ RowTarget<T> row_target(const LossArguments<T>& p, Index r) {
  RowTarget<T> target;
  target.row = p.order[r];
  target.weight = p.targets.weights != nullptr ? p.targets.weights[target.row] : T{1};
  target.factor = target.weight * static_cast<T>(1.0 / static_cast<double>(p.rows));
  return target;
}

// The end of a loss kernel: counts the right rows with an integer atomic, and the last block to
// come here, which then sees all others' row_losses, adds them in the shape of a long sum (a warp
// per 1024 rows, their sums in order) and updates the totals. Which block is last changes nothing
// in the result. All threads of the block must call it; `right` is of this thread's row, if it has
// one.
template <Real T>
__device__ void add_to_totals(const LossArguments<T>& p, bool right) {
  __shared__ bool last;
  __shared__ double sums[warp_size];
  __threadfence();  // this thread's row_losses, before the count of blocks below
  const int right_rows = __syncthreads_count(right ? 1 : 0);
  if (threadIdx.x == 0) {
    if (right_rows > 0) atomicAdd(&p.state->right, static_cast<unsigned long long>(right_rows));
    __threadfence();
    // Wraps to zero at the last block.
    last = atomicInc(&p.state->blocks, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (!last) return;
  __threadfence();
  const unsigned warps = blockDim.x / warp_size;
  const unsigned warp = threadIdx.x / warp_size;
  double total = 0.0;
  for (Index begin = 0; begin < p.rows; begin += sum_block * warps) {
    const Index first = begin + sum_block * warp;
    if (first < p.rows) {
      // Past the first-level cache, which may hold what was there before.
      const double sum =
          sum_of_block(first, p.rows, [&](Index r) { return __ldcg(p.row_losses + r); });
      if (threadIdx.x % warp_size == 0) sums[warp] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      for (unsigned w = 0; w < warps && begin + sum_block * w < p.rows; ++w) total += sums[w];
    }
    __syncthreads();
  }
  if (threadIdx.x != 0) return;
  p.totals[MlpTotals::loss] += total;
  p.totals[MlpTotals::correct] += static_cast<double>(atomicExch(&p.state->right, 0ULL));
}

// What becomes of a row's softmax.
enum class SoftmaxUse { output, cross_entropy, squared_error };

// Rows up to so many classes have a thread each, wider ones a warp.
constexpr Index narrow_width = 32;

// The distance between rows of a narrow tile in shared memory: odd, so that threads at the same
// column of different rows are in different banks.
[[nodiscard]] __host__ __device__ inline unsigned narrow_stride(Index width) {
  return static_cast<unsigned>(width) | 1U;
}

// Copies `rows` consecutive rows between global memory, where a warp's 32 elements are consecutive,
// and the narrow tile. Where the width
// is even, the padding makes some of a warp's 32 elements share a bank, and the copy takes two
// steps instead of one: 32 rows of 10 take 80 steps without and 100 with these. Without padding it
// would be every other access that does.
template <class T, class Copy>
__device__ void each_element_of_tile(unsigned rows, unsigned width, Copy&& copy) {
  const unsigned stride = narrow_stride(width);
  unsigned r = threadIdx.x / width;
  unsigned j = threadIdx.x % width;
  const unsigned rows_on = blockDim.x / width;
  const unsigned columns_on = blockDim.x % width;
  while (r < rows) {
    copy(r * width + j, r * stride + j);
    r += rows_on;
    j += columns_on;
    if (j >= width) {
      j -= width;
      ++r;
    }
  }
}

// Softmax of rows of up to 32 classes, and the loss and its derivative: a thread per row, whose
// chains are those of the definition. A block's rows pass through shared memory in both directions,
// so that global memory is read and written along rows.
//
// Grid: ceil(rows / block) blocks. Shared memory: block·(width | 1) elements, at most shared_limit.
// Two barriers, and those of add_to_totals. Labels, weights and targets are read by order[r]:
// gathers of one sector each. Banks: see each_element_of_tile; and a thread's look-up of its own
// class's u may meet another's. Bytes and flops: mlp_output_cost, mlp_loss_cost. CPU twins:
// OutputRows, SoftmaxLossRows in cpu/nn/mlp.cpp.
template <SoftmaxUse use, Real T>
__global__ void __launch_bounds__(most_threads) softmax_row_per_thread_kernel(LossArguments<T> p) {
  T* tile = shared_array<T>();
  const auto width = static_cast<unsigned>(p.width);
  const Index first = static_cast<Index>(blockIdx.x) * blockDim.x;
  const Index left = p.rows - first;
  const auto rows = static_cast<unsigned>(left < blockDim.x ? left : blockDim.x);
  T* z = p.z + first * p.width;
  each_element_of_tile<T>(rows, width,
                          [&](unsigned at, unsigned in_tile) { tile[in_tile] = z[at]; });
  __syncthreads();
  bool right = false;
  if (threadIdx.x < rows) {
    T* u = tile + threadIdx.x * narrow_stride(p.width);
    const Index r = first + threadIdx.x;
    RowTarget<T> target{};
    unsigned label = 0;
    if constexpr (use != SoftmaxUse::output) {
      target = row_target(p, r);
      label = static_cast<unsigned>(p.targets.labels[target.row]);
    }
    T top = -std::numeric_limits<T>::infinity();
    unsigned top_at = width;  // the lowest class with the largest u
    for (unsigned j = 0; j < width; ++j) {
      const T v = u[j] + p.bias[j];
      u[j] = v;
      if (v > top || (v == top && top_at == width)) {
        top = v;
        top_at = j;
      }
    }
    const T own = use != SoftmaxUse::output ? u[label] : T{0};
    T sum = 0;
    for (unsigned j = 0; j < width; ++j) {
      const T e = math::exp(u[j] - top);
      u[j] = e;
      sum = sum + e;
    }
    if constexpr (use == SoftmaxUse::output) {
      for (unsigned j = 0; j < width; ++j) u[j] = u[j] / sum;
    } else if constexpr (use == SoftmaxUse::cross_entropy) {
      right = top_at == label && own == top;
      const T loss = math::log(sum) - (own - top);
      p.row_losses[r] = static_cast<double>(loss) * static_cast<double>(target.weight);
      if (p.gradient) {
        for (unsigned j = 0; j < width; ++j) {
          const T probability = u[j] / sum;
          u[j] = (j == label ? probability - T{1} : probability) * target.factor;
        }
      }
    } else {
      right = top_at == label && own == top;
      T squares = 0;
      T dot = 0;
      for (unsigned j = 0; j < width; ++j) {
        const T probability = u[j] / sum;
        u[j] = probability;
        const T difference = j == label ? probability - T{1} : probability;
        squares = math::fma(difference, difference, squares);
        dot = math::fma(difference, probability, dot);
      }
      p.row_losses[r] =
          static_cast<double>(static_cast<T>(0.5) * squares) * static_cast<double>(target.weight);
      if (p.gradient) {
        for (unsigned j = 0; j < width; ++j) {
          const T difference = j == label ? u[j] - T{1} : u[j];
          u[j] = u[j] * (difference - dot) * target.factor;
        }
      }
    }
  }
  if (use == SoftmaxUse::output || p.gradient) {
    __syncthreads();
    each_element_of_tile<T>(rows, width,
                            [&](unsigned at, unsigned in_tile) { z[at] = tile[in_tile]; });
  }
  if constexpr (use != SoftmaxUse::output) add_to_totals(p, right);
}

// The same for wider rows: a warp per row, lane l having the classes l, l + 32, ... Exponentials,
// quotients and derivatives are computed side by side; each chain takes the lanes' terms one after
// the other by shuffles, in every lane. `staged`: the row is kept in shared memory between its
// three passes, else in z itself.
//
// Grid: ceil(rows / warps of a block) blocks. Shared memory: a row per warp where staged. Reads and
// writes are coalesced, without bank conflicts. No barriers but those of add_to_totals. Bytes and
// flops: mlp_output_cost, mlp_loss_cost; chains take about eight clocks per class.
template <SoftmaxUse use, Real T>
__global__ void __launch_bounds__(most_threads, 1)
    softmax_row_per_warp_kernel(LossArguments<T> p, bool staged) {
  const unsigned lane = threadIdx.x % warp_size;
  const unsigned warp = threadIdx.x / warp_size;
  const Index r = static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + warp;
  bool right = false;
  if (r < p.rows) {
    T* z = p.z + r * p.width;
    T* u = staged ? shared_array<T>() + warp * p.width : z;
    RowTarget<T> target{};
    Index label = 0;
    if constexpr (use != SoftmaxUse::output) {
      target = row_target(p, r);
      label = p.targets.labels[target.row];
    }
    T top = -std::numeric_limits<T>::infinity();
    Index top_at = p.width;  // this lane's lowest class with its largest u
    T own = 0;
    for (Index j = lane; j < p.width; j += warp_size) {
      const T v = z[j] + p.bias[j];
      u[j] = v;
      if (v > top || (v == top && top_at == p.width)) {
        top = v;
        top_at = j;
      }
      if (j == label) own = v;
    }
    for (unsigned half = warp_size / 2; half > 0; half /= 2) {
      const T other = __shfl_xor_sync(all_lanes, top, static_cast<int>(half));
      const Index other_at = __shfl_xor_sync(all_lanes, top_at, static_cast<int>(half));
      if (other > top || (other == top && other_at < top_at)) {
        top = other;
        top_at = other_at;
      }
    }
    own = __shfl_sync(all_lanes, own, static_cast<int>(label % warp_size));
    // Classes begin .. begin + 31 in order: f(lane) for those that exist.
    const auto in_order = [&](Index begin, auto&& f) {
      const auto count =
          static_cast<int>(p.width - begin < warp_size ? p.width - begin : Index{warp_size});
      if (count == static_cast<int>(warp_size)) {
#pragma unroll
        for (int l = 0; l < static_cast<int>(warp_size); ++l) f(l);
      } else {
        for (int l = 0; l < count; ++l) f(l);
      }
    };
    T sum = 0;
    for (Index begin = 0; begin < p.width; begin += warp_size) {
      const Index j = begin + lane;
      T e = 0;
      if (j < p.width) {
        e = math::exp(u[j] - top);
        u[j] = e;
      }
      in_order(begin, [&](int l) { sum = sum + __shfl_sync(all_lanes, e, l); });
    }
    if constexpr (use == SoftmaxUse::output) {
      for (Index j = lane; j < p.width; j += warp_size) z[j] = u[j] / sum;
    } else if constexpr (use == SoftmaxUse::cross_entropy) {
      right = lane == 0 && top_at == label && own == top;
      if (lane == 0) {
        const T loss = math::log(sum) - (own - top);
        p.row_losses[r] = static_cast<double>(loss) * static_cast<double>(target.weight);
      }
      if (p.gradient) {
        for (Index j = lane; j < p.width; j += warp_size) {
          const T probability = u[j] / sum;
          z[j] = (j == label ? probability - T{1} : probability) * target.factor;
        }
      }
    } else {
      right = lane == 0 && top_at == label && own == top;
      T squares = 0;
      T dot = 0;
      for (Index begin = 0; begin < p.width; begin += warp_size) {
        const Index j = begin + lane;
        T probability = 0;
        T difference = 0;
        if (j < p.width) {
          probability = u[j] / sum;
          u[j] = probability;
          difference = j == label ? probability - T{1} : probability;
        }
        in_order(begin, [&](int l) {
          const T d = __shfl_sync(all_lanes, difference, l);
          squares = math::fma(d, d, squares);
          dot = math::fma(d, __shfl_sync(all_lanes, probability, l), dot);
        });
      }
      if (lane == 0) {
        p.row_losses[r] =
            static_cast<double>(static_cast<T>(0.5) * squares) * static_cast<double>(target.weight);
      }
      if (p.gradient) {
        for (Index j = lane; j < p.width; j += warp_size) {
          const T probability = u[j];
          const T difference = j == label ? probability - T{1} : probability;
          z[j] = probability * (difference - dot) * target.factor;
        }
      }
    }
  }
  if constexpr (use != SoftmaxUse::output) add_to_totals(p, right);
}

// One output per row: a row per thread. Grid: ceil(rows / block) blocks. Labels, values and weights
// are read by order[r]: gathers of one sector each; the rest is coalesced. Bytes and flops:
// mlp_loss_cost. CPU twin: SingleOutputLossRows in cpu/nn/mlp.cpp.
template <Real T>
__global__ void __launch_bounds__(most_threads)
    single_output_loss_kernel(LossArguments<T> p, MlpOutput output, MlpLoss loss_function) {
  const Index r = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  bool right = false;
  if (r < p.rows) {
    const RowTarget<T> target = row_target(p, r);
    const T u = p.z[r] + p.bias[0];
    const T half = static_cast<T>(0.5);
    T loss;
    T g;
    if (output == MlpOutput::identity) {
      g = u - p.targets.values[target.row];
      loss = half * (g * g);
    } else {
      const bool second = p.targets.labels[target.row] == 1;
      const T probability = math::sigmoid(u);
      const T difference = second ? probability - T{1} : probability;
      if (loss_function == MlpLoss::cross_entropy) {
        loss = math::softplus(second ? -u : u);
        g = difference;
      } else {
        loss = half * (difference * difference);
        g = difference * (probability * (T{1} - probability));
      }
      right = (u > 0) == second;
    }
    p.row_losses[r] = static_cast<double>(loss) * static_cast<double>(target.weight);
    if (p.gradient) p.z[r] = g * target.factor;
  }
  add_to_totals(p, right);
}

// z ← z + bias, and the sigmoid of each row's first output where that is the output. An element per
// thread. Grid: ceil(count / block) blocks. Bytes and flops: mlp_output_cost. CPU twin: OutputRows
// in cpu/nn/mlp.cpp.
template <Real T>
__global__ void add_bias_kernel(Index count, Index width, const T* __restrict__ bias, T* z,
                                bool sigmoid) {
  const Index at = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const Index column = column_of(at, width);
  const T u = z[at] + bias[column];
  z[at] = sigmoid && column == 0 ? math::sigmoid(u) : u;
}

// --- the steps
// -------------------------------------------------------------------------------------

template <Real T>
class CudaMlp final : public MlpSteps<T> {
 public:
  explicit CudaMlp(Engine& engine) : engine_(cuda_engine(engine)), state_(engine, 1) {
    state_.fill_zero();
  }
  CudaMlp(const CudaMlp&) = delete;
  CudaMlp& operator=(const CudaMlp&) = delete;
  ~CudaMlp() override {
    // Rows that were prepared and never asked for are still being read and written.
    (void)cudaStreamSynchronize(engine_.copy_stream());
    if (enqueued_ != nullptr) (void)cudaEventDestroy(enqueued_);
    for (Prepared& half : prepared_) {
      if (half.ready != nullptr) (void)cudaEventDestroy(half.ready);
    }
  }

  // Rows on the host: a kernel on the second stream fetches them into one of two pieces of device
  // memory while the first stream's kernels work on the batch before.
  void prepare_rows(const T* x, Index cols, const Index* order, Index rows) override {
    if (rows == 0 || engine_.on_device(x)) return;
    (void)prepare(x, cols, order, rows);
  }

  void gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out) override {
    if (rows == 0 || cols == 0) return;
    if (engine_.on_device(x)) {
      gather(x, cols, rows, out,
             [&](auto* kernel, const GatherShape& shape, auto* from, Index units, auto* to) {
               engine_.launch(kernel, {.grid = shape.grid, .block = shape.block}, from, units,
                              order, rows, to);
             });
      return;
    }
    Prepared* half = nullptr;
    for (Prepared& one : prepared_) {
      if (one.waiting && one.x == x && one.order == order && one.rows == rows) half = &one;
    }
    if (half == nullptr) half = &prepare(x, cols, order, rows);
    half->waiting = false;
    // Also right inside a repeated part: its graph is launched after this.
    TANDEM_CUDA(cudaStreamWaitEvent(engine_.stream(), half->ready));
    engine_.copy_within(out, half->memory.data(), bytes_of(rows * cols));
  }

  void activation_gradient(Index rows, Index width, const T* slope, T* d, T* db) override {
    if (width == 0) return;
    if (db == nullptr) {
      if (slope == nullptr) return;
      const unsigned threads = engine_.block_threads(256);
      engine_.launch(multiply_by_slope_kernel<T>,
                     {.grid = blocks(rows * width, threads * vector_size<T>), .block = threads},
                     rows * width, slope, d, aligned(slope, d));
      return;
    }
    const unsigned threads = std::min(engine_.block_threads(256), sum_most_threads);
    engine_.launch(slope != nullptr ? activation_gradient_kernel<T, true>
                                    : activation_gradient_kernel<T, false>,
                   {.grid = blocks(width, warp_size), .block = threads}, rows, width, slope, d, db);
  }

  void activate(Activation activation, Index rows, Index width, const T* scale, const T* shift,
                const MlpDropout& dropout, const T* z, T* a, T* slope) override {
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
      const unsigned threads = engine_.block_threads(256);
      engine_.launch(kernel,
                     {.grid = blocks(rows * width, threads * vector_size<T>), .block = threads},
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

  void normalize(Index rows, Index width, double epsilon, double momentum, T* z, T* inverse,
                 T* running_mean, T* running_variance) override {
    const NormShape shape = norm_shape(rows, width, 1);
    engine_.launch(shape.small ? normalize_kernel<4, T> : normalize_kernel<1, T>, shape.launch,
                   rows, width, epsilon, momentum, z, inverse, running_mean, running_variance,
                   shape.launch.shared_bytes > 0);
  }

  void normalize_backward(Index rows, Index width, const T* normalized, const T* scale,
                          const T* inverse, T* du, T* scale_gradient, T* shift_gradient) override {
    const NormShape shape = norm_shape(rows, width, 2);
    engine_.launch(shape.small ? normalize_backward_kernel<4, T> : normalize_backward_kernel<1, T>,
                   shape.launch, rows, width, normalized, scale, inverse, du, scale_gradient,
                   shift_gradient, shape.launch.shared_bytes > 0);
  }

  void running_affine(Index width, double epsilon, const T* scale, const T* shift, const T* mean,
                      const T* variance, T* s, T* t) override {
    const unsigned threads = engine_.block_threads(128);
    engine_.launch(running_affine_kernel<T>, {.grid = blocks(width, threads), .block = threads},
                   width, epsilon, scale, shift, mean, variance, s, t);
  }

  void output(MlpOutput output, Index rows, Index width, const T* bias, T* z) override {
    if (output == MlpOutput::softmax) {
      LossArguments<T> p{};
      p.rows = rows;
      p.width = width;
      p.bias = bias;
      p.z = z;
      softmax<SoftmaxUse::output>(p);
      return;
    }
    const unsigned threads = engine_.block_threads(256);
    engine_.launch(add_bias_kernel<T>, {.grid = blocks(rows * width, threads), .block = threads},
                   rows * width, width, bias, z, output == MlpOutput::sigmoid);
  }

  void loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width, const T* bias,
            const MlpTargets<T>& targets, const Index* order, T* z, double* totals) override {
    if (row_losses_.size() < rows) row_losses_ = Buffer<double>(engine_, rows);
    LossArguments<T> p{};
    p.rows = rows;
    p.width = width;
    p.gradient = gradient;
    p.bias = bias;
    p.targets = targets;
    p.order = order;
    p.z = z;
    p.row_losses = row_losses_.data();
    p.state = state_.data();
    p.totals = totals;
    if (output != MlpOutput::softmax) {
      const unsigned threads = engine_.block_threads(64);
      engine_.launch(single_output_loss_kernel<T>,
                     {.grid = blocks(rows, threads), .block = threads}, p, output, loss);
    } else if (loss == MlpLoss::cross_entropy) {
      softmax<SoftmaxUse::cross_entropy>(p);
    } else {
      softmax<SoftmaxUse::squared_error>(p);
    }
  }

 private:
  struct Prepared {
    Buffer<T> memory;
    cudaEvent_t ready = nullptr;
    bool waiting = false;  // for its gather_rows
    const T* x = nullptr;
    const Index* order = nullptr;
    Index rows = 0;
  };
  struct NormShape {
    Shape launch;
    bool small;
  };

  [[nodiscard]] static dim3 blocks(Index count, Index per_block) {
    return dim3(static_cast<unsigned>(blocks_for(count, per_block)));
  }
  [[nodiscard]] static std::size_t bytes_of(Index count) {
    return static_cast<std::size_t>(count) * sizeof(T);
  }

  // Calls launch(kernel, shape, from, units, to) for the largest unit that fits.
  template <class Launch>
  void gather(const T* x, Index cols, Index rows, T* out, Launch&& launch) {
    const auto with = [&]<class Unit>() {
      const Index units = static_cast<Index>(bytes_of(cols) / sizeof(Unit));
      launch(gather_rows_kernel<Unit>, gather_shape(units, rows, engine_.block_threads(256)),
             reinterpret_cast<const Unit*>(x), units, reinterpret_cast<Unit*>(out));
    };
    const auto all = reinterpret_cast<std::uintptr_t>(x) | reinterpret_cast<std::uintptr_t>(out) |
                     bytes_of(cols);
    if (all % sizeof(uint4) == 0) {
      with.template operator()<uint4>();
    } else if (all % sizeof(uint2) == 0) {
      with.template operator()<uint2>();
    } else {
      with.template operator()<unsigned>();
    }
  }

  // Begins to fetch rows from the host, after all that is enqueued now. The half that it takes was
  // last read by work that is enqueued: of two gathers at most, where they are inside a repeated
  // part.
  Prepared& prepare(const T* x, Index cols, const Index* order, Index rows) {
    engine_.make_current();
    if (enqueued_ == nullptr) {
      for (cudaEvent_t* event : {&enqueued_, &prepared_[0].ready, &prepared_[1].ready}) {
        TANDEM_CUDA(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
      }
    }
    if (prepared_[next_].waiting && !prepared_[1 - next_].waiting) next_ = 1 - next_;
    Prepared& half = prepared_[next_];
    next_ = 1 - next_;
    if (half.memory.size() < rows * cols) {
      if (half.waiting) TANDEM_CUDA(cudaStreamWaitEvent(engine_.stream(), half.ready));
      half.memory = Buffer<T>(engine_, rows * cols);
    }
    half.waiting = false;
    TANDEM_CUDA(cudaEventRecord(enqueued_, engine_.stream()));
    TANDEM_CUDA(cudaStreamWaitEvent(engine_.copy_stream(), enqueued_));
    gather(x, cols, rows, half.memory.data(),
           [&](auto* kernel, const GatherShape& shape, auto* from, Index units, auto* to) {
             kernel<<<shape.grid, shape.block, 0, engine_.copy_stream()>>>(from, units, order, rows,
                                                                           to);
             check(cudaGetLastError(), "kernel gather_rows_kernel");
           });
    TANDEM_CUDA(cudaEventRecord(half.ready, engine_.copy_stream()));
    half.waiting = true;
    half.x = x;
    half.order = order;
    half.rows = rows;
    return half;
  }

  [[nodiscard]] NormShape norm_shape(Index rows, Index width, std::size_t arrays) const {
    const unsigned threads = engine_.block_threads(norm_partials) < norm_partials ? 64 : 256;
    const std::size_t stage = arrays * bytes_of(rows * norm_columns);
    return {.launch = {.grid = blocks(width, norm_columns),
                       .block = dim3(threads),
                       .shared_bytes = stage <= norm_stage_bytes ? stage : 0},
            .small = threads == 64};
  }

  template <SoftmaxUse use>
  void softmax(const LossArguments<T>& p) {
    if (p.width <= narrow_width) {
      const std::size_t row = narrow_stride(p.width) * sizeof(T);
      unsigned threads = engine_.block_threads(64);
      while (threads * row > shared_limit) threads /= 2;
      engine_.launch(
          softmax_row_per_thread_kernel<use, T>,
          {.grid = blocks(p.rows, threads), .block = threads, .shared_bytes = threads * row}, p);
      return;
    }
    unsigned threads = engine_.block_threads(256);
    const std::size_t row = bytes_of(p.width);
    const bool staged = row <= shared_limit;
    while (staged && threads / warp_size * row > shared_limit) threads /= 2;
    const unsigned rows_at_once = threads / warp_size;
    engine_.launch(softmax_row_per_warp_kernel<use, T>,
                   {.grid = blocks(p.rows, rows_at_once),
                    .block = threads,
                    .shared_bytes = staged ? rows_at_once * row : 0},
                   p, staged);
  }

  CudaEngine& engine_;
  Buffer<LossState> state_;
  Buffer<double> row_losses_;
  std::array<Prepared, 2> prepared_;
  std::size_t next_ = 0;
  cudaEvent_t enqueued_ = nullptr;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_mlp_float32(tandem::Engine& engine) {
  return static_cast<tandem::MlpSteps<float>*>(new tandem::cuda::CudaMlp<float>(engine));
}
void* tandem_cuda_mlp_float64(tandem::Engine& engine) {
  return static_cast<tandem::MlpSteps<double>*>(new tandem::cuda::CudaMlp<double>(engine));
}
}
