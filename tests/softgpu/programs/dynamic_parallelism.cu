// Kernels that launch kernels: nested, in order within a stream, by many threads, with the tail
// stream, and what they refuse.
// nvcc: -rdc=true
#include "check.cuh"

__global__ void add(int* data, int value) { data[blockIdx.x * blockDim.x + threadIdx.x] += value; }

__global__ void twice(int* data) { data[blockIdx.x * blockDim.x + threadIdx.x] *= 2; }

// Two children in the block's stream: the second sees what the first did.
__global__ void parent(int* data) {
  if (threadIdx.x == 0) {
    add<<<2, 64>>>(data, 5);
    twice<<<2, 64>>>(data);
  }
}

__global__ void nested(int depth, int* count) {
  atomicAdd(count, 1);
  if (depth > 0 && threadIdx.x < 2) nested<<<1, 2>>>(depth - 1, count);
}

__global__ void every_thread(int* data) {
  cudaStream_t stream;
  cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking);
  add<<<1, 1, 0, stream>>>(data + threadIdx.x, threadIdx.x);
  cudaStreamDestroy(stream);
}

__global__ void with_tail(int* data) {
  twice<<<1, 32, 0, cudaStreamTailLaunch>>>(data);
  add<<<1, 32, 0, cudaStreamFireAndForget>>>(data, 3);
}

__global__ void refused(int* errors) {
  add<<<1, 2000>>>(errors, 1);
  errors[0] = cudaGetLastError() == cudaSuccess ? 0 : 1;
  int device = -1;
  cudaGetDevice(&device);
  errors[1] = device;
}

__global__ void copies(int* to, const int* from) {
  cudaMemsetAsync(to, 0, 64 * sizeof(int), 0);
  cudaMemcpyAsync(to, from, 32 * sizeof(int), cudaMemcpyDeviceToDevice, 0);
}

__global__ void out_of_bounds_child(int* data) {
  if (threadIdx.x == 0) add<<<1, 1>>>(data + (1 << 28), 1);
}

int main() {
  int* data;
  CUDA_OK(cudaMallocManaged(&data, 256 * sizeof(int)));
  for (int i = 0; i < 256; ++i) data[i] = i;
  parent<<<1, 32>>>(data);
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 128; ++i) CHECK_AT(data[i] == 2 * (i + 5), "%d: %d", i, data[i]);
  CHECK(data[128] == 128);

  data[0] = 0;
  nested<<<1, 2>>>(5, data);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK_AT(data[0] == 2 + 4 + 8 + 16 + 32 + 64, "%d", data[0]);

  for (int i = 0; i < 256; ++i) data[i] = 1;
  every_thread<<<1, 128>>>(data);
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 128; ++i) CHECK_AT(data[i] == 1 + i, "%d: %d", i, data[i]);

  for (int i = 0; i < 256; ++i) data[i] = 1;
  with_tail<<<1, 1>>>(data);
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 32; ++i) CHECK_AT(data[i] == 8, "%d: %d", i, data[i]);

  refused<<<1, 1>>>(data);
  CUDA_OK(cudaDeviceSynchronize());
  CHECK(data[1] == 0);

  for (int i = 0; i < 256; ++i) data[i] = i;
  copies<<<1, 1>>>(data, data + 100);
  CUDA_OK(cudaDeviceSynchronize());
  for (int i = 0; i < 64; ++i) CHECK_AT(data[i] == (i < 32 ? 100 + i : 0), "%d: %d", i, data[i]);

  // A child's fault is its parent's.
  out_of_bounds_child<<<1, 32>>>(data);
  CUDA_IS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  return verdict();
}
