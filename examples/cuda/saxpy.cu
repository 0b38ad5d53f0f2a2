// y = a·x + y: one thread per element. Ends with 0 where every element is right.
//
//   nvcc -cudart shared -arch=compute_80 -lineinfo saxpy.cu -o saxpy
//   tandem gpu run -- ./saxpy
#include <cstdio>
#include <vector>

// Grid: as many blocks of 256 threads as cover n elements. Moves 12 bytes and does 2 flops for
// each.
__global__ void saxpy(int n, float a, const float* x, float* y) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] += a * x[i];
}

int main() {
  const int n = 100000;
  std::vector<float> x(n), y(n, 1.0f);
  for (int i = 0; i < n; ++i) x[i] = static_cast<float>(i);

  float *device_x, *device_y;
  cudaMalloc(&device_x, n * sizeof(float));
  cudaMalloc(&device_y, n * sizeof(float));
  cudaMemcpy(device_x, x.data(), n * sizeof(float), cudaMemcpyHostToDevice);
  cudaMemcpy(device_y, y.data(), n * sizeof(float), cudaMemcpyHostToDevice);
  saxpy<<<(n + 255) / 256, 256>>>(n, 2.0f, device_x, device_y);
  // An error of the launch or of the kernel arrives here.
  const cudaError_t error =
      cudaMemcpy(y.data(), device_y, n * sizeof(float), cudaMemcpyDeviceToHost);
  cudaFree(device_x);
  cudaFree(device_y);
  if (error != cudaSuccess) {
    std::fprintf(stderr, "saxpy: %s\n", cudaGetErrorString(error));
    return 1;
  }
  for (int i = 0; i < n; ++i) {
    if (y[i] != 2.0f * static_cast<float>(i) + 1.0f) {
      std::fprintf(stderr, "saxpy: element %d is %g\n", i, y[i]);
      return 1;
    }
  }
  std::printf("saxpy: %d elements, all right\n", n);
  return 0;
}
