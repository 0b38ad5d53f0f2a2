// The transpose of a matrix: all of it is memory, and the order in which lanes touch it.

//@ kernel naive uncoalesced Neighbouring lanes read neighbours, and write a whole row apart
//@ launch transpose_naive grid=ceil(columns/32),ceil(rows/8) block=32,8
// A warp's 32 loads lie in 4 sectors of 32 bytes; its 32 stores lie in 32 of them, and of each
// sector 4 bytes are used.
extern "C" __global__ void transpose_naive(const float* a, float* b, int rows, int columns) {
  const int j = blockIdx.x * 32 + threadIdx.x;
  const int i = blockIdx.y * 8 + threadIdx.y;
  if (i < rows && j < columns) b[j * rows + i] = a[i * columns + j];
}

//@ kernel tiled bank-conflicts A tile is turned in shared memory, so that both sides go by rows
//@ launch transpose_tiled grid=ceil(columns/32),ceil(rows/32) block=32,8
// Global memory is read and written by rows now. But a column of the tile lies in one of the 32
// banks of shared memory, and its 32 words come one after the other.
extern "C" __global__ void transpose_tiled(const float* a, float* b, int rows, int columns) {
  __shared__ float tile[32][32];
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

//@ kernel padded - One column more, and a column of the tile lies in 32 banks
//@ launch transpose_padded grid=ceil(columns/32),ceil(rows/32) block=32,8
// tile[x][y] lies in bank (33 x + y) mod 32 = (x + y) mod 32: another one for each lane.
extern "C" __global__ void transpose_padded(const float* a, float* b, int rows, int columns) {
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
