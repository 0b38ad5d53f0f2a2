// A list of the n best that a warp keeps in shared memory.
#pragma once

#include "cuda/core/long_sum.cuh"

namespace tandem::cuda {

// Puts a value behind all that are as good, where values descend; what was last of n falls out.
// count: of the list, becomes one more where there is room. Requires: there is room, or the value
// is above the last one. All 32 lanes must call it, with the same arguments.
template <Real T>
__device__ void insert_by_warp(T* list, std::int32_t* numbers, int& count, int n, T value,
                               std::int32_t number) {
  const int lane = static_cast<int>(threadIdx.x % warp_size);
  int low = 0;
  int high = count;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (list[middle] >= value) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  __syncwarp();
  // From the end, 32 at a time, one place on.
  for (int at = count < n ? count : n - 1; at > low; at -= static_cast<int>(warp_size)) {
    const int to = at - lane;
    T moved = 0;
    std::int32_t moved_number = 0;
    if (to > low) {
      moved = list[to - 1];
      moved_number = numbers[to - 1];
    }
    __syncwarp();
    if (to > low) {
      list[to] = moved;
      numbers[to] = moved_number;
    }
    __syncwarp();
  }
  if (lane == 0) {
    list[low] = value;
    numbers[low] = number;
  }
  if (count < n) ++count;
  __syncwarp();
}

}  // namespace tandem::cuda
