// Kernels for the challenge transpose.
#define ARGUMENTS const float *a, float *b, int rows, int columns

//@ kernel right passed
//@ launch right grid=ceil(columns/32),ceil(rows/32) block=32,8
extern "C" __global__ void right(ARGUMENTS) {
  __shared__ float tile[32][33];
  const int j = blockIdx.x * 32 + threadIdx.x;
  for (int y = threadIdx.y; y < 32; y += 8) {
    const int i = blockIdx.y * 32 + y;
    if (i < rows && j < columns) tile[y][threadIdx.x] = a[i * columns + j];
  }
  __syncthreads();
  const int i = blockIdx.y * 32 + threadIdx.x;
  for (int y = threadIdx.y; y < 32; y += 8) {
    const int column = blockIdx.x * 32 + y;
    if (i < rows && column < columns) b[column * rows + i] = tile[threadIdx.x][y];
  }
}

//@ kernel right_naive passed
//@ launch right_naive grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void right_naive(ARGUMENTS) {
  const int j = blockIdx.x * 32 + threadIdx.x;
  const int i = blockIdx.y * 8 + threadIdx.y;
  if (i < rows && j < columns) b[j * rows + i] = a[i * columns + j];
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=ceil(columns/32),ceil(rows/32) block=32,32
extern "C" __global__ void no_barrier(ARGUMENTS) {
  __shared__ float tile[32][33];
  int j = blockIdx.x * 32 + threadIdx.x;
  int i = blockIdx.y * 32 + threadIdx.y;
  if (i < rows && j < columns) tile[threadIdx.y][threadIdx.x] = a[i * columns + j];
  i = blockIdx.y * 32 + threadIdx.x;
  j = blockIdx.x * 32 + threadIdx.y;
  if (i < rows && j < columns) b[j * rows + i] = tile[threadIdx.x][threadIdx.y];
}

//@ kernel square_only checker|wrong strides for square matrices
//@ launch square_only grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void square_only(ARGUMENTS) {
  const int j = blockIdx.x * 32 + threadIdx.x;
  const int i = blockIdx.y * 8 + threadIdx.y;
  if (i < rows && j < columns) b[j * columns + i] = a[i * columns + j];
}

//@ kernel copies wrong
//@ launch copies grid=ceil(rows*columns/256) block=256
extern "C" __global__ void copies(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < rows * columns) b[i] = a[i];
}

//@ kernel multiples wrong whole tiles only
//@ launch multiples grid=max(columns/32,1),max(rows/32,1) block=32,32
extern "C" __global__ void multiples(ARGUMENTS) {
  const int j = blockIdx.x * 32 + threadIdx.x;
  const int i = blockIdx.y * 32 + threadIdx.y;
  if (i < rows && j < columns) b[j * rows + i] = a[i * columns + j];
}

//@ kernel no_bound checker
//@ launch no_bound grid=ceil(columns/32),ceil(rows/32) block=32,32
extern "C" __global__ void no_bound(ARGUMENTS) {
  const int j = blockIdx.x * 32 + threadIdx.x;
  const int i = blockIdx.y * 32 + threadIdx.y;
  b[j * rows + i] = a[i * columns + j];
}

//@ kernel off_by_one wrong|checker leaves the last column out
//@ launch off_by_one grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void off_by_one(ARGUMENTS) {
  const int j = blockIdx.x * 32 + threadIdx.x;
  const int i = blockIdx.y * 8 + threadIdx.y;
  if (i < rows && j < columns - 1) b[j * rows + i] = a[i * columns + j];
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(rows*columns/256) block=256
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < rows * columns) b[i] = 0;
}
