// __constant__, __device__ and __managed__ variables: their initial values, pointers among them,
// and copies to and from them by name.
#include <cstring>
#include <vector>

#include "check.cuh"

struct Pair {
  int key;
  double weight;
};

__constant__ float coefficients[5] = {1.0f, -2.0f, 3.0f, 0.5f, 0.25f};
__constant__ Pair pairs[3] = {{7, 1.5}, {-3, 2.5}, {11, -0.125}};
__constant__ char greeting[] = "hello";
__device__ int counter = 41;
__device__ double table[4][3] = {{1, 2, 3}, {4, 5, 6}, {7, 8, 9}, {10, 11, 12}};
__device__ int numbers[8] = {1, 2, 3};  // the rest is zero
__device__ int* pointer_to_numbers = &numbers[2];
__device__ const char* text = "device text";
__device__ unsigned char bytes[7];
__device__ long long large[1 << 16];
__managed__ int managed = 5;
__managed__ float managed_array[3] = {1, 2, 3};

__global__ void polynomial(const float* x, float* y, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float sum = 0;
  for (int k = 4; k >= 0; --k) sum = fmaf(sum, x[i], coefficients[k]);
  y[i] = sum;
}

__global__ void read_all(double* out) {
  out[0] = counter;
  out[1] = table[2][1] + table[3][2];
  out[2] = pointer_to_numbers[-1] * 100 + pointer_to_numbers[0];
  out[3] = text[7];  // 't'
  out[4] = pairs[threadIdx.x % 3].key + pairs[1].weight;
  out[5] = greeting[4];
  out[6] = numbers[7];
  out[7] = bytes[6];
}

__global__ void count_threads() { atomicAdd(&counter, 1); }

__global__ void touch_managed() {
  managed += 10;
  for (int i = 0; i < 3; ++i) managed_array[i] *= 2;
}

__global__ void fill_large() {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < 1 << 16; i += gridDim.x * blockDim.x) {
    large[i] = static_cast<long long>(i) * i;
  }
}

int main() {
  double* out;
  CUDA_OK(cudaMallocManaged(&out, 8 * sizeof(double)));
  read_all<<<1, 1>>>(out);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(out[0] == 41);
  CHECK(out[1] == 8 + 12);
  CHECK(out[2] == 203);
  CHECK(out[3] == 't');
  CHECK(out[4] == 7 + 2.5);
  CHECK(out[5] == 'o');
  CHECK(out[6] == 0);
  CHECK(out[7] == 0);

  const int n = 1000;
  std::vector<float> x(n), y(n);
  for (int i = 0; i < n; ++i) x[i] = static_cast<float>(i - 500) / 100;
  float *device_x, *device_y;
  CUDA_OK(cudaMalloc(&device_x, n * sizeof(float)));
  CUDA_OK(cudaMalloc(&device_y, n * sizeof(float)));
  CUDA_OK(cudaMemcpy(device_x, x.data(), n * sizeof(float), cudaMemcpyHostToDevice));
  float host_coefficients[5] = {1.0f, -2.0f, 3.0f, 0.5f, 0.25f};
  for (int round = 0; round < 3; ++round) {
    polynomial<<<4, 256>>>(device_x, device_y, n);
    CUDA_OK(cudaMemcpy(y.data(), device_y, n * sizeof(float), cudaMemcpyDeviceToHost));
    for (int i = 0; i < n; ++i) {
      float sum = 0;
      for (int k = 4; k >= 0; --k) sum = __builtin_fmaf(sum, x[i], host_coefficients[k]);
      CHECK_AT(y[i] == sum, "round %d, i = %d: %.9g %.9g", round, i, y[i], sum);
    }
    if (round == 0) {
      for (float& c : host_coefficients) c *= 1.5f;
      CUDA_OK(cudaMemcpyToSymbol(coefficients, host_coefficients, sizeof host_coefficients));
    } else {
      host_coefficients[3] = -7.0f;
      CUDA_OK(cudaMemcpyToSymbol(coefficients, &host_coefficients[3], sizeof(float),
                                 3 * sizeof(float), cudaMemcpyHostToDevice));
    }
  }
  float read_back[5];
  CUDA_OK(cudaMemcpyFromSymbol(read_back, coefficients, sizeof read_back));
  CHECK(std::memcmp(read_back, host_coefficients, sizeof read_back) == 0);

  count_threads<<<10, 100>>>();
  int count = 0;
  CUDA_OK(cudaMemcpyFromSymbol(&count, counter, sizeof count));
  CHECK_AT(count == 1041, "%d", count);
  void* address = nullptr;
  std::size_t size = 0;
  CUDA_OK(cudaGetSymbolAddress(&address, counter));
  CUDA_OK(cudaGetSymbolSize(&size, counter));
  CHECK(size == sizeof(int));
  count = -5;
  CUDA_OK(cudaMemcpy(address, &count, sizeof count, cudaMemcpyHostToDevice));
  count_threads<<<1, 32>>>();
  CUDA_OK(cudaMemcpyFromSymbol(&count, counter, sizeof count));
  CHECK_AT(count == 27, "%d", count);
  CUDA_OK(cudaGetSymbolSize(&size, table));
  CHECK(size == sizeof table);

  managed += 100;
  touch_managed<<<1, 1>>>();
  CUDA_OK(cudaDeviceSynchronize());
  CHECK_AT(managed == 115, "%d", managed);
  CHECK(managed_array[0] == 2 && managed_array[1] == 4 && managed_array[2] == 6);

  fill_large<<<7, 64>>>();
  std::vector<long long> host_large(1 << 16);
  CUDA_OK(cudaMemcpyFromSymbol(host_large.data(), large, sizeof large));
  for (long long i = 0; i < 1 << 16; ++i) CHECK(host_large[i] == i * i);

  // Copies beyond a variable's end are refused.
  CUDA_IS(cudaErrorInvalidValue,
          cudaMemcpyToSymbol(counter, host_coefficients, sizeof host_coefficients));
  (void)cudaGetLastError();
  return verdict();
}
