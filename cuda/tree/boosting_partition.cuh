// Which rows of a node go left, and what leaves add to the scores of rows: kernels of gradient
// boosting.
#pragma once

#include "cuda/core/long_sum.cuh"
#include "cuda/tree/boosting_common.cuh"

namespace tandem::cuda {
// Of the one file that includes this.
namespace {  // NOLINT(google-build-namespaces)

using tree::BinnedNode;
using tree::LeafRange;
using tree::LossRules;
using tree::SplitTask;

// --- partition -----------------------------------------------------------------------------------

// Up to tile_rows rows of a task.
struct Tile {
  std::int32_t task;
  std::int32_t rows;
  Index begin;   // of the tile
  Index before;  // rows of the task before it
};

// Which rows of a tile go left, a bit each, and how many. A warp per tile. Reads 4 bytes of order
// and one bin per row, at random in a column; writes 1/8 byte.
template <class Bin>
__global__ void choose_sides_kernel(const SplitTask* __restrict__ tasks,
                                    const std::uint32_t* __restrict__ sets, Index set_words,
                                    const Tile* __restrict__ tiles, Index tile_count,
                                    const Bin* __restrict__ by_column, Index all_rows,
                                    const std::uint32_t* __restrict__ order0,
                                    const std::uint32_t* __restrict__ order1,
                                    std::uint32_t* __restrict__ left_bits,
                                    std::int32_t* __restrict__ counts) {
  const Index t = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (t >= tile_count) return;
  const Index lane = threadIdx.x % warp_size;
  const Tile tile = tiles[t];
  const SplitTask task = tasks[tile.task];
  const std::uint32_t* order = (task.side == 0 ? order0 : order1) + tile.begin;
  const Bin* column = by_column + task.feature * all_rows;
  std::int32_t count = 0;
  for (Index r = 0; r < tile.rows; r += warp_size) {
    bool left = false;
    if (r + lane < tile.rows) {
      const std::int32_t bin = column[order[r + lane]];
      left = task.goes_left(bin, sets, set_words);
    }
    const unsigned bits = __ballot_sync(all_lanes, left);
    if (lane == 0) left_bits[t * (tile_rows / warp_size) + r / warp_size] = bits;
    count += __popc(bits);
  }
  if (lane == 0) counts[t] = count;
}

// counts become sums before each tile within its task; totals[task] the sum. A warp per task, whose
// tiles are first[task] .. first[task + 1] − 1.
__global__ void scan_counts_kernel(const Index* __restrict__ first, Index tasks,
                                   std::int32_t* __restrict__ counts, Index* __restrict__ totals) {
  const Index task = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (task >= tasks) return;
  const unsigned lane = threadIdx.x % warp_size;
  std::int32_t before = 0;
  for (Index t = first[task]; t < first[task + 1]; t += warp_size) {
    const bool here = t + lane < first[task + 1];
    const std::int32_t own = here ? counts[t + lane] : 0;
    std::int32_t sum = own;
    for (unsigned step = 1; step < warp_size; step *= 2) {
      const std::int32_t other = __shfl_up_sync(all_lanes, sum, step);
      if (lane >= step) sum += other;
    }
    if (here) counts[t + lane] = before + sum - own;
    before += __shfl_sync(all_lanes, sum, static_cast<int>(warp_size) - 1);
  }
  if (lane == 0) totals[task] = before;
}

// Rows and words to their places on the other side. A warp per tile: 12 bytes (wide: 20) read and
// written per row.
__global__ void move_rows_kernel(const SplitTask* __restrict__ tasks,
                                 const Tile* __restrict__ tiles, Index tile_count,
                                 const std::uint32_t* __restrict__ left_bits,
                                 const std::int32_t* __restrict__ before,
                                 const Index* __restrict__ left_of_task, bool wide,
                                 std::uint32_t* order0, std::uint32_t* order1, std::int64_t* words0,
                                 std::int64_t* words1, std::int64_t* extra0, std::int64_t* extra1) {
  const Index t = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (t >= tile_count) return;
  const unsigned lane = threadIdx.x % warp_size;
  const Tile tile = tiles[t];
  const SplitTask task = tasks[tile.task];
  const bool first_side = task.side == 0;
  const std::uint32_t* order = first_side ? order0 : order1;
  const std::int64_t* words = first_side ? words0 : words1;
  const std::int64_t* extra = first_side ? extra0 : extra1;
  std::uint32_t* to_order = first_side ? order1 : order0;
  std::int64_t* to_words = first_side ? words1 : words0;
  std::int64_t* to_extra = first_side ? extra1 : extra0;
  Index left = task.begin + before[t];
  Index right = task.begin + left_of_task[tile.task] + tile.before - before[t];
  for (Index r = 0; r < tile.rows; r += warp_size) {
    const unsigned bits = left_bits[t * (tile_rows / warp_size) + r / warp_size];
    const Index rest = tile.rows - r;
    const unsigned here = rest < static_cast<Index>(warp_size) ? (1U << rest) - 1 : all_lanes;
    if (((here >> lane) & 1) != 0) {
      const bool goes_left = ((bits >> lane) & 1) != 0;
      const unsigned lower = (1U << lane) - 1;
      const Index to = goes_left ? left + __popc(bits & lower) : right + __popc(~bits & lower);
      const Index from = tile.begin + r + lane;
      to_order[to] = order[from];
      to_words[to] = words[from];
      if (wide) to_extra[to] = extra[from];
    }
    left += __popc(bits & here);
    right += __popc(~bits & here);
  }
}

// --- scores --------------------------------------------------------------------------------------

// A thread per place in the order: finds its leaf by bisection over the leaves, which are sorted by
// where they begin.
template <class T>
__global__ void add_leaves_kernel(const LeafRange<T>* __restrict__ leaves, Index count,
                                  Index places, const std::uint32_t* __restrict__ order0,
                                  const std::uint32_t* __restrict__ order1, Index outputs,
                                  Index output, T* __restrict__ scores) {
  const Index p = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (p >= places) return;
  Index low = 0;
  for (Index high = count; high - low > 1;) {
    const Index middle = (low + high) / 2;
    if (leaves[middle].begin <= p)
      low = middle;
    else
      high = middle;
  }
  const LeafRange<T> leaf = leaves[low];
  const Index row = static_cast<Index>((leaf.side == 0 ? order0 : order1)[p]);
  scores[row * outputs + output] += leaf.value;
}

// The key at which the weights of a leaf's rows, in the order of their keys, reach `needed`. Called
// by all threads of a block; `weights_of`, 256 sums, and `found` are shared memory.
//
// Radix selection: of the keys that begin as the one sought, the weights by their next eight bits,
// from the highest to the lowest.
template <class T>
__device__ tree::OrderKey<T> select_key(const LeafRange<T>& leaf, const tree::QuantileRule& rule,
                                        const std::uint32_t* __restrict__ order, const T* target,
                                        const T* weights, const T* scores, Index outputs,
                                        std::int64_t needed, Word* weights_of, Word* found) {
  using Key = tree::OrderKey<T>;
  Key begin = 0;
  for (int shift = static_cast<int>(8 * sizeof(Key)) - 8; shift >= 0; shift -= 8) {
    for (int b = threadIdx.x; b < 256; b += blockDim.x) weights_of[b] = 0;
    __syncthreads();
    for (Index i = threadIdx.x; i < leaf.rows; i += blockDim.x) {
      const auto row = static_cast<Index>(order[leaf.begin + i]);
      const Key key = tree::order_key(target[row] - scores[row * outputs]);
      // Two shifts, because one by all bits of the key is not defined.
      if (((key ^ begin) >> shift) >> 8 != 0) continue;
      const std::int64_t weight =
          weights == nullptr ? 1 : tree::whole_weight(weights[row], rule.weight_scale);
      atomicAdd(weights_of + ((key >> shift) & 255), static_cast<Word>(weight));
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int b = 0;
      std::int64_t rest = needed;
      while (b < 255 && static_cast<std::int64_t>(weights_of[b]) < rest) {
        rest -= static_cast<std::int64_t>(weights_of[b++]);
      }
      found[0] = static_cast<Word>(b);
      found[1] = static_cast<Word>(rest);
    }
    __syncthreads();
    begin |= static_cast<Key>(found[0]) << shift;
    needed = static_cast<std::int64_t>(found[1]);
    __syncthreads();
  }
  return begin;
}

// values[l] = the quantile of target − score over the rows of leaf l.
//
// Grid: a block per leaf. Shared memory: 259 words. Reads order, target, score and weight of each
// row 1 + sizeof(T) times, twice that where the quantile lies between two rows. Sums of weights are
// integers, so that the order of the atomics does not matter. CPU twin: leaf_quantiles.
template <class T>
__global__ void leaf_quantiles_kernel(const LeafRange<T>* __restrict__ leaves,
                                      tree::QuantileRule rule,
                                      const std::uint32_t* __restrict__ order0,
                                      const std::uint32_t* __restrict__ order1,
                                      const T* __restrict__ target, const T* __restrict__ weights,
                                      const T* __restrict__ scores, Index outputs,
                                      T* __restrict__ values) {
  __shared__ Word weights_of[256];
  __shared__ Word found[2];
  __shared__ Word total;
  const LeafRange<T> leaf = leaves[blockIdx.x];
  const std::uint32_t* order = leaf.side == 0 ? order0 : order1;
  if (threadIdx.x == 0) {
    total = weights == nullptr ? static_cast<Word>(leaf.rows) : 0;
    values[blockIdx.x] = 0;
  }
  __syncthreads();
  if (leaf.rows == 0) return;
  if (weights != nullptr) {
    std::int64_t sum = 0;
    for (Index i = threadIdx.x; i < leaf.rows; i += blockDim.x) {
      sum += tree::whole_weight(weights[order[leaf.begin + i]], rule.weight_scale);
    }
    atomicAdd(&total, static_cast<Word>(sum));
    __syncthreads();
  }
  const auto all = static_cast<std::int64_t>(total);
  const std::int64_t lower = tree::lower_need(rule, all);
  const std::int64_t upper = tree::upper_need(rule, all);
  const T low = tree::value_of_key<T>(
      select_key(leaf, rule, order, target, weights, scores, outputs, lower, weights_of, found));
  T high = low;
  if (upper > lower) {
    high = tree::value_of_key<T>(
        select_key(leaf, rule, order, target, weights, scores, outputs, upper, weights_of, found));
  }
  if (threadIdx.x == 0) values[blockIdx.x] = tree::middle_of(low, high);
}

// A thread per row.
template <class T, class Bin>
__global__ void add_binned_tree_kernel(const BinnedNode<T>* __restrict__ nodes,
                                       const std::uint32_t* __restrict__ sets, Index set_words,
                                       const Bin* __restrict__ by_row, Index rows, Index stride,
                                       Index outputs, Index output, T* __restrict__ scores) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows) return;
  std::int32_t node = 0;
  for (;;) {
    const BinnedNode<T>& here = nodes[node];
    if (here.left == node) break;
    const std::int32_t bin = by_row[i * stride + here.feature];
    node = here.left + (here.goes_left(bin, sets, set_words) ? 0 : 1);
  }
  scores[i * outputs + output] += nodes[node].value;
}

// Block b of the long sum of w·loss: a warp each.
template <class T>
__global__ void losses_kernel(LossRules<T> loss, const T* __restrict__ scores,
                              const T* __restrict__ target, const T* __restrict__ weights,
                              Index rows, Index blocks, double* __restrict__ sums) {
  const Index b = (static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x) / warp_size;
  if (b >= blocks) return;
  const double sum = sum_of_block(b * sum_block, rows, [&](Index i) {
    const double w = weights == nullptr ? 1.0 : static_cast<double>(weights[i]);
    return w * static_cast<double>(tree::loss_of(loss, scores + i * loss.outputs, target[i]));
  });
  if (threadIdx.x % warp_size == 0) sums[b] = sum;
}

}  // namespace
}  // namespace tandem::cuda
