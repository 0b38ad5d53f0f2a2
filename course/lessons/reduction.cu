// The sum of a vector: from one word that all threads want to a tree in each warp.

//@ kernel atomic one-word-atomics Every thread adds its element to the result
//@ launch sum_clear grid=1 block=1
//@ launch sum_atomic grid=ceil(n/256) block=256
// Right, and as slow as one word can take additions: one after the other.
extern "C" __global__ void sum_clear(const float* x, float* sum, float* scratch, int n) {
  sum[0] = 0;
}
extern "C" __global__ void sum_atomic(const float* x, float* sum, float* scratch, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) atomicAdd(sum, x[i]);
}

//@ kernel interleaved divergence A tree in each block, whose pairs lie side by side
//@ launch sum_clear grid=1 block=1
//@ launch sum_interleaved grid=ceil(n/256) block=256
// One atomic for 256 elements. In each step every second, fourth, ... thread adds: all warps stay
// busy, with ever fewer of their lanes.
extern "C" __global__ void sum_interleaved(const float* x, float* sum, float* scratch, int n) {
  __shared__ float part[256];
  const int t = threadIdx.x;
  const int i = blockIdx.x * 256 + t;
  part[t] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int step = 1; step < 256; step *= 2) {
    if (t % (2 * step) == 0) part[t] += part[t + step];
    __syncthreads();
  }
  if (t == 0) atomicAdd(sum, part[0]);
}

//@ kernel halves barrier-waits The tree adds its upper half to its lower half
//@ launch sum_clear grid=1 block=1
//@ launch sum_halves grid=ceil(n/256) block=256
// The lanes that add are the first ones: whole warps have nothing to do, and wait at the barrier.
extern "C" __global__ void sum_halves(const float* x, float* sum, float* scratch, int n) {
  __shared__ float part[256];
  const int t = threadIdx.x;
  const int i = blockIdx.x * 256 + t;
  part[t] = i < n ? x[i] : 0.0f;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (t < half) part[t] += part[t + half];
    __syncthreads();
  }
  if (t == 0) atomicAdd(sum, part[0]);
}

//@ kernel shuffles - Each thread loads four elements at once, and the lanes of a warp shuffle
//@ launch sum_clear grid=1 block=1
//@ launch sum_shuffles grid=ceil(n/1024) block=256
// One load of 16 bytes and three additions before anything is exchanged; one barrier in all. What
// is left is to read the vector once.
__device__ float block_sum(float value) {
  __shared__ float part[8];
  for (int off = 16; off > 0; off /= 2) value += __shfl_down_sync(0xffffffffu, value, off);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = value;
  __syncthreads();
  value = threadIdx.x < 8 ? part[threadIdx.x] : 0.0f;
  for (int off = 4; off > 0; off /= 2) value += __shfl_down_sync(0xffffffffu, value, off);
  return value;
}
extern "C" __global__ void sum_shuffles(const float* x, float* sum, float* scratch, int n) {
  const int first = 4 * (blockIdx.x * 256 + threadIdx.x);
  float value = 0;
  if (first + 4 <= n) {
    const float4 four = *reinterpret_cast<const float4*>(x + first);
    value = (four.x + four.y) + (four.z + four.w);
  } else {
    for (int i = first; i < n; ++i) value += x[i];
  }
  value = block_sum(value);
  if (threadIdx.x == 0) atomicAdd(sum, value);
}
