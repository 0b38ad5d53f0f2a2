// Kernels for the challenge radix-step.
#define ARGUMENTS const unsigned *key, unsigned *sorted, unsigned *scratch, int n, int shift
#define DIGIT(value) (((value) >> shift) & 15u)

//@ kernel right passed counts by block, running sums, places
//@ launch right_count grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=32
//@ launch right_place grid=ceil(n/256) block=256
extern "C" __global__ void right_count(ARGUMENTS) {
  __shared__ unsigned own[16];
  if (threadIdx.x < 16) own[threadIdx.x] = 0;
  __syncthreads();
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) atomicAdd(&own[DIGIT(key[i])], 1u);
  __syncthreads();
  if (threadIdx.x < 16) scratch[threadIdx.x * gridDim.x + blockIdx.x] = own[threadIdx.x];
}
// Of 16 counts for each block, by digit and then by block: the sum of those before.
extern "C" __global__ void right_sums(ARGUMENTS) {
  const int count = 16 * ((n + 255) / 256);
  unsigned carry = 0;
  for (int first = 0; first < count; first += 32) {
    const int at = first + threadIdx.x;
    const unsigned own = at < count ? scratch[at] : 0;
    unsigned sum = own;
    for (int step = 1; step < 32; step *= 2) {
      const unsigned before = __shfl_up_sync(0xffffffffu, sum, step);
      if (threadIdx.x >= step) sum += before;
    }
    if (at < count) scratch[at] = carry + sum - own;
    carry += __shfl_sync(0xffffffffu, sum, 31);
  }
}
template <bool stable, bool barrier = true>
__device__ void place(ARGUMENTS) {
  __shared__ unsigned char digit[256];
  __shared__ unsigned taken[16];
  const int t = threadIdx.x;
  const int i = blockIdx.x * 256 + t;
  digit[t] = i < n ? DIGIT(key[i]) : 255;
  if (t < 16) taken[t] = 0;
  if (barrier) __syncthreads();
  if (i >= n) return;
  unsigned before = 0;
  if (stable) {
    for (int u = 0; u < t; ++u) before += digit[u] == digit[t];
  } else {
    before = atomicAdd(&taken[digit[t]], 1u);
  }
  sorted[scratch[digit[t] * gridDim.x + blockIdx.x] + before] = key[i];
}
extern "C" __global__ void right_place(ARGUMENTS) { place<true>(key, sorted, scratch, n, shift); }

//@ kernel not_stable wrong keys of a digit in the order of an atomic
//@ launch right_count grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=32
//@ launch unstable_place grid=ceil(n/256) block=256
extern "C" __global__ void unstable_place(ARGUMENTS) {
  // Lanes of later warps first.
  __shared__ unsigned char digit[256];
  const int t = threadIdx.x;
  const int i = blockIdx.x * 256 + t;
  digit[t] = i < n ? DIGIT(key[i]) : 255;
  __syncthreads();
  if (i >= n) return;
  unsigned behind = 0;
  for (int u = t + 1; u < 256; ++u) behind += digit[u] == digit[t];
  sorted[scratch[digit[t] * gridDim.x + blockIdx.x] + behind] = key[i];
}

//@ kernel no_barrier checker
//@ launch right_count grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=32
//@ launch no_barrier grid=ceil(n/256) block=256
extern "C" __global__ void no_barrier(ARGUMENTS) {
  place<true, false>(key, sorted, scratch, n, shift);
}

//@ kernel by_block wrong|checker sums by block and then by digit
//@ launch by_block grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=32
//@ launch right_place grid=ceil(n/256) block=256
extern "C" __global__ void by_block(ARGUMENTS) {
  __shared__ unsigned own[16];
  if (threadIdx.x < 16) own[threadIdx.x] = 0;
  __syncthreads();
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) atomicAdd(&own[DIGIT(key[i])], 1u);
  __syncthreads();
  if (threadIdx.x < 16) scratch[blockIdx.x * 16 + threadIdx.x] = own[threadIdx.x];
}

//@ kernel other_digit wrong|checker ignores shift
//@ launch other_digit_count grid=ceil(n/256) block=256
//@ launch right_sums grid=1 block=32
//@ launch other_digit_place grid=ceil(n/256) block=256
extern "C" __global__ void other_digit_count(ARGUMENTS) {
  shift = 0;
  __shared__ unsigned own[16];
  if (threadIdx.x < 16) own[threadIdx.x] = 0;
  __syncthreads();
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) atomicAdd(&own[DIGIT(key[i])], 1u);
  __syncthreads();
  if (threadIdx.x < 16) scratch[threadIdx.x * gridDim.x + blockIdx.x] = own[threadIdx.x];
}
extern "C" __global__ void other_digit_place(ARGUMENTS) { place<true>(key, sorted, scratch, n, 0); }

//@ kernel first_block wrong|checker one block only
//@ launch right_count grid=1 block=256
//@ launch first_sums grid=1 block=1
//@ launch right_place grid=1 block=256
extern "C" __global__ void first_sums(ARGUMENTS) {
  unsigned sum = 0;
  for (int b = 0; b < 16; ++b) {
    const unsigned own = scratch[b];
    scratch[b] = sum;
    sum += own;
  }
}

//@ kernel copies wrong
//@ launch copies grid=ceil(n/256) block=256
extern "C" __global__ void copies(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) sorted[i] = key[i];
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(n/256) block=256
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n) sorted[i] = 0;
}
