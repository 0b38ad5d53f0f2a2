// Races where something orders the accesses, but not enough: fences, scopes and orders of atomics,
// flags, locks, the last block, look-back and barriers of the grid.
#include <cooperative_groups.h>

#include <cuda/atomic>

#include "cases.cuh"

namespace cg = cooperative_groups;

template <typename T>
using of_device = cuda::atomic_ref<T, cuda::thread_scope_device>;
template <typename T>
using of_block = cuda::atomic_ref<T, cuda::thread_scope_block>;

// --- The last block to end adds up what all have written ---

// The sum may become visible after the count.
template <bool good>
__global__ void last_block_no_fence_kernel(const int* in, int* sums, unsigned* ended, int* total) {
  const int sum = __syncthreads_count(in[blockIdx.x * blockDim.x + threadIdx.x] > 3);
  if (threadIdx.x != 0) return;
  sums[blockIdx.x] = sum;  // BUG: write
  if (good) __threadfence();
  if (atomicAdd(ended, 1u) == gridDim.x - 1) {
    __threadfence();
    int all = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) all += sums[b];  // BUG: read
    *total = all;
  }
}

template <bool good>
void last_block_no_fence() {
  Array<int> in(counting<int>(512)), sums(8), total(1);
  Array<unsigned> ended(1);
  last_block_no_fence_kernel<good><<<8, 64>>>(in, sums, ended, total);
  KERNEL_OK();
  RESULT(total.host()[0] == 508);
}

// The fences are there, and the count is no atomic.
template <bool good>
__global__ void last_block_plain_count_kernel(const int* in, int* sums, unsigned* ended,
                                              int* total) {
  const int sum = __syncthreads_count(in[blockIdx.x * blockDim.x + threadIdx.x] > 3);
  if (threadIdx.x != 0) return;
  sums[blockIdx.x] = sum;  // BUG: write
  __threadfence();
  const unsigned before = good ? atomicAdd(ended, 1u) : (*ended)++;  // BUG: read and write
  if (before == gridDim.x - 1) {
    __threadfence();
    int all = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) all += sums[b];  // BUG: read
    *total = all;
  }
}

template <bool good>
void last_block_plain_count() {
  Array<int> in(counting<int>(512)), sums(8), total(1);
  Array<unsigned> ended(1);
  last_block_plain_count_kernel<good><<<8, 64>>>(in, sums, ended, total);
  KERNEL_OK();
  RESULT(total.host()[0] == 508);
}

// A fence for the block where blocks talk to each other.
template <bool good>
__global__ void last_block_block_fence_kernel(const int* in, int* sums, unsigned* ended,
                                              int* total) {
  const int sum = __syncthreads_count(in[blockIdx.x * blockDim.x + threadIdx.x] > 3);
  if (threadIdx.x != 0) return;
  sums[blockIdx.x] = sum;  // BUG: write
  if (good) {
    __threadfence();
  } else {
    __threadfence_block();
  }
  if (atomicAdd(ended, 1u) == gridDim.x - 1) {
    if (good) {
      __threadfence();
    } else {
      __threadfence_block();
    }
    int all = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) all += sums[b];  // BUG: read
    *total = all;
  }
}

template <bool good>
void last_block_block_fence() {
  Array<int> in(counting<int>(512)), sums(8), total(1);
  Array<unsigned> ended(1);
  last_block_block_fence_kernel<good><<<8, 64>>>(in, sums, ended, total);
  KERNEL_OK();
  RESULT(total.host()[0] == 508);
}

// All threads of a block write, and the first counts the block as ended without waiting for them.
template <bool good>
__global__ void last_block_no_barrier_kernel(const int* in, int* squares, unsigned* ended,
                                             int* total) {
  __shared__ bool last;
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  squares[i] = in[i] * in[i];  // BUG: write
  if (good) __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    last = atomicAdd(ended, 1u) == gridDim.x - 1;
    __threadfence();
  }
  __syncthreads();
  if (last && threadIdx.x < 32) {
    int sum = 0;
    for (unsigned k = threadIdx.x; k < gridDim.x * blockDim.x; k += 32)
      sum += squares[k];  // BUG: read
    atomicAdd(total, sum);
  }
}

