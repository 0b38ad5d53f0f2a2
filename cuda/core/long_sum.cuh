// Long sums on the device, in the shape of tandem/core/numerics.hpp: blocks of sum_block rows, a
// block's rows over the 32 lanes of one warp, the lanes added by halves, the blocks by a tree.
#pragma once

#include "cuda/core/engine.hpp"
#include "tandem/core/buffer.hpp"
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

// In lane 0 node (5, i) of a tree, where lane l has its descendant (0, 32i + l) as `node`, of which
// there are `here`, 1 .. 32; meaningless in the other lanes. All 32 lanes must call it.
__device__ inline double add_nodes_of_warp(double node, Index here) {
  const Index lane = threadIdx.x % warp_size;
  for (unsigned step = 1; step < warp_size; step *= 2) {
    const double right = __shfl_down_sync(all_lanes, node, step);
    if (lane + step < here) node += right;
  }
  return node;
}

// SumTree, kept by a warp: lane k has the root on level k, so that the stack stands in one register
// of each lane. For up to 2^32 − 1 nodes. All 32 lanes must call each function, with the same
// arguments.
class WarpSumTree {
 public:
  __device__ void add(double sum) {
    unsigned level = 0;
    for (; ((nodes_ >> level) & 1) != 0; ++level) {
      sum = __shfl_sync(all_lanes, root_, static_cast<int>(level)) + sum;
    }
    if (threadIdx.x % warp_size == level) root_ = sum;
    ++nodes_;
  }

  // The same in all lanes.
  [[nodiscard]] __device__ double total() const {
    double sum = 0.0;
    bool any = false;
    for (unsigned left = nodes_; left != 0; left &= left - 1) {
      const double root =
          __shfl_sync(all_lanes, root_, static_cast<int>(__ffs(static_cast<int>(left)) - 1));
      sum = any ? root + sum : root;
      any = true;
    }
    return sum;
  }

 private:
  double root_ = 0.0;
  unsigned nodes_ = 0;
};

// total[c] = the tree over the blocks b of sums[b·columns + c], +0 where there are none; overwrites
// `sums`. Enqueues as many launches of add_nodes_kernel as it takes passes to reach the root.
void add_block_sums(CudaEngine& engine, double* sums, Index blocks, Index columns, double* total);

// The tree over blocks whose sums come in pieces, for rows that do not fit into the device's
// memory. On the device it keeps what SumTree keeps, for each column; where in the tree a piece
// belongs the host knows from the number of blocks before it, so that pieces may have any size and
// nothing waits.
class PiecewiseSums {
 public:
  explicit PiecewiseSums(CudaEngine& engine) : engine_(engine) {}

  // Starts anew: no blocks.
  void begin(Index columns);
  // The sums[b·columns + c] of the blocks that follow those added before. Enqueues.
  void add(const double* sums, Index blocks);
  // total[c] = the sum over all blocks, +0 where there are none. Enqueues.
  void finish(double* total) const;

 private:
  static constexpr Index levels = 40;  // 2^40 blocks are 2^50 rows

  CudaEngine& engine_;
  Buffer<double> roots_;  // levels × columns
  Index columns_ = 0;
  Index blocks_ = 0;
};

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
