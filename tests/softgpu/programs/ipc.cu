// Two processes share memory and events: one makes them and sends handles through a pipe, the other
// opens them, writes, and both see the same bytes. The second is this program started again, as
// CUDA permits no fork after it has begun.
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <vector>

#include "check.cuh"

constexpr int n = 1000;

__global__ void add(int* p, int count, int value) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) p[i] += value;
}
void run_add(int* p, int value) { add<<<(n + 127) / 128, 128>>>(p, n, value); }

struct Message {
  cudaIpcMemHandle_t small, large, inner;
  cudaIpcEventHandle_t to_other, to_first;
};

void send(int to, const void* bytes, std::size_t size) {
  if (write(to, bytes, size) != static_cast<ssize_t>(size)) std::exit(5);
}
void receive(int from, void* bytes, std::size_t size) {
  if (read(from, bytes, size) != static_cast<ssize_t>(size)) std::exit(6);
}

int other(int from, int to) {
  Message message;
  receive(from, &message, sizeof message);
  int *small, *large, *again;
  CUDA_OK(cudaIpcOpenMemHandle(reinterpret_cast<void**>(&small), message.small,
                               cudaIpcMemLazyEnablePeerAccess));
  CUDA_OK(cudaIpcOpenMemHandle(reinterpret_cast<void**>(&large), message.large,
                               cudaIpcMemLazyEnablePeerAccess));
  CUDA_OK(cudaIpcOpenMemHandle(reinterpret_cast<void**>(&again), message.large,
                               cudaIpcMemLazyEnablePeerAccess));
  CHECK(again == large);
  CUDA_OK(cudaIpcCloseMemHandle(again));
  cudaEvent_t mine, theirs;
  CUDA_OK(cudaIpcOpenEventHandle(&theirs, message.to_other));
  CUDA_OK(cudaIpcOpenEventHandle(&mine, message.to_first));
  CUDA_OK(cudaStreamWaitEvent(nullptr, theirs, 0));
  std::vector<int> values(n);
  CUDA_OK(cudaMemcpy(values.data(), small, n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK_AT(values[i] == i + 1, "%d: %d", i, values[i]);
  run_add(small, 10);
  run_add(large + (3 << 20), 20);
  CUDA_OK(cudaEventRecord(mine));
  // Memory that the other process has not shared cannot be accessed.
  run_add(small + 4096, 1);
  CUDA_IS(cudaErrorIllegalAddress, cudaDeviceSynchronize());
  const int failed = failures();
  send(to, &failed, sizeof failed);
  // The memory stays until the first process has looked at it.
  char last;
  receive(from, &last, 1);
  return failed;
}

int main(int argc, char** argv) {
  if (argc == 3) return other(std::atoi(argv[1]), std::atoi(argv[2]));
  int down[2], up[2];
  if (pipe(down) != 0 || pipe(up) != 0) return 1;
  const std::string from = std::to_string(down[0]), to = std::to_string(up[1]);
  const pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", argv[0], from.c_str(), to.c_str(), nullptr);
    std::exit(7);
  }
  int *small, *beside, *large;
  CUDA_OK(cudaMalloc(&small, n * sizeof(int)));
  CUDA_OK(cudaMalloc(&beside, n * sizeof(int)));
  CUDA_OK(cudaMalloc(&large, std::size_t{16} << 20));
  std::vector<int> values(n);
  for (int i = 0; i < n; ++i) values[i] = i;
  CUDA_OK(cudaMemcpy(small, values.data(), n * sizeof(int), cudaMemcpyHostToDevice));
  CUDA_OK(cudaMemset(beside, 0x33, n * sizeof(int)));
  CUDA_OK(cudaMemset(large, 0, std::size_t{16} << 20));
  cudaEvent_t to_other, to_first, plain;
  CUDA_IS(cudaErrorInvalidValue, cudaEventCreateWithFlags(&to_other, cudaEventInterprocess));
  CUDA_OK(cudaEventCreateWithFlags(&to_other, cudaEventInterprocess | cudaEventDisableTiming));
  CUDA_OK(cudaEventCreateWithFlags(&to_first, cudaEventInterprocess | cudaEventDisableTiming));
  CUDA_OK(cudaEventCreate(&plain));
  Message message;
  CUDA_IS(cudaErrorInvalidResourceHandle, cudaIpcGetEventHandle(&message.to_other, plain));
  CUDA_OK(cudaIpcGetEventHandle(&message.to_other, to_other));
  CUDA_OK(cudaIpcGetEventHandle(&message.to_first, to_first));
  CUDA_OK(cudaIpcGetMemHandle(&message.small, small));
  CUDA_OK(cudaIpcGetMemHandle(&message.large, large));
  CUDA_OK(cudaIpcGetMemHandle(&message.inner, small + 10));
  CHECK(std::memcmp(&message.small, &message.inner, sizeof message.small) == 0);
  int host;
  CUDA_IS(cudaErrorInvalidValue, cudaIpcGetMemHandle(&message.inner, &host));
  void* own = nullptr;
  CHECK(cudaIpcOpenMemHandle(&own, message.small, cudaIpcMemLazyEnablePeerAccess) != cudaSuccess);
  run_add(small, 1);
  CUDA_OK(cudaEventRecord(to_other));
  CUDA_OK(cudaEventSynchronize(to_other));
  send(down[1], &message, sizeof message);
  int failed = 1;
  receive(up[0], &failed, sizeof failed);
  CHECK(failed == 0);
  CUDA_OK(cudaEventQuery(to_first));
  CUDA_OK(cudaEventSynchronize(to_first));
  CUDA_OK(cudaMemcpy(values.data(), small, n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK_AT(values[i] == i + 11, "%d: %d", i, values[i]);
  CUDA_OK(cudaMemcpy(values.data(), large + (3 << 20), n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK_AT(values[i] == 20, "%d: %d", i, values[i]);
  CUDA_OK(cudaMemcpy(values.data(), beside, n * sizeof(int), cudaMemcpyDeviceToHost));
  for (int i = 0; i < n; ++i) CHECK(values[i] == 0x33333333);
  CUDA_OK(cudaFree(small));
  CUDA_OK(cudaFree(large));
  CUDA_OK(cudaEventDestroy(to_other));
  send(down[1], "x", 1);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  (void)cudaGetLastError();
  return verdict();
}
