// Kernels for the challenge softmax.
#define ARGUMENTS const float *x, float *y, int rows, int columns

template <bool barrier = true>
__device__ float reduced(float value, bool largest) {
  __shared__ float part[128];
  const int t = threadIdx.x;
  __syncthreads();
  part[t] = value;
  if (barrier) __syncthreads();
  for (int half = 64; half > 0; half /= 2) {
    if (t < half) part[t] = largest ? fmaxf(part[t], part[t + half]) : part[t] + part[t + half];
    if (barrier) __syncthreads();
  }
  return part[0];
}

template <bool barrier, bool shifted, bool divided>
__device__ void rows_of(ARGUMENTS, int end) {
  const float* row = x + blockIdx.x * columns;
  float most = -INFINITY;
  for (int j = threadIdx.x; j < end; j += 128) most = fmaxf(most, row[j]);
  most = shifted ? reduced<barrier>(most, true) : 0.0f;
  float sum = 0;
  for (int j = threadIdx.x; j < end; j += 128) sum += expf(row[j] - most);
  sum = divided ? reduced<barrier>(sum, false) : 1.0f;
  for (int j = threadIdx.x; j < columns; j += 128) {
    y[blockIdx.x * columns + j] = expf(row[j] - most) / sum;
  }
}

//@ kernel right passed a block for each row
//@ launch right grid=rows block=128
extern "C" __global__ void right(ARGUMENTS) {
  rows_of<true, true, true>(x, y, rows, columns, columns);
}

//@ kernel right_thread passed a thread for each row
//@ launch right_thread grid=ceil(rows/64) block=64
extern "C" __global__ void right_thread(ARGUMENTS) {
  const int i = blockIdx.x * 64 + threadIdx.x;
  if (i >= rows) return;
  float most = -INFINITY;
  for (int j = 0; j < columns; ++j) most = fmaxf(most, x[i * columns + j]);
  float sum = 0;
  for (int j = 0; j < columns; ++j) sum += expf(x[i * columns + j] - most);
  for (int j = 0; j < columns; ++j) y[i * columns + j] = expf(x[i * columns + j] - most) / sum;
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=rows block=128
extern "C" __global__ void no_barrier(ARGUMENTS) {
  rows_of<false, true, true>(x, y, rows, columns, columns);
}

//@ kernel overflows wrong exp() without the maximum
//@ launch overflows grid=rows block=128
extern "C" __global__ void overflows(ARGUMENTS) {
  rows_of<true, false, true>(x, y, rows, columns, columns);
}

//@ kernel not_divided wrong
//@ launch not_divided grid=rows block=128
extern "C" __global__ void not_divided(ARGUMENTS) {
  rows_of<true, true, false>(x, y, rows, columns, columns);
}

//@ kernel one_short wrong leaves the last column out of the sum
//@ launch one_short grid=rows block=128
extern "C" __global__ void one_short(ARGUMENTS) {
  rows_of<true, true, true>(x, y, rows, columns, columns - 1);
}

//@ kernel first_128 wrong one pass over the columns
//@ launch first_128 grid=rows block=128
extern "C" __global__ void first_128(ARGUMENTS) {
  const int j = threadIdx.x;
  const float value = j < columns ? x[blockIdx.x * columns + j] : -INFINITY;
  const float most = reduced(value, true);
  const float sum = reduced(expf(value - most), false);
  if (j < columns) y[blockIdx.x * columns + j] = expf(value - most) / sum;
}

//@ kernel maximum_from_zero wrong begins the maximum with zero
//@ launch maximum_from_zero grid=rows block=128
extern "C" __global__ void maximum_from_zero(ARGUMENTS) {
  const float* row = x + blockIdx.x * columns;
  float sum = 0;
  for (int j = threadIdx.x; j < columns; j += 128) sum += expf(row[j] - 160.0f);
  sum = reduced(sum, false);
  for (int j = threadIdx.x; j < columns; j += 128) {
    y[blockIdx.x * columns + j] = expf(row[j] - 160.0f) / sum;
  }
}

//@ kernel copies wrong
//@ launch copies grid=rows block=128
extern "C" __global__ void copies(ARGUMENTS) {
  for (int j = threadIdx.x; j < columns; j += 128) {
    y[blockIdx.x * columns + j] = x[blockIdx.x * columns + j];
  }
}

//@ kernel zeros wrong
//@ launch zeros grid=rows block=128
extern "C" __global__ void zeros(ARGUMENTS) {
  for (int j = threadIdx.x; j < columns; j += 128) y[blockIdx.x * columns + j] = 0;
}
