// A long sum by the threads of one block, for vectors as long as a model has parameters.
#pragma once

#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {

// Blocks of a long sum whose sums are kept in shared memory at once.
inline constexpr int sums_at_once = 64;

// The long sum over the elements 0 .. count − 1, the same in every thread of the block: lanes grow
// by lane = add(i, lane). A warp per block of the sum; the blocks' sums are added in order by every
// thread for itself. All threads of the block must call it, with the same count; partial holds
// sums_at_once doubles in shared memory. What other threads wrote to memory before the call can be
// read by `add`, and partial may be used again after it.
template <class Add>
__device__ double long_sum_by_block(Index count, double* partial, Add&& add) {
  const Index lane = threadIdx.x % warp_size;
  const Index warp = threadIdx.x / warp_size;
  const Index warps = blockDim.x / warp_size;
  const Index blocks = (count + sum_block - 1) / sum_block;
  double total = 0.0;
  __syncthreads();
  for (Index first = 0; first < blocks; first += sums_at_once) {
    const Index here = blocks - first < sums_at_once ? blocks - first : sums_at_once;
    for (Index b = warp; b < here; b += warps) {
      const Index begin = (first + b) * sum_block;
      const Index end = begin + sum_block < count ? begin + sum_block : count;
      double sum = 0.0;
      for (Index i = begin + lane; i < end; i += sum_lanes) sum = add(i, sum);
      sum = add_lanes_of_warp(sum);
      if (lane == 0) partial[b] = sum;
    }
    __syncthreads();
    for (Index b = 0; b < here; ++b) total += partial[b];
    __syncthreads();
  }
  return total;
}

}  // namespace tandem::cuda
