// Kernels for the challenge matrix-product.
#define ARGUMENTS const float *a, const float *b, float *c, int m, int n, int k

template <bool before, bool after>
__device__ void tiles(ARGUMENTS, int depth) {
  __shared__ float ta[16][16];
  __shared__ float tb[16][16];
  const int i = blockIdx.y * 16 + threadIdx.y;
  const int j = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int first = 0; first < depth; first += 16) {
    const int la = first + threadIdx.x;
    const int lb = first + threadIdx.y;
    ta[threadIdx.y][threadIdx.x] = i < m && la < k ? a[i * k + la] : 0.0f;
    tb[threadIdx.y][threadIdx.x] = lb < k && j < n ? b[lb * n + j] : 0.0f;
    if (before) __syncthreads();
    for (int l = 0; l < 16; ++l) sum += ta[threadIdx.y][l] * tb[l][threadIdx.x];
    if (after) __syncthreads();
  }
  if (i < m && j < n) c[i * n + j] = sum;
}

//@ kernel right passed
//@ launch right grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void right(ARGUMENTS) { tiles<true, true>(a, b, c, m, n, k, k); }

//@ kernel right_naive passed
//@ launch right_naive grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void right_naive(ARGUMENTS) {
  const int i = blockIdx.y * 16 + threadIdx.y;
  const int j = blockIdx.x * 16 + threadIdx.x;
  if (i >= m || j >= n) return;
  float sum = 0;
  for (int l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
  c[i * n + j] = sum;
}

//@ kernel no_barrier checker before the tiles are used
//@ launch no_barrier grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void no_barrier(ARGUMENTS) { tiles<false, true>(a, b, c, m, n, k, k); }

//@ kernel no_second_barrier checker before the tiles are filled again
//@ launch no_second_barrier grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void no_second_barrier(ARGUMENTS) { tiles<true, false>(a, b, c, m, n, k, k); }

//@ kernel whole_tiles wrong leaves out what is no whole tile of k
//@ launch whole_tiles grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void whole_tiles(ARGUMENTS) {
  tiles<true, true>(a, b, c, m, n, k, k / 16 * 16);
}

//@ kernel transposed checker|wrong takes B by columns
//@ launch transposed grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void transposed(ARGUMENTS) {
  const int i = blockIdx.y * 16 + threadIdx.y;
  const int j = blockIdx.x * 16 + threadIdx.x;
  if (i >= m || j >= n) return;
  float sum = 0;
  for (int l = 0; l < k; ++l) sum += a[i * k + l] * b[j * k + l];
  c[i * n + j] = sum;
}

//@ kernel off_by_one wrong|checker
//@ launch off_by_one grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void off_by_one(ARGUMENTS) {
  const int i = blockIdx.y * 16 + threadIdx.y;
  const int j = blockIdx.x * 16 + threadIdx.x;
  if (i >= m || j >= n) return;
  float sum = 0;
  for (int l = 1; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
  c[i * n + j] = sum;
}

//@ kernel half_precision wrong rounds the inputs to 16 bits
//@ launch half_precision grid=ceil(n/16),ceil(m/16) block=16,16
#include <cuda_fp16.h>
extern "C" __global__ void half_precision(ARGUMENTS) {
  const int i = blockIdx.y * 16 + threadIdx.y;
  const int j = blockIdx.x * 16 + threadIdx.x;
  if (i >= m || j >= n) return;
  float sum = 0;
  for (int l = 0; l < k; ++l) {
    sum += __half2float(__float2half(a[i * k + l])) * __half2float(__float2half(b[l * n + j]));
  }
  c[i * n + j] = sum;
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(m*n/256) block=256
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < m * n) c[i] = 0;
}

//@ kernel no_bound checker
//@ launch no_bound grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void no_bound(ARGUMENTS) {
  const int i = blockIdx.y * 16 + threadIdx.y;
  const int j = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
  c[i * n + j] = sum;
}

//@ kernel divergent_barrier checker|fault threads beyond the edge leave early
//@ launch divergent_barrier grid=ceil(n/16),ceil(m/16) block=16,16
extern "C" __global__ void divergent_barrier(ARGUMENTS) {
  __shared__ float ta[16][17];
  const int i = blockIdx.y * 16 + threadIdx.y;
  const int j = blockIdx.x * 16 + threadIdx.x;
  float sum = 0;
  for (int first = 0; first < k; first += 16) {
    if (first + threadIdx.x < k && i < m) {
      ta[threadIdx.y][threadIdx.x] = a[i * k + first + threadIdx.x];
      __syncthreads();
    }
    for (int l = 0; l < 16 && first + l < k; ++l) {
      if (i < m && j < n) sum += ta[threadIdx.y][l] * b[(first + l) * n + j];
    }
    __syncthreads();
  }
  if (i < m && j < n) c[i * n + j] = sum;
}
