// cuBLAS: handles, modes, copies between host and device, logging.
#include <cstdio>
#include <mutex>
#include <string>

#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/runtime_api.hpp"
#include "softgpu/blas/status.hpp"

// Functions of libcublasLt.so.13, which has to know all handles: it accepts a cublasHandle_t as its
// own.
extern "C" int cublasLtCtxInit(const void* handle);
extern "C" int cublasLtShutdownCtx(const void* handle);

namespace softgpu::blas {

std::atomic<bool> logging{false};

namespace {

constexpr std::size_t kRuntimeVersion = 13000;

struct Logger {
  std::mutex mutex;
  bool to_stdout = false;
  bool to_stderr = false;
  std::FILE* file = nullptr;
  cublasLogCallback callback = nullptr;
  bool on = false;
};

// Never destroyed: calls may come from a program's own destructors.
Logger& logger() {
  static auto* instance = new Logger;
  return *instance;
}

void update_logging() {
  const Logger& log = logger();
  logging = log.callback != nullptr ||
            (log.on && (log.to_stdout || log.to_stderr || log.file != nullptr));
}

cublasStatus_t configure_logger(bool on, bool to_stdout, bool to_stderr, const char* file) {
  Logger& log = logger();
  const std::lock_guard lock(log.mutex);
  if (log.file != nullptr) std::fclose(log.file);
  log.file = nullptr;
  log.on = on;
  log.to_stdout = to_stdout;
  log.to_stderr = to_stderr;
  if (on && file != nullptr) {
    log.file = std::fopen(file, "a");
    if (log.file == nullptr) {
      std::fprintf(stderr, "softgpu: cublasLoggerConfigure: cannot write to '%s'\n", file);
      update_logging();
      return CUBLAS_STATUS_INVALID_VALUE;
    }
  }
  update_logging();
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_logger_callback(cublasLogCallback callback) {
  const std::lock_guard lock(logger().mutex);
  logger().callback = callback;
  update_logging();
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t get_logger_callback(cublasLogCallback* callback) {
  if (callback == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  const std::lock_guard lock(logger().mutex);
  *callback = logger().callback;
  return CUBLAS_STATUS_SUCCESS;
}

void report_argument(const char* routine, int argument) {
  std::fprintf(stderr, "softgpu: %s: argument %d has a value that is not allowed\n",
               routine == nullptr ? "(unnamed routine)" : routine, argument);
}

cublasStatus_t create(const char* function, cublasHandle_t* handle) {
  if (logging) log_call(function);
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = nullptr;
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != 0 || devices == 0) return CUBLAS_STATUS_NOT_INITIALIZED;
  auto* context = new (std::nothrow) cublasContext;
  if (context == nullptr) return CUBLAS_STATUS_ALLOC_FAILED;
  if (cudaGetDevice(&context->device) != 0) {
    delete context;
    return CUBLAS_STATUS_NOT_INITIALIZED;
  }
  register_handle(context);
  cublasLtCtxInit(context);
  *handle = context;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t destroy(const char* function, cublasHandle_t handle) {
  if (logging) log_call(function);
  if (!forget_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  cublasLtShutdownCtx(handle);
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

// The one query that a null handle may make.
cublasStatus_t get_version(const Call& call, cublasHandle_t handle, int* version) {
  if (handle != nullptr && !call) return call.status();
  if (version == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *version = kVersion;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_workspace(const Call& call, void* workspace, std::size_t bytes) {
  if (!call) return call.status();
  // Kept for symmetry: work on the CPU takes its buffers from the host's memory.
  if (reinterpret_cast<std::uintptr_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  call.context().workspace = workspace;
  call.context().workspace_bytes = bytes;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t set_stream(const Call& call, cudaStream_t stream) {
  if (!call) return call.status();
  call.context().stream = stream;
  // cuBLAS forgets a workspace of the user's when the stream changes.
  call.context().workspace = nullptr;
  call.context().workspace_bytes = 0;
  return CUBLAS_STATUS_SUCCESS;
}

bool is_math_mode(cublasMath_t mode) {
  const unsigned base =
      static_cast<unsigned>(mode) & ~unsigned{CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION};
  return base <= CUBLAS_FP32_EMULATED_BF16X9_MATH || base == CUBLAS_FP64_EMULATED_FIXEDPOINT_MATH;
}

template <class T, class F>
cublasStatus_t get(const Call& call, T* value, F cublasContext::*field) {
  if (!call) return call.status();
  if (value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *value = static_cast<T>(call.context().*field);
  return CUBLAS_STATUS_SUCCESS;
}

template <class T, class F>
cublasStatus_t set(const Call& call, T value, F cublasContext::*field, bool valid) {
  if (!call) return call.status();
  if (!valid) return CUBLAS_STATUS_INVALID_VALUE;
  call.context().*field = static_cast<F>(value);
  return CUBLAS_STATUS_SUCCESS;
}

// The device's memory is the host's: both directions are one copy. The synchronous calls wait for
// the device as a cudaMemcpy does.
struct Copy {
  const char* function;
  bool to_device, synchronous;
  cudaStream_t stream;
};

cublasStatus_t copy_matrix(const Copy& copy, std::int64_t rows, std::int64_t columns,
                           std::int64_t element, const void* a, std::int64_t lda, void* b,
                           std::int64_t ldb) {
  if (rows < 0 || columns < 0 || element <= 0 || lda <= 0 || ldb <= 0 || lda < rows || ldb < rows) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  if (rows == 0 || columns == 0) return CUBLAS_STATUS_SUCCESS;
  if (copy.synchronous && cudaStreamSynchronize(copy.stream) != 0) {
    return CUBLAS_STATUS_MAPPING_ERROR;
  }
  const auto work = [=] {
    const auto size = static_cast<std::size_t>(element);
    const Region from{"the source", a, matrix_bytes(rows, columns, lda, size)};
    const Region to{"the target", b, matrix_bytes(rows, columns, ldb, size)};
    const bool device = reachable(copy.function, copy.to_device ? to : from);
    const HostOperands host;
    if (!device || !reachable(copy.function, copy.to_device ? from : to)) {
      return CUBLAS_STATUS_MAPPING_ERROR;
    }
    const auto bytes = static_cast<std::size_t>(rows * element);
    for (std::int64_t j = 0; j < columns; ++j) {
      std::memcpy(static_cast<char*>(b) + j * ldb * element,
                  static_cast<const char*>(a) + j * lda * element, bytes);
    }
    return CUBLAS_STATUS_SUCCESS;
  };
  return copy.synchronous ? work() : submit_to(copy.stream, copy.function, work);
}

cublasStatus_t copy_vector(const Copy& copy, std::int64_t n, std::int64_t element, const void* x,
                           std::int64_t incx, void* y, std::int64_t incy) {
  if (n < 0 || element <= 0 || incx <= 0 || incy <= 0) return CUBLAS_STATUS_INVALID_VALUE;
  return copy_matrix(copy, n == 0 ? 0 : 1, n, element, x, incx, y, incy);
}

}  // namespace

void log_call(const char* function) {
  Logger& log = logger();
  const std::lock_guard lock(log.mutex);
  const std::string line = std::string("softgpu cuBLAS: ") + function + "\n";
  if (log.callback != nullptr) log.callback(line.c_str());
  if (!log.on) return;
  if (log.to_stdout) std::fputs(line.c_str(), stdout);
  if (log.to_stderr) std::fputs(line.c_str(), stderr);
  if (log.file != nullptr) {
    std::fputs(line.c_str(), log.file);
    std::fflush(log.file);
  }
}

}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_helper.def"

__attribute__((visibility("hidden"))) int softgpu_cublas_unsupported(const char* name);
int softgpu_cublas_unsupported(const char* name) {
  std::fprintf(stderr, "softgpu: %s is not implemented by the software GPU's cuBLAS\n", name);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}
}
