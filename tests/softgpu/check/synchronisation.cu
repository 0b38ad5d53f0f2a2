// Barriers that not all come to, masks that name lanes that are not there, and waiting for ever.
#include <cooperative_groups.h>
#include <cuda_awbarrier_primitives.h>

#include "cases.cuh"

namespace cg = cooperative_groups;

constexpr unsigned full = 0xffffffffu;

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

// --- Barriers that a part of the block comes to ---

// The barrier is inside the branch that some lanes of each warp take.
template <bool good>
__global__ void in_a_branch_kernel(const int* in, int* out) {
  __shared__ int line[64];
  const unsigned t = threadIdx.x;
  line[t] = in[t];
  if (t % 2 == 0) {
    if (!good) __syncthreads();  // BUG
    out[t] = line[t];
  }
  if (good) __syncthreads();
  out[t] += line[63 - t];
}

template <bool good>
void in_a_branch() {
  Array<int> in(counting<int>(64)), out(64);
  in_a_branch_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[2] == 63);
}

// Each side of the branch has its own barrier; lanes of one warp wait at both.
template <bool good>
__global__ void in_both_branches_kernel(const int* in, int* out) {
  __shared__ int line[64];
  const unsigned t = threadIdx.x;
  if (in[t] % 2 == 0) {
    line[t] = in[t];
    if (!good) __syncthreads();  // BUG
  } else {
    line[t] = -in[t];
    if (!good) __syncthreads();  // BUG
  }
  if (good) __syncthreads();
  out[t] = line[63 - t];
}

template <bool good>
void in_both_branches() {
  Array<int> in(counting<int>(64)), out(64);
  in_both_branches_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == -63);
}

// A loop from the thread's own index: the last turn is done by a part of the block.
template <bool good>
__global__ void in_a_loop_kernel(const int* in, int* out, int n) {
  __shared__ int line[64];
  const int t = threadIdx.x;
  const int limit = good ? (n + 63) / 64 * 64 : n;
  int sum = 0;
  for (int i = t; i < limit; i += 64) {
    line[t] = i < n ? in[i] : 0;
    __syncthreads();  // BUG
    sum += line[t ^ 1];
    __syncthreads();  // BUG
  }
  out[t] = sum;
}

template <bool good>
void in_a_loop() {
  Array<int> in(100, 1), out(64);
  in_a_loop_kernel<good><<<1, 64>>>(in, out, 100);
  KERNEL_OK();
  RESULT(out.host()[0] == 2);
}

// The number of turns is the thread's own.
template <bool good>
__global__ void own_number_of_turns_kernel(const int* turns, int* out) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();
  const int mine = turns[threadIdx.x];
  int most = mine;
  if (good) {
    __shared__ int longest;
    if (threadIdx.x == 0) longest = 0;
    __syncthreads();
    atomicMax(&longest, mine);
    __syncthreads();
    most = longest;
  }
  for (int turn = 0; turn < most; ++turn) {
    if (turn < mine) atomicAdd(&sum, 1);
    __syncthreads();  // BUG
  }
  if (good) __syncthreads();
  out[threadIdx.x] = atomicAdd(&sum, 0);
}

