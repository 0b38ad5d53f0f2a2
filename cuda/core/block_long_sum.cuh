// A long sum by the threads of one block, for vectors as long as a model has parameters.
#pragma once

#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {

// Blocks of a long sum whose sums are kept in shared memory at once: a subtree, a node for each
// lane of a warp.
inline constexpr int sums_at_once = static_cast<int>(warp_size);

// The long sum over the elements 0 .. count − 1, the same in every thread of the block: lanes grow
// by lane = add(i, lane). A warp per block of the sum; every warp then goes up the tree by itself,
// by shuffles. All threads of the block, which are whole warps, must call it, with the same count;
// partial holds sums_at_once doubles in shared memory. What other threads wrote to memory before
// the call can be read by `add`, and partial may be used again after it.
template <class Add>
__device__ double long_sum_by_block(Index count, double* partial, Add&& add) {
  const Index lane = threadIdx.x % warp_size;
  const Index warp = threadIdx.x / warp_size;
  const Index warps = blockDim.x / warp_size;
  const Index blocks = sum_blocks(count);
  WarpSumTree tree;  // over subtrees of sums_at_once blocks
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
    const double node = add_nodes_of_warp(lane < here ? partial[lane] : 0.0, here);
    tree.add(__shfl_sync(all_lanes, node, 0));
    __syncthreads();
  }
  return tree.total();
}

}  // namespace tandem::cuda
