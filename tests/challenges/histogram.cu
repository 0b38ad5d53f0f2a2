// Kernels for the challenge histogram.
#define ARGUMENTS const int *x, int *counts, int n, int bins

//@ kernel right passed counts in shared memory
//@ launch clear grid=1 block=256
//@ launch right grid=min(ceil(n/1024),128) block=256
extern "C" __global__ void clear(ARGUMENTS) {
  if (threadIdx.x < bins) counts[threadIdx.x] = 0;
}
extern "C" __global__ void right(ARGUMENTS) {
  __shared__ int own[256];
  own[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256)
    atomicAdd(&own[x[i]], 1);
  __syncthreads();
  if (threadIdx.x < bins && own[threadIdx.x] != 0) {
    atomicAdd(&counts[threadIdx.x], own[threadIdx.x]);
  }
}

//@ kernel right_global passed
//@ launch clear grid=1 block=256
//@ launch right_global grid=ceil(n/256) block=256
extern "C" __global__ void right_global(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) atomicAdd(&counts[x[i]], 1);
}

//@ kernel no_atomic checker
//@ launch clear grid=1 block=256
//@ launch no_atomic grid=ceil(n/256) block=256
extern "C" __global__ void no_atomic(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) counts[x[i]] += 1;
}

//@ kernel not_cleared wrong|checker
//@ launch right_global grid=ceil(n/256) block=256

//@ kernel no_barrier checker counts before all of shared memory is zero
//@ launch clear grid=1 block=256
//@ launch no_barrier grid=min(ceil(n/1024),128) block=256
extern "C" __global__ void no_barrier(ARGUMENTS) {
  __shared__ int own[256];
  own[threadIdx.x] = 0;
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256)
    atomicAdd(&own[x[i]], 1);
  __syncthreads();
  if (threadIdx.x < bins) atomicAdd(&counts[threadIdx.x], own[threadIdx.x]);
}

//@ kernel not_zeroed checker shared memory is not zero at first
//@ launch clear grid=1 block=256
//@ launch not_zeroed grid=min(ceil(n/1024),128) block=256
extern "C" __global__ void not_zeroed(ARGUMENTS) {
  __shared__ int own[256];
  for (int i = blockIdx.x * 256 + threadIdx.x; i < n; i += gridDim.x * 256)
    atomicAdd(&own[x[i]], 1);
  __syncthreads();
  if (threadIdx.x < bins && own[threadIdx.x] > 0) atomicAdd(&counts[threadIdx.x], own[threadIdx.x]);
}

//@ kernel whole_blocks wrong
//@ launch clear grid=1 block=256
//@ launch whole_blocks grid=max(n/256,1) block=256
extern "C" __global__ void whole_blocks(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n / 256 * 256) atomicAdd(&counts[x[i]], 1);
}

//@ kernel zeros wrong
//@ launch clear grid=1 block=256

//@ kernel all_in_256 checker clears more bins than there are
//@ launch clear_256 grid=1 block=256
//@ launch right_global grid=ceil(n/256) block=256
extern "C" __global__ void clear_256(ARGUMENTS) { counts[threadIdx.x] = 0; }

//@ kernel off_by_one wrong|checker
//@ launch clear grid=1 block=256
//@ launch off_by_one grid=ceil(n/256) block=256
extern "C" __global__ void off_by_one(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i > 0 && i < n) atomicAdd(&counts[x[i]], 1);
}
