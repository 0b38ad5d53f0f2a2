// Running sums: work that seems to be one after the other.

//@ kernel serial too-little-work One thread does all of it
//@ launch scan_serial grid=1 block=32
// The textbook's loop. 31 lanes, and all other multiprocessors, have nothing to do.
extern "C" __global__ void scan_serial(const int* x, int* y, int* scratch, int n) {
  if (threadIdx.x != 0) return;
  int sum = 0;
  for (int i = 0; i < n; ++i) y[i] = sum += x[i];
}

//@ kernel doubling barrier-waits Blocks of 256, each in eight steps of doubling
//@ launch scan_doubling grid=ceil(n/256) block=256
//@ launch scan_sums grid=1 block=1024
//@ launch scan_add grid=ceil(n/256) block=256
// In step s each element adds the one s before it (Hillis and Steele, 1986): eight steps with two
// barriers each. Then the sums of blocks are scanned, and added.
extern "C" __global__ void scan_doubling(const int* x, int* y, int* scratch, int n) {
  __shared__ int part[256];
  const int t = threadIdx.x;
  const int i = blockIdx.x * 256 + t;
  part[t] = i < n ? x[i] : 0;
  __syncthreads();
  for (int step = 1; step < 256; step *= 2) {
    const int before = t >= step ? part[t - step] : 0;
    __syncthreads();
    part[t] += before;
    __syncthreads();
  }
  if (i < n) y[i] = part[t];
  if (t == 255) scratch[blockIdx.x] = part[t];
}
__device__ int warp_scan(int value) {
  for (int off = 1; off < 32; off *= 2) {
    const int before = __shfl_up_sync(0xffffffffu, value, off);
    if (threadIdx.x % 32 >= off) value += before;
  }
  return value;
}
// Of a block of up to 1024 threads.
__device__ int block_scan(int value, int& all) {
  __shared__ int part[32];
  const int warp = threadIdx.x / 32;
  value = warp_scan(value);
  if (threadIdx.x % 32 == 31) part[warp] = value;
  __syncthreads();
  if (warp == 0)
    part[threadIdx.x] = warp_scan(threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0);
  __syncthreads();
  if (warp > 0) value += part[warp - 1];
  all = part[blockDim.x / 32 - 1];
  __syncthreads();
  return value;
}
__device__ void scan_in_place(int* sums, int count) {
  int carry = 0;
  for (int first = 0; first < count; first += 1024) {
    const int at = first + threadIdx.x;
    int all = 0;
    const int value = block_scan(at < count ? sums[at] : 0, all);
    if (at < count) sums[at] = carry + value;
    carry += all;
  }
}
extern "C" __global__ void scan_sums(const int* x, int* y, int* scratch, int n) {
  scan_in_place(scratch, (n + 255) / 256);
}
extern "C" __global__ void scan_add(const int* x, int* y, int* scratch, int n) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < n && blockIdx.x > 0) y[i] += scratch[blockIdx.x - 1];
}

//@ kernel shuffles missing-vector-loads Warps scan by shuffles, four elements a thread
//@ launch scan_shuffles grid=ceil(n/1024) block=256
//@ launch scan_sums_1024 grid=1 block=1024
//@ launch scan_add_1024 grid=ceil(n/1024) block=256
extern "C" __global__ void scan_shuffles(const int* x, int* y, int* scratch, int n) {
  const int first = 4 * (blockIdx.x * 256 + threadIdx.x);
  int own[4];
  int sum = 0;
#pragma unroll
  for (int e = 0; e < 4; ++e) own[e] = sum += first + e < n ? x[first + e] : 0;
  int all = 0;
  const int before = block_scan(sum, all) - sum;
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    if (first + e < n) y[first + e] = before + own[e];
  }
  if (threadIdx.x == 0) scratch[blockIdx.x] = all;
}
extern "C" __global__ void scan_sums_1024(const int* x, int* y, int* scratch, int n) {
  scan_in_place(scratch, (n + 1023) / 1024);
}
extern "C" __global__ void scan_add_1024(const int* x, int* y, int* scratch, int n) {
  if (blockIdx.x == 0) return;
  const int before = scratch[blockIdx.x - 1];
  for (int e = 0; e < 4; ++e) {
    const int i = blockIdx.x * 1024 + e * 256 + threadIdx.x;
    if (i < n) y[i] += before;
  }
}

//@ kernel vectors - The four elements come and go by one access of 16 bytes
//@ launch scan_vectors grid=ceil(n/1024) block=256
//@ launch scan_sums_1024 grid=1 block=1024
//@ launch scan_add_1024 grid=ceil(n/1024) block=256
extern "C" __global__ void scan_vectors(const int* x, int* y, int* scratch, int n) {
  const int first = 4 * (blockIdx.x * 256 + threadIdx.x);
  int4 own = {0, 0, 0, 0};
  if (first + 4 <= n) {
    own = *reinterpret_cast<const int4*>(x + first);
  } else {
    if (first < n) own.x = x[first];
    if (first + 1 < n) own.y = x[first + 1];
    if (first + 2 < n) own.z = x[first + 2];
  }
  own.y += own.x;
  own.z += own.y;
  own.w += own.z;
  int all = 0;
  const int before = block_scan(own.w, all) - own.w;
  own = {own.x + before, own.y + before, own.z + before, own.w + before};
  if (first + 4 <= n) {
    *reinterpret_cast<int4*>(y + first) = own;
  } else {
    if (first < n) y[first] = own.x;
    if (first + 1 < n) y[first + 1] = own.y;
    if (first + 2 < n) y[first + 2] = own.z;
  }
  if (threadIdx.x == 0) scratch[blockIdx.x] = all;
}
