// Kernels for the challenge stencil.
#define ARGUMENTS const float *a, float *b, int rows, int columns
#define PLACE                                  \
  const int j = blockIdx.x * 32 + threadIdx.x; \
  const int i = blockIdx.y * 8 + threadIdx.y;  \
  const int at = i * columns + j;              \
  const bool edge = i == 0 || j == 0 || i == rows - 1 || j == columns - 1

//@ kernel right passed
//@ launch right grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void right(ARGUMENTS) {
  PLACE;
  if (i >= rows || j >= columns) return;
  b[at] = edge ? a[at] : 0.2f * (a[at] + a[at - 1] + a[at + 1] + a[at - columns] + a[at + columns]);
}

//@ kernel right_tiled passed
//@ launch right_tiled grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void right_tiled(ARGUMENTS) {
  __shared__ float tile[10][35];
  const int top = blockIdx.y * 8 - 1;
  const int left = blockIdx.x * 32 - 1;
  for (int t = threadIdx.y * 32 + threadIdx.x; t < 10 * 34; t += 256) {
    const int r = top + t / 34;
    const int c = left + t % 34;
    const bool there = r >= 0 && r < rows && c >= 0 && c < columns;
    tile[t / 34][t % 34] = there ? a[r * columns + c] : 0.0f;
  }
  __syncthreads();
  PLACE;
  if (i >= rows || j >= columns) return;
  const int y = threadIdx.y + 1;
  const int x = threadIdx.x + 1;
  b[at] =
      edge
          ? tile[y][x]
          : 0.2f * (tile[y][x] + tile[y][x - 1] + tile[y][x + 1] + tile[y - 1][x] + tile[y + 1][x]);
}

//@ kernel no_edge checker
//@ launch no_edge grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void no_edge(ARGUMENTS) {
  PLACE;
  if (i >= rows || j >= columns) return;
  b[at] = 0.2f * (a[at] + a[at - 1] + a[at + 1] + a[at - columns] + a[at + columns]);
  (void)edge;
}

//@ kernel edge_left_out checker|wrong
//@ launch edge_left_out grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void edge_left_out(ARGUMENTS) {
  PLACE;
  if (i >= rows || j >= columns || edge) return;
  b[at] = 0.2f * (a[at] + a[at - 1] + a[at + 1] + a[at - columns] + a[at + columns]);
}

//@ kernel no_barrier checker
//@ launch no_barrier grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void no_barrier(ARGUMENTS) {
  __shared__ float tile[8][32];
  PLACE;
  const bool there = i < rows && j < columns;
  tile[threadIdx.y][threadIdx.x] = there ? a[at] : 0.0f;
  if (!there) return;
  if (edge) {
    b[at] = a[at];
    return;
  }
  const float up = threadIdx.y > 0 ? tile[threadIdx.y - 1][threadIdx.x] : a[at - columns];
  const float down = threadIdx.y < 7 ? tile[threadIdx.y + 1][threadIdx.x] : a[at + columns];
  b[at] = 0.2f * (a[at] + a[at - 1] + a[at + 1] + up + down);
}

//@ kernel in_place input-changed|wrong|checker
//@ launch in_place grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void in_place(ARGUMENTS) {
  PLACE;
  if (i >= rows || j >= columns) return;
  const float value =
      edge ? a[at] : 0.2f * (a[at] + a[at - 1] + a[at + 1] + a[at - columns] + a[at + columns]);
  b[at] = value;
  ((float*)a)[at] = value;
}

//@ kernel quarter wrong divides by four
//@ launch quarter grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void quarter(ARGUMENTS) {
  PLACE;
  if (i >= rows || j >= columns) return;
  b[at] = edge ? a[at] : 0.25f * (a[at - 1] + a[at + 1] + a[at - columns] + a[at + columns]);
}

//@ kernel whole_tiles wrong
//@ launch whole_tiles grid=max(columns/32,1),max(rows/8,1) block=32,8
extern "C" __global__ void whole_tiles(ARGUMENTS) {
  PLACE;
  if (i >= rows || j >= columns) return;
  b[at] = edge ? a[at] : 0.2f * (a[at] + a[at - 1] + a[at + 1] + a[at - columns] + a[at + columns]);
}

//@ kernel copies wrong
//@ launch copies grid=ceil(columns/32),ceil(rows/8) block=32,8
extern "C" __global__ void copies(ARGUMENTS) {
  PLACE;
  if (i < rows && j < columns) b[at] = a[at];
  (void)edge;
}

//@ kernel zeros wrong
//@ launch zeros grid=ceil(rows*columns/256) block=256
extern "C" __global__ void zeros(ARGUMENTS) {
  const int i = blockIdx.x * 256 + threadIdx.x;
  if (i < rows * columns) b[i] = 0;
}
