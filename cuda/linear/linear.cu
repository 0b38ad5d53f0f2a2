// Passes of linear models on the GPU; how rows come there is in linear_rows.cu. Rows are packed in
// blocks of sum_block, feature-major inside, so that the lanes of a warp read neighbouring rows of
// one feature: every access to the features is coalesced, and lane l of a warp is lane l of the
// documented long sum.
#include <cuda_pipeline.h>

#include <algorithm>

#include "core/linear/linear_loss.hpp"
#include "core/linear/linear_steps.hpp"
#include "cuda/core/block_long_sum.cuh"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "cuda/linear/linear_cost.hpp"
#include "cuda/linear/linear_rows.cuh"
#include "cuda/linear/packed_chunks.cuh"

namespace tandem::cuda {
namespace {

using linear::with_one_nan;

// Lanes past the last row add terms that are zero.
__device__ int padded_to_lanes(Index rows) {
  return static_cast<int>((rows + sum_lanes - 1) / sum_lanes * sum_lanes);
}

// In: the outputs of a row, q[k·stride], numbers of T kept in double. Out: q_k = w·r_k in double,
// and the two factors whose product is w·loss. `row` counts from the first of `in`.
template <Real T>
__device__ void weighted_residuals(LinearLoss loss, const Rows<T>& in, Index row, int outputs,
                                   double* q, int stride, double& left, double& right) {
  using O = linear::Scalar<T>;
  const O o;
  const T y = in.target[row];
  const double weight = in.weights == nullptr ? 1.0 : static_cast<double>(in.weights[row]);
  if (loss == LinearLoss::squared) {
    const double residual = static_cast<double>(static_cast<T>(q[0]) - y);
    q[0] = weight * residual;
    left = 0.5 * residual;
    right = q[0];
    return;
  }
  left = weight;
  if (loss == LinearLoss::logistic) {
    const auto terms = linear::logistic_terms(o, y, static_cast<T>(q[0]));
    q[0] = weight * static_cast<double>(terms.residual);
    right = static_cast<double>(terms.loss);
    return;
  }
  T largest = static_cast<T>(q[0]);
  T own = largest;
  for (int k = 1; k < outputs; ++k) {
    const T z = static_cast<T>(q[k * stride]);
    largest = linear::larger_output(o, largest, z);
    own = y == static_cast<T>(k) ? z : own;
  }
  T sum = 0;
  for (int k = 0; k < outputs; ++k) {
    const T e = linear::softmax_exponential(o, static_cast<T>(q[k * stride]), largest);
    sum += e;
    q[k * stride] = static_cast<double>(e);
  }
  right = static_cast<double>(linear::softmax_loss(o, sum, own, largest));
  for (int k = 0; k < outputs; ++k) {
    const T p = static_cast<T>(q[k * stride]) / sum;
    q[k * stride] =
        weight * static_cast<double>(linear::softmax_residual(o, p, y, static_cast<T>(k)));
  }
}

// The parameters rounded to T, once per pass: the weight of feature j and output k at j·outputs +
// k, the intercepts as those of feature d. What a kernel needs at a time is then in one place.
//
// Grid: ceil(outputs·(d + 1) / block) blocks, one thread per parameter. Reads 8 bytes and writes
// one element per parameter.
template <Real T>
__global__ void round_parameters_kernel(const double* __restrict__ parameters, Index features,
                                        Index outputs, T* __restrict__ model) {
  const Index p = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (p >= outputs * (features + 1)) return;
  const Index to = p < outputs * features ? p % features * outputs + p / features : p;
  model[to] = static_cast<T>(parameters[p]);
}

// Outputs, losses and gradient of one block of rows in one reading of it.
//
// Grid: one block of threads (64 or 256) per sum_block of rows. The rows go through shared memory
// in tiles of tile_rows, a power of two: cp.async copies features × tile_rows elements, 16 bytes
// per thread; a thread computes one output of one row, a chain of fmas over the features; a thread
// per row turns the outputs into weighted residuals; then warp v takes the features v, v + warps,
// ..., and its lane l adds the terms of the tile's rows l, l + 32, ... to the sums of (feature,
// output) that it keeps in registers from the first tile to the last: features_per_warp ×
// most_outputs doubles. The intercept is one more feature, of ones; warp 0 also adds the losses. At
// the end the lanes of each sum are added by shuffles and go to partial, K·(d + 1) + 1 per block.
//
// Requires: d + 1 <= features_per_warp·warps, K <= most_outputs.
// Shared memory: fused_shared_bytes(); accesses of a warp are to neighbouring rows, or broadcasts:
// no bank conflicts beyond the two wavefronts that 32 doubles take. Four barriers per tile. The
// copies of one block overlap the sums of the others on the multiprocessor. Bytes and flops:
// fused_pass_cost() in linear_cost.hpp; every byte of the rows is read once. Bound by memory
// where double precision runs at half or a quarter of single's rate, and by the d·K fmas in double
// per row that the long sums are made of where it runs at 1/64.
// Numerics: as LinearSteps::pass says; the same bits for any number of threads and any tile_rows.
// CPU twin: PassBlock in cpu/linear/linear.cpp.
template <int features_per_warp, int most_outputs, Real T>
__global__ void __launch_bounds__(256, features_per_warp* most_outputs <= 8 ? 3 : 1)
    fused_pass_kernel(LinearLoss loss, Rows<T> in, int outputs, const T* __restrict__ model,
                      int tile_rows, double* __restrict__ partial) {
  extern __shared__ __align__(16) unsigned char shared[];
  const int features = static_cast<int>(in.features);
  double* q = reinterpret_cast<double*>(shared);
  double* left = q + outputs * tile_rows;
  double* right = left + tile_rows;
  T* x = reinterpret_cast<T*>(right + tile_rows);
  T* w = x + features * tile_rows;

  const int thread = static_cast<int>(threadIdx.x);
  const int threads = static_cast<int>(blockDim.x);
  const int lane = thread % static_cast<int>(warp_size);
  const int warp = thread / static_cast<int>(warp_size);
  const int warps = threads / static_cast<int>(warp_size);
  const Index block = blockIdx.x;
  const int rows = static_cast<int>(rows_of_block(in.rows, block));
  const T* from = in.x + block * features * packed_stride;
  for (int p = thread; p < outputs * (features + 1); p += threads) w[p] = model[p];

  double sums[features_per_warp][most_outputs];
#pragma unroll
  for (int f = 0; f < features_per_warp; ++f) {
#pragma unroll
    for (int k = 0; k < most_outputs; ++k) sums[f][k] = 0.0;
  }
  double cost = 0.0;

  const int shift = 31 - __clz(tile_rows);
  constexpr int at_once = 16 / static_cast<int>(sizeof(T));
  constexpr int at_once_shift = sizeof(T) == 4 ? 2 : 1;
  for (int first = 0; first < rows; first += tile_rows) {
    const int copies_shift = shift - at_once_shift;  // of one feature
    for (int e = thread; e < features << copies_shift; e += threads) {
      const int j = e >> copies_shift;
      const int i = (e & ((1 << copies_shift) - 1)) * at_once;
      __pipeline_memcpy_async(x + (j << shift) + i, from + j * packed_stride + first + i, 16);
    }
    __pipeline_commit();
    __pipeline_wait_prior(0);
    __syncthreads();

    for (int e = thread; e < outputs << shift; e += threads) {
      const int k = e >> shift;
      const T* column = x + (e & (tile_rows - 1));
      T z = w[features * outputs + k];
      for (int j = 0; j < features; ++j) {
        z = math::fma(column[j << shift], w[j * outputs + k], z);
      }
      q[e] = static_cast<double>(z);
    }
    __syncthreads();
    for (int i = thread; i < tile_rows; i += threads) {
      if (first + i < rows) {
        weighted_residuals(loss, in, block * sum_block + first + i, outputs, q + i, tile_rows,
                           left[i], right[i]);
      } else {
        for (int k = 0; k < outputs; ++k) q[(k << shift) + i] = 0.0;
        left[i] = 0.0;
        right[i] = 0.0;
      }
    }
    __syncthreads();

    const int here = rows - first < tile_rows ? padded_to_lanes(rows - first) : tile_rows;
    for (int i = lane; i < here; i += static_cast<int>(sum_lanes)) {
      double residual[most_outputs];
#pragma unroll
      for (int k = 0; k < most_outputs; ++k) {
        residual[k] = k < outputs ? q[(k << shift) + i] : 0.0;
      }
#pragma unroll
      for (int f = 0; f < features_per_warp; ++f) {
        const int j = warp + f * warps;
        if (j > features) continue;
        const double value = j < features ? static_cast<double>(x[(j << shift) + i]) : 1.0;
#pragma unroll
        for (int k = 0; k < most_outputs; ++k) {
          if (k < outputs) sums[f][k] = math::fma(residual[k], value, sums[f][k]);
        }
      }
      if (warp == 0) cost = math::fma(left[i], right[i], cost);
    }
    __syncthreads();
  }

  double* out = partial + block * (outputs * (in.features + 1) + 1);
#pragma unroll
  for (int f = 0; f < features_per_warp; ++f) {
    const int j = warp + f * warps;
    if (j > features) continue;
#pragma unroll
    for (int k = 0; k < most_outputs; ++k) {
      if (k >= outputs) continue;
      const double sum = add_lanes_of_warp(sums[f][k]);
      if (lane == 0) out[j < features ? k * features + j : outputs * features + k] = sum;
    }
  }
  if (warp == 0) {
    cost = add_lanes_of_warp(cost);
    if (lane == 0) out[outputs * (features + 1)] = cost;
  }
}

// Outputs of the row `column` points at into z[k·stride], for all outputs; sixteen at a time, so
// that the features are read once per sixteen.
template <Real T, class Z>
__device__ void outputs_of_row(const T* column, int features, int outputs, const T* model, Z* z,
                               int stride) {
  constexpr int at_once = 16;
  if (outputs == 1) {
    T sum = model[features];
    for (int j = 0; j < features; ++j) sum = math::fma(column[j * packed_stride], model[j], sum);
    z[0] = static_cast<Z>(sum);
    return;
  }
  for (int first = 0; first < outputs; first += at_once) {
    const int here = outputs - first < at_once ? outputs - first : at_once;
    const T* weights = model + first;
    T sums[at_once];
#pragma unroll
    for (int c = 0; c < at_once; ++c) {
      if (c < here) sums[c] = weights[static_cast<Index>(features) * outputs + c];
    }
    for (int j = 0; j < features; ++j) {
      const T value = column[j * packed_stride];
#pragma unroll
      for (int c = 0; c < at_once; ++c) {
        if (c < here) sums[c] = math::fma(value, weights[c], sums[c]);
      }
      weights += outputs;
    }
#pragma unroll
    for (int c = 0; c < at_once; ++c) {
      if (c < here) z[static_cast<Index>(first + c) * stride] = static_cast<Z>(sums[c]);
    }
  }
}

// The weighted residuals of all rows, for passes that the fused kernel has not the registers for,
// and for those without a gradient: q, blocks × outputs × sum_block, and the factors of the losses,
// left and right, blocks × sum_block.
//
// Grid: one thread per row, a block of rows being a whole number of blocks of threads (a power of
// two up to 256). The model is read by broadcasts through the first-level cache. No shared memory,
// no synchronisation. Reads the features once per sixteen outputs; with more than one output, a
// row's outputs are kept in q, read and written three times from the first-level cache. Bytes and
// flops: residuals_cost() in linear_cost.hpp. CPU twin: Outputs, Residuals and WeightedResiduals in
// cpu/linear/linear.cpp.
template <Real T>
__global__ void __launch_bounds__(256)
    residuals_kernel(LinearLoss loss, Rows<T> in, int outputs, const T* __restrict__ model,
                     double* __restrict__ q, double* __restrict__ left,
                     double* __restrict__ right) {
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const Index block = row / sum_block;
  const int i = static_cast<int>(row % sum_block);
  if (block * sum_block >= in.rows) return;
  const Index rows = rows_of_block(in.rows, block);
  double* residual = q + block * outputs * sum_block + i;
  if (i < rows) {
    const int features = static_cast<int>(in.features);
    const T* column = in.x + block * features * packed_stride + i;
    double a;
    double b;
    if (outputs == 1) {
      double z;
      outputs_of_row(column, features, 1, model, &z, 1);
      weighted_residuals(loss, in, row, 1, &z, 1, a, b);
      residual[0] = z;
    } else {
      constexpr int stride = static_cast<int>(sum_block);
      outputs_of_row(column, features, outputs, model, residual, stride);
      weighted_residuals(loss, in, row, outputs, residual, stride, a, b);
    }
    left[row] = a;
    right[row] = b;
  } else if (i < padded_to_lanes(rows)) {
    for (int k = 0; k < outputs; ++k) residual[k * sum_block] = 0.0;
    left[row] = 0.0;
    right[row] = 0.0;
  }
}

// A tile of (feature, output) sums per warp: each value read serves as many sums as the tile is
// wide in the other direction.
inline constexpr int tile_features = 4;
inline constexpr int tile_outputs = 4;

// The gradient's sums of the features from the weighted residuals.
//
// Grid: (ceil(K / 4), ceil(d / (4·warps)), blocks of rows), any number of whole warps. A warp adds
// the terms of 4 features × 4 outputs over one block of rows, lane l those of the rows l, l + 32,
// .... Blocks of threads that read the same features for other outputs are neighbours in the grid
// and run at the same time, so that memory is asked for them once; residuals come from the
// second-level cache, for a block of threads but once. No shared memory, no synchronisation. Bytes
// and flops: column_sums_cost(). CPU twin: ColumnSums in cpu/linear/linear.cpp.
template <Real T>
__global__ void __launch_bounds__(256)
    column_sums_kernel(Rows<T> in, int outputs, const double* __restrict__ q,
                       double* __restrict__ partial) {
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const int warp = static_cast<int>(threadIdx.x / warp_size);
  const int warps = static_cast<int>(blockDim.x / warp_size);
  const int features = static_cast<int>(in.features);
  const int first_feature = (static_cast<int>(blockIdx.y) * warps + warp) * tile_features;
  const int first_output = static_cast<int>(blockIdx.x) * tile_outputs;
  if (first_feature >= features) return;
  const Index block = blockIdx.z;
  const int rows = padded_to_lanes(rows_of_block(in.rows, block));
  const T* x = in.x + (block * features + first_feature) * packed_stride;
  const double* residuals = q + (block * outputs + first_output) * sum_block;
  double sums[tile_features][tile_outputs] = {};
  for (int i = lane; i < rows; i += static_cast<int>(sum_lanes)) {
    double residual[tile_outputs];
#pragma unroll
    for (int k = 0; k < tile_outputs; ++k) {
      residual[k] = first_output + k < outputs ? residuals[k * sum_block + i] : 0.0;
    }
#pragma unroll
    for (int f = 0; f < tile_features; ++f) {
      if (first_feature + f >= features) continue;
      const double value = static_cast<double>(x[f * packed_stride + i]);
#pragma unroll
      for (int k = 0; k < tile_outputs; ++k) {
        if (first_output + k < outputs) sums[f][k] = math::fma(residual[k], value, sums[f][k]);
      }
    }
  }
  double* out = partial + block * (outputs * (in.features + 1) + 1);
#pragma unroll
  for (int f = 0; f < tile_features; ++f) {
    if (first_feature + f >= features) continue;
#pragma unroll
    for (int k = 0; k < tile_outputs; ++k) {
      if (first_output + k >= outputs) continue;
      const double sum = add_lanes_of_warp(sums[f][k]);
      if (lane == 0) out[static_cast<Index>(first_output + k) * features + first_feature + f] = sum;
    }
  }
}

// The sums over the rows of a block that need no feature: the intercepts' gradients (with a
// gradient) and the cost, at the end of the block's columns of partial.
//
// Grid: one warp per block of rows and sum, any number of warps to a block. Reads the residuals or
// the factors of the losses once, coalesced: row_sums_cost(). CPU twin: WeightedResiduals and
// PassBlock.
template <Real T>
__global__ void __launch_bounds__(256)
    row_sums_kernel(Rows<T> in, int outputs, bool gradient, const double* __restrict__ q,
                    const double* __restrict__ left, const double* __restrict__ right,
                    double* __restrict__ partial) {
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  const Index warp = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  const int kinds = gradient ? outputs + 1 : 1;
  const Index block = warp / kinds;
  const int kind = static_cast<int>(warp % kinds) + (gradient ? 0 : outputs);
  if (block * sum_block >= in.rows) return;
  const int rows = padded_to_lanes(rows_of_block(in.rows, block));
  double sum = 0.0;
  if (kind < outputs) {
    const double* residual = q + (block * outputs + kind) * sum_block;
    for (int i = lane; i < rows; i += static_cast<int>(sum_lanes)) sum += residual[i];
  } else {
    const Index begin = block * sum_block;
    for (int i = lane; i < rows; i += static_cast<int>(sum_lanes)) {
      sum = math::fma(left[begin + i], right[begin + i], sum);
    }
  }
  sum = add_lanes_of_warp(sum);
  if (lane != 0) return;
  if (gradient) {
    partial[block * (outputs * (in.features + 1) + 1) + outputs * in.features + kind] = sum;
  } else {
    partial[block] = sum;
  }
}

// The end of a pass: gradient ← factor·sum, 0 for intercepts that are fixed; cost[0] += the last
// sum. `parameters` is 0 without a gradient.
//
// Grid: ceil(max(1, parameters) / block) blocks, one thread per parameter.
__global__ void finish_pass_kernel(const double* __restrict__ sums, Index parameters, Index weights,
                                   bool intercept, double factor, double* __restrict__ gradient,
                                   double* __restrict__ cost) {
  const Index p = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (p < parameters) {
    gradient[p] = p < weights || intercept ? with_one_nan(factor * sums[p]) : 0.0;
  }
  if (p == 0) cost[0] = with_one_nan(cost[0] + sums[parameters]);
}

// gradient += l2·parameters on the penalised ones; the cost of the penalty.
//
// Grid: one block of threads: a model is small, and one launch is what it takes. Reads 24 and
// writes 8 bytes per parameter. CPU twin: CpuLinear::add_penalty.
__global__ void __launch_bounds__(1024)
    penalty_kernel(double l2, Index penalised, double cost_factor,
                   const double* __restrict__ parameters, double* __restrict__ gradient,
                   double* __restrict__ cost) {
  __shared__ double partial[sums_at_once];
  const double squares = long_sum_by_block(penalised, partial, [&](Index p, double lane) {
    return math::fma(parameters[p], parameters[p], lane);
  });
  for (Index p = threadIdx.x; p < penalised; p += blockDim.x) {
    gradient[p] = with_one_nan(math::fma(l2, parameters[p], gradient[p]));
  }
  if (threadIdx.x == 0) cost[0] = with_one_nan(cost[0] + cost_factor * (l2 / 2 * squares));
}

// Predictions, rows × columns.
//
// Grid: one thread per row, in blocks of up to 256. Reads the features once per sixteen outputs, in
// chains that wait for memory: as many warps as fit hide that. A softmax keeps its outputs in its
// row of the results, which is written three times and read twice, from the first-level cache. A
// warp writes 32 rows of the results, which are one piece of memory, column by column: not
// coalesced with more than one column, but every sector that is touched is filled before it leaves
// the cache. Bytes: predict_bytes(). CPU twin: PredictBlock in cpu/linear/linear.cpp.
template <Real T>
__global__ void __launch_bounds__(256, 1)
    predict_kernel(LinearLoss loss, Rows<T> in, int outputs, const T* __restrict__ model,
                   T* __restrict__ results) {
  const Index row = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (row >= in.rows) return;
  const int features = static_cast<int>(in.features);
  const T* column = in.x + row / sum_block * features * packed_stride + row % sum_block;
  if (loss == LinearLoss::logistic) {
    T z;
    outputs_of_row(column, features, 1, model, &z, 1);
    results[2 * row] = math::sigmoid(-z);
    results[2 * row + 1] = math::sigmoid(z);
    return;
  }
  T* z = results + row * outputs;
  outputs_of_row(column, features, outputs, model, z, 1);
  if (loss == LinearLoss::squared) {
    z[0] = with_one_nan(z[0]);
    return;
  }
  const linear::Scalar<T> o;
  T largest = z[0];
  for (int k = 1; k < outputs; ++k) largest = linear::larger_output(o, largest, z[k]);
  T sum = 0;
  for (int k = 0; k < outputs; ++k) {
    const T e = linear::softmax_exponential(o, z[k], largest);
    sum += e;
    z[k] = e;
  }
  for (int k = 0; k < outputs; ++k) z[k] = with_one_nan(z[k] / sum);
}

template <Real T>
class CudaLinear final : public LinearSteps<T> {
 public:
  explicit CudaLinear(Engine& engine) : engine_(cuda_engine(engine)), chunks_(engine_) {}

