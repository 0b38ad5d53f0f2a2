// State of the runtime: devices, threads, and how a call of the interface enters and leaves.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "softgpu/check/host_pages.hpp"
#include "softgpu/runtime/cuda_api.hpp"

namespace softgpu::cuda {

struct Stream;
struct Pool;

// Leaves a call of the interface with an error code; the message, where there is one, has been or
// will be printed on stderr.
class ApiError : public std::runtime_error {
 public:
  explicit ApiError(cudaError_t code, const std::string& message = {})
      : std::runtime_error(message), code_(code) {}
  [[nodiscard]] cudaError_t code() const noexcept { return code_; }

 private:
  cudaError_t code_;
};

// Refuses an argument; `why` is what a person reads: which one, and what it should have been.
inline void require(bool holds, cudaError_t otherwise, const char* why = "") {
  if (!holds) throw ApiError(otherwise, why);
}
inline void require(bool holds, const char* why = "") {
  if (!holds) throw ApiError(cudaErrorInvalidValue, why);
}
// Refuses null pointers among arguments, which are named as the interface names them.
template <class Pointer>
void require_pointer(const Pointer& pointer, const char* name) {
  if (pointer == nullptr) {
    throw ApiError(cudaErrorInvalidValue,
                   std::string("the argument ") + name + " is a null pointer");
  }
}

// The state of one device: CUDA's primary context. Task.hpp has the order of its work.
struct Device {
  explicit Device(int index_);
  ~Device();

  const int index;
  std::atomic<int> pending{0};  // a kernel's fault that no synchronising call has delivered yet
  std::atomic<int> sticky{0};   // delivered: every call returns it until the device is reset
  std::atomic<bool> used{false};
  std::atomic<unsigned> flags{0};
  std::mutex mutex;  // guards the members below
  std::map<cudaLimit, std::size_t> limits;
  std::set<int> peers;  // devices whose memory this one may use
  std::unique_ptr<Stream> legacy;
  Pool* pool = nullptr;  // for cudaMallocAsync
  cudaFuncCache cache = cudaFuncCachePreferNone;
};

struct CallConfiguration {
  dim3 grid;
  dim3 block;
  std::size_t shared = 0;
  cudaStream_t stream = nullptr;
};

// The state of one host thread.
struct Thread {
  int device = 0;
  cudaError_t last_error = cudaSuccess;
  std::vector<CallConfiguration> configurations;
  std::map<int, std::unique_ptr<Stream>> default_streams;  // by device
  cudaStreamCaptureMode capture_mode = cudaStreamCaptureModeGlobal;
  bool in_callback = false;  // a host function of a stream runs: it may not call CUDA
  std::uint64_t id = 0;

  Thread();
  ~Thread();
};

[[nodiscard]] Thread& thread();
[[nodiscard]] Device& device(int index);  // throws cudaErrorInvalidDevice
[[nodiscard]] Device& current_device();
// The limit as the program set it, or its default; throws cudaErrorUnsupportedLimit.
[[nodiscard]] std::size_t limit_of(Device& of, cudaLimit limit);

// Prints `text` as one line on stderr.
void complain(const std::string& text);

// SOFTGPU_LAUNCH_WAIT.
[[nodiscard]] std::chrono::duration<double> launch_wait();

// Keeps an error for cudaGetLastError, as every call does on its way out, and says why where it
// can.
cudaError_t leave(cudaError_t result, const char* why = "") noexcept;

// Gives a synchronising call what kernels have done wrong so far, and shows their printed text.
cudaError_t deliver(Device& of);

// Runs the body of a call: no exception crosses the interface.
template <class Body>
cudaError_t api(Body&& body) noexcept {
  const check::InRuntime inside;
  try {
    return leave(body());
  } catch (const ApiError& error) {
    return leave(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return leave(cudaErrorMemoryAllocation, "the host's memory is used up");
  } catch (const std::exception& error) {
    complain(std::string("internal error: ") + error.what());
    return leave(cudaErrorUnknown);
  }
}

// The body of a call that uses the current device: not from a stream's host function, and not after
// a fault.
template <class Body>
cudaError_t device_api(Body&& body) noexcept {
  return api([&]() -> cudaError_t {
    require(!thread().in_callback, cudaErrorNotPermitted,
            "a host function that a stream calls may not call CUDA");
    Device& now = current_device();
    if (const int fault = now.sticky.load(std::memory_order_relaxed); fault != 0) {
      return static_cast<cudaError_t>(fault);
    }
    return body();
  });
}

}  // namespace softgpu::cuda

// Returns the error of a function that is not implemented; its first call prints a line on stderr.
// The generated stubs call it.
extern "C" __attribute__((visibility("hidden"))) int softgpu_not_supported(const char* name);
