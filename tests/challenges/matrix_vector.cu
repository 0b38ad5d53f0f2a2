// Kernels for the challenge matrix-vector.
#define ARGUMENTS const float *a, const float *x, float *y, int rows, int columns

//@ kernel right passed a warp for each row
//@ launch right grid=ceil(rows/4) block=128
extern "C" __global__ void right(ARGUMENTS) {
  const int i = blockIdx.x * 4 + threadIdx.x / 32;
  if (i >= rows) return;
  float sum = 0;
  for (int j = threadIdx.x % 32; j < columns; j += 32) sum += a[i * columns + j] * x[j];
  for (int off = 16; off > 0; off /= 2) sum += __shfl_down_sync(0xffffffffu, sum, off);
  if (threadIdx.x % 32 == 0) y[i] = sum;
}

//@ kernel right_thread passed
//@ launch right_thread grid=ceil(rows/128) block=128
extern "C" __global__ void right_thread(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= rows) return;
  float sum = 0;
  for (int j = 0; j < columns; ++j) sum += a[i * columns + j] * x[j];
  y[i] = sum;
}

//@ kernel lanes_left_out wrong half of the lanes are not added
//@ launch lanes_left_out grid=ceil(rows/4) block=128
extern "C" __global__ void lanes_left_out(ARGUMENTS) {
  const int i = blockIdx.x * 4 + threadIdx.x / 32;
  if (i >= rows) return;
  float sum = 0;
  for (int j = threadIdx.x % 32; j < columns; j += 32) sum += a[i * columns + j] * x[j];
  for (int off = 8; off > 0; off /= 2) sum += __shfl_down_sync(0xffffffffu, sum, off);
  if (threadIdx.x % 32 == 0) y[i] = sum;
}

//@ kernel by_columns checker|wrong takes A by columns
//@ launch by_columns grid=ceil(rows/128) block=128
extern "C" __global__ void by_columns(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= rows) return;
  float sum = 0;
  for (int j = 0; j < columns; ++j) sum += a[j * rows + i] * x[j];
  y[i] = sum;
}

//@ kernel whole_warps wrong leaves out what is no whole warp of columns
//@ launch whole_warps grid=ceil(rows/4) block=128
extern "C" __global__ void whole_warps(ARGUMENTS) {
  const int i = blockIdx.x * 4 + threadIdx.x / 32;
  if (i >= rows) return;
  float sum = 0;
  for (int j = threadIdx.x % 32; j < columns / 32 * 32; j += 32) sum += a[i * columns + j] * x[j];
  for (int off = 16; off > 0; off /= 2) sum += __shfl_down_sync(0xffffffffu, sum, off);
  if (threadIdx.x % 32 == 0) y[i] = sum;
}

//@ kernel race checker
//@ launch race grid=rows block=128
extern "C" __global__ void race(ARGUMENTS) {
  if (threadIdx.x == 0) y[blockIdx.x] = 0;
  __syncthreads();
  for (int j = threadIdx.x; j < columns; j += 128) {
    y[blockIdx.x] += a[blockIdx.x * columns + j] * x[j];
  }
}

//@ kernel no_bound checker
//@ launch no_bound grid=ceil(rows/128) block=128
extern "C" __global__ void no_bound(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  float sum = 0;
  for (int j = 0; j < columns; ++j) sum += a[i * columns + j] * x[j];
  y[i] = sum;
}

//@ kernel exited_lanes checker|fault|wrong a mask that names lanes which have gone
//@ launch exited_lanes grid=rows block=32
extern "C" __global__ void exited_lanes(ARGUMENTS) {
  const int lane = threadIdx.x;
  float sum = 0;
  if (lane < columns) {
    for (int j = lane; j < columns; j += 32) sum += a[blockIdx.x * columns + j] * x[j];
    for (int off = 16; off > 0; off /= 2) sum += __shfl_down_sync(0xffffffffu, sum, off);
    if (lane == 0) y[blockIdx.x] = sum;
  }
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(rows/128) block=128
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < rows) y[i] = 0;
}