template <bool good>
void own_number_of_turns() {
  std::vector<int> turns;
  for (int i = 0; i < 64; ++i) turns.push_back(1 + i % 3);
  Array<int> device_turns(turns), out(64);
  own_number_of_turns_kernel<good><<<1, 64>>>(device_turns, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// A whole warp goes around the barrier, and does what follows it.
template <bool good>
__global__ void warp_goes_around_kernel(const int* in, int* out) {
  __shared__ int line[96];
  const int t = threadIdx.x;
  line[t] = in[t];
  if (good || t < 64) __syncthreads();  // BUG
  out[t] = line[t] * 2;
  if (t < 64) out[t] += line[63 - t];
}

template <bool good>
void warp_goes_around() {
  Array<int> in(counting<int>(96)), out(96);
  warp_goes_around_kernel<good><<<1, 96>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A barrier inside a function that is called from a branch.
__device__ __noinline__ int sum_of_block(int value) {
  __shared__ int sum;
  if (threadIdx.x == 0) sum = 0;
  __syncthreads();  // BUG
  atomicAdd(&sum, value);
  __syncthreads();  // BUG
  return sum;
}

template <bool good>
__global__ void function_in_a_branch_kernel(const int* in, int* out) {
  const int value = in[threadIdx.x];
  int sum = 0;
  if (good) {
    sum = sum_of_block(value > 20 ? value : 0);
  } else if (value > 20) {
    sum = sum_of_block(value);
  }
  out[threadIdx.x] = sum + value;
}

template <bool good>
void function_in_a_branch() {
  Array<int> in(counting<int>(64)), out(64);
  function_in_a_branch_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 1806);
}

// Threads that find what they look for leave the loop, and do not come to its barrier again.
template <bool good>
__global__ void break_kernel(const int* in, int* out, int n) {
  __shared__ int line[32];
  const int t = threadIdx.x;
  int found = -1;
  for (int begin = 0; begin < n; begin += 32) {
    line[t] = in[begin + t];
    __syncthreads();  // BUG
    if (found < 0 && line[(t + 1) % 32] % 16 == t % 16) found = begin;
    if (!good && found >= 0) break;
    __syncthreads();  // BUG
  }
  out[t] = found;
}

template <bool good>
void out_of_the_loop() {
  std::vector<int> values;
  for (int i = 0; i < 128; ++i) values.push_back(i * 5 + i / 32);
  Array<int> in(values), out(32);
  break_kernel<good><<<1, 32>>>(in, out, 128);
  KERNEL_OK();
}

// A vote of the block in the second part of a condition.
template <bool good>
__global__ void short_circuit_kernel(const int* in, int* out) {
  const int value = in[threadIdx.x];
  if (good) {
    const bool any = __syncthreads_or(value > 60) != 0;
    out[threadIdx.x] = value > 10 && any ? 1 : 0;
  } else {
    out[threadIdx.x] = value > 10 && __syncthreads_or(value > 60) ? 1 : 0;  // BUG
  }
}

template <bool good>
void short_circuit() {
  Array<int> in(counting<int>(64)), out(64);
  short_circuit_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[11] == 1);
}

// One block does not come to the barrier of the grid.
template <bool good>
__global__ void grid_barrier_kernel(int* values, int* out) {
  const cg::grid_group grid = cg::this_grid();
  const int i = global_index();
  values[i] = i;
  if (good || blockIdx.x != 2) grid.sync();  // BUG
  out[i] = good || blockIdx.x != 2 ? values[127 - i] : 0;
}

template <bool good>
void grid_barrier() {
  Array<int> values(128), out(128);
  int* a = values;
  int* b = out;
  void* arguments[] = {&a, &b};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(grid_barrier_kernel<good>), dim3(4),
                                      dim3(32), arguments, 0, nullptr));
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// The barrier of a group in a branch: the library's function for it does not need all lanes of a
// warp at once, but it needs them.
template <bool good>
__global__ void group_sync_in_a_branch_kernel(const int* in, int* out) {
  __shared__ int line[64];
  const cg::thread_block block = cg::this_thread_block();
  const unsigned t = block.thread_rank();
  line[t] = in[t];
  int value = 0;
  if (good) block.sync();
  if (in[t] % 4 != 0) {
    if (!good) block.sync();  // BUG
    value = line[63 - t];
  }
  atomicAdd(&out[t], value);
}

template <bool good>
void group_sync_in_a_branch() {
  Array<int> in(counting<int>(64)), out(64);
  group_sync_in_a_branch_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[1] == 62);
}

// Two of three cases have a barrier; the third reads what they write without one.
template <bool good>
__global__ void in_a_switch_kernel(const int* in, int* out) {
  __shared__ int line[96];
  const unsigned t = threadIdx.x;
  switch (t / 32) {
    case 0:
      line[t] = in[t];             // BUG
      if (!good) __syncthreads();  // BUG
      break;
    case 1:
      line[t] = -in[t];            // BUG
      if (!good) __syncthreads();  // BUG
      break;
    default: line[t] = 0;
  }
  if (good) __syncthreads();
  out[t] = line[95 - t];  // BUG
}

template <bool good>
void in_a_switch() {
  Array<int> in(counting<int>(96)), out(96);
  in_a_switch_kernel<good><<<1, 96>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[95] == 0 && out.host()[32] == -63);
}

// --- Masks ---

