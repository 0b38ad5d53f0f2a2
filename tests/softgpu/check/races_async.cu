// Races with asynchronous copies into shared memory (cp.async) and with barrier objects (mbarrier).
#include <cooperative_groups.h>
#include <cooperative_groups/memcpy_async.h>
#include <cuda_awbarrier_primitives.h>
#include <cuda_pipeline.h>

#include <cuda/barrier>
#include <cuda/pipeline>

#include "cases.cuh"

namespace cg = cooperative_groups;

// --- Groups of copies ---

// A thread reads what it has itself copied, and does not wait for the copy.
template <bool good>
__global__ void own_copy_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG: write
  __pipeline_commit();
  if (good) __pipeline_wait_prior(0);
  out[threadIdx.x] = line[threadIdx.x];  // BUG: read
}

template <bool good>
void own_copy() {
  Array<int> in(counting<int>(64)), out(64);
  own_copy_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[7] == 7);
}

// Waiting is for one's own copies; those of others need a barrier as well.
template <bool good>
__global__ void wait_without_barrier_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG: write
  __pipeline_commit();
  __pipeline_wait_prior(0);
  if (good) __syncthreads();
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void wait_without_barrier() {
  Array<int> in(counting<int>(64)), out(64);
  wait_without_barrier_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A barrier does not wait for copies.
template <bool good>
__global__ void barrier_without_wait_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG: write
  __pipeline_commit();
  if (good) __pipeline_wait_prior(0);
  __syncthreads();
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void barrier_without_wait() {
  Array<int> in(counting<int>(64)), out(64);
  barrier_without_wait_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// First the barrier, then the wait: the copies of other threads may still be under way.
template <bool good>
__global__ void barrier_before_wait_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG: write
  __pipeline_commit();
  if (!good) __syncthreads();
  __pipeline_wait_prior(0);
  if (good) __syncthreads();
  out[threadIdx.x] = line[(threadIdx.x + 32) % 64];  // BUG: read
}

template <bool good>
void barrier_before_wait() {
  Array<int> in(counting<int>(64)), out(64);
  barrier_before_wait_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 32);
}

// The group is never committed, so there is nothing to wait for.
template <bool good>
__global__ void commit_forgotten_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG: write
  if (good) __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void commit_forgotten() {
  Array<int> in(counting<int>(64)), out(64);
  commit_forgotten_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// "All but the last": in the last turn no copy follows, and the last is the one that is needed.
template <bool good>
__global__ void last_stage_kernel(const float* in, float* out, int stages) {
  __shared__ float buffer[2][64];
  const auto fetch = [&](int stage) {
    __pipeline_memcpy_async(&buffer[stage % 2][threadIdx.x], &in[stage * 64 + threadIdx.x],
                            4);  // BUG: write
  };
  fetch(0);
  __pipeline_commit();
  float sum = 0.0f;
  for (int stage = 0; stage < stages; ++stage) {
    if (stage + 1 < stages) {
      fetch(stage + 1);
      if (!good) __pipeline_commit();
    }
    if (good) __pipeline_commit();
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += buffer[stage % 2][63 - threadIdx.x];  // BUG: read
    __syncthreads();
  }
  out[threadIdx.x] = sum;
}

template <bool good>
void last_stage() {
  Array<float> in(counting<float>(4 * 64)), out(64);
  last_stage_kernel<good><<<1, 64>>>(in, out, 4);
  KERNEL_OK();
  RESULT(out.host()[63] == 384.0f);
}

// The next copy goes into the buffer that slower warps still read.
template <bool good>
__global__ void stage_reused_kernel(const float* in, float* out, int stages) {
  __shared__ float buffer[2][64];
  const auto fetch = [&](int stage) {
    if (stage < stages) {
      __pipeline_memcpy_async(&buffer[stage % 2][threadIdx.x], &in[stage * 64 + threadIdx.x],
                              4);  // BUG: write
    }
    __pipeline_commit();
  };
  fetch(0);
  float sum = 0.0f;
  for (int stage = 0; stage < stages; ++stage) {
    fetch(stage + 1);
    __pipeline_wait_prior(1);
    __syncthreads();
    sum += buffer[stage % 2][63 - threadIdx.x];  // BUG: read
    if (good) __syncthreads();
  }
  out[threadIdx.x] = sum;
}

template <bool good>
void stage_reused() {
  Array<float> in(counting<float>(4 * 64)), out(64);
  stage_reused_kernel<good><<<1, 64>>>(in, out, 4);
  KERNEL_OK();
  RESULT(out.host()[63] == 384.0f);
}

// The copy's source is written while the copy may still read it.
template <bool good>
__global__ void source_written_kernel(int* values, int* out) {
  __shared__ int line[64];
  __pipeline_memcpy_async(&line[threadIdx.x], &values[threadIdx.x], sizeof(int));  // BUG: read
  __pipeline_commit();
  if (good) __pipeline_wait_prior(0);
  values[threadIdx.x] = -1;  // BUG: write
  __pipeline_wait_prior(0);
  out[threadIdx.x] = line[threadIdx.x];
}

template <bool good>
void source_written() {
  Array<int> values(counting<int>(64)), out(64);
  source_written_kernel<good><<<1, 64>>>(values, out);
  KERNEL_OK();
  RESULT(out.host()[7] == 7);
}

// The copy's destination is set to zero first, by other threads.
template <bool good>
__global__ void cleared_by_others_kernel(const int4* in, int* out, int n) {
  __shared__ int4 line[32];
  int* words = reinterpret_cast<int*>(line);
  words[threadIdx.x] = 0;  // BUG: write
  if (good) __syncthreads();
  if (threadIdx.x < 32 && static_cast<int>(threadIdx.x) < n) {
    __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], 16);  // BUG: write
  }
  __pipeline_commit();
  __pipeline_wait_prior(0);
  __syncthreads();
  out[threadIdx.x] = words[threadIdx.x];
}

