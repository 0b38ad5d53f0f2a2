// Device functions of the decision tree: a warp takes 32 entries of an order at a time.
#pragma once

#include <cub/warp/warp_reduce.cuh>
#include <cub/warp/warp_scan.cuh>

#include "cuda/core/long_sum.cuh"
#include "cuda/tree/decision_tree_state.hpp"

namespace tandem::cuda {

__device__ inline unsigned lane_of_thread() { return threadIdx.x % warp_size; }
__device__ inline unsigned lanes_below() { return (1U << lane_of_thread()) - 1; }

// The part of feature `feature`'s order from `begin` on; `orders` have `stride` ranks and as many
// payloads each.
template <class Number>
__device__ TreeOrderOf<Number> order_from(Number* orders, Index stride, std::uint32_t feature,
                                          std::uint32_t begin) {
  Number* ranks = orders + 2 * feature * stride + begin;
  return {ranks, ranks + stride};
}

// In every lane the sum over the lanes. All 32 lanes must call it, as everything below.
__device__ inline std::int64_t sum_of_lanes(std::int64_t value) {
  using Reduce = cub::WarpReduce<std::int64_t>;
  typename Reduce::TempStorage none;  // by shuffles: holds nothing
  return __shfl_sync(all_lanes, Reduce(none).Sum(value), 0);
}
// The sum over the lanes up to this one; adds the sum of all to `carry`, which the result includes.
__device__ inline std::int64_t running_sum(std::int64_t value, std::int64_t& carry) {
  using Scan = cub::WarpScan<std::int64_t>;
  typename Scan::TempStorage none;
  std::int64_t sum = 0;
  Scan(none).InclusiveSum(value, sum);
  sum += carry;
  carry = __shfl_sync(all_lanes, sum, warp_size - 1);
  return sum;
}

// False where a feature has one value in a node. It is then constant in the whole subtree, and its
// order is no longer kept there.
__device__ inline bool varies(const std::uint32_t* ranks, std::uint32_t rows) {
  return ranks[0] != ranks[rows - 1];
}

// The number of rows whose value is known; the missing ones come after them. A search by 32 probes
// at a time: 7 rounds for 2^31 rows.
__device__ inline std::uint32_t known_rows(const std::uint32_t* ranks, std::uint32_t rows) {
  if (ranks[rows - 1] != missing_rank) return rows;
  std::uint32_t low = 0;
  std::uint32_t high = rows - 1;  // missing; the first missing row is one of low .. high
  while (low < high) {
    const auto probe = [&](unsigned lane) {
      return low +
             static_cast<std::uint32_t>(static_cast<std::uint64_t>(high - low) * lane / warp_size);
    };
    const unsigned missing =
        __ballot_sync(all_lanes, ranks[probe(lane_of_thread())] == missing_rank);
    if (missing == 0) {
      low = probe(warp_size - 1) + 1;
    } else {
      const auto first = static_cast<unsigned>(__ffs(static_cast<int>(missing)) - 1);
      high = probe(first);
      if (first > 0) low = probe(first - 1) + 1;
    }
  }
  return high;
}

__device__ inline std::uint32_t row_of(const TreeRows& rows, std::uint32_t payload) {
  return payload >> rows.class_bits;
}
__device__ inline std::uint32_t label_of(const TreeRows& rows, std::uint32_t payload) {
  return rows.class_bits > 0 ? payload & rows.class_mask
                             : static_cast<std::uint32_t>(rows.labels[payload]);
}
__device__ inline std::int64_t weight_of(const TreeRows& rows, std::uint32_t payload) {
  return rows.weights != nullptr ? rows.weights[row_of(rows, payload)] : 1;
}

// counts[label] += weight for the active lanes. Ends with a barrier of the warp.
__device__ inline void add_to_classes(const TreeRows& rows, bool active, std::uint32_t payload,
                                      std::int64_t* counts) {
  if (rows.weights == nullptr) {
    const std::uint32_t label = active ? label_of(rows, payload) : ~std::uint32_t{0};
    const unsigned peers = __match_any_sync(all_lanes, label);
    if (active && (peers & lanes_below()) == 0) counts[label] += __popc(peers);
  } else if (active) {
    atomicAdd(reinterpret_cast<unsigned long long*>(counts + label_of(rows, payload)),
              static_cast<unsigned long long>(weight_of(rows, payload)));
  }
  __syncwarp();
}

}  // namespace tandem::cuda
