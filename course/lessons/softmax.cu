// The softmax of each row: how many threads a row should have, and how often it is read.

//@ kernel thread too-little-work A thread for each row
//@ launch softmax_thread grid=ceil(rows/64) block=64
// Lanes read different rows: 32 sectors for each load.
extern "C" __global__ void softmax_thread(const float* x, float* y, int rows, int columns) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (i >= rows) return;
  float most = -INFINITY;
  for (int j = 0; j < columns; ++j) most = fmaxf(most, x[i * columns + j]);
  float sum = 0;
  for (int j = 0; j < columns; ++j) sum += expf(x[i * columns + j] - most);
  for (int j = 0; j < columns; ++j) y[i * columns + j] = expf(x[i * columns + j] - most) / sum;
}

//@ kernel block barrier-waits A block for each row, with a tree for the maximum and one for the sum
//@ launch softmax_block grid=rows block=256
// Neighbours again. Two trees of eight steps, a barrier after each, for a row of a few hundred
// elements: threads mostly wait for each other.
__device__ float tree(float value, bool largest) {
  __shared__ float part[256];
  const int t = threadIdx.x;
  __syncthreads();
  part[t] = value;
  __syncthreads();
  for (int half = 128; half > 0; half /= 2) {
    if (t < half) part[t] = largest ? fmaxf(part[t], part[t + half]) : part[t] + part[t + half];
    __syncthreads();
  }
  return part[0];
}
extern "C" __global__ void softmax_block(const float* x, float* y, int rows, int columns) {
  const float* row = x + blockIdx.x * columns;
  float most = -INFINITY;
  for (int j = threadIdx.x; j < columns; j += 256) most = fmaxf(most, row[j]);
  most = tree(most, true);
  float sum = 0;
  for (int j = threadIdx.x; j < columns; j += 256) sum += expf(row[j] - most);
  sum = tree(sum, false);
  for (int j = threadIdx.x; j < columns; j += 256) {
    y[blockIdx.x * columns + j] = expf(row[j] - most) / sum;
  }
}

//@ kernel warp - A warp for each row, with shuffles and without barriers
//@ launch softmax_warp grid=ceil(rows/4) block=128
extern "C" __global__ void softmax_warp(const float* x, float* y, int rows, int columns) {
  const int i = blockIdx.x * 4 + threadIdx.x / 32;
  if (i >= rows) return;
  const float* row = x + i * columns;
  const int lane = threadIdx.x % 32;
  float most = -INFINITY;
  for (int j = lane; j < columns; j += 32) most = fmaxf(most, row[j]);
  for (int off = 16; off > 0; off /= 2) {
    most = fmaxf(most, __shfl_xor_sync(0xffffffffu, most, off));
  }
  float sum = 0;
  for (int j = lane; j < columns; j += 32) sum += __expf(row[j] - most);
  for (int off = 16; off > 0; off /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, off);
  const float share = 1.0f / sum;
  for (int j = lane; j < columns; j += 32) y[i * columns + j] = __expf(row[j] - most) * share;
}
