// One thread for one element of the product; no shared memory.
#include "bench.cuh"

constexpr int n = 512;

__global__ void multiply(const float* a, const float* b, float* c) {
  const int column = blockIdx.x * blockDim.x + threadIdx.x;
  const int row = blockIdx.y * blockDim.y + threadIdx.y;
  if (row >= n || column >= n) return;
  float sum = 0;
  for (int k = 0; k < n; ++k) sum += a[row * n + k] * b[k * n + column];
  c[row * n + column] = sum;
}

int main() {
  const std::vector<float> a = numbers(n * n, 1), b = numbers(n * n, 2);
  std::vector<float> c(n * n);
  const float* device_a = device_copy(a);
  const float* device_b = device_copy(b);
  float* device_c = device_array<float>(n * n);
  return compare(
      [&] { multiply<<<dim3(n / 32, n / 8), dim3(32, 8)>>>(device_a, device_b, device_c); },
      [&] {
#pragma omp parallel for
        for (int row = 0; row < n; ++row) {
          float* out = &c[row * n];
          std::fill(out, out + n, 0.0f);
          for (int k = 0; k < n; ++k) {
            const float factor = a[row * n + k];
            for (int column = 0; column < n; ++column) out[column] += factor * b[k * n + column];
          }
        }
      },
      [&] { return close(host_copy(device_c, n * n), c, 1e-4f); });
}