// The full mask in a branch that half of the warp takes; the others come to the next operation of
// the warp meanwhile.
template <bool good>
__global__ void full_mask_in_a_branch_kernel(const int* in, int* out) {
  const unsigned lane = threadIdx.x;
  int value = in[lane];
  if (lane < 16) {
    const unsigned mask = good ? 0xffffu : full;
    for (int offset = 8; offset > 0; offset /= 2) {
      value += __shfl_down_sync(mask, value, offset, 16);  // BUG
    }
  }
  out[lane] = __any_sync(full, value > 15) ? value : 0;  // BUG: the others are here already
}

template <bool good>
void full_mask_in_a_branch() {
  Array<int> in(32, 1), out(32);
  full_mask_in_a_branch_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 16);
}

// A lane is not in the mask that it gives.
template <bool good>
__global__ void own_lane_missing_kernel(const int* in, int* out) {
  const unsigned lane = threadIdx.x;
  const unsigned mask = good ? full : 0xffffu;
  out[lane] = __shfl_xor_sync(mask, in[lane], 1);  // BUG
}

template <bool good>
void own_lane_missing() {
  Array<int> in(counting<int>(32)), out(32);
  own_lane_missing_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[30] == 31);
}

// A value from a lane that has returned.
template <bool good>
__global__ void value_of_a_lane_that_ended_kernel(const int* in, int* out, int n) {
  const int i = global_index();
  if (!good && i >= n) return;
  int value = i < n ? in[i] : 0;
  for (int offset = 16; offset > 0; offset /= 2) {
    value += __shfl_down_sync(full, value, offset);  // BUG
  }
  if (threadIdx.x % 32 == 0) atomicAdd(out, value);
}

template <bool good>
void value_of_a_lane_that_ended() {
  Array<int> in(50, 1), out(1);
  value_of_a_lane_that_ended_kernel<good><<<1, 64>>>(in, out, 50);
  KERNEL_OK();
  RESULT(out.host()[0] == 50);
}

// A block of 48 threads: its second warp is half there.
template <bool good>
__global__ void half_a_warp_kernel(const int* in, int* sums) {
  const bool half = threadIdx.x >= 32;
  const unsigned mask = good && half ? 0xffffu : full;
  int value = in[threadIdx.x];
  for (int offset = good && half ? 8 : 16; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(mask, value, offset);  // BUG
  }
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
}

template <bool good>
void half_a_warp() {
  Array<int> in(48, 1), sums(2);
  half_a_warp_kernel<good><<<1, 48>>>(in, sums);
  KERNEL_OK();
  RESULT(sums.host()[1] == 16);
}

// The source is a lane that is not in the mask.
template <bool good>
__global__ void source_outside_the_mask_kernel(const int* in, int* out) {
  const int lane = threadIdx.x;
  const bool odd = lane % 2 != 0;
  if (odd) out[lane] = __shfl_sync(0xaaaaaaaau, in[lane], good ? 1 : 0);  // BUG
}

template <bool good>
void source_outside_the_mask() {
  Array<int> in(counting<int>(32)), out(32);
  source_outside_the_mask_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[31] == 1);
}

// The mask is voted for once, and lanes leave the loop afterwards.
template <bool good>
__global__ void stale_mask_kernel(const int* turns, int* out) {
  const unsigned lane = threadIdx.x;
  int left = turns[lane];
  unsigned mask = __ballot_sync(full, left > 0);
  int sum = 0;
  while (left > 0) {
    sum += __reduce_add_sync(mask, left);  // BUG
    --left;
    if (good) mask = __ballot_sync(mask, left > 0);
  }
  out[lane] = sum;
}

template <bool good>
void stale_mask() {
  std::vector<int> turns;
  for (int i = 0; i < 32; ++i) turns.push_back(1 + i % 4);
  Array<int> device_turns(turns), out(32);
  stale_mask_kernel<good><<<1, 32>>>(device_turns, out);
  KERNEL_OK();
  RESULT(out.host()[3] == 80 + 48 + 24 + 8);
}

// A ballot of the full warp in a branch, around which some lanes go.
template <bool good>
__global__ void ballot_in_a_branch_kernel(const int* in, int* out, int n) {
  const int i = global_index();
  int count = -1;
  if (good) {
    const unsigned votes = __ballot_sync(full, i < n && in[i] > 4);
    if (i < n) count = __popc(votes);
  } else if (i < n) {
    count = __popc(__ballot_sync(full, in[i] > 4));  // BUG
  }
  out[i] = __shfl_sync(full, count, 0);  // BUG: the others are here already
}

