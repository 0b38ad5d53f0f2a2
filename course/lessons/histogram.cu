// A histogram of values of which half are one and the same, as real data are: atomics, and where
// they meet.

//@ kernel global one-word-atomics Every thread counts in global memory
//@ launch clear_counts grid=1 block=256
//@ launch count_global grid=ceil(n/256) block=256
// Half of all threads of the device meet at one word, which takes them one by one.
extern "C" __global__ void clear_counts(const int* x, int* counts, int n, int bins) {
  if (threadIdx.x < bins) counts[threadIdx.x] = 0;
}
extern "C" __global__ void count_global(const int* x, int* counts, int n, int bins) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) atomicAdd(&counts[x[i]], 1);
}

//@ kernel shared one-word-atomics Each block counts in shared memory, and adds its counts once
//@ launch clear_counts grid=1 block=256
//@ launch count_shared grid=ceil(n/1024) block=256
// Threads meet those of their own block only, and the global word takes one addition a block. But
// within each warp half of the lanes still want one word.
extern "C" __global__ void count_shared(const int* x, int* counts, int n, int bins) {
  __shared__ int own[256];
  own[threadIdx.x] = 0;
  __syncthreads();
  for (int e = 0; e < 4; ++e) {
    const int i = blockIdx.x * 1024 + e * 256 + threadIdx.x;
    if (i < n) atomicAdd(&own[x[i]], 1);
  }
  __syncthreads();
  if (threadIdx.x < bins && own[threadIdx.x] != 0) {
    atomicAdd(&counts[threadIdx.x], own[threadIdx.x]);
  }
}

//@ kernel matched - Lanes of a warp with the same value find each other, and one adds for all
//@ launch clear_counts grid=1 block=256
//@ launch count_matched grid=ceil(n/1024) block=256
// __match_any_sync() gives each lane the set of those that have its value.
extern "C" __global__ void count_matched(const int* x, int* counts, int n, int bins) {
  __shared__ int own[256];
  own[threadIdx.x] = 0;
  __syncthreads();
  const int lane = threadIdx.x % 32;
  for (int e = 0; e < 4; ++e) {
    const int i = blockIdx.x * 1024 + e * 256 + threadIdx.x;
    const int value = i < n ? x[i] : -1;
    const unsigned same = __match_any_sync(0xffffffffu, value);
    if (value >= 0 && lane == __ffs(same) - 1) atomicAdd(&own[value], __popc(same));
  }
  __syncthreads();
  if (threadIdx.x < bins && own[threadIdx.x] != 0) {
    atomicAdd(&counts[threadIdx.x], own[threadIdx.x]);
  }
}