  void pack(const RowsView<T>& from, Index count, Index at, PackedRows<T>& to) override {
    pack_rows(engine_, from, count, at, to);
  }
  void gather(const RowsView<T>& from, const RandomPermutation& order, Index first, Index count,
              PackedRows<T>& batch) override {
    gather_rows(engine_, from, order, first, count, batch);
  }
  void moments(const PackedRows<T>& rows, Buffer<double>& moments) override {
    moments_of_rows(chunks_, rows, moments);
  }
  void standardise(const Buffer<double>& centre, const Buffer<double>& factor,
                   PackedRows<T>& rows) override {
    standardise_rows(engine_, centre, factor, rows);
  }

  void pass(LinearLoss loss, const PackedRows<T>& rows, Index outputs, bool intercept,
            const Buffer<double>& parameters, double factor, Buffer<double>& gradient,
            Buffer<double>& cost) override {
    const Index d = rows.features;
    const bool with_gradient = !gradient.empty();
    const Index columns = with_gradient ? outputs * (d + 1) + 1 : 1;
    round_model(parameters, d, outputs);
    const double* sums = nullptr;
    const unsigned threads = block_threads();
    const PassPlan plan =
        plan_pass(d, outputs, sizeof(T), threads, engine_.properties().sharedMemPerBlockOptin);
    if (with_gradient && plan.fused) {
      sums = chunks_.sums(rows, columns, 0, most_grid_x, 0,
                          [&](const Rows<T>& in, Index blocks, double* partial) {
                            engine_.launch(fused_kernel(plan),
                                           {.grid = dim3(whole(blocks)),
                                            .block = dim3(threads),
                                            .shared_bytes = plan.shared_bytes},
                                           loss, in, static_cast<int>(outputs), model_.data(),
                                           plan.tile_rows, partial);
                          });
    } else {
      // So few blocks at a time that the second reading of the features finds them in the cache,
      // but enough of them to fill the device.
      constexpr Index least = 64;
      const Index block_bytes = d * packed_stride * static_cast<Index>(sizeof(T));
      const Index cached = static_cast<Index>(engine_.properties().l2CacheSize) / 2 / block_bytes;
      sums = chunks_.sums(rows, columns, (outputs + 2) * sum_block * 8,
                          std::min(most_grid_y, std::max(least, cached)), residuals_.bytes(),
                          [&](const Rows<T>& in, Index blocks, double* partial) {
                            pass_in_two(loss, in, blocks, outputs, with_gradient, threads, partial);
                          });
    }
    engine_.launch(finish_pass_kernel,
                   {.grid = dim3(whole(blocks_for(std::max<Index>(1, columns - 1), threads))),
                    .block = dim3(threads)},
                   sums, columns - 1, outputs * d, intercept, factor, gradient.data(), cost.data());
  }

