// Gradients, the rows that a tree is grown on, and their words: kernels of gradient boosting.
#pragma once

#include "core/tree/gradient_boosting_steps.hpp"
#include "cuda/tree/boosting_common.cuh"

namespace tandem::cuda {
// Of the one file that includes this.
namespace {  // NOLINT(google-build-namespaces)

using tree::GradientPacking;
using tree::LossRules;
using tree::RowSample;

// --- gradients -----------------------------------------------------------------------------------

// Raises `to` to the largest of the warp's values; as bits, numbers that are not negative sort as
// they do, and a NaN is above all.
__device__ inline void raise(Word* to, double magnitude) {
  Word bits = static_cast<Word>(__double_as_longlong(magnitude)) & 0x7FFFFFFFFFFFFFFFULL;
  for (unsigned half = warp_size / 2; half > 0; half /= 2) {
    const Word other = __shfl_xor_sync(all_lanes, bits, half);
    bits = other > bits ? other : bits;
  }
  if (threadIdx.x % warp_size == 0 && bits != 0) atomicMax(to, bits);
}

// Gradients and Hessians of a row for all outputs, and the largest of each output.
//
// Grid: a thread per row, whole warps. Reads the row's scores (softmax: three times, through the
// cache), target and weight; writes gradients, and Hessians unless they are all 1, coalesced, an
// output after the other. One atomic per warp, output and quantity. CPU twin: Gradients.
template <class T>
__global__ void gradients_kernel(LossRules<T> loss, const T* __restrict__ scores,
                                 const T* __restrict__ target, const T* __restrict__ weights,
                                 Index rows, bool unit, T* __restrict__ gradients,
                                 T* __restrict__ hessians, Word* __restrict__ most) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const bool here = i < rows;
  const T* s = scores + (here ? i : 0) * loss.outputs;
  const T y = here ? target[i] : T{1};
  const T w = here && weights != nullptr ? weights[i] : T{1};
  T largest = 0;
  T sum = 0;
  const bool softmax = loss.kind == tree::BoostingLoss::softmax;
  if (softmax) {
    largest = tree::largest_score(s, loss.outputs);
    for (Index k = 0; k < loss.outputs; ++k) sum += math::exp(s[k] - largest);
  }
  const tree::loss::Scalar<T> o;
  for (Index k = 0; k < loss.outputs; ++k) {
    T g = 0;
    T h = 0;
    if (here) {
      if (softmax) {
        const auto both = tree::loss::softmax_gradient_terms(o, math::exp(s[k] - largest) / sum,
                                                             y == static_cast<T>(k) ? T{1} : T{0});
        g = both.gradient;
        h = both.hessian;
      } else {
        const auto both = tree::gradient_of(loss, s[0], y);
        g = both.gradient;
        h = both.hessian;
      }
      if (weights != nullptr) {
        g = w * g;
        h = w * h;
      }
      gradients[k * rows + i] = g;
      if (!unit) hessians[k * rows + i] = h;
    }
    raise(most + 2 * k, static_cast<double>(g));
    raise(most + 2 * k + 1, static_cast<double>(h));
  }
}

// Gradients and Hessians of one output that were computed elsewhere, times the weights, and the
// largest of them. A thread per row, whole warps; one atomic per warp and quantity.
template <class T>
__global__ void take_gradients_kernel(const T* __restrict__ from_g, const T* __restrict__ from_h,
                                      const T* __restrict__ weights, Index rows,
                                      T* __restrict__ gradients, T* __restrict__ hessians,
                                      Word* __restrict__ most) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  T g = 0;
  T h = 0;
  if (i < rows) {
    const T w = weights != nullptr ? weights[i] : T{1};
    g = w * from_g[i];
    h = w * from_h[i];
    gradients[i] = g;
    hessians[i] = h;
  }
  raise(most, static_cast<double>(g));
  raise(most + 1, static_cast<double>(h));
}

// --- the sample and its words --------------------------------------------------------------------

