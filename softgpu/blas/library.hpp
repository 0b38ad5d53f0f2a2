// Shared by all entry points of the drop-in BLAS libraries: handles, checks of arguments, the
// order of a stream, faults, logging.
//
// A call computes on the pointers it is given: the software GPU's device addresses are host
// addresses. Work runs at once, since the software GPU has finished all earlier work of the stream
// when a call returns; where the stream is being captured, it becomes a host function of the graph.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <utility>

#include "softgpu/blas/numbers.hpp"
#include "softgpu/blas/types.hpp"

// Behind a cublasHandle_t. A cublasLt call may be given one of these in place of its own handle.
struct cublasContext {
  cudaStream_t stream = nullptr;
  int device = 0;
  cublasPointerMode_t pointer_mode = CUBLAS_POINTER_MODE_HOST;
  cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
  std::uint32_t math = CUBLAS_DEFAULT_MATH;  // cublasMath_t and the flag 16 of it
  int sm_count_target = 0;
  void* workspace = nullptr;
  std::size_t workspace_bytes = 0;
  cublasEmulationStrategy_t emulation_strategy = CUBLAS_EMULATION_STRATEGY_DEFAULT;
  std::uint32_t special_values = CUDA_EMULATION_SPECIAL_VALUES_SUPPORT_DEFAULT;
  cudaEmulationMantissaControl mantissa_control = CUDA_EMULATION_MANTISSA_CONTROL_DYNAMIC;
  int mantissa_bits = 0;
  int mantissa_offset = 0;
  int* mantissa_bits_pointer = nullptr;
};

namespace softgpu::blas {

// The version that NVIDIA's library of the same soname reports: major * 10000 + minor * 100.
inline constexpr int kVersion = 130100;

// Handles that exist; a call with any other is CUBLAS_STATUS_NOT_INITIALIZED.
void register_handle(const void* handle);
[[nodiscard]] bool forget_handle(const void* handle);  // false: there was none
[[nodiscard]] bool is_handle(const void* handle);

void log_call(const char* function);
extern std::atomic<bool> logging;

// A range of device memory that a call reads or writes.
struct Region {
  const char* name;
  const void* begin;
  std::size_t bytes;
};

// True where both ends of the range lie in memory that the device can reach; where not, says so on
// stderr (as the device would fault).
[[nodiscard]] bool reachable(const char* function, const Region& region);

// While one lives, calls of this thread take operands in any memory of the process.
class HostOperands {
 public:
  HostOperands();
  ~HostOperands();
  HostOperands(const HostOperands&) = delete;
  HostOperands& operator=(const HostOperands&) = delete;
};

template <class... R>
[[nodiscard]] bool all_reachable(const char* function, const R&... regions) {
  return (reachable(function, regions) && ...);
}

// Sizes are computed in 128 bits and end here: no memory is that large, so nothing that can be
// reached is cut off, and nothing wraps around to look small.
__extension__ using Wide = __int128;
inline constexpr std::size_t kLargestSize = std::size_t{1} << 60;
inline std::size_t saturated_size(Wide elements, std::size_t element) {
  if (elements <= 0) return 0;
  if (elements > static_cast<Wide>(kLargestSize / 16)) return kLargestSize;
  return static_cast<std::size_t>(elements) * element;
}

// Bytes from the first element to behind the last; 0 for nothing.
inline std::size_t vector_bytes(std::int64_t n, std::int64_t increment, std::size_t element) {
  if (n <= 0) return 0;
  const Wide step = increment < 0 ? -static_cast<Wide>(increment) : static_cast<Wide>(increment);
  return saturated_size(static_cast<Wide>(n - 1) * step + 1, element);
}
inline std::size_t matrix_bytes(std::int64_t rows, std::int64_t columns, std::int64_t leading,
                                std::size_t element) {
  if (rows <= 0 || columns <= 0) return 0;
  return saturated_size(static_cast<Wide>(columns - 1) * leading + rows, element);
}

// Runs work now, or puts it into the graph that captures the stream. The work's status is the
// call's, or, in a graph, is reported on stderr.
cublasStatus_t submit_to(cudaStream_t stream, const char* function,
                         std::function<cublasStatus_t()> work);

// An argument that is read when the work runs: by value in host pointer mode, by address in device
// pointer mode.
template <class T>
class Scalar {
 public:
  Scalar() = default;
  Scalar(const void* pointer, bool on_device) : pointer_(on_device ? pointer : nullptr) {
    if (!on_device) std::memcpy(&value_, pointer, sizeof(T));
  }
  [[nodiscard]] T get() const {
    if (pointer_ == nullptr) return value_;
    T value;
    std::memcpy(&value, pointer_, sizeof(T));
    return value;
  }
  [[nodiscard]] bool reachable_by(const char* function, const char* name) const {
    return pointer_ == nullptr || reachable(function, Region{name, pointer_, sizeof(T)});
  }

 private:
  const void* pointer_ = nullptr;
  T value_{};
};

// One call of the handle's interface: `Call call(handle, "cublasSaxpy_v2"); if (!call) return
// call.status();`.
class Call {
 public:
  Call(cublasHandle_t handle, const char* function) : handle_(handle), function_(function) {
    if (logging.load(std::memory_order_relaxed)) log_call(function);
    valid_ = is_handle(handle);
  }
  explicit operator bool() const { return valid_; }
  [[nodiscard]] static cublasStatus_t status() { return CUBLAS_STATUS_NOT_INITIALIZED; }
  [[nodiscard]] bool on_device() const {
    return handle_->pointer_mode == CUBLAS_POINTER_MODE_DEVICE;
  }
  [[nodiscard]] const char* function() const { return function_; }
  [[nodiscard]] cublasContext& context() const { return *handle_; }
  template <class T>
  [[nodiscard]] Scalar<T> scalar(const void* pointer) const {
    return Scalar<T>(pointer, on_device());
  }
  template <class Work>
  [[nodiscard]] cublasStatus_t submit(Work&& work) const {
    return submit_to(handle_->stream, function_, std::forward<Work>(work));
  }

 private:
  cublasHandle_t handle_;
  const char* function_;
  bool valid_ = false;
};

// --- checks of arguments ------------------------------------------------------------------------

inline bool is_operation(cublasOperation_t op) {
  return op == CUBLAS_OP_N || op == CUBLAS_OP_T || op == CUBLAS_OP_C;
}
inline bool is_triangle(cublasFillMode_t uplo) {
  return uplo == CUBLAS_FILL_MODE_LOWER || uplo == CUBLAS_FILL_MODE_UPPER;
}
inline bool is_diagonal(cublasDiagType_t diag) {
  return diag == CUBLAS_DIAG_NON_UNIT || diag == CUBLAS_DIAG_UNIT;
}
inline bool is_side(cublasSideMode_t side) {
  return side == CUBLAS_SIDE_LEFT || side == CUBLAS_SIDE_RIGHT;
}
inline std::int64_t at_least_one(std::int64_t n) { return n > 1 ? n : 1; }

// --- threads ------------------------------------------------------------------------------------

// Threads for work of so many multiply-adds (or elements moved): one for what takes less than tens
// of microseconds, all of the process's cores for what is large.
[[nodiscard]] int threads_for(double operations);

// Calls body(part) for every part, on up to `threads` threads. What a body throws, the caller gets.
void parallel_parts(std::int64_t parts, int threads, const std::function<void(std::int64_t)>& body);

// Calls body(first, last) on parts of [0, n) on up to `threads` threads.
void parallel_for(std::int64_t n, int threads,
                  const std::function<void(std::int64_t, std::int64_t)>& body);

}  // namespace softgpu::blas
