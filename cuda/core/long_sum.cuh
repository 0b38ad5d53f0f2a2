// Long sums on the device, in the shape of tandem/core/numerics.hpp: blocks of sum_block rows, a
// block's rows over the 32 lanes of one warp, the lanes added by halves, the blocks in order.
#pragma once

#include "cuda/core/engine.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem::cuda {

inline constexpr unsigned warp_size = 32;
inline constexpr unsigned all_lanes = 0xFFFFFFFFU;
static_assert(sum_lanes == warp_size, "a lane of a long sum is a lane of a warp");

// In lane 0 the sum of the warp's values as add_lanes() adds them; meaningless in the others. All
// 32 lanes must call it.
__device__ inline double add_lanes_of_warp(double value) {
  for (unsigned half = warp_size / 2; half > 0; half /= 2) {
    value += __shfl_down_sync(all_lanes, value, half);
  }
  return value;
}

// In lane 0 the sum over one block, rows first .. min(first + sum_block, count) − 1, of term(row).
// All 32 lanes of a warp must call it.
template <class Term>
__device__ double sum_of_block(Index first, Index count, Term&& term) {
  const Index end = first + sum_block < count ? first + sum_block : count;
  double sum = 0.0;
  for (Index i = first + threadIdx.x % warp_size; i < end; i += sum_lanes) {
    sum += static_cast<double>(term(i));
  }
  return add_lanes_of_warp(sum);
}

// total[c] = Σ over b in ascending order, from +0, of partial[b·columns + c], or added to total[c]
// where `accumulate`. One thread per column; a chain of `blocks` additions, so that memory's
// latency and not its bandwidth is the time: loads are issued eight ahead. For tens of thousands of
// rows per column that is a few microseconds.
//
// Grid: ceil(columns / block) blocks, one thread per column. Reads 8·blocks·columns bytes,
// coalesced across columns; writes 8·columns.
__global__ void add_blocks_kernel(const double* partial, Index blocks, Index columns,
                                  bool accumulate, double* total);

// Enqueues add_blocks_kernel.
void add_blocks(CudaEngine& engine, const double* partial, Index blocks, Index columns,
                bool accumulate, double* total);

}  // namespace tandem::cuda
