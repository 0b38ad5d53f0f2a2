// The first CUDA program of every course, at sizes around the edges of a warp and a block.
#include <vector>

#include "check.cuh"

__global__ void add(const float* a, const float* b, float* c, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) c[i] = a[i] + b[i];
}

template <typename T>
__global__ void saxpy_strided(T factor, const T* x, T* y, int n) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    y[i] = factor * x[i] + y[i];
  }
}

__global__ void index_3d(int* out) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x;
  const int y = blockIdx.y * blockDim.y + threadIdx.y;
  const int z = blockIdx.z * blockDim.z + threadIdx.z;
  const int width = gridDim.x * blockDim.x;
  const int height = gridDim.y * blockDim.y;
  out[(z * height + y) * width + x] = x | y << 8 | z << 16;
}

template <typename T>
void check_saxpy(int n) {
  std::vector<T> x(n), y(n), expected(n);
  for (int i = 0; i < n; ++i) {
    x[i] = static_cast<T>(i % 1000);
    y[i] = static_cast<T>(i / 7);
    expected[i] = T(3) * x[i] + y[i];  // exact: all are small integers
  }
  T *device_x, *device_y;
  CUDA_OK(cudaMalloc(&device_x, n * sizeof(T)));
  CUDA_OK(cudaMalloc(&device_y, n * sizeof(T)));
  CUDA_OK(cudaMemcpy(device_x, x.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemcpy(device_y, y.data(), n * sizeof(T), cudaMemcpyHostToDevice));
  saxpy_strided<T><<<5, 96>>>(T(3), device_x, device_y, n);
  CUDA_OK(cudaGetLastError());
  CUDA_OK(cudaMemcpy(y.data(), device_y, n * sizeof(T), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK_AT(y[i] == expected[i], "n = %d, i = %d", n, i);
  CUDA_OK(cudaFree(device_x));
  CUDA_OK(cudaFree(device_y));
}

int main() {
  for (const int n : {1, 31, 32, 33, 255, 256, 257, 1000, 100003}) {
    std::vector<float> a(n), b(n), c(n + 1, -1.0f);
    for (int i = 0; i < n; ++i) {
      a[i] = static_cast<float>(i) * 0.1f;
      b[i] = 1.0f / static_cast<float>(i + 1);
    }
    float *device_a, *device_b, *device_c;
    CUDA_OK(cudaMalloc(&device_a, n * sizeof(float)));
    CUDA_OK(cudaMalloc(&device_b, n * sizeof(float)));
    CUDA_OK(cudaMalloc(&device_c, (n + 1) * sizeof(float)));
    CUDA_OK(cudaMemcpy(device_a, a.data(), n * sizeof(float), cudaMemcpyHostToDevice));
    CUDA_OK(cudaMemcpy(device_b, b.data(), n * sizeof(float), cudaMemcpyHostToDevice));
    CUDA_OK(cudaMemcpy(device_c, c.data(), (n + 1) * sizeof(float), cudaMemcpyHostToDevice));
    add<<<(n + 255) / 256, 256>>>(device_a, device_b, device_c, n);
    CUDA_OK(cudaGetLastError());
    CUDA_OK(cudaDeviceSynchronize());
    CUDA_OK(cudaMemcpy(c.data(), device_c, (n + 1) * sizeof(float), cudaMemcpyDeviceToHost));
    for (int i = 0; i < n; ++i) CHECK_AT(c[i] == a[i] + b[i], "n = %d, i = %d: %g", n, i, c[i]);
    CHECK(c[n] == -1.0f);
    CUDA_OK(cudaFree(device_a));
    CUDA_OK(cudaFree(device_b));
    CUDA_OK(cudaFree(device_c));
  }
  for (const int n : {1, 479, 480, 481, 10007}) {
    check_saxpy<int>(n);
    check_saxpy<double>(n);
    check_saxpy<long long>(n);
    check_saxpy<float>(n);
  }

  const dim3 grid(3, 2, 5), block(7, 5, 3);
  const int width = 21, height = 10, depth = 15;
  int* device_out;
  std::vector<int> out(width * height * depth);
  CUDA_OK(cudaMalloc(&device_out, out.size() * sizeof(int)));
  index_3d<<<grid, block>>>(device_out);
  CUDA_OK(cudaMemcpy(out.data(), device_out, out.size() * sizeof(int), cudaMemcpyDeviceToHost));
  for (int z = 0; z < depth; ++z) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        CHECK((out[(z * height + y) * width + x] == (x | y << 8 | z << 16)));
      }
    }
  }
  return verdict();
}