template <bool good>
void ballot_in_a_branch() {
  Array<int> in(counting<int>(20)), out(32);
  ballot_in_a_branch_kernel<good><<<1, 32>>>(in, out, 20);
  KERNEL_OK();
  RESULT(out.host()[0] == 15);
}

// A barrier of the warp for its lower half, to which all come.
template <bool good>
__global__ void syncwarp_own_lane_missing_kernel(const int* in, int* out) {
  __shared__ int line[32];
  const unsigned lane = threadIdx.x;
  line[lane] = in[lane];
  __syncwarp(good ? full : 0xffffu);  // BUG
  out[lane] = line[lane ^ 1];         // where lanes are not in the mask, nothing orders this either
}

template <bool good>
void syncwarp_own_lane_missing() {
  Array<int> in(counting<int>(32)), out(32);
  syncwarp_own_lane_missing_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[30] == 31);
}

// A mask of 31 lanes, worked out as one bit too few.
template <bool good>
__global__ void one_bit_too_few_kernel(const int* in, int* out) {
  const unsigned lanes = blockDim.x;
  const unsigned mask = good ? full >> (32 - lanes) : (1u << (lanes - 1)) - 1;
  out[threadIdx.x] = __reduce_max_sync(mask, in[threadIdx.x]);  // BUG
}

template <bool good>
void one_bit_too_few() {
  Array<int> in(counting<int>(32)), out(32);
  one_bit_too_few_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 31);
}

// A shuffle of a tile of 32 in a branch of half of it, while the others vote.
template <bool good>
__global__ void tile_in_a_branch_kernel(const int* in, int* out) {
  const auto tile = cg::tiled_partition<32>(cg::this_thread_block());
  const unsigned rank = tile.thread_rank();
  int value = in[rank];
  if (good) {
    const int other = tile.shfl_down(value, 8);
    if (rank < 16) value += other;
  } else if (rank < 16) {
    value += tile.shfl_down(value, 8);  // BUG
  }
  out[rank] = tile.any(value > 30) ? value : 0;  // BUG: the others are here already
}

template <bool good>
void tile_in_a_branch() {
  Array<int> in(counting<int>(32)), out(32);
  tile_in_a_branch_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 8);
}

// Lanes that look for equal keys, some of them only.
template <bool good>
__global__ void match_in_a_branch_kernel(const int* keys, int* out) {
  const int key = keys[threadIdx.x];
  const unsigned wanted = __ballot_sync(full, key >= 0);
  int count = 0;
  if (key >= 0) count = __popc(__match_any_sync(good ? wanted : full, key));  // BUG
  out[threadIdx.x] = __any_sync(full, count > 3) ? count : -1;  // BUG: the others are here already
}

template <bool good>
void match_in_a_branch() {
  std::vector<int> keys;
  for (int i = 0; i < 32; ++i) keys.push_back(i % 4 == 3 ? -1 : i % 5);
  Array<int> device_keys(keys), out(32);
  match_in_a_branch_kernel<good><<<1, 32>>>(device_keys, out);
  KERNEL_OK();
}

// --- Waiting for ever ---

// Two blocks take two locks, each in its own order, and each has its first when it asks for the
// second.
template <bool good>
__global__ void two_locks_kernel(int* locks, int* met, int* balance) {
  if (threadIdx.x != 0) return;
  const auto acquire = [](int* lock) {
    while (atomicCAS(lock, 0, 1) != 0) {  // BUG
    }
    __threadfence();
  };
  const auto release = [](int* lock) {
    __threadfence();
    atomicExch(lock, 0);
  };
  const int first = good ? 0 : static_cast<int>(blockIdx.x);
  acquire(&locks[first]);
  if (!good) {
    atomicAdd(met, 1);
    while (atomicAdd(met, 0) < 2) {
    }
  }
  acquire(&locks[1 - first]);
  balance[0] += 1;
  balance[1] -= 1;
  release(&locks[1 - first]);
  release(&locks[first]);
}

template <bool good>
void locks_in_two_orders() {
  Array<int> locks(2), met(1), balance(2);
  two_locks_kernel<good><<<2, 32>>>(locks, met, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 2);
}

