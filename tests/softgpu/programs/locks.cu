// Progress between threads of one warp and of many blocks: a lock that lanes of a warp take from
// each other, a ticket lock, and hand-over through a flag. A machine that runs a branch of a
// diverged warp to its end before the other hangs here.
#include "check.cuh"

__device__ int mutex = 0;
__device__ volatile int unprotected = 0;
__device__ unsigned ticket = 0, serving = 0;

// The form that hung on GPUs before Volta: the lane that got the lock waits for those that did not.
__global__ void lane_by_lane(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    while (atomicCAS(&mutex, 0, 1) != 0) {
    }
    __threadfence();
    unprotected = unprotected + 1;
    __threadfence();
    atomicExch(&mutex, 0);
  }
}

__global__ void with_back_off(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    bool done = false;
    unsigned wait = 8;
    while (!done) {
      if (atomicCAS(&mutex, 0, 1) == 0) {
        __threadfence();
        unprotected = unprotected + 1;
        __threadfence();
        atomicExch(&mutex, 0);
        done = true;
      } else {
        __nanosleep(wait);
        wait = min(wait * 2, 256u);
      }
    }
  }
}

__global__ void in_turn(int* order) {
  const unsigned mine = atomicAdd(&ticket, 1);
  while (atomicAdd(&serving, 0) != mine) {
  }
  order[mine] = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  __threadfence();
  atomicAdd(&serving, 1);
}

// Lane 31 sends through 30, 29, ... to lane 0.
__global__ void relay(volatile int* flags, int* out) {
  const int lane = threadIdx.x;
  if (lane != 31) {
    while (flags[lane + 1] == 0) {
    }
  }
  __threadfence();
  out[lane] = lane == 31 ? 1 : out[lane + 1] + lane;
  __threadfence();
  flags[lane] = 1;
}

// One block makes what another waits for, the waiting one first in the grid.
__global__ void producer_and_consumer(volatile int* ready, const int* box_in, int* box_out) {
  __shared__ int seen;
  if (blockIdx.x == 0) {
    if (threadIdx.x == 0) {
      while (*ready == 0) {
      }
      __threadfence();
      seen = *reinterpret_cast<const volatile int*>(box_in);
    }
    __syncthreads();
    box_out[threadIdx.x] = seen + static_cast<int>(threadIdx.x);
  } else if (threadIdx.x == 0) {
    *const_cast<volatile int*>(box_in) = 1000;
    __threadfence();
    *ready = 1;
  }
}

int read(const volatile int& symbol) {
  int value = 0;
  CUDA_OK(cudaMemcpyFromSymbol(&value, symbol, sizeof value));
  return value;
}

void clear() {
  const int zero = 0;
  CUDA_OK(cudaMemcpyToSymbol(unprotected, &zero, sizeof zero));
}

int main() {
  for (const int threads : {2, 32, 47}) {
    for (const int blocks : {1, 5}) {
      clear();
      lane_by_lane<<<blocks, threads>>>(3);
      CUDA_OK(cudaDeviceSynchronize());
      CHECK_AT(read(unprotected) == blocks * threads * 3, "%d x %d", blocks, threads);
      clear();
      with_back_off<<<blocks, threads>>>(3);
      CUDA_OK(cudaDeviceSynchronize());
      CHECK_AT(read(unprotected) == blocks * threads * 3, "%d x %d", blocks, threads);
    }
  }
  {
    const int threads = 3 * 64;
    int* order;
    CUDA_OK(cudaMallocManaged(&order, threads * sizeof(int)));
    in_turn<<<3, 64>>>(order);
    CUDA_OK(cudaDeviceSynchronize());
    bool seen[threads] = {};
    for (int i = 0; i < threads; ++i) seen[order[i]] = true;
    for (const bool s : seen) CHECK(s);
    CUDA_OK(cudaFree(order));
  }
  {
    int *flags, *out;
    CUDA_OK(cudaMallocManaged(&flags, 33 * sizeof(int)));
    CUDA_OK(cudaMallocManaged(&out, 32 * sizeof(int)));
    CUDA_OK(cudaMemset(flags, 0, 33 * sizeof(int)));
    relay<<<1, 32>>>(flags, out);
    CUDA_OK(cudaDeviceSynchronize());
    for (int lane = 31, sum = 1; lane >= 0; --lane) {
      if (lane != 31) sum += lane;
      CHECK_AT(out[lane] == sum, "lane %d: %d", lane, out[lane]);
    }
    CUDA_OK(cudaFree(flags));
    CUDA_OK(cudaFree(out));
  }
  {
    int* memory;
    CUDA_OK(cudaMallocManaged(&memory, 66 * sizeof(int)));
    CUDA_OK(cudaMemset(memory, 0, 66 * sizeof(int)));
    producer_and_consumer<<<2, 64>>>(memory, memory + 1, memory + 2);
    CUDA_OK(cudaDeviceSynchronize());
    for (int t = 0; t < 64; ++t) CHECK(memory[2 + t] == 1000 + t);
    CUDA_OK(cudaFree(memory));
  }
  return verdict();
}
