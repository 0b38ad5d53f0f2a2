// A CUDA runtime of the few functions that the BLAS libraries call: device memory is memory of the
// process, and a stream that captures keeps host functions for later. With it the libraries are
// tested without the executor.
#include <cstdint>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "softgpu/blas/runtime_api.hpp"

namespace {

std::map<std::uintptr_t, std::size_t>& ranges() {
  static auto* instance = new std::map<std::uintptr_t, std::size_t>;
  return *instance;
}
std::mutex mutex;

using Captured = std::vector<std::pair<void (*)(void*), void*>>;
Captured& captured() {
  static auto* instance = new Captured;
  return *instance;
}
// The stream of this address captures.
const auto kCapturing = reinterpret_cast<cudaStream_t>(std::uintptr_t{0xca90});

}  // namespace

extern "C" {

int cudaStreamIsCapturing(cudaStream_t stream, int* status) {
  *status = stream == kCapturing ? 1 : 0;
  return 0;
}
int cudaLaunchHostFunc(cudaStream_t, void (*function)(void*), void* argument) {
  captured().emplace_back(function, argument);
  return 0;
}
int cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  const std::lock_guard lock(mutex);
  const auto address = reinterpret_cast<std::uintptr_t>(pointer);
  auto next = ranges().upper_bound(address);
  *attributes = {};
  if (next != ranges().begin()) {
    --next;
    if (address < next->first + next->second) attributes->type = 2;
  }
  return 0;
}
int cudaStreamSynchronize(cudaStream_t) { return 0; }
int cudaMalloc(void** pointer, std::size_t bytes) {
  *pointer = std::aligned_alloc(256, (bytes + 255) / 256 * 256);
  const std::lock_guard lock(mutex);
  ranges()[reinterpret_cast<std::uintptr_t>(*pointer)] = bytes;
  return *pointer == nullptr ? 2 : 0;
}
int cudaFree(void* pointer) {
  const std::lock_guard lock(mutex);
  ranges().erase(reinterpret_cast<std::uintptr_t>(pointer));
  std::free(pointer);
  return 0;
}
int cudaGetDevice(int* device) { return *device = 0; }
int cudaGetDeviceCount(int* count) {
  *count = 1;
  return 0;
}
int cudaGetLastError() { return 0; }

// For the test of capture: runs what a capturing stream has kept, which stays.
void replay_captured() {
  for (const auto& [function, argument] : captured()) function(argument);
}
}
