// Jacobi sweeps of the five-point stencil.
#include "bench.cuh"

constexpr int width = 2048, height = 1024, sweeps = 8;

__global__ void sweep(const float* in, float* out) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x == 0 || y == 0 || x >= width - 1 || y >= height - 1) return;
  const int i = y * width + x;
  out[i] = 0.5f * in[i] + 0.125f * ((in[i - 1] + in[i + 1]) + (in[i - width] + in[i + width]));
}

int main() {
  const std::vector<float> start = numbers(width * height);
  float* a = device_copy(start);
  float* b = device_copy(start);
  std::vector<float> x, y = start;
  return compare(
      [&] {
        CUDA_OK(cudaMemcpy(a, start.data(), start.size() * sizeof(float), cudaMemcpyHostToDevice));
        for (int s = 0; s < sweeps; ++s) {
          sweep<<<dim3(width / 64, height / 4), dim3(64, 4)>>>(a, b);
          std::swap(a, b);
        }
      },
      [&] {
        x = start;
        for (int s = 0; s < sweeps; ++s) {
#pragma omp parallel for
          for (int row = 1; row < height - 1; ++row) {
            const float* in = &x[row * width];
            float* out = &y[row * width];
            for (int i = 1; i < width - 1; ++i) {
              out[i] = 0.5f * in[i] +
                       0.125f * ((in[i - 1] + in[i + 1]) + (in[i - width] + in[i + width]));
            }
          }
          x.swap(y);
        }
      },
      [&] { return close(host_copy(a, start.size()), x, 1e-5f); });
}
