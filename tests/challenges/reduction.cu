// Kernels for the challenge reduction.
#define ARGUMENTS const float *x, float *sum, float *scratch, int n

template <bool barrier = true>
__device__ float block_sum(float value) {
  __shared__ float part[256];
  const int t = threadIdx.x;
  part[t] = value;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (t < half) part[t] += part[t + half];
    if (barrier) __syncthreads();
  }
  return part[0];
}

__device__ float strided(const float* x, int n, int end) {
  float value = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < end; i += gridDim.x * blockDim.x) {
    value += x[i];
  }
  return value;
}

//@ kernel right passed sums of blocks, and their sum
//@ launch right_blocks grid=min(ceil(n/1024),256) block=256
//@ launch right_last grid=1 block=256
extern "C" __global__ void right_blocks(ARGUMENTS) {
  const float value = block_sum(strided(x, n, n));
  if (threadIdx.x == 0) scratch[blockIdx.x] = value;
}
extern "C" __global__ void right_last(ARGUMENTS) {
  const int blocks = min((n + 1023) / 1024, 256);
  const float value = block_sum(threadIdx.x < blocks ? scratch[threadIdx.x] : 0.0f);
  if (threadIdx.x == 0) sum[0] = value;
}

//@ kernel right_atomic passed
//@ launch right_clear grid=1 block=1
//@ launch right_atomic grid=min(ceil(n/1024),256) block=256
extern "C" __global__ void right_clear(ARGUMENTS) { sum[0] = 0; }
extern "C" __global__ void right_atomic(ARGUMENTS) {
  const float value = block_sum(strided(x, n, n));
  if (threadIdx.x == 0) atomicAdd(sum, value);
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=1 block=256
extern "C" __global__ void no_barrier(ARGUMENTS) {
  const float value = block_sum<false>(strided(x, n, n));
  if (threadIdx.x == 0) sum[0] = value;
}

//@ kernel lost_update checker|wrong all threads add without an atomic
//@ launch right_clear grid=1 block=1
//@ launch lost_update grid=ceil(n/256) block=256
extern "C" __global__ void lost_update(ARGUMENTS) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) sum[0] += x[i];
}

//@ kernel not_cleared checker|wrong adds to what is there
//@ launch right_atomic grid=min(ceil(n/1024),256) block=256

//@ kernel one_short wrong leaves the last element out
//@ launch right_clear grid=1 block=1
//@ launch one_short grid=min(ceil(n/1024),256) block=256
extern "C" __global__ void one_short(ARGUMENTS) {
  const float value = block_sum(strided(x, n, n - 1));
  if (threadIdx.x == 0) atomicAdd(sum, value);
}

//@ kernel whole_blocks wrong leaves out what is no whole block
//@ launch right_clear grid=1 block=1
//@ launch whole_blocks grid=1 block=256
extern "C" __global__ void whole_blocks(ARGUMENTS) {
  const float value = block_sum(strided(x, n, n / 256 * 256));
  if (threadIdx.x == 0) atomicAdd(sum, value);
}

//@ kernel zero wrong
//@ launch right_clear grid=1 block=1

//@ kernel first wrong copies an element
//@ launch first grid=1 block=1
extern "C" __global__ void first(ARGUMENTS) { sum[0] = x[0]; }

//@ kernel last_warp checker the last warp goes on without order
//@ launch last_warp grid=1 block=64
extern "C" __global__ void last_warp(ARGUMENTS) {
  __shared__ float part[64];
  const int t = threadIdx.x;
  part[t] = strided(x, n, n);
  __syncthreads();
  if (t < 32) {
    volatile float* p = part;
    for (int half = 32; half > 0; half /= 2) p[t] += p[t + half];
  }
  if (t == 0) sum[0] = part[0];
}

//@ kernel grid_race checker a block adds up sums of others without waiting
//@ launch grid_race grid=8 block=256
extern "C" __global__ void grid_race(ARGUMENTS) {
  const float value = block_sum(strided(x, n, n));
  if (threadIdx.x == 0) scratch[blockIdx.x] = value;
  if (blockIdx.x == 7 && threadIdx.x == 0) {
    float all = 0;
    for (int b = 0; b < 8; ++b) all += scratch[b];
    sum[0] = all;
  }
}

//@ kernel answer_in_scratch wrong|checker looks for the answer in what it was given
//@ launch answer_in_scratch grid=1 block=1
extern "C" __global__ void answer_in_scratch(ARGUMENTS) { sum[0] = scratch[4095]; }