  void add_penalty(double l2, Index penalised, double cost_factor, const Buffer<double>& parameters,
                   Buffer<double>& gradient, Buffer<double>& cost) override {
    engine_.launch(penalty_kernel, {.grid = dim3(1), .block = dim3(engine_.block_threads(512))}, l2,
                   penalised, cost_factor, parameters.data(), gradient.data(), cost.data());
  }

  void predict(LinearLoss loss, const RowsView<T>& rows, Index outputs,
               const Buffer<double>& parameters, T* results) override {
    const Index columns = loss == LinearLoss::logistic ? 2 : outputs;
    round_model(parameters, rows.features, outputs);
    const Index blocks = PackedRows<T>::blocks(rows.rows);
    if (packed_.x.size() < blocks * rows.features * packed_stride ||
        packed_.target.size() < blocks * sum_block) {
      packed_ = PackedRows<T>();  // the old one's memory first
      packed_ = PackedRows<T>(engine_, rows.rows, rows.features, false, Placement::rows);
    }
    packed_.rows = rows.rows;
    packed_.features = rows.features;
    pack_rows(engine_, {rows.rows, rows.features, rows.stride, rows.x}, rows.rows, 0, packed_);
    const unsigned threads = block_threads();
    Index done = 0;
    chunks_.for_each(packed_, 0, most_grid_x / 32, 0, [&](const Rows<T>& in, Index, Index) {
      engine_.launch(predict_kernel<T>,
                     {.grid = dim3(whole(blocks_for(in.rows, threads))), .block = dim3(threads)},
                     loss, in, static_cast<int>(outputs), model_.data(), results + done * columns);
      done += in.rows;
    });
  }

