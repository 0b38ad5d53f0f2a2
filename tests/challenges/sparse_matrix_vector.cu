// Kernels for the challenge sparse-matrix-vector.
#define ARGUMENTS                                                                              \
  const int *begin, const int *column, const float *value, const float *x, float *y, int rows, \
      int columns

//@ kernel right passed a warp for each row
//@ launch right grid=ceil(rows/4) block=128
extern "C" __global__ void right(ARGUMENTS) {
  const int i = blockIdx.x * 4 + threadIdx.x / 32;
  if (i >= rows) return;
  float sum = 0;
  for (int e = begin[i] + threadIdx.x % 32; e < begin[i + 1]; e += 32) {
    sum += value[e] * x[column[e]];
  }
  for (int off = 16; off > 0; off /= 2) sum += __shfl_down_sync(0xffffffffu, sum, off);
  if (threadIdx.x % 32 == 0) y[i] = sum;
}

//@ kernel right_thread passed a thread for each row
//@ launch right_thread grid=ceil(rows/128) block=128
extern "C" __global__ void right_thread(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= rows) return;
  float sum = 0;
  for (int e = begin[i]; e < begin[i + 1]; ++e) sum += value[e] * x[column[e]];
  y[i] = sum;
}

//@ kernel no_empty_rows checker|wrong writes nothing where a row is empty
//@ launch no_empty_rows grid=ceil(rows/128) block=128
extern "C" __global__ void no_empty_rows(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= rows || begin[i] == begin[i + 1]) return;
  float sum = 0;
  for (int e = begin[i]; e < begin[i + 1]; ++e) sum += value[e] * x[column[e]];
  y[i] = sum;
}

//@ kernel one_more checker|wrong an entry of the next row
//@ launch one_more grid=ceil(rows/128) block=128
extern "C" __global__ void one_more(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= rows) return;
  float sum = 0;
  for (int e = begin[i]; e <= begin[i + 1]; ++e) sum += value[e] * x[column[e]];
  y[i] = sum;
}

//@ kernel first_32 wrong the first entries of a row only
//@ launch first_32 grid=ceil(rows/4) block=128
extern "C" __global__ void first_32(ARGUMENTS) {
  const int i = blockIdx.x * 4 + threadIdx.x / 32;
  if (i >= rows) return;
  const int e = begin[i] + threadIdx.x % 32;
  float sum = e < begin[i + 1] ? value[e] * x[column[e]] : 0.0f;
  for (int off = 16; off > 0; off /= 2) sum += __shfl_down_sync(0xffffffffu, sum, off);
  if (threadIdx.x % 32 == 0) y[i] = sum;
}

//@ kernel no_column wrong|checker takes x in order
//@ launch no_column grid=ceil(rows/128) block=128
extern "C" __global__ void no_column(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i >= rows) return;
  float sum = 0;
  for (int e = begin[i]; e < begin[i + 1]; ++e) sum += value[e] * x[e - begin[i]];
  y[i] = sum;
}

//@ kernel atomics_without_zero checker|wrong
//@ launch atomics_without_zero grid=rows block=32
extern "C" __global__ void atomics_without_zero(ARGUMENTS) {
  const int i = blockIdx.x;
  for (int e = begin[i] + threadIdx.x; e < begin[i + 1]; e += 32) {
    atomicAdd(&y[i], value[e] * x[column[e]]);
  }
}

//@ kernel race checker all lanes add without an atomic
//@ launch race grid=rows block=32
extern "C" __global__ void race(ARGUMENTS) {
  const int i = blockIdx.x;
  if (threadIdx.x == 0) y[i] = 0;
  __syncwarp();
  for (int e = begin[i] + threadIdx.x; e < begin[i + 1]; e += 32) y[i] += value[e] * x[column[e]];
}

//@ kernel no_bound checker
//@ launch no_bound grid=ceil(rows/128) block=128
extern "C" __global__ void no_bound(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  float sum = 0;
  for (int e = begin[i]; e < begin[i + 1]; ++e) sum += value[e] * x[column[e]];
  y[i] = sum;
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(rows/128) block=128
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  if (i < rows) y[i] = 0;
}
