#include "cuda/core/long_sum.cuh"

#include <algorithm>

namespace tandem::cuda {
namespace {

// Nodes of one column that a thread loads at a time: an aligned subtree of three levels.
constexpr int ahead = 8;

// The root of `here` <= ahead adjacent nodes; +0 of none.
__device__ double add_aligned_nodes(double (&nodes)[ahead], Index here) {
#pragma unroll
  for (int step = 1; step < ahead; step *= 2) {
#pragma unroll
    for (int i = 0; i + step < ahead; i += 2 * step) {
      if (i + step < here) nodes[i] += nodes[i + step];
    }
  }
  return nodes[0];
}

// One pass up the tree: adds groups of ahead · blockDim.y adjacent nodes, of which there are
// `count`, `stride` rows of `columns` doubles apart. A group's root goes to the place of its first
// node, or, where `total` is not null and there is one group, to total.
//
// Grid: (ceil(columns / blockDim.x), groups), strided in y above 65535; blockDim.y is a power of
// two. threadIdx.x is the column, so that loads are coalesced across columns; each thread folds
// `ahead` nodes in registers, and the threads of a column then fold theirs in shared memory
// (8 bytes a thread, two synchronisations per level). A partner past the end is skipped, never
// replaced by a zero. Reads 8·count·columns bytes, writes 8·groups·columns; as many additions as
// elements read. CPU twin: add_block_sums in tandem/core/numerics.hpp.
__global__ void add_nodes_kernel(double* sums, Index count, Index stride, Index columns,
                                 double* total) {
  extern __shared__ double roots[];  // [blockDim.y][blockDim.x]
  const Index column = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  const Index span = ahead * static_cast<Index>(blockDim.y);
  const bool has_column = column < columns;
  double* const own = roots + threadIdx.y * blockDim.x + threadIdx.x;
  // Once at least, so that no nodes have a total too.
  Index group = blockIdx.y;
  do {
    const Index first = group * span + threadIdx.y * ahead;
    const Index here = first < count ? (count - first < ahead ? count - first : ahead) : 0;
    double nodes[ahead] = {};
#pragma unroll
    for (int i = 0; i < ahead; ++i) {
      if (has_column && i < here) nodes[i] = sums[(first + i) * stride * columns + column];
    }
    double root = add_aligned_nodes(nodes, here);
    for (unsigned step = 1; step < blockDim.y; step *= 2) {
      *own = root;
      __syncthreads();
      if (threadIdx.y % (2 * step) == 0 && first + step * ahead < count) {
        root += own[step * blockDim.x];
      }
      __syncthreads();
    }
    if (threadIdx.y == 0 && has_column) {
      if (total != nullptr) {
        total[column] = root;
      } else {
        sums[first * stride * columns + column] = root;
      }
    }
    group += gridDim.y;
  } while (group * span < count);
}

// Adds `blocks` blocks to the roots of the complete subtrees over the `first` blocks before them:
// roots[level][column], in use where bit `level` of the number of blocks is set.
//
// Grid: ceil(columns / block) blocks of any number of threads, one column each. Blocks are added in
// ascending order, in aligned groups of `ahead` where they allow it: a group's loads are issued
// together and folded in registers, and one addition in eight touches the stack of roots, which
// stays in the cache. Reads 8·blocks·columns bytes, coalesced across columns.
__global__ void push_blocks_kernel(const double* __restrict__ sums, Index first, Index blocks,
                                   Index columns, double* roots) {
  const Index column = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  // The node on `level` that begins with block `block`.
  const auto push = [&](double sum, int level, Index block) {
    for (; ((block >> level) & 1) != 0; ++level) sum = roots[level * columns + column] + sum;
    roots[level * columns + column] = sum;
  };
  constexpr int group_level = 3;
  static_assert(1 << group_level == ahead);
  for (Index b = 0; b < blocks;) {
    if ((first + b) % ahead == 0 && b + ahead <= blocks) {
      double nodes[ahead];
#pragma unroll
      for (int i = 0; i < ahead; ++i) nodes[i] = sums[(b + i) * columns + column];
      push(add_aligned_nodes(nodes, ahead), group_level, first + b);
      b += ahead;
    } else {
      push(sums[b * columns + column], 0, first + b);
      ++b;
    }
  }
}

// total[c] = the sum over the `blocks` blocks whose roots these are. One thread per column.
__global__ void add_roots_kernel(const double* __restrict__ roots, Index blocks, Index columns,
                                 double* __restrict__ total) {
  const Index column = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  double sum = 0.0;
  bool any = false;
  for (int level = 0; (blocks >> level) != 0; ++level) {
    if (((blocks >> level) & 1) == 0) continue;
    const double root = roots[level * columns + column];
    sum = any ? root + sum : root;
    any = true;
  }
  total[column] = sum;
}

Shape thread_per_column(CudaEngine& engine, Index columns) {
  const unsigned threads = engine.block_threads(128);
  return {.grid = dim3(static_cast<unsigned>(blocks_for(columns, threads))),
          .block = dim3(threads)};
}

}  // namespace

void add_block_sums(CudaEngine& engine, double* sums, Index blocks, Index columns, double* total) {
  if (columns == 0) return;
  const unsigned threads = engine.block_threads(256);
  unsigned wide = 1;
  while (wide < warp_size && wide < columns) wide *= 2;
  unsigned high = 1;
  while (2 * high * wide <= threads && high * ahead < blocks) high *= 2;
  const Index span = static_cast<Index>(high) * ahead;
  constexpr Index most_groups = 65535;
  for (Index stride = 1;; stride *= span) {
    const Index count = blocks_for(blocks, stride);
    const bool last = count <= span;
    const Index groups = std::clamp<Index>(blocks_for(count, span), 1, most_groups);
    engine.launch(add_nodes_kernel,
                  {.grid = dim3(static_cast<unsigned>(blocks_for(columns, wide)),
                                static_cast<unsigned>(groups)),
                   .block = dim3(wide, high),
                   .shared_bytes = wide * high * sizeof(double)},
                  sums, count, stride, columns, last ? total : nullptr);
    if (last) return;
  }
}

void PiecewiseSums::begin(Index columns) {
  if (roots_.size() < levels * columns) roots_ = Buffer<double>(engine_, levels * columns);
  columns_ = columns;
  blocks_ = 0;
}

void PiecewiseSums::add(const double* sums, Index blocks) {
  if (columns_ == 0 || blocks == 0) return;
  engine_.launch(push_blocks_kernel, thread_per_column(engine_, columns_), sums, blocks_, blocks,
                 columns_, roots_.data());
  blocks_ += blocks;
}

void PiecewiseSums::finish(double* total) const {
  if (columns_ == 0) return;
  engine_.launch(add_roots_kernel, thread_per_column(engine_, columns_), roots_.data(), blocks_,
                 columns_, total);
}

__global__ void add_blocks_kernel(const double* partial, Index blocks, Index columns,
                                  bool accumulate, double* total) {
  const Index column = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (column >= columns) return;
  double sum = accumulate ? total[column] : 0.0;
  constexpr int ahead = 8;
  Index b = 0;
  for (; b + ahead <= blocks; b += ahead) {
    double values[ahead];
#pragma unroll
    for (int i = 0; i < ahead; ++i) values[i] = partial[(b + i) * columns + column];
#pragma unroll
    for (int i = 0; i < ahead; ++i) sum += values[i];
  }
  for (; b < blocks; ++b) sum += partial[b * columns + column];
  total[column] = sum;
}

void add_blocks(CudaEngine& engine, const double* partial, Index blocks, Index columns,
                bool accumulate, double* total) {
  const unsigned threads = engine.block_threads(128);
  engine.launch(
      add_blocks_kernel,
      {.grid = dim3(static_cast<unsigned>(blocks_for(columns, threads))), .block = dim3(threads)},
      partial, blocks, columns, accumulate, total);
}

}  // namespace tandem::cuda
