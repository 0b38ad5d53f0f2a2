// env: SOFTGPU_DEVICES=3
//
// Several devices: memory, variables and streams of their own, copies between them, errors that
// stay where they belong.
#include <vector>

#include "check.cuh"

__device__ int on_every_device = 100;

__global__ void fill(int* data, int n, int value) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] = value + i;
}

__global__ void add_to_variable(int value) { atomicAdd(&on_every_device, value); }

__global__ void add_peer(int* mine, const int* theirs, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) mine[i] += theirs[i];
}

int main() {
  int count = 0;
  CUDA_OK(cudaGetDeviceCount(&count));
  CHECK_AT(count == 3, "%d", count);
  if (count != 3) return verdict();
  const int n = 1000;
  int* data[3];
  cudaStream_t streams[3];
  for (int d = 0; d < 3; ++d) {
    CUDA_OK(cudaSetDevice(d));
    int current = -1;
    CUDA_OK(cudaGetDevice(&current));
    CHECK(current == d);
    CUDA_OK(cudaMalloc(&data[d], n * sizeof(int)));
    CUDA_OK(cudaStreamCreate(&streams[d]));
    fill<<<4, 256, 0, streams[d]>>>(data[d], n, d * 10000);
    add_to_variable<<<1, 1, 0, streams[d]>>>(d + 1);
    CUDA_OK(cudaGetLastError());
  }
  for (int d = 2; d >= 0; --d) {
    CUDA_OK(cudaSetDevice(d));
    CUDA_OK(cudaDeviceSynchronize());
    int value = 0;
    CUDA_OK(cudaMemcpyFromSymbol(&value, on_every_device, sizeof value));
    CHECK_AT(value == 101 + d, "device %d: %d", d, value);
    cudaPointerAttributes attributes;
    CUDA_OK(cudaPointerGetAttributes(&attributes, data[d]));
    CHECK(attributes.type == cudaMemoryTypeDevice && attributes.device == d);
  }
  std::vector<int> host(n);
  for (int d = 0; d < 3; ++d) {
    // Unified addresses: whichever device is current.
    CUDA_OK(cudaMemcpy(host.data(), data[d], n * sizeof(int), cudaMemcpyDefault));
    for (int i = 0; i < n; ++i) CHECK(host[i] == d * 10000 + i);
  }
  CUDA_OK(cudaMemcpyPeer(data[2], 2, data[1], 1, n * sizeof(int)));
  CUDA_OK(cudaMemcpy(host.data(), data[2], n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK(host[i] == 10000 + i);

  int can = 0;
  CUDA_OK(cudaDeviceCanAccessPeer(&can, 0, 1));
  CHECK(can == 1);
  CUDA_OK(cudaSetDevice(0));
  CUDA_OK(cudaDeviceEnablePeerAccess(1, 0));
  CUDA_IS(cudaErrorPeerAccessAlreadyEnabled, cudaDeviceEnablePeerAccess(1, 0));
  (void)cudaGetLastError();
  add_peer<<<4, 256>>>(data[0], data[1], n);
  CUDA_OK(cudaMemcpy(host.data(), data[0], n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK(host[i] == 10000 + 2 * i);

  // A stream belongs to the device it was made on; an event of one device orders work of another.
  cudaEvent_t done;
  CUDA_OK(cudaSetDevice(1));
  CUDA_OK(cudaEventCreateWithFlags(&done, cudaEventDisableTiming));
  fill<<<4, 256, 0, streams[1]>>>(data[1], n, 5);
  CUDA_OK(cudaEventRecord(done, streams[1]));
  CUDA_OK(cudaSetDevice(2));
  CUDA_OK(cudaStreamWaitEvent(streams[2], done, 0));
  CUDA_OK(cudaMemcpyPeerAsync(data[2], 2, data[1], 1, n * sizeof(int), streams[2]));
  CUDA_OK(cudaStreamSynchronize(streams[2]));
  CUDA_OK(cudaMemcpy(host.data(), data[2], n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK(host[i] == 5 + i);

  CUDA_IS(cudaErrorInvalidDevice, cudaSetDevice(3));
  CUDA_IS(cudaErrorInvalidDevice, cudaSetDevice(-1));
  (void)cudaGetLastError();
  int current = -1;
  CUDA_OK(cudaGetDevice(&current));
  CHECK(current == 2);
  return verdict();
}
