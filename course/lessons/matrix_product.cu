// C = A B: the same multiply-adds each time; what is saved is everything else.

//@ kernel by_rows uncoalesced A thread for each element of C, lanes along a column
//@ launch product_by_rows grid=ceil(m/16),ceil(n/16) block=16,16
// Lanes of a warp have consecutive i: they read A, and write C, a row apart.
extern "C" __global__ void product_by_rows(const float* a, const float* b, float* c, int m, int n,
                                           int k) {
  const int i = blockIdx.x * 16 + threadIdx.x;
  const int j = blockIdx.y * 16 + threadIdx.y;
  if (i >= m || j >= n) return;
  float sum = 0;
  for (int l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
  c[i * n + j] = sum;
}

//@ kernel by_columns repeated-loads Lanes along a row of C
//@ launch product_by_columns grid=ceil(n/32),ceil(m/8) block=32,8
// Loads of B and stores of C are neighbours, and the element of A is one word for the whole warp.
// Still each multiply-add needs two loads, and each element of B is loaded m times.
extern "C" __global__ void product_by_columns(const float* a, const float* b, float* c, int m,
                                              int n, int k) {
  const int j = blockIdx.x * 32 + threadIdx.x;
  const int i = blockIdx.y * 8 + threadIdx.y;
  if (i >= m || j >= n) return;
  float sum = 0;
  for (int l = 0; l < k; ++l) sum += a[i * k + l] * b[l * n + j];
  c[i * n + j] = sum;
}

//@ kernel tiles shared-traffic Tiles of A and B in shared memory
//@ launch product_tiles grid=ceil(n/32),ceil(m/32) block=32,32
// What a block loads from global memory is used 32 times. Shared memory and the L1 cache are the
// same cells, so that this alone gains little where the cache held B; but each multiply-add still
// loads two words, and these can now be shared.
extern "C" __global__ void product_tiles(const float* a, const float* b, float* c, int m, int n,
                                         int k) {
  __shared__ float ta[32][32];
  __shared__ float tb[32][32];
  const int x = threadIdx.x;
  const int y = threadIdx.y;
  const int i = blockIdx.y * 32 + y;
  const int j = blockIdx.x * 32 + x;
  float sum = 0;
  for (int first = 0; first < k; first += 32) {
    ta[y][x] = i < m && first + x < k ? a[i * k + first + x] : 0.0f;
    tb[y][x] = first + y < k && j < n ? b[(first + y) * n + j] : 0.0f;
    __syncthreads();
    for (int l = 0; l < 32; ++l) sum += ta[y][l] * tb[l][x];
    __syncthreads();
  }
  if (i < m && j < n) c[i * n + j] = sum;
}

//@ kernel registers - Each thread has eight elements of C in registers
//@ launch product_registers grid=ceil(n/32),ceil(m/32) block=8,16
// Two words of A and four of B, which come as one, make eight multiply-adds.
extern "C" __global__ void product_registers(const float* a, const float* b, float* c, int m, int n,
                                             int k) {
  __shared__ float ta[32][33];
  __shared__ float4 tb[32][8];
  const int x = threadIdx.x;
  const int y = threadIdx.y;
  const int t = y * 8 + x;
  const int top = blockIdx.y * 32;
  const int left = blockIdx.x * 32;
  float sum[2][4] = {};
  for (int first = 0; first < k; first += 32) {
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const int row = e * 4 + t / 32;
      const int column = t % 32;
      const bool of_a = top + row < m && first + column < k;
      const bool of_b = first + row < k && left + column < n;
      ta[row][column] = of_a ? a[(top + row) * k + first + column] : 0.0f;
      reinterpret_cast<float*>(tb[row])[column] =
          of_b ? b[(first + row) * n + left + column] : 0.0f;
    }
    __syncthreads();
#pragma unroll 8
    for (int l = 0; l < 32; ++l) {
      const float4 four = tb[l][x];
      const float of_b[4] = {four.x, four.y, four.z, four.w};
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float of_a = ta[2 * y + r][l];
#pragma unroll
        for (int s = 0; s < 4; ++s) sum[r][s] += of_a * of_b[s];
      }
    }
    __syncthreads();
  }
#pragma unroll
  for (int r = 0; r < 2; ++r) {
#pragma unroll
    for (int s = 0; s < 4; ++s) {
      const int i = top + 2 * y + r;
      const int j = left + 4 * x + s;
      if (i < m && j < n) c[i * n + j] = sum[r][s];
    }
  }
}