 private:
  // Threads of a block for kernels whose registers allow no more than 256.
  [[nodiscard]] unsigned block_threads() const {
    return std::min(engine_.block_threads(256), 256U);
  }

  void pass_in_two(LinearLoss loss, const Rows<T>& in, Index blocks, Index outputs,
                   bool with_gradient, unsigned threads, double* partial) {
    const Index d = in.features;
    reserve(engine_, residuals_, blocks * (outputs + 2) * sum_block);
    double* q = residuals_.data();
    double* left = q + blocks * outputs * sum_block;
    double* right = left + blocks * sum_block;
    const auto k = static_cast<int>(outputs);
    engine_.launch(
        residuals_kernel<T>,
        {.grid = dim3(whole(blocks_for(blocks * sum_block, threads))), .block = dim3(threads)},
        loss, in, k, model_.data(), q, left, right);
    const unsigned warps = threads / warp_size;
    if (with_gradient) {
      engine_.launch(column_sums_kernel<T>,
                     {.grid = dim3(whole(blocks_for(outputs, tile_outputs)),
                                   whole(blocks_for(d, warps * tile_features)), whole(blocks)),
                      .block = dim3(threads)},
                     in, k, q, partial);
    }
    const Index sums = blocks * (with_gradient ? outputs + 1 : 1);
    engine_.launch(row_sums_kernel<T>,
                   {.grid = dim3(whole(blocks_for(sums, warps))), .block = dim3(threads)}, in, k,
                   with_gradient, q, left, right, partial);
  }

