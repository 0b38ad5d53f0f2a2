// Tiles of both factors through shared memory.
#include "bench.cuh"

constexpr int n = 512;
constexpr int tile = 32;

__global__ void multiply(const float* a, const float* b, float* c) {
  __shared__ float tile_a[tile][tile];
  __shared__ float tile_b[tile][tile];
  const int x = threadIdx.x, y = threadIdx.y;
  const int column = blockIdx.x * tile + x, row = blockIdx.y * tile + y;
  float sum = 0;
  for (int first = 0; first < n; first += tile) {
    tile_a[y][x] = a[row * n + first + x];
    tile_b[y][x] = b[(first + y) * n + column];
    __syncthreads();
    for (int k = 0; k < tile; ++k) sum += tile_a[y][k] * tile_b[k][x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}

int main() {
  const std::vector<float> a = numbers(n * n, 1), b = numbers(n * n, 2);
  std::vector<float> c(n * n);
  const float* device_a = device_copy(a);
  const float* device_b = device_copy(b);
  float* device_c = device_array<float>(n * n);
  return compare(
      [&] {
        multiply<<<dim3(n / tile, n / tile), dim3(tile, tile)>>>(device_a, device_b, device_c);
      },
      [&] {
#pragma omp parallel for
        for (int first_row = 0; first_row < n; first_row += tile) {
          for (int i = first_row * n; i < (first_row + tile) * n; ++i) c[i] = 0;
          for (int first = 0; first < n; first += tile) {
            for (int row = first_row; row < first_row + tile; ++row) {
              float* out = &c[row * n];
              for (int k = first; k < first + tile; ++k) {
                const float factor = a[row * n + k];
                for (int column = 0; column < n; ++column) {
                  out[column] += factor * b[k * n + column];
                }
              }
            }
          }
        }
      },
      [&] { return close(host_copy(device_c, n * n), c, 1e-4f); });
}