template <bool good>
void cleared_by_others() {
  Array<int> in(counting<int>(128)), out(128);
  cleared_by_others_kernel<good>
      <<<1, 128>>>(reinterpret_cast<int4*>(static_cast<int*>(in)), out, 20);
  KERNEL_OK();
  RESULT(out.host()[79] == 79);
}

// A warp fetches for itself: the lanes wait, and read each other's without __syncwarp().
template <bool good>
__global__ void warp_fetch_kernel(const int* in, int* out) {
  __shared__ int line[32];
  __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG: write
  __pipeline_commit();
  __pipeline_wait_prior(0);
  if (good) __syncwarp();
  out[threadIdx.x] = line[threadIdx.x ^ 7];  // BUG: read
}

template <bool good>
void warp_fetch() {
  Array<int> in(counting<int>(32)), out(32);
  warp_fetch_kernel<good><<<1, 32>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 7);
}

// --- Cooperative groups and libcu++ ---

template <bool good>
__global__ void group_copy_kernel(const int* in, int* out) {
  __shared__ alignas(16) int line[128];
  const cg::thread_block block = cg::this_thread_block();
  cg::memcpy_async(block, line, in, sizeof line);  // BUG: write
  if (good) {
    cg::wait(block);
  } else {
    block.sync();
  }
  out[block.thread_rank()] = line[127 - block.thread_rank()];  // BUG: read
}

template <bool good>
void group_copy() {
  Array<int> in(counting<int>(128)), out(128);
  group_copy_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

#pragma nv_diag_suppress static_var_with_dynamic_init

template <bool good>
__global__ void barrier_copy_kernel(const int* in, int* out) {
  __shared__ alignas(16) int line[128];
  __shared__ cuda::barrier<cuda::thread_scope_block> ready;
  const cg::thread_block block = cg::this_thread_block();
  if (block.thread_rank() == 0) init(&ready, block.size());
  block.sync();
  cuda::memcpy_async(block, line, in, cuda::aligned_size_t<16>(sizeof line), ready);  // BUG: write
  if (good) {
    ready.arrive_and_wait();
  } else {
    block.sync();
  }
  out[block.thread_rank()] = line[127 - block.thread_rank()];  // BUG: read
}

template <bool good>
void barrier_copy() {
  Array<int> in(counting<int>(128)), out(128);
  barrier_copy_kernel<good><<<1, 128>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 127);
}