template <bool good>
void last_block_no_barrier() {
  Array<int> in(256, 2), squares(256), total(1);
  Array<unsigned> ended(1);
  last_block_no_barrier_kernel<good><<<4, 64>>>(in, squares, ended, total);
  KERNEL_OK();
  RESULT(total.host()[0] == 1024);
}

// The same with a count of users: relaxed order says nothing about what they wrote.
template <bool good>
__global__ void last_user_relaxed_kernel(int* notes, int* users, int* sum) {
  if (threadIdx.x != 0) return;
  notes[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;  // BUG: write
  const auto order = good ? cuda::memory_order_acq_rel : cuda::memory_order_relaxed;
  if (of_device<int>(*users).fetch_sub(1, order) == 1) {
    int all = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) all += notes[b];  // BUG: read
    *sum = all;
  }
}

template <bool good>
void last_user_relaxed() {
  Array<int> notes(6), users(1, 6), sum(1);
  last_user_relaxed_kernel<good><<<6, 32>>>(notes, users, sum);
  KERNEL_OK();
  RESULT(sum.host()[0] == 21);
}

// --- A block tells another by a flag ---

__device__ void set_flag(int* flag, int value) { *static_cast<volatile int*>(flag) = value; }
__device__ void wait_for_flag(int* flag, int value) {
  while (*static_cast<volatile int*>(flag) != value) {
  }
}