  using FusedKernel = void (*)(LinearLoss, Rows<T>, int, const T*, int, double*);
  static FusedKernel fused_kernel(const PassPlan& plan) {
    if (plan.outputs == 1) {
      if (plan.features_per_warp == 2) return fused_pass_kernel<2, 1, T>;
      if (plan.features_per_warp == 8) return fused_pass_kernel<8, 1, T>;
      return fused_pass_kernel<32, 1, T>;
    }
    if (plan.features_per_warp == 2) return fused_pass_kernel<2, 4, T>;
    return fused_pass_kernel<8, 4, T>;
  }

  void round_model(const Buffer<double>& parameters, Index features, Index outputs) {
    const unsigned threads = engine_.block_threads(256);
    const Index size = outputs * (features + 1);
    reserve(engine_, model_, size);
    engine_.launch(round_parameters_kernel<T>,
                   {.grid = dim3(whole(blocks_for(size, threads))), .block = dim3(threads)},
                   parameters.data(), features, outputs, model_.data());
  }

  CudaEngine& engine_;
  PackedChunks<T> chunks_;
  Buffer<T> model_;
  PackedRows<T> packed_;      // what predictions are of
  Buffer<double> residuals_;  // of pass_in_two: blocks × (outputs + 2) × sum_block
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_linear_float32(tandem::Engine& engine) {
  return static_cast<tandem::LinearSteps<float>*>(new tandem::cuda::CudaLinear<float>(engine));
}
void* tandem_cuda_linear_float64(tandem::Engine& engine) {
  return static_cast<tandem::LinearSteps<double>*>(new tandem::cuda::CudaLinear<double>(engine));
}
}
