// C = A·B twice: each thread reading its row and column from global memory, and by tiles in shared
// memory. Both give the same numbers; --count says what the tiles save.
//
//   nvcc -cudart shared -arch=compute_80 -lineinfo matmul.cu -o matmul
//   tandem gpu run --count --report matmul.json -- ./matmul
#include <cstdio>
#include <vector>

constexpr int tile = 16;

// One thread per element of C; A is m×k, B is k×n, row by row. Every thread reads 8k bytes.
__global__ void matmul_naive(int m, int n, int k, const float* a, const float* b, float* c) {
  const int row = blockIdx.y * tile + threadIdx.y;
  const int column = blockIdx.x * tile + threadIdx.x;
  if (row >= m || column >= n) return;
  float sum = 0;
  for (int p = 0; p < k; ++p) sum = fmaf(a[row * k + p], b[p * n + column], sum);
  c[row * n + column] = sum;
}

// The same, but a block of 16×16 threads brings a tile of A and one of B to shared memory at a
// time, so that global memory is read 16 times less. Two barriers per tile: after filling, and
// before the next filling.
__global__ void matmul_tiled(int m, int n, int k, const float* a, const float* b, float* c) {
  __shared__ float part_a[tile][tile];
  __shared__ float part_b[tile][tile];
  const int row = blockIdx.y * tile + threadIdx.y;
  const int column = blockIdx.x * tile + threadIdx.x;
  float sum = 0;
  for (int begin = 0; begin < k; begin += tile) {
    const int in_a = begin + threadIdx.x, in_b = begin + threadIdx.y;
    part_a[threadIdx.y][threadIdx.x] = row < m && in_a < k ? a[row * k + in_a] : 0.0f;
    part_b[threadIdx.y][threadIdx.x] = in_b < k && column < n ? b[in_b * n + column] : 0.0f;
    __syncthreads();
    for (int p = 0; p < tile; ++p) {
      sum = fmaf(part_a[threadIdx.y][p], part_b[p][threadIdx.x], sum);
    }
    __syncthreads();
  }
  if (row < m && column < n) c[row * n + column] = sum;
}

int main() {
  const int m = 150, n = 170, k = 130;  // no multiples of a tile
  std::vector<float> a(m * k), b(k * n), naive(m * n), tiled(m * n);
  for (int i = 0; i < m * k; ++i) a[i] = static_cast<float>(i % 13 - 6) * 0.25f;
  for (int i = 0; i < k * n; ++i) b[i] = static_cast<float>(i % 11 - 5) * 0.5f;

  float *device_a, *device_b, *device_c;
  cudaMalloc(&device_a, a.size() * sizeof(float));
  cudaMalloc(&device_b, b.size() * sizeof(float));
  cudaMalloc(&device_c, naive.size() * sizeof(float));
  cudaMemcpy(device_a, a.data(), a.size() * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemcpy(device_b, b.data(), b.size() * sizeof(float), cudaMemcpyHostToDevice);
  const dim3 grid((n + tile - 1) / tile, (m + tile - 1) / tile), block(tile, tile);
  const auto run = [&](auto kernel, std::vector<float>& c) {
    cudaMemset(device_c, 0xff, c.size() * sizeof(float));  // so that an element left out shows
    kernel<<<grid, block>>>(m, n, k, device_a, device_b, device_c);
    return cudaMemcpy(c.data(), device_c, c.size() * sizeof(float), cudaMemcpyDeviceToHost);
  };
  cudaError_t error = run(matmul_naive, naive);
  if (error == cudaSuccess) error = run(matmul_tiled, tiled);
  if (error != cudaSuccess) {
    std::fprintf(stderr, "matmul: %s\n", cudaGetErrorString(error));
    return 1;
  }
  for (int row = 0; row < m; ++row) {
    for (int column = 0; column < n; ++column) {
      // All numbers are multiples of 1/8 below 2^17, so that the sums are exact in any order.
      double sum = 0;
      for (int p = 0; p < k; ++p) sum += a[row * k + p] * b[p * n + column];
      const int at = row * n + column;
      if (naive[at] != static_cast<float>(sum) || tiled[at] != static_cast<float>(sum)) {
        std::fprintf(stderr, "matmul: element (%d, %d) is %g and %g, expected %g\n", row, column,
                     naive[at], tiled[at], sum);
        return 1;
      }
    }
  }
  std::printf("matmul: %d x %d, both kernels right\n", m, n);
  return 0;
}