// The flag is an ordinary variable; the fences make the compiler read it again, and no more.
template <bool good>
__global__ void flag_plain_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    __threadfence();
    if (good) {
      set_flag(flag, 1);
    } else {
      *flag = 1;  // BUG: write
    }
  } else {
    if (good) {
      wait_for_flag(flag, 1);
    } else {
      while (*flag == 0) __threadfence();  // BUG: read
    }
    __threadfence();
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_plain() {
  Array<int> data(1), flag(1), out(1);
  flag_plain_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// The producer has no fence between data and flag.
template <bool good>
__global__ void flag_no_release_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    if (good) __threadfence();
    set_flag(flag, 1);
  } else {
    wait_for_flag(flag, 1);
    __threadfence();
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_no_release() {
  Array<int> data(1), flag(1), out(1);
  flag_no_release_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// The consumer has none between flag and data.
template <bool good>
__global__ void flag_no_acquire_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    __threadfence();
    set_flag(flag, 1);
  } else {
    wait_for_flag(flag, 1);
    if (good) __threadfence();
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_no_acquire() {
  Array<int> data(1), flag(1), out(1);
  flag_no_acquire_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// The fence comes after the flag.
template <bool good>
__global__ void flag_fence_late_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    if (good) __threadfence();
    atomicExch(flag, 1);
    if (!good) __threadfence();
  } else {
    while (atomicAdd(flag, 0) == 0) {
    }
    __threadfence();
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_fence_late() {
  Array<int> data(1), flag(1), out(1);
  flag_fence_late_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// The flag is set first, and the data written then.
template <bool good>
__global__ void flag_before_data_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    if (!good) set_flag(flag, 1);
    __threadfence();
    *data = 42;  // BUG: write
    __threadfence();
    if (good) set_flag(flag, 1);
  } else {
    wait_for_flag(flag, 1);
    __threadfence();
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_before_data() {
  Array<int> data(1), flag(1), out(1);
  flag_before_data_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// Fences for the block between two blocks.
template <bool good>
__global__ void flag_block_fence_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  const auto fence = [] {
    if (good) {
      __threadfence();
    } else {
      __threadfence_block();
    }
  };
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    fence();
    set_flag(flag, 1);
  } else {
    wait_for_flag(flag, 1);
    fence();
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_block_fence() {
  Array<int> data(1), flag(1), out(1);
  flag_block_fence_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// cuda::atomic_ref with relaxed order, and no fence.
template <bool good>
__global__ void flag_relaxed_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  const of_device<int> ready(*flag);
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    ready.store(1, good ? cuda::memory_order_release : cuda::memory_order_relaxed);
  } else {
    while (ready.load(good ? cuda::memory_order_acquire : cuda::memory_order_relaxed) == 0) {
    }
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_relaxed() {
  Array<int> data(1), flag(1), out(1);
  flag_relaxed_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// Release and acquire are right, for threads of one block; these are of two.
template <bool good>
__global__ void flag_block_scope_kernel(int* data, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  cuda::atomic_ref<int, good ? cuda::thread_scope_device : cuda::thread_scope_block> ready(*flag);
  if (blockIdx.x == 0) {
    *data = 42;                                  // BUG: write
    ready.store(1, cuda::memory_order_release);  // BUG: write
  } else {
    while (ready.load(cuda::memory_order_acquire) == 0) {  // BUG: read
    }
    *out = *data;  // BUG: read
  }
}

template <bool good>
void flag_block_scope() {
  Array<int> data(1), flag(1), out(1);
  flag_block_scope_kernel<good><<<2, 32>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// All threads of the producer write; its first one tells, without a barrier before.
template <bool good>
__global__ void producer_without_barrier_kernel(int* data, int* flag, int* out) {
  if (blockIdx.x == 0) {
    data[threadIdx.x] = static_cast<int>(threadIdx.x);  // BUG: write
    if (good) __syncthreads();
    if (threadIdx.x == 0) of_device<int>(*flag).store(1, cuda::memory_order_release);
  } else {
    if (threadIdx.x == 0) {
      while (of_device<int>(*flag).load(cuda::memory_order_acquire) == 0) {
      }
    }
    __syncthreads();
    out[threadIdx.x] = data[threadIdx.x];  // BUG: read
  }
}

template <bool good>
void producer_without_barrier() {
  Array<int> data(64), flag(1), out(64);
  producer_without_barrier_kernel<good><<<2, 64>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 63);
}

// One thread of the consumer waits; the others read at once.
template <bool good>
__global__ void consumer_without_barrier_kernel(int* data, int* flag, int* out) {
  if (blockIdx.x == 0) {
    data[threadIdx.x] = static_cast<int>(threadIdx.x);  // BUG: write
    __syncthreads();
    if (threadIdx.x == 0) of_device<int>(*flag).store(1, cuda::memory_order_release);
  } else {
    if (threadIdx.x == 0) {
      while (of_device<int>(*flag).load(cuda::memory_order_acquire) == 0) {
      }
    }
    if (good) __syncthreads();
    out[threadIdx.x] = data[threadIdx.x];  // BUG: read
  }
}

template <bool good>
void consumer_without_barrier() {
  Array<int> data(64), flag(1), out(64);
  consumer_without_barrier_kernel<good><<<2, 64>>>(data, flag, out);
  KERNEL_OK();
  RESULT(out.host()[63] == 63);
}

// A message goes through a third block, which passes it on with relaxed order.
template <bool good>
__global__ void chain_kernel(int* data, int* flags, int* out) {
  if (threadIdx.x != 0) return;
  of_device<int> first(flags[0]), second(flags[1]);
  if (blockIdx.x == 0) {
    *data = 42;  // BUG: write
    first.store(1, cuda::memory_order_release);
  } else if (blockIdx.x == 1) {
    while (first.load(good ? cuda::memory_order_acquire : cuda::memory_order_relaxed) == 0) {
    }
    second.store(1, good ? cuda::memory_order_release : cuda::memory_order_relaxed);
  } else {
    while (second.load(cuda::memory_order_acquire) == 0) {
    }
    *out = *data;  // BUG: read
  }
}

template <bool good>
void chain() {
  Array<int> data(1), flags(2), out(1);
  chain_kernel<good><<<3, 32>>>(data, flags, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// A mailbox: the answer "I have read it" is not ordered after the reading.
template <bool good>
__global__ void mailbox_kernel(int* box, int* flag, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    for (int message = 1; message <= 3; ++message) {
      *box = 10 * message;  // BUG: write
      __threadfence();
      set_flag(flag, 1);
      wait_for_flag(flag, 0);
      if (good) __threadfence();
    }
  } else {
    int sum = 0;
    for (int message = 1; message <= 3; ++message) {
      wait_for_flag(flag, 1);
      __threadfence();
      sum += *box;  // BUG: read
      if (good) __threadfence();
      set_flag(flag, 0);
    }
    *out = sum;
  }
}

template <bool good>
void mailbox() {
  Array<int> box(1), flag(1), out(1);
  mailbox_kernel<good><<<2, 32>>>(box, flag, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 60);
}

// The first block that comes computes a table; the others wait until it is there.
template <bool good>
__global__ void computed_once_kernel(int* table, int* state, int* out) {
  if (threadIdx.x != 0) return;
  if (atomicCAS(state, 0, 1) == 0) {
    for (int k = 0; k < 16; ++k) table[k] = k * k;  // BUG: write
    if (good) __threadfence();
    atomicExch(state, 2);
  } else {
    while (atomicAdd(state, 0) != 2) {
    }
    if (good) __threadfence();
  }
  int sum = 0;
  for (int k = 0; k < 16; ++k) sum += table[k];  // BUG: read
  out[blockIdx.x] = sum;
}

template <bool good>
void computed_once() {
  Array<int> table(16), state(1), out(4);
  computed_once_kernel<good><<<4, 32>>>(table, state, out);
  KERNEL_OK();
  RESULT(out.host()[3] == 1240);
}

// Two warps of a block, with a flag in shared memory.
template <bool good>
__global__ void flag_in_shared_kernel(const int* in, int* out) {
  __shared__ int data;
  __shared__ int flag;
  if (threadIdx.x == 0) flag = 0;
  __syncthreads();
  if (threadIdx.x == 32) {
    data = in[0];  // BUG: write
    if (good) __threadfence_block();
    set_flag(&flag, 1);
  } else if (threadIdx.x == 0) {
    wait_for_flag(&flag, 1);
    if (good) __threadfence_block();
    *out = data;  // BUG: read
  }
}

template <bool good>
void flag_in_shared() {
  Array<int> in(1, 42), out(1);
  flag_in_shared_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// A place in the queue is taken, and counts as filled, before the item is there.
template <bool good>
__global__ void queue_kernel(int* items, int* filled, int* tail, int* out) {
  if (threadIdx.x != 0) return;
  if (blockIdx.x == 0) {
    for (int k = 0; k < 4; ++k) {
      const int place = atomicAdd(tail, 1);
      items[place] = 7 * k;  // BUG: write
      __threadfence();
      if (good) atomicExch(&filled[place], 1);
    }
  } else {
    int sum = 0;
    for (int k = 0; k < 4; ++k) {
      while (atomicAdd(good ? &filled[k] : tail, 0) <= (good ? 0 : k)) {
      }
      __threadfence();
      sum += items[k];  // BUG: read
    }
    *out = sum;
  }
}

template <bool good>
void queue() {
  Array<int> items(4), filled(4), tail(1), out(1);
  queue_kernel<good><<<2, 32>>>(items, filled, tail, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 42);
}

// --- Locks ---

// Taken and given back by relaxed atomics alone: nothing orders what is done under it.
template <bool good>
__global__ void lock_no_fence_kernel(int* lock, int* balance) {
  if (threadIdx.x != 0) return;
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  if (good) __threadfence();
  *balance += 10;  // BUG: read and write
  if (good) __threadfence();
  atomicExch(lock, 0);
}

template <bool good>
void lock_no_fence() {
  Array<int> lock(1), balance(1);
  lock_no_fence_kernel<good><<<6, 32>>>(lock, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 60);
}

// The fence at taking is there, the one before giving back is not.
template <bool good>
__global__ void lock_no_release_kernel(int* lock, int* balance) {
  if (threadIdx.x != 0) return;
  while (atomicCAS(lock, 0, 1) != 0) {
  }
  __threadfence();
  *balance += 10;  // BUG: read and write
  if (good) __threadfence();
  atomicExch(lock, 0);
}

template <bool good>
void lock_no_release() {
  Array<int> lock(1), balance(1);
  lock_no_release_kernel<good><<<6, 32>>>(lock, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 60);
}

// Given back by an ordinary store.
template <bool good>
__global__ void unlock_by_store_kernel(int* lock, int* balance) {
  if (threadIdx.x != 0) return;
  while (atomicCAS(lock, 0, 1) != 0) {  // BUG: read and write
  }
  __threadfence();
  *balance += 10;  // BUG: read and write
  __threadfence();
  if (good) {
    atomicExch(lock, 0);
  } else {
    *lock = 0;  // BUG: write
  }
}

template <bool good>
void unlock_by_store() {
  Array<int> lock(1), balance(1);
  unlock_by_store_kernel<good><<<6, 32>>>(lock, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 60);
}

// A lock of cuda::atomic_ref, whose scope is the block.
template <bool good>
__global__ void lock_block_scope_kernel(int* lock, int* balance) {
  if (threadIdx.x != 0) return;
  cuda::atomic_ref<int, good ? cuda::thread_scope_device : cuda::thread_scope_block> held(*lock);
  while (held.exchange(1, cuda::memory_order_acquire) != 0) {  // BUG: read and write
  }
  *balance += 10;                             // BUG: read and write
  held.store(0, cuda::memory_order_release);  // BUG: write
}

template <bool good>
void lock_block_scope() {
  Array<int> lock(1), balance(1);
  lock_block_scope_kernel<good><<<6, 32>>>(lock, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 60);
}

// Each block has a lock of its own for the same balance.
template <bool good>
__global__ void two_locks_kernel(int* locks, int* balance) {
  if (threadIdx.x != 0) return;
  of_device<int> held(locks[good ? 0 : blockIdx.x % 2]);
  while (held.exchange(1, cuda::memory_order_acquire) != 0) {
  }
  *balance += 10;  // BUG: read and write
  held.store(0, cuda::memory_order_release);
}

template <bool good>
void two_locks() {
  Array<int> locks(2), balance(1);
  two_locks_kernel<good><<<6, 32>>>(locks, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 60);
}

// Writing is done under the lock, reading is not.
template <bool good>
__global__ void read_without_lock_kernel(int* lock, int* balance, int* seen) {
  if (threadIdx.x != 0) return;
  of_device<int> held(*lock);
  const bool writer = blockIdx.x % 2 == 0;
  if (good || writer) {
    while (held.exchange(1, cuda::memory_order_acquire) != 0) {
    }
  }
  if (writer) {
    *balance += 10;  // BUG: write
  } else {
    seen[blockIdx.x] = *balance;  // BUG: read
  }
  if (good || writer) held.store(0, cuda::memory_order_release);
}

template <bool good>
void read_without_lock() {
  Array<int> lock(1), balance(1), seen(6);
  read_without_lock_kernel<good><<<6, 32>>>(lock, balance, seen);
  KERNEL_OK();
  RESULT(balance.host()[0] == 30);
}

// Warps of one block, a lock in shared memory, no fence.
template <bool good>
__global__ void lock_in_shared_kernel(int* out) {
  __shared__ int lock;
  __shared__ int count;
  if (threadIdx.x == 0) lock = count = 0;
  __syncthreads();
  if (threadIdx.x % 32 == 0) {
    while (atomicCAS(&lock, 0, 1) != 0) {
    }
    if (good) __threadfence_block();
    count += 3;  // BUG: read and write
    if (good) __threadfence_block();
    atomicExch(&lock, 0);
  }
  __syncthreads();
  if (threadIdx.x == 0) *out = count;
}

template <bool good>
void lock_in_shared() {
  Array<int> out(1);
  lock_in_shared_kernel<good><<<1, 128>>>(out);
  KERNEL_OK();
  RESULT(out.host()[0] == 12);
}

// Lanes of one warp take a lock from each other.
template <bool good>
__global__ void lock_between_lanes_kernel(int* lock, int* balance) {
  bool done = false;
  while (!done) {
    if (atomicCAS(lock, 0, 1) == 0) {
      if (good) __threadfence();
      *balance += 1;  // BUG: read and write
      if (good) __threadfence();
      atomicExch(lock, 0);
      done = true;
    }
  }
}

template <bool good>
void lock_between_lanes() {
  Array<int> lock(1), balance(1);
  lock_between_lanes_kernel<good><<<2, 32>>>(lock, balance);
  KERNEL_OK();
  RESULT(balance.host()[0] == 64);
}

// A list per bucket, with a lock per bucket; the bucket is worked out twice, and differently.
template <bool good>
__global__ void wrong_bucket_kernel(const int* keys, int* locks, int* heads, int* next) {
  if (threadIdx.x != 0) return;
  const int k = static_cast<int>(blockIdx.x);
  const int bucket = keys[k] % 4;
  of_device<int> held(locks[good ? bucket : keys[k] % 3]);
  while (held.exchange(1, cuda::memory_order_acquire) != 0) {
  }
  next[k] = heads[bucket];  // BUG: read
  heads[bucket] = k;        // BUG: write
  held.store(0, cuda::memory_order_release);
}

template <bool good>
void wrong_bucket() {
  Array<int> keys(counting<int>(24)), locks(4), heads(4, -1), next(24);
  wrong_bucket_kernel<good><<<24, 32>>>(keys, locks, heads, next);
  KERNEL_OK();
}

// --- Look-back ---

// Status and sum are two words, and the sum is not there when the status is.
template <bool good>
__global__ void look_back_two_words_kernel(const int* in, int* sums, int* status, int* out) {
  if (threadIdx.x != 0) return;
  const int tile = static_cast<int>(blockIdx.x);
  int before = 0;
  if (tile > 0) {
    wait_for_flag(&status[tile - 1], 1);
    __threadfence();
    before = sums[tile - 1];  // BUG: read
  }
  out[tile] = before;
  sums[tile] = before + in[tile];  // BUG: write
  if (good) __threadfence();
  set_flag(&status[tile], 1);
}

template <bool good>
void look_back_two_words() {
  Array<int> in(8, 5), sums(8), status(8), out(8);
  look_back_two_words_kernel<good><<<8, 32>>>(in, sums, status, out);
  KERNEL_OK();
  RESULT(out.host()[7] == 35);
}

// Both are in one word of 64 bits, which is the idea; the word is read and written plainly.
template <bool good>
__global__ void look_back_plain_word_kernel(const int* in, unsigned long long* words, int* out) {
  if (threadIdx.x != 0) return;
  const int tile = static_cast<int>(blockIdx.x);
  unsigned before = 0;
  if (tile > 0) {
    unsigned long long word;
    if (good) {
      while ((word = *static_cast<volatile unsigned long long*>(&words[tile - 1])) == 0) {
      }
    } else {
      while ((word = words[tile - 1]) == 0) __threadfence();  // BUG: read
    }
    before = static_cast<unsigned>(word);
  }
  out[tile] = static_cast<int>(before);
  const unsigned long long mine = 1ull << 32 | (before + static_cast<unsigned>(in[tile]));
  if (good) {
    *static_cast<volatile unsigned long long*>(&words[tile]) = mine;
  } else {
    words[tile] = mine;  // BUG: write
  }
}

template <bool good>
void look_back_plain_word() {
  Array<int> in(8, 5), out(8);
  Array<unsigned long long> words(8);
  look_back_plain_word_kernel<good><<<8, 32>>>(in, words, out);
  KERNEL_OK();
  RESULT(out.host()[7] == 35);
}

// --- Barriers of the grid ---

template <bool good>
__global__ void grid_sync_missing_kernel(const int* in, int* middle, int* out) {
  const cg::grid_group grid = cg::this_grid();
  const unsigned i = static_cast<unsigned>(grid.thread_rank());
  middle[i] = 3 * in[i];  // BUG: write
  if (good) {
    grid.sync();
  } else {
    cg::this_thread_block().sync();
  }
  out[i] = middle[grid.size() - 1 - i];  // BUG: read
}

template <bool good>
void grid_sync_missing() {
  Array<int> in(counting<int>(256)), middle(256), out(256);
  int* a = in;
  int* b = middle;
  int* c = out;
  void* arguments[] = {&a, &b, &c};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(grid_sync_missing_kernel<good>),
                                      dim3(4), dim3(64), arguments, 0, nullptr));
  KERNEL_OK();
  RESULT(out.host()[0] == 765);
}

// An iteration with one barrier where buffers are not exchanged.
template <bool good>
__global__ void grid_sync_once_kernel(float* a, float* b, int n, int turns) {
  const cg::grid_group grid = cg::this_grid();
  const int i = static_cast<int>(grid.thread_rank());
  for (int turn = 0; turn < turns; ++turn) {
    if (i > 0 && i < n - 1) b[i] = (a[i - 1] + a[i + 1]) / 2;  // BUG: read
    grid.sync();
    if (i > 0 && i < n - 1) a[i] = b[i];  // BUG: write
    if (good) grid.sync();
  }
}

template <bool good>
void grid_sync_once() {
  std::vector<float> start;
  for (int i = 0; i < 128; ++i) start.push_back(static_cast<float>(i * i % 13));
  Array<float> in(start), scratch(128);
  float* a = in;
  float* b = scratch;
  int n = 128, turns = 3;
  void* arguments[] = {&a, &b, &n, &turns};
  CUDA_OK(cudaLaunchCooperativeKernel(reinterpret_cast<void*>(grid_sync_once_kernel<good>), dim3(4),
                                      dim3(32), arguments, 0, nullptr));
  KERNEL_OK();
}

// A barrier of one's own: counted by atomics, and without fences it orders nothing.
template <bool fences, bool barrier>
__device__ void own_grid_barrier(unsigned* arrived) {
  if (barrier) __syncthreads();
  if (threadIdx.x == 0) {
    if (fences) __threadfence();
    atomicAdd(arrived, 1u);
    while (*static_cast<volatile unsigned*>(arrived) < gridDim.x) {
    }
    if (fences) __threadfence();
  }
  __syncthreads();
}

template <bool good>
__global__ void own_barrier_no_fence_kernel(int* values, unsigned* arrived, int* out) {
  if (threadIdx.x == 0) values[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;  // BUG: write
  own_grid_barrier<good, true>(arrived);
  if (threadIdx.x < gridDim.x)
    out[blockIdx.x * gridDim.x + threadIdx.x] = values[threadIdx.x];  // BUG: read
}

template <bool good>
void own_barrier_no_fence() {
  Array<int> values(4), out(16);
  Array<unsigned> arrived(1);
  own_barrier_no_fence_kernel<good><<<4, 32>>>(values, arrived, out);
  KERNEL_OK();
  RESULT(out.host()[7] == 4);
}

// The block's first thread goes to the barrier of the grid before the others have written.
template <bool good>
__global__ void own_barrier_no_syncthreads_kernel(int* values, unsigned* arrived, int* out) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  values[i] = static_cast<int>(i);  // BUG: write
  own_grid_barrier<true, good>(arrived);
  out[i] = values[gridDim.x * blockDim.x - 1 - i];  // BUG: read
}

template <bool good>
void own_barrier_no_syncthreads() {
  Array<int> values(256), out(256);
  Array<unsigned> arrived(1);
  own_barrier_no_syncthreads_kernel<good><<<4, 64>>>(values, arrived, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 255);
}

const Case cases[] = {
    CASE(last_block_no_fence, "race"),
    CASE(last_block_plain_count, "race"),
    CASE(last_block_block_fence, "race"),
    CASE(last_block_no_barrier, "race"),
    CASE(last_user_relaxed, "race"),
    CASE(flag_plain, "race"),
    CASE(flag_no_release, "race"),
    CASE(flag_no_acquire, "race"),
    CASE(flag_fence_late, "race"),
    CASE(flag_before_data, "race"),
    CASE(flag_block_fence, "race"),
    CASE(flag_relaxed, "race"),
    CASE(flag_block_scope, "race"),
    CASE(producer_without_barrier, "race"),
    CASE(consumer_without_barrier, "race"),
    CASE(chain, "race"),
    CASE(mailbox, "race"),
    CASE(computed_once, "race"),
    CASE(flag_in_shared, "race"),
    CASE(queue, "race"),
    CASE(lock_no_fence, "race"),
    CASE(lock_no_release, "race"),
    CASE(unlock_by_store, "race"),
    CASE(lock_block_scope, "race"),
    CASE(two_locks, "race"),
    CASE(read_without_lock, "race"),
    CASE(lock_in_shared, "race"),
    CASE(lock_between_lanes, "race"),
    CASE(wrong_bucket, "race"),
    CASE(look_back_two_words, "race"),
    CASE(look_back_plain_word, "race"),
    CASE(grid_sync_missing, "race"),
    CASE(grid_sync_once, "race"),
    CASE(own_barrier_no_fence, "race"),
    CASE(own_barrier_no_syncthreads, "race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }
