// Kernels for the challenge scan.
#define ARGUMENTS const int *x, int *y, int *scratch, int n

template <bool barrier = true>
__device__ int block_scan(int value) {
  __shared__ int part[256];
  const int t = threadIdx.x;
  part[t] = value;
  __syncthreads();
  for (int step = 1; step < 256; step *= 2) {
    const int before = t >= step ? part[t - step] : 0;
    if (barrier) __syncthreads();
    part[t] += before;
    __syncthreads();
  }
  return part[t];
}

//@ kernel right passed sums of blocks, their scan, their addition
//@ launch right_blocks grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=256
//@ launch right_add grid=ceil(n/256) block=256
extern "C" __global__ void right_blocks(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  const int value = block_scan(i < n ? x[i] : 0);
  if (i < n) y[i] = value;
  if (threadIdx.x == 255) scratch[blockIdx.x] = value;
}
extern "C" __global__ void right_sums(ARGUMENTS) {
  const int blocks = (n + 255) / 256;
  int carry = 0;
  __shared__ int last;
  for (int first = 0; first < blocks; first += 256) {
    const int b = first + threadIdx.x;
    const int value = carry + block_scan(b < blocks ? scratch[b] : 0);
    if (b < blocks) scratch[b] = value;
    if (threadIdx.x == 255) last = value;
    __syncthreads();
    carry = last;
    __syncthreads();
  }
}
extern "C" __global__ void right_add(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n && blockIdx.x > 0) y[i] += scratch[blockIdx.x - 1];
}

//@ kernel right_one_block passed slow, with one block
//@ launch right_one_block grid=1 block=256
extern "C" __global__ void right_one_block(ARGUMENTS) {
  int carry = 0;
  __shared__ int last;
  for (int first = 0; first < n; first += 256) {
    const int i = first + threadIdx.x;
    const int value = carry + block_scan(i < n ? x[i] : 0);
    if (i < n) y[i] = value;
    if (threadIdx.x == 255) last = value;
    __syncthreads();
    carry = last;
    __syncthreads();
  }
}

//@ kernel no_barrier checker between reading and writing
//@ launch no_barrier grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=256
//@ launch right_add grid=ceil(n/256) block=256
extern "C" __global__ void no_barrier(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  const int value = block_scan<false>(i < n ? x[i] : 0);
  if (i < n) y[i] = value;
  if (threadIdx.x == 255) scratch[blockIdx.x] = value;
}

//@ kernel blocks_alone wrong every block begins anew
//@ launch right_blocks grid=ceil(n/256) block=256

//@ kernel exclusive wrong one element late
//@ launch right_blocks grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=256
//@ launch exclusive grid=ceil(n/256) block=256
extern "C" __global__ void exclusive(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n && blockIdx.x > 0) y[i] += scratch[blockIdx.x - 1];
  if (i < n) y[i] -= x[i];
}

//@ kernel few_blocks wrong sums of the first 2 blocks only
//@ launch right_blocks grid=ceil(n/256) block=256
//@ launch few_sums grid=1 block=32
//@ launch right_add grid=ceil(n/256) block=256
extern "C" __global__ void few_sums(ARGUMENTS) {
  if (threadIdx.x == 0 && n > 256) scratch[1] += scratch[0];
}

//@ kernel copies wrong
//@ launch copies grid=ceil(n/256) block=256
extern "C" __global__ void copies(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = x[i];
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(n/256) block=256
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) y[i] = 0;
}

//@ kernel waits_for_nobody checker|too-slow|wrong a look-back without flags
//@ launch waits_for_nobody grid=ceil(n/256) block=256
extern "C" __global__ void waits_for_nobody(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  const int value = block_scan(i < n ? x[i] : 0);
  if (threadIdx.x == 255) scratch[blockIdx.x] = value;
  int before = 0;
  for (int b = 0; b < blockIdx.x; ++b) before += scratch[b];
  if (i < n) y[i] = value + before;
}

//@ kernel no_bound checker
//@ launch no_bound grid=ceil(n/256) block=256
extern "C" __global__ void no_bound(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  y[i] = block_scan(x[i]);
}
