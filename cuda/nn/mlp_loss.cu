// Outputs, losses and their derivatives.
#include <cstdint>
#include <limits>

#include "core/nn/mlp_functions.hpp"
#include "cuda/nn/mlp.cuh"
#include "tandem/core/math.hpp"

namespace tandem::cuda::mlp {
namespace {

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
// per 1024 rows, their sums as a tree) and updates the totals. Which block is last changes nothing
// in the result. All threads of the block must call it; `right` is of this thread's row, if it has
// one.
template <Real T>
__device__ void add_to_totals(const LossArguments<T>& p, bool right) {
  __shared__ bool last;
  __shared__ double sums[warp_size];
  __shared__ double roots[max_sum_levels];
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
  Index block = 0;  // of the first warp
  for (Index begin = 0; begin < p.rows; begin += sum_block * warps, block += warps) {
    const Index first = begin + sum_block * warp;
    if (first < p.rows) {
      // Past the first-level cache, which may hold what was there before.
      const double sum =
          sum_of_block(first, p.rows, [&](Index r) { return __ldcg(p.row_losses + r); });
      if (threadIdx.x % warp_size == 0) sums[warp] = sum;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      for (unsigned w = 0; w < warps && begin + sum_block * w < p.rows; ++w) {
        add_leaf(roots, 1, block + w, sums[w]);
      }
    }
    __syncthreads();
  }
  if (threadIdx.x != 0) return;
  MlpTotals::add(p.totals, sum_of_leaves(roots, 1, sum_blocks(p.rows)),
                 static_cast<double>(atomicExch(&p.state->right, 0ULL)));
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
// OutputRows, SoftmaxLossRows in cpu/nn/mlp_loss.cpp.
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
          u[j] = nn::cross_entropy_gradient(probability, j == label, target.factor);
        }
      }
    } else {
      right = top_at == label && own == top;
      T squares = 0;
      T dot = 0;
      for (unsigned j = 0; j < width; ++j) {
        const T probability = u[j] / sum;
        u[j] = probability;
        const T difference = nn::difference(probability, j == label);
        squares = math::fma(difference, difference, squares);
        dot = math::fma(difference, probability, dot);
      }
      p.row_losses[r] =
          static_cast<double>(static_cast<T>(0.5) * squares) * static_cast<double>(target.weight);
      if (p.gradient) {
        for (unsigned j = 0; j < width; ++j) {
          u[j] = nn::squared_error_gradient(u[j], j == label, dot, target.factor);
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
          z[j] = nn::cross_entropy_gradient(probability, j == label, target.factor);
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
          difference = nn::difference(probability, j == label);
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
          const T difference = nn::difference(probability, j == label);
          z[j] = probability * (difference - dot) * target.factor;
        }
      }
    }
  }
  if constexpr (use != SoftmaxUse::output) add_to_totals(p, right);
}

// One output per row: a row per thread. Grid: ceil(rows / block) blocks. Labels, values and weights
// are read by order[r]: gathers of one sector each; the rest is coalesced. Bytes and flops:
// mlp_loss_cost. CPU twin: SingleOutputRowsOf in cpu/nn/mlp_loss.cpp.
template <Real T>
__global__ void __launch_bounds__(most_threads)
    single_output_loss_kernel(LossArguments<T> p, MlpOutput output, MlpLoss loss_function) {
  const Index r = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  bool right = false;
  if (r < p.rows) {
    const RowTarget<T> target = row_target(p, r);
    const T u = p.z[r] + p.bias[0];
    const nn::Scalar<T> o;
    nn::SingleOutputTerms<nn::Scalar<T>> terms;
    if (output == MlpOutput::identity) {
      terms = nn::single_output_terms<MlpOutput::identity, MlpLoss::squared_error>(
          o, u, p.targets.values[target.row]);
    } else {
      const T y = static_cast<T>(p.targets.labels[target.row]);
      terms = loss_function == MlpLoss::cross_entropy
                  ? nn::single_output_terms<MlpOutput::sigmoid, MlpLoss::cross_entropy>(o, u, y)
                  : nn::single_output_terms<MlpOutput::sigmoid, MlpLoss::squared_error>(o, u, y);
      right = (u > 0) == (y == T{1});
    }
    p.row_losses[r] = static_cast<double>(terms.loss) * static_cast<double>(target.weight);
    if (p.gradient) p.z[r] = terms.gradient * target.factor;
  }
  add_to_totals(p, right);
}

// z ← z + bias, and the sigmoid of each row's first output where that is the output. An element per
// thread. Grid: ceil(count / block) blocks. Bytes and flops: mlp_output_cost. CPU twin: OutputRows
// in cpu/nn/mlp_loss.cpp.
template <Real T>
__global__ void add_bias_kernel(Index count, Index width, const T* __restrict__ bias, T* z,
                                bool sigmoid) {
  const Index at = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= count) return;
  const Index column = column_of(at, width);
  const T u = z[at] + bias[column];
  z[at] = sigmoid && column == 0 ? math::sigmoid(u) : u;
}

template <SoftmaxUse use, Real T>
void softmax(CudaEngine& engine, const LossArguments<T>& p) {
  if (p.width <= narrow_width) {
    const std::size_t row = narrow_stride(p.width) * sizeof(T);
    unsigned threads = engine.block_threads(64);
    while (threads * row > shared_limit) threads /= 2;
    engine.launch(
        softmax_row_per_thread_kernel<use, T>,
        {.grid = grid_of(p.rows, threads), .block = threads, .shared_bytes = threads * row}, p);
    return;
  }
  unsigned threads = engine.block_threads(256);
  const std::size_t row = bytes_of<T>(p.width);
  const bool staged = row <= shared_limit;
  while (staged && threads / warp_size * row > shared_limit) threads /= 2;
  const unsigned rows_at_once = threads / warp_size;
  engine.launch(softmax_row_per_warp_kernel<use, T>,
                {.grid = grid_of(p.rows, rows_at_once),
                 .block = threads,
                 .shared_bytes = staged ? rows_at_once * row : 0},
                p, staged);
}

}  // namespace

template <Real T>
void output(CudaEngine& engine, MlpOutput output, Index rows, Index width, const T* bias, T* z) {
  if (output == MlpOutput::softmax) {
    LossArguments<T> p{};
    p.rows = rows;
    p.width = width;
    p.bias = bias;
    p.z = z;
    softmax<SoftmaxUse::output>(engine, p);
    return;
  }
  const unsigned threads = engine.block_threads(256);
  engine.launch(add_bias_kernel<T>, {.grid = grid_of(rows * width, threads), .block = threads},
                rows * width, width, bias, z, output == MlpOutput::sigmoid);
}

template <Real T>
void Losses<T>::loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width,
                     const T* bias, const MlpTargets<T>& targets, const Index* order, T* z,
                     double* totals) {
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
    engine_.launch(single_output_loss_kernel<T>, {.grid = grid_of(rows, threads), .block = threads},
                   p, output, loss);
  } else if (loss == MlpLoss::cross_entropy) {
    softmax<SoftmaxUse::cross_entropy>(engine_, p);
  } else {
    softmax<SoftmaxUse::squared_error>(engine_, p);
  }
}

template void output(CudaEngine&, MlpOutput, Index, Index, const float*, float*);
template void output(CudaEngine&, MlpOutput, Index, Index, const double*, double*);
template class Losses<float>;
template class Losses<double>;

}  // namespace tandem::cuda::mlp