// A lock that is not given back where the balance is too low.
template <bool good>
__global__ void not_given_back_kernel(int* lock, int* balance) {
  if (threadIdx.x != 0) return;
  while (atomicCAS(lock, 0, 1) != 0) {  // BUG
  }
  __threadfence();
  if (*balance < 10) {
    if (good) {
      __threadfence();
      atomicExch(lock, 0);
    }
    return;
  }
  *balance -= 10;
  __threadfence();
  atomicExch(lock, 0);
}

template <bool good>
void lock_not_given_back() {
  Array<int> lock(1), balance(1, 15);
  not_given_back_kernel<good><<<4, 32>>>(lock, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 5);
}

// A flag that nobody sets, because the block that would has ended early.
template <bool good>
__global__ void flag_never_set_kernel(const int* in, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    if (!good && in[0] == 0) return;
    *out = in[0] + 5;
    __threadfence();
    atomicExch(flag, 1);
  } else {
    while (atomicAdd(flag, 0) == 0) {  // BUG
    }
    __threadfence();
    out[1] = *out;
  }
}

template <bool good>
void flag_never_set() {
  Array<int> in(1), flag(1), out(2);
  flag_never_set_kernel<good><<<2, 32>>>(in, flag, out);
  KERNEL_OK();
  RESULT(out.host()[1] == 5);
}

// A named barrier for three warps that two come to.
template <bool good>
__global__ void named_barrier_count_kernel(const int* in, int* out) {
  __shared__ int line[64];
  const int t = threadIdx.x;
  if (t < 64) {
    line[t] = in[t];
    asm volatile("bar.sync 1, %0;" ::"r"(good ? 64 : 96) : "memory");  // BUG
    out[t] = line[63 - t];
  }
  asm volatile("bar.sync 2, 96;" ::: "memory");
  if (t >= 64) out[t] = t;
}

template <bool good>
void named_barrier_count() {
  Array<int> in(counting<int>(64)), out(96);
  named_barrier_count_kernel<good><<<1, 96>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// An mbarrier that waits for more arrivals than there are threads.
template <bool good>
__global__ void mbarrier_count_kernel(const int* in, int* out) {
  __shared__ int line[32];
  __shared__ __mbarrier_t ready;
  if (threadIdx.x == 0) __mbarrier_init(&ready, good ? 32 : 33);
  __syncthreads();
  line[threadIdx.x] = in[threadIdx.x];
  const __mbarrier_token_t token = __mbarrier_arrive(&ready);
  while (!__mbarrier_test_wait(&ready, token)) {  // BUG
  }
  out[threadIdx.x] = line[31 - threadIdx.x];
}

template <bool good>
void mbarrier_count() {
  Array<int> in(counting<int>(32)), out(32);
  mbarrier_count_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 31);
}

// Two warps wait for each other's flag before they set their own.
template <bool good>
__global__ void each_waits_first_kernel(int* out) {
  __shared__ int flags[2];
  if (threadIdx.x < 2) flags[threadIdx.x] = 0;
  __syncthreads();
  const unsigned warp = threadIdx.x / 32;
  if (threadIdx.x % 32 == 0) {
    if (good) atomicExch(&flags[warp], 1);
    while (atomicAdd(&flags[1 - warp], 0) == 0) {  // BUG
    }
    if (!good) atomicExch(&flags[warp], 1);
    out[warp] = static_cast<int>(warp) + 1;
  }
}

template <bool good>
void each_waits_first() {
  Array<int> out(2);
  each_waits_first_kernel<good><<<1, 64>>>(out);
  KERNEL_OK();
  RESULT(out.host()[1] == 2);
}

// Two warps meet at a barrier whose number each works out for itself, and differently.
template <bool good>
__global__ void barrier_numbers_kernel(const int* in, int* out) {
  __shared__ int line[64];
  const int t = threadIdx.x;
  const int number = good ? 1 : 1 + t / 32;
  line[t] = in[t];
  asm volatile("bar.sync %0, 64;" ::"r"(number) : "memory");  // BUG
  out[t] = line[63 - t];
}