// Of the magnitudes that begin as the one sought, how many have each value of their next eight
// bits.
//
// Grid: a thread per row, each over several. Shared memory: 256 counts. Reads a gradient per row;
// at most 256 atomics per block on integers. CPU twin: rank_gradients.
template <class T>
__global__ void count_magnitudes_kernel(const T* __restrict__ gradients, Index rows,
                                        tree::OrderKey<T> begin, int shift,
                                        Word* __restrict__ counts) {
  __shared__ unsigned here[256];
  for (unsigned b = threadIdx.x; b < 256; b += blockDim.x) here[b] = 0;
  __syncthreads();
  const Index step = static_cast<Index>(gridDim.x) * blockDim.x;
  for (Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x; i < rows; i += step) {
    const T gradient = gradients[i];
    const tree::OrderKey<T> key = tree::order_key(gradient < 0 ? -gradient : gradient);
    if (((key ^ begin) >> shift) >> 8 != 0) continue;
    atomicAdd(here + static_cast<unsigned>((key >> shift) & 255), 1U);
  }
  __syncthreads();
  for (unsigned b = threadIdx.x; b < 256; b += blockDim.x) {
    if (here[b] != 0) atomicAdd(counts + b, static_cast<Word>(here[b]));
  }
}

// How many rows of each tile are in the sample. A warp per tile.
template <class T>
__global__ void count_sample_kernel(RowSample sample, const T* __restrict__ gradients, Index rows,
                                    std::int32_t* __restrict__ counts, Index tiles) {
  const Index tile = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (tile >= tiles) return;
  const Index lane = threadIdx.x % warp_size;
  std::int32_t count = 0;
  for (Index r = 0; r < tile_rows; r += warp_size) {
    const Index i = tile * tile_rows + r + lane;
    count += __popc(__ballot_sync(all_lanes, i < rows && sample.has(i, gradients[i])));
  }
  if (lane == 0) counts[tile] = count;
}

// The rows of the sample in their order. A warp per tile; `before` is the scan of the counts.
template <class T>
__global__ void place_sample_kernel(RowSample sample, const T* __restrict__ gradients, Index rows,
                                    const std::int32_t* __restrict__ before, Index tiles,
                                    std::uint32_t* __restrict__ order) {
  const Index tile = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (tile >= tiles) return;
  const unsigned lane = threadIdx.x % warp_size;
  Index to = before[tile];
  for (Index r = 0; r < tile_rows; r += warp_size) {
    const Index i = tile * tile_rows + r + lane;
    const bool taken = i < rows && sample.has(i, gradients[i]);
    const unsigned all = __ballot_sync(all_lanes, taken);
    if (taken) order[to + __popc(all & ((1U << lane) - 1))] = static_cast<std::uint32_t>(i);
    to += __popc(all);
  }
}

__device__ inline void add_to_sum(Word* to, std::int64_t value) {
  for (unsigned half = warp_size / 2; half > 0; half /= 2) {
    value += __shfl_xor_sync(all_lanes, value, half);
  }
  if (threadIdx.x % warp_size == 0) atomicAdd(to, static_cast<Word>(value));
}

// The words of the sample's rows, in their order, and the sums of g, h and |g|. hessians: null
// where all are 1.
//
// Grid: a thread per place, whole warps. Reads a gradient and a Hessian of each row (neighbours but
// for the sample's gaps), writes a word (wide: two). Three atomics per warp.
template <class T>
__global__ void pack_kernel(GradientPacking packing, RowSample sample,
                            const T* __restrict__ gradients, const T* __restrict__ hessians,
                            bool identity, Index count, std::uint32_t* __restrict__ order,
                            std::int64_t* __restrict__ words, std::int64_t* __restrict__ extra,
                            Word* __restrict__ sums) {
  const Index p = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  std::int64_t g = 0;
  std::int64_t h = 0;
  if (p < count) {
    const Index row = identity ? p : static_cast<Index>(order[p]);
    if (identity) order[p] = static_cast<std::uint32_t>(p);
    const T gradient = gradients[row];
    const T weight = identity ? T{1} : sample.weight_of(gradient);
    tree::pack_row(packing, weight * gradient,
                   weight * (hessians == nullptr ? T{1} : hessians[row]), g, h);
    if (packing.wide) {
      words[p] = g;
      extra[p] = h;
    } else {
      words[p] = tree::word_of(packing, g, h);
    }
  }
  add_to_sum(sums, g);
  add_to_sum(sums + 1, h);
  add_to_sum(sums + 2, g < 0 ? -g : g);
}

}  // namespace
}  // namespace tandem::cuda