// The stage is given back to the producers before it has been read.
template <bool good>
__global__ void released_early_kernel(const int* in, int* out, int turns) {
  __shared__ alignas(16) int line[64];
  __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, 1> state;
  const cg::thread_block block = cg::this_thread_block();
  auto pipeline = cuda::make_pipeline(block, &state);
  int sum = 0;
  for (int turn = 0; turn < turns; ++turn) {
    pipeline.producer_acquire();
    cuda::memcpy_async(block, line, in + 64 * turn,
                       cuda::aligned_size_t<16>(64 * sizeof(int)),  // BUG: write
                       pipeline);
    pipeline.producer_commit();
    pipeline.consumer_wait();
    if (!good) pipeline.consumer_release();
    sum += line[63 - block.thread_rank()];  // BUG: read
    if (good) pipeline.consumer_release();
  }
  out[block.thread_rank()] = sum;
}

template <bool good>
void released_early() {
  Array<int> in(counting<int>(4 * 64)), out(64);
  released_early_kernel<good><<<1, 64>>>(in, out, 4);
  KERNEL_OK();
  RESULT(out.host()[63] == 384);
}

// --- Barrier objects ---

__device__ unsigned shared_address(const void* p) {
  return static_cast<unsigned>(__cvta_generic_to_shared(p));
}

// The header's own function for this is for compute capability 9.0; the instruction is there
// from 8.0.
__device__ void wait_for_parity(__mbarrier_t* barrier, bool parity) {
  unsigned complete = 0;
  while (complete == 0) {
    asm volatile(
        "{\n"
        ".reg .pred complete;\n"
        "mbarrier.test_wait.parity.shared.b64 complete, [%1], %2;\n"
        "selp.u32 %0, 1, 0, complete;\n"
        "}"
        : "=r"(complete)
        : "r"(shared_address(barrier)), "r"(static_cast<unsigned>(parity))
        : "memory");
  }
}

