// Order within and between streams, events and their times, callbacks and errors of a launch.
#include <vector>

#include "check.cuh"

#include <cmath>

__global__ void append(int* log, int* length, int value) { log[atomicAdd(length, 1)] = value; }

__global__ void scale(float* data, int n, float factor) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) data[i] *= factor;
}

// Runs for this many nanoseconds of the device's clock, however busy the machine is.
__global__ void busy(unsigned long long nanoseconds) {
  unsigned long long begin, now;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(begin));
  do {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
  } while (now - begin < nanoseconds);
}

struct Note {
  std::vector<int> calls;
  int device_value = 0;
};

int main() {
  const int n = 100000;
  float *host, *device;
  CUDA_OK(cudaMallocHost(&host, n * sizeof(float)));
  CUDA_OK(cudaMalloc(&device, n * sizeof(float)));
  cudaStream_t streams[4];
  for (cudaStream_t& stream : streams) {
    CUDA_OK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  }
  for (int i = 0; i < n; ++i) host[i] = static_cast<float>(i);
  const int part = n / 4;
  for (int s = 0; s < 4; ++s) {
    float* const mine = device + s * part;
    CUDA_OK(cudaMemcpyAsync(mine, host + s * part, part * sizeof(float), cudaMemcpyHostToDevice,
                            streams[s]));
    scale<<<(part + 255) / 256, 256, 0, streams[s]>>>(mine, part, 2.0f);
    scale<<<(part + 255) / 256, 256, 0, streams[s]>>>(mine, part, static_cast<float>(s + 1));
    CUDA_OK(cudaMemcpyAsync(host + s * part, mine, part * sizeof(float), cudaMemcpyDeviceToHost,
                            streams[s]));
  }
  for (cudaStream_t& stream : streams) CUDA_OK(cudaStreamSynchronize(stream));
  for (int i = 0; i < n; ++i) {
    CHECK_AT(host[i] == static_cast<float>(i) * 2 * static_cast<float>(i / part + 1), "i = %d", i);
  }

  // A chain over streams through events.
  int* log;
  CUDA_OK(cudaMallocManaged(&log, 65 * sizeof(int)));
  CUDA_OK(cudaMemset(log, 0, 65 * sizeof(int)));
  cudaEvent_t link;
  CUDA_OK(cudaEventCreateWithFlags(&link, cudaEventDisableTiming));
  for (int i = 0; i < 64; ++i) {
    cudaStream_t stream = streams[i * 7 % 4];
    if (i > 0) CUDA_OK(cudaStreamWaitEvent(stream, link, 0));
    append<<<1, 1, 0, stream>>>(log + 1, log, i);
    CUDA_OK(cudaEventRecord(link, stream));
  }
  CUDA_OK(cudaEventSynchronize(link));
  CHECK(log[0] == 64);
  for (int i = 0; i < 64; ++i) CHECK_AT(log[1 + i] == i, "i = %d: %d", i, log[1 + i]);

  // Times go forward, and an event waits for the work before it.
  cudaEvent_t start, middle, stop;
  CUDA_OK(cudaEventCreate(&start));
  CUDA_OK(cudaEventCreate(&middle));
  CUDA_OK(cudaEventCreate(&stop));
  CUDA_OK(cudaEventRecord(start));
  busy<<<2, 64>>>(1000000);
  CUDA_OK(cudaEventRecord(middle));
  busy<<<2, 64>>>(20000000);
  CUDA_OK(cudaEventRecord(stop));
  CUDA_OK(cudaEventSynchronize(stop));
  CUDA_OK(cudaEventQuery(stop));
  float short_time = -1, long_time = -1, all = -1;
  CUDA_OK(cudaEventElapsedTime(&short_time, start, middle));
  CUDA_OK(cudaEventElapsedTime(&long_time, middle, stop));
  CUDA_OK(cudaEventElapsedTime(&all, start, stop));
  CHECK_AT(short_time >= 0.99f && long_time >= 19.9f, "%g ms, %g ms", short_time, long_time);
  CHECK_AT(all >= 20.9f && std::fabs(all - short_time - long_time) < 0.01f, "%g ms", all);
  CUDA_IS(cudaErrorInvalidResourceHandle, cudaEventElapsedTime(&all, link, stop));
  (void)cudaGetLastError();

  // Host functions run in the stream's order, after what stands before them.
  Note note;
  CUDA_OK(cudaMemset(log, 0, sizeof(int)));
  append<<<1, 1, 0, streams[0]>>>(log + 1, log, 77);
  CUDA_OK(cudaLaunchHostFunc(
      streams[0], [](void* data) { static_cast<Note*>(data)->calls.push_back(1); }, &note));
  CUDA_OK(cudaStreamAddCallback(
      streams[0],
      [](cudaStream_t, cudaError_t status, void* data) {
        static_cast<Note*>(data)->calls.push_back(status == cudaSuccess ? 2 : -1);
      },
      &note, 0));
  CUDA_OK(cudaStreamSynchronize(streams[0]));
  CHECK(note.calls == (std::vector<int>{1, 2}));
  CHECK(log[1] == 77);
  CUDA_OK(cudaStreamQuery(streams[0]));

  // A wrong launch is told at once, is not sticky and does nothing.
  scale<<<1, 2048>>>(device, n, 1.0f);
  CUDA_IS(cudaErrorInvalidConfiguration, cudaPeekAtLastError());
  CUDA_IS(cudaErrorInvalidConfiguration, cudaGetLastError());
  CUDA_IS(cudaSuccess, cudaGetLastError());
  scale<<<0, 32>>>(device, n, 1.0f);
  CUDA_IS(cudaErrorInvalidConfiguration, cudaGetLastError());
  scale<<<1, 32, 1 << 20>>>(device, n, 1.0f);
  CUDA_IS(cudaErrorInvalidValue, cudaGetLastError());
  CUDA_IS(cudaSuccess, cudaDeviceSynchronize());
  for (cudaStream_t& stream : streams) CUDA_OK(cudaStreamDestroy(stream));
  return verdict();
}
