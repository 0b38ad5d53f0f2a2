// Kernels for the challenge layer-norm.
#define ARGUMENTS \
  const float *x, const float *gain, const float *shift, float *y, int rows, int columns

template <bool barrier = true>
__device__ float block_sum(float value) {
  __shared__ float part[128];
  const int t = threadIdx.x;
  __syncthreads();
  part[t] = value;
  if (barrier) __syncthreads();
  for (int half = 64; half > 0; half /= 2) {
    if (t < half) part[t] += part[t + half];
    if (barrier) __syncthreads();
  }
  return part[0];
}

template <bool barrier>
__device__ void rows_of(ARGUMENTS, float divisor, float epsilon) {
  const float* row = x + blockIdx.x * columns;
  float sum = 0;
  for (int j = threadIdx.x; j < columns; j += 128) sum += row[j];
  const float mean = block_sum<barrier>(sum) / columns;
  float squares = 0;
  for (int j = threadIdx.x; j < columns; j += 128) squares += (row[j] - mean) * (row[j] - mean);
  const float scale = 1.0f / sqrtf(block_sum<barrier>(squares) / divisor + epsilon);
  for (int j = threadIdx.x; j < columns; j += 128) {
    y[blockIdx.x * columns + j] = (row[j] - mean) * scale * gain[j] + shift[j];
  }
}

//@ kernel right passed
//@ launch right grid=rows block=128
extern "C" __global__ void right(ARGUMENTS) {
  rows_of<true>(x, gain, shift, y, rows, columns, columns, 1e-5f);
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=rows block=128
extern "C" __global__ void no_barrier(ARGUMENTS) {
  rows_of<false>(x, gain, shift, y, rows, columns, columns, 1e-5f);
}

//@ kernel sample_variance wrong divides by columns - 1
//@ launch sample_variance grid=rows block=128
extern "C" __global__ void sample_variance(ARGUMENTS) {
  rows_of<true>(x, gain, shift, y, rows, columns, columns - 1, 1e-5f);
}

//@ kernel other_epsilon wrong a hundredth instead of 1e-5
//@ launch other_epsilon grid=rows block=128
extern "C" __global__ void other_epsilon(ARGUMENTS) {
  rows_of<true>(x, gain, shift, y, rows, columns, columns, 1e-2f);
}

//@ kernel squares_minus_square wrong cancels
//@ launch squares_minus_square grid=rows block=128
extern "C" __global__ void squares_minus_square(ARGUMENTS) {
  const float* row = x + blockIdx.x * columns;
  float sum = 0;
  float squares = 0;
  for (int j = threadIdx.x; j < columns; j += 128) {
    sum += row[j];
    squares += row[j] * row[j];
  }
  const float mean = block_sum(sum) / columns;
  const float variance = block_sum(squares) / columns - mean * mean;
  const float scale = 1.0f / sqrtf(variance + 1e-5f);
  for (int j = threadIdx.x; j < columns; j += 128) {
    y[blockIdx.x * columns + j] = (row[j] - mean) * scale * gain[j] + shift[j];
  }
}

//@ kernel no_shift wrong
//@ launch no_shift grid=rows block=128
extern "C" __global__ void no_shift(ARGUMENTS) {
  const float* row = x + blockIdx.x * columns;
  float sum = 0;
  for (int j = threadIdx.x; j < columns; j += 128) sum += row[j];
  const float mean = block_sum(sum) / columns;
  float squares = 0;
  for (int j = threadIdx.x; j < columns; j += 128) squares += (row[j] - mean) * (row[j] - mean);
  const float scale = 1.0f / sqrtf(block_sum(squares) / columns + 1e-5f);
  for (int j = threadIdx.x; j < columns; j += 128) {
    y[blockIdx.x * columns + j] = (row[j] - mean) * scale * gain[j];
  }
}

//@ kernel first_128 wrong|checker one pass over the columns
//@ launch first_128 grid=rows block=128
extern "C" __global__ void first_128(ARGUMENTS) {
  rows_of<true>(x, gain, shift, y, rows, min(columns, 128), min(columns, 128), 1e-5f);
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