// Warps arrive, and the reader does not wait for the phase.
template <bool good>
__global__ void arrive_without_wait_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __shared__ __mbarrier_t ready;
  if (threadIdx.x == 0) __mbarrier_init(&ready, 64);
  __syncthreads();
  line[threadIdx.x] = in[threadIdx.x];  // BUG: write
  const __mbarrier_token_t token = __mbarrier_arrive(&ready);
  if (good) {
    while (!__mbarrier_test_wait(&ready, token)) {
    }
  }
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void arrive_without_wait() {
  Array<int> in(counting<int>(64)), out(64);
  arrive_without_wait_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// The barrier expects half of those that arrive.
template <bool good>
__global__ void count_too_small_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __shared__ __mbarrier_t ready;
  if (threadIdx.x == 0) __mbarrier_init(&ready, good ? 64 : 32);
  __syncthreads();
  line[threadIdx.x] = in[threadIdx.x];  // BUG: write
  const __mbarrier_token_t token = __mbarrier_arrive(&ready);
  while (!__mbarrier_test_wait(&ready, token)) {
  }
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void count_too_small() {
  Array<int> in(counting<int>(64)), out(64);
  count_too_small_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// The barrier is made by one thread and used by the others at once.
template <bool good>
__global__ void init_not_awaited_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __shared__ __mbarrier_t ready;
  if (threadIdx.x == 0) __mbarrier_init(&ready, 64);  // BUG: write
  if (good) __syncthreads();
  line[threadIdx.x] = in[threadIdx.x];
  const __mbarrier_token_t token = __mbarrier_arrive(&ready);  // BUG: write
  while (!__mbarrier_test_wait(&ready, token)) {
  }
  out[threadIdx.x] = line[63 - threadIdx.x];
}

template <bool good>
void init_not_awaited() {
  Array<int> in(counting<int>(64)), out(64);
  init_not_awaited_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// The reader waits for the parity of the phase before, which has completed: it goes on at once (or,
// where it comes late, waits for ever).
template <bool good>
__global__ void parity_of_the_last_phase_kernel(const int* in, int* out) {
  __shared__ int line[32];
  __shared__ __mbarrier_t ready;
  if (threadIdx.x == 0) __mbarrier_init(&ready, 32);
  __syncthreads();
  const int lane = threadIdx.x % 32;
  if (threadIdx.x >= 32) {
    line[lane] = in[lane];  // BUG: write
    (void)__mbarrier_arrive(&ready);
  } else {
    wait_for_parity(&ready, !good);
    out[lane] = line[31 - lane];  // BUG: read
  }
}

template <bool good>
void parity_of_the_last_phase() {
  Array<int> in(counting<int>(32)), out(32);
  parity_of_the_last_phase_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[31] == 0);
}

// An ordinary arrival does not wait for the thread's copies; cp.async.mbarrier.arrive does.
template <bool good>
__global__ void arrive_before_copy_kernel(const int* in, int* out) {
  __shared__ int line[64];
  __shared__ __mbarrier_t ready;
  if (threadIdx.x == 0) __mbarrier_init(&ready, 64);
  __syncthreads();
  __pipeline_memcpy_async(&line[threadIdx.x], &in[threadIdx.x], sizeof(int));  // BUG: write
  if (good) {
    asm volatile("cp.async.mbarrier.arrive.noinc.shared.b64 [%0];" ::"r"(shared_address(&ready))
                 : "memory");
  } else {
    (void)__mbarrier_arrive(&ready);
  }
  wait_for_parity(&ready, false);
  out[threadIdx.x] = line[63 - threadIdx.x];  // BUG: read
}

template <bool good>
void arrive_before_copy() {
  Array<int> in(counting<int>(64)), out(64);
  arrive_before_copy_kernel<good><<<1, 64>>>(in, out);
  KERNEL_OK();
  RESULT(out.host()[0] == 63);
}

// A consumer says "empty" before it has read.
template <bool good>
__global__ void empty_before_read_kernel(const int* in, int* out, int turns) {
  __shared__ int line[32];
  __shared__ __mbarrier_t full, empty;
  if (threadIdx.x == 0) {
    __mbarrier_init(&full, 32);
    __mbarrier_init(&empty, 32);
  }
  __syncthreads();
  const int lane = threadIdx.x % 32;
  if (threadIdx.x < 32) {
    for (int turn = 0; turn < turns; ++turn) {
      if (turn > 0) wait_for_parity(&empty, turn % 2 == 0);
      line[lane] = in[32 * turn + lane];  // BUG: write
      (void)__mbarrier_arrive(&full);
    }
  } else {
    int sum = 0;
    for (int turn = 0; turn < turns; ++turn) {
      wait_for_parity(&full, turn % 2 != 0);
      if (!good) (void)__mbarrier_arrive(&empty);
      sum += line[31 - lane];  // BUG: read
      if (good) (void)__mbarrier_arrive(&empty);
    }
    out[lane] = sum;
  }
}

template <bool good>
void empty_before_read() {
  Array<int> in(counting<int>(4 * 32)), out(32);
  empty_before_read_kernel<good><<<1, 64>>>(in, out, 4);
  KERNEL_OK();
  RESULT(out.host()[31] == 192);
}

const Case cases[] = {
    CASE(own_copy, "race"),
    CASE(wait_without_barrier, "race"),
    CASE(barrier_without_wait, "race"),
    CASE(barrier_before_wait, "race"),
    CASE(commit_forgotten, "race"),
    CASE(last_stage, "race"),
    CASE(stage_reused, "race"),
    CASE(source_written, "race"),
    CASE(cleared_by_others, "race"),
    CASE(warp_fetch, "race"),
    CASE(group_copy, "race"),
    CASE(barrier_copy, "race"),
    CASE(released_early, "race"),
    CASE(arrive_without_wait, "race"),
    CASE(count_too_small, "race"),
    CASE(init_not_awaited, "race|fault"),
    CASE(parity_of_the_last_phase, "race|deadlock"),
    CASE(arrive_before_copy, "race"),
    CASE(empty_before_read, "race"),
};

int main(int argc, char** argv) { return run_cases(cases, argc, argv); }
