// Batch normalisation, forwards and backwards.
#include "core/nn/mlp_functions.hpp"
#include "cuda/nn/mlp.cuh"
#include "tandem/core/math.hpp"

namespace tandem::cuda::mlp {
namespace {

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

// Memory of a block for column_sum().
struct ColumnSums {
  double partials[norm_partials];
  double results[norm_columns];
  double roots[static_cast<unsigned>(max_sum_levels) * norm_columns];
};

// finish(s) of the long sums s of the block's columns over all rows, in all threads of the column:
// called by one of them, that of group 0, since it may divide doubles. term(r) is the term of row r
// in this thread's column. All threads of the block must call it. Threads of a warp touch
// consecutive elements of the shared memory.
template <int each, class Term, class Finish>
__device__ double column_sum(const NormThread& t, Index rows, ColumnSums& shared, Term&& term,
                             Finish&& finish) {
  constexpr unsigned groups = static_cast<unsigned>(sum_lanes) / each;
  for (Index block = 0, begin = 0; begin < rows; ++block, begin += sum_block) {
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
    __syncthreads();  // what was in shared memory has been read
#pragma unroll
    for (int k = 0; k < each; ++k) {
      shared.partials[(t.group + static_cast<unsigned>(k) * groups) * norm_columns + t.column] =
          lanes[k];
    }
    __syncthreads();
    if (threadIdx.x < warp_size) {
      // Thread 8l + c has lane l < 4 of column c: halves 16, 8 and 4, then 2 and 1 by shuffles.
      const double* p = shared.partials + threadIdx.x;
      const auto lane = [&](unsigned l) { return p[l * norm_columns]; };
      double sum = ((lane(0) + lane(16)) + (lane(8) + lane(24))) +
                   ((lane(4) + lane(20)) + (lane(12) + lane(28)));
      sum += __shfl_down_sync(all_lanes, sum, 2 * norm_columns);
      sum += __shfl_down_sync(all_lanes, sum, norm_columns);
      if (threadIdx.x < norm_columns) add_leaf(shared.roots + t.column, norm_columns, block, sum);
    }
  }
  // The thread of group 0 has added the column's leaves.
  if (t.group == 0) {
    shared.results[t.column] =
        finish(sum_of_leaves(shared.roots + t.column, norm_columns, sum_blocks(rows)));
  }
  __syncthreads();
  return shared.results[t.column];
}

// The columns' means and variances over a batch, z normalised, and the running averages.
//
// Grid: ceil(width / 8) blocks of 32·8 / each threads. Three passes over the block's columns: where
// they fit into norm_stage_bytes of dynamic shared memory (`staged`: 1280 rows of float), z is read
// once and each thread reads back what it put there itself; else z is read three times, from the
// second-level cache mostly. Besides, 5568 bytes of static shared memory. Three barriers per sum
// and two more per further 1024 rows. A row's part is one or two whole sectors where the width is a
// multiple of 8; else parts straddle sectors. Bytes and flops: mlp_normalize_cost. CPU twin:
// NormalizeColumns in cpu/nn/mlp_normalize.cpp.
template <int each, Real T>
__global__ void __launch_bounds__(norm_partials, 1)
    normalize_kernel(Index rows, Index width, double epsilon, double momentum, T* z,
                     T* __restrict__ inverse_of, T* __restrict__ running_mean,
                     T* __restrict__ running_variance, bool staged) {
  __shared__ ColumnSums sums;
  constexpr Index groups = sum_lanes / each;
  const NormThread t = norm_thread(width);
  T* stage = shared_array<T>() + t.column;
  const auto count = static_cast<double>(rows);
  const double mean = column_sum<each>(
      t, rows, sums,
      [&](Index r) {
        const T v = z[r * width + t.j];
        if (staged) stage[r * norm_columns] = v;
        return static_cast<double>(v);
      },
      [&](double sum) { return sum / count; });
  const auto value = [&](Index r) { return staged ? stage[r * norm_columns] : z[r * width + t.j]; };
  double squares = 0.0;  // in group 0
  const T inverse = static_cast<T>(column_sum<each>(
      t, rows, sums,
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
  running_mean[t.j] = nn::running_average(momentum, running_mean[t.j], mean);
  running_variance[t.j] = nn::running_average(
      momentum, running_variance[t.j], squares / static_cast<double>(rows > 1 ? rows - 1 : 1));
}

// Backwards through a normalisation: du becomes dz; the gradients of scale and shift.
//
// As normalize_kernel, with du and the normalised values both staged (640 rows of float); beyond,
// both are read three times. Bytes and flops: mlp_normalize_backward_cost. CPU twin:
// NormalizeColumnsBackward in cpu/nn/mlp_normalize.cpp.
template <int each, Real T>
__global__ void __launch_bounds__(norm_partials)
    normalize_backward_kernel(Index rows, Index width, const T* normalized,
                              const T* __restrict__ scale, const T* __restrict__ inverse, T* du,
                              T* __restrict__ scale_gradient, T* __restrict__ shift_gradient,
                              bool staged) {
  __shared__ ColumnSums sums;
  constexpr Index groups = sum_lanes / each;
  const NormThread t = norm_thread(width);
  T* stage = shared_array<T>() + t.column;
  T* stage_normalized = stage + rows * norm_columns;
  const auto count = static_cast<double>(rows);
  double shift_sum = 0.0;  // in group 0, as scale_sum
  double scale_sum = 0.0;
  const T shift_mean = static_cast<T>(column_sum<each>(
      t, rows, sums,
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
      t, rows, sums,
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
// Bytes and flops: mlp_running_affine_cost. CPU twin: running_affine in cpu/nn/mlp.cpp.
template <Real T>
__global__ void running_affine_kernel(Index width, double epsilon, const T* __restrict__ scale,
                                      const T* __restrict__ shift, const T* __restrict__ mean,
                                      const T* __restrict__ variance, T* __restrict__ s,
                                      T* __restrict__ t) {
  const Index j = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (j >= width) return;
  const auto affine = nn::running_affine(epsilon, scale[j], shift[j], mean[j], variance[j]);
  s[j] = affine.scale;
  t[j] = affine.shift;
}

struct NormShape {
  Shape launch;
  bool small;
};
template <Real T>
[[nodiscard]] NormShape norm_shape(const CudaEngine& engine, Index rows, Index width,
                                   std::size_t arrays) {
  const unsigned threads = engine.block_threads(norm_partials) < norm_partials ? 64 : 256;
  const std::size_t stage = arrays * bytes_of<T>(rows * norm_columns);
  return {.launch = {.grid = grid_of(width, norm_columns),
                     .block = dim3(threads),
                     .shared_bytes = stage <= norm_stage_bytes ? stage : 0},
          .small = threads == 64};
}

}  // namespace

template <Real T>
void normalize(CudaEngine& engine, Index rows, Index width, double epsilon, double momentum, T* z,
               T* inverse, T* running_mean, T* running_variance) {
  const NormShape shape = norm_shape<T>(engine, rows, width, 1);
  engine.launch(shape.small ? normalize_kernel<4, T> : normalize_kernel<1, T>, shape.launch, rows,
                width, epsilon, momentum, z, inverse, running_mean, running_variance,
                shape.launch.shared_bytes > 0);
}

template <Real T>
void normalize_backward(CudaEngine& engine, Index rows, Index width, const T* normalized,
                        const T* scale, const T* inverse, T* du, T* scale_gradient,
                        T* shift_gradient) {
  const NormShape shape = norm_shape<T>(engine, rows, width, 2);
  engine.launch(shape.small ? normalize_backward_kernel<4, T> : normalize_backward_kernel<1, T>,
                shape.launch, rows, width, normalized, scale, inverse, du, scale_gradient,
                shift_gradient, shape.launch.shared_bytes > 0);
}

template <Real T>
void running_affine(CudaEngine& engine, Index width, double epsilon, const T* scale, const T* shift,
                    const T* mean, const T* variance, T* s, T* t) {
  const unsigned threads = engine.block_threads(128);
  engine.launch(running_affine_kernel<T>, {.grid = grid_of(width, threads), .block = threads},
                width, epsilon, scale, shift, mean, variance, s, t);
}

template void normalize(CudaEngine&, Index, Index, double, double, float*, float*, float*, float*);
template void normalize(CudaEngine&, Index, Index, double, double, double*, double*, double*,
                        double*);
template void normalize_backward(CudaEngine&, Index, Index, const float*, const float*,
                                 const float*, float*, float*, float*);
template void normalize_backward(CudaEngine&, Index, Index, const double*, const double*,
                                 const double*, double*, double*, double*);
template void running_affine(CudaEngine&, Index, double, const float*, const float*, const float*,
                             const float*, float*, float*);
template void running_affine(CudaEngine&, Index, double, const double*, const double*,
                             const double*, const double*, double*, double*);

}  // namespace tandem::cuda::mlp