template <bool good>
void barrier_numbers() {
  Array<int> in(counting<int>(64)), out(64);
  barrier_numbers_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A barrier object for the whole block, where some threads have returned.
template <bool good>
__global__ void barrier_of_the_returned_kernel(const int* in, int* out, int n) {
  __shared__ int line[64];
  __shared__ __mbarrier_t ready;
  const int t = threadIdx.x;
  if (t == 0) __mbarrier_init(&ready, 64);
  __syncthreads();
  if (!good && t >= n) return;
  line[t] = t < n ? in[t] : 0;
  const __mbarrier_token_t token = __mbarrier_arrive(&ready);
  while (!__mbarrier_test_wait(&ready, token)) {  // BUG
  }
  if (t < n) out[t] = line[n - 1 - t];
}

template <bool good>
void barrier_of_the_returned() {
  Array<int> in(counting<int>(50)), out(50);
  barrier_of_the_returned_kernel<good><<<1, 64>>>(in, out, 50);
  KERNEL_OK();
  RESULT(out.host()[0] == 49);
}

// A lane that has the lock waits for the whole warp, whose other lanes wait for the lock.
template <bool good>
__global__ void lock_across_a_warp_barrier_kernel(int* lock, int* count) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      __threadfence();
      *count += 1;
      if (!good) __syncwarp();  // BUG
      __threadfence();
      atomicExch(lock, 0);
      done = true;
    } else {
      while (atomicAdd(lock, 0) != 0) {  // BUG
      }
    }
  }
}

template <bool good>
void lock_across_a_warp_barrier() {
  Array<int> lock(1), count(1);
  lock_across_a_warp_barrier_kernel<good><<<1, 32>>>(lock, count);
  KERNEL_OK();
  RESULT(count.host()[0] == 32);
}

// More is taken from a queue than was put in.
template <bool good>
__global__ void one_item_too_many_kernel(int* items, int* filled, int* sum) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    for (int k = 0; k < 3; ++k) {
      items[k] = k + 1;
      __threadfence();
      atomicExch(filled, k + 1);
    }
  } else {
    int total = 0;
    for (int k = 0; k < (good ? 3 : 4); ++k) {
      while (atomicAdd(filled, 0) <= k) {  // BUG
      }
      __threadfence();
      total += items[k];
    }
    *sum = total;
  }
}

template <bool good>
void one_item_too_many() {
  Array<int> items(4), filled(1), sum(1);
  one_item_too_many_kernel<good><<<2, 32>>>(items, filled, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 6);
}

const Case cases[] = {
    CASE(in_a_branch, "barrier-divergence"),
    CASE(in_both_branches, "barrier-divergence"),
    CASE(in_a_loop, "barrier-divergence"),
    CASE(own_number_of_turns, "barrier-divergence"),
    CASE(warp_goes_around, "barrier-divergence"),
    CASE(function_in_a_branch, "barrier-divergence"),
    CASE(out_of_the_loop, "barrier-divergence"),
    CASE(short_circuit, "barrier-divergence"),
    CASE(grid_barrier, "barrier-divergence|deadlock"),
    CASE(full_mask_in_a_branch, "warp-mask"),
    CASE(own_lane_missing, "warp-mask"),
    CASE(value_of_a_lane_that_ended, "warp-mask"),
    CASE(half_a_warp, "warp-mask"),
    CASE(source_outside_the_mask, "warp-mask"),
    CASE(stale_mask, "warp-mask"),
    CASE(ballot_in_a_branch, "warp-mask"),
    CASE(locks_in_two_orders, "deadlock"),
    CASE(lock_not_given_back, "deadlock"),
    CASE(flag_never_set, "deadlock"),
    CASE(named_barrier_count, "deadlock|barrier-divergence"),
    CASE(mbarrier_count, "deadlock"),
    CASE(each_waits_first, "deadlock"),
    CASE(barrier_numbers, "deadlock|barrier-divergence"),
    CASE(barrier_of_the_returned, "deadlock"),
    CASE(group_sync_in_a_branch, "barrier-divergence"),
    CASE(in_a_switch, "barrier-divergence|race"),
    CASE(syncwarp_own_lane_missing, "warp-mask"),
    CASE(one_bit_too_few, "warp-mask"),
    CASE(tile_in_a_branch, "warp-mask"),
    CASE(match_in_a_branch, "warp-mask"),
    CASE(lock_across_a_warp_barrier, "deadlock"),
    CASE(one_item_too_many, "deadlock"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }
