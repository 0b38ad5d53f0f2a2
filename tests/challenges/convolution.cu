// Kernels for the challenge convolution.
#define ARGUMENTS const float *x, const float *w, float *y, int n, int radius
#define I (int)(blockIdx.x * blockDim.x + threadIdx.x)

template <bool barrier, bool halo>
__device__ void tiles(ARGUMENTS) {
  __shared__ float tile[256 + 32];
  const int first = blockIdx.x * 256 - radius;
  for (int t = threadIdx.x; t < (halo ? 256 + 2 * radius : 256); t += 256) {
    const int at = first + t;
    tile[t] = at >= 0 && at < n ? x[at] : 0.0f;
  }
  if (barrier) __syncthreads();
  if (I >= n) return;
  float sum = 0;
  for (int j = 0; j <= 2 * radius; ++j) sum += w[j] * tile[threadIdx.x + j];
  y[I] = sum;
}

//@ kernel right passed
//@ launch right grid=ceil(n/256) block=256
extern "C" __global__ void right(ARGUMENTS) { tiles<true, true>(x, w, y, n, radius); }

//@ kernel right_naive passed
//@ launch right_naive grid=ceil(n/256) block=256
extern "C" __global__ void right_naive(ARGUMENTS) {
  if (I >= n) return;
  float sum = 0;
  for (int j = -radius; j <= radius; ++j) {
    if (I + j >= 0 && I + j < n) sum += w[j + radius] * x[I + j];
  }
  y[I] = sum;
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=ceil(n/256) block=256
extern "C" __global__ void no_barrier(ARGUMENTS) { tiles<false, true>(x, w, y, n, radius); }

//@ kernel no_halo checker the tile's edge is not loaded
//@ launch no_halo grid=ceil(n/256) block=256
extern "C" __global__ void no_halo(ARGUMENTS) { tiles<true, false>(x, w, y, n, radius); }

//@ kernel no_edge checker reads beyond both ends
//@ launch no_edge grid=ceil(n/256) block=256
extern "C" __global__ void no_edge(ARGUMENTS) {
  if (I >= n) return;
  float sum = 0;
  for (int j = -radius; j <= radius; ++j) sum += w[j + radius] * x[I + j];
  y[I] = sum;
}

//@ kernel clamped wrong repeats the ends
//@ launch clamped grid=ceil(n/256) block=256
extern "C" __global__ void clamped(ARGUMENTS) {
  if (I >= n) return;
  float sum = 0;
  for (int j = -radius; j <= radius; ++j) sum += w[j + radius] * x[min(max(I + j, 0), n - 1)];
  y[I] = sum;
}

//@ kernel off_by_one wrong leaves the last weight out
//@ launch off_by_one grid=ceil(n/256) block=256
extern "C" __global__ void off_by_one(ARGUMENTS) {
  if (I >= n) return;
  float sum = 0;
  for (int j = -radius; j < radius; ++j) {
    if (I + j >= 0 && I + j < n) sum += w[j + radius] * x[I + j];
  }
  y[I] = sum;
}

//@ kernel turned wrong weights from the other end
//@ launch turned grid=ceil(n/256) block=256
extern "C" __global__ void turned(ARGUMENTS) {
  if (I >= n) return;
  float sum = 0;
  for (int j = -radius; j <= radius; ++j) {
    if (I + j >= 0 && I + j < n) sum += w[radius - j] * x[I + j];
  }
  y[I] = sum;
}

//@ kernel copies wrong
//@ launch copies grid=ceil(n/256) block=256
extern "C" __global__ void copies(ARGUMENTS) {
  if (I < n) y[I] = x[I];
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(n/256) block=256
extern "C" __global__ void zeros(ARGUMENTS) {
  if (I < n) y[I] = 0;
}
