// The interface of before cuBLAS 4, over today's.
#include <mutex>

#include "softgpu/blas/api.hpp"
#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/runtime_api.hpp"

namespace softgpu::blas {
namespace {

struct Process {
  std::mutex mutex;
  cublasHandle_t handle = nullptr;
  cublasStatus_t error = CUBLAS_STATUS_SUCCESS;
};

Process& process() {
  static auto* instance = new Process;
  return *instance;
}

cublasStatus_t remember(cublasStatus_t status) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    const std::lock_guard lock(process().mutex);
    process().error = status;
  }
  return status;
}

cublasStatus_t initialise() {
  const std::lock_guard lock(process().mutex);
  if (process().handle != nullptr) return CUBLAS_STATUS_SUCCESS;
  return cublasCreate_v2(&process().handle);
}

cublasStatus_t shut_down() {
  const std::lock_guard lock(process().mutex);
  if (process().handle == nullptr) return CUBLAS_STATUS_NOT_INITIALIZED;
  const cublasStatus_t status = cublasDestroy_v2(process().handle);
  process().handle = nullptr;
  return status;
}

cublasStatus_t take_error() {
  const std::lock_guard lock(process().mutex);
  const cublasStatus_t error = process().error;
  process().error = CUBLAS_STATUS_SUCCESS;
  return error;
}

// The process's handle; a call before cublasInit makes it, as old programs expect.
cublasHandle_t current() {
  initialise();
  const std::lock_guard lock(process().mutex);
  return process().handle;
}

cublasStatus_t get_version(int* version) { return cublasGetVersion_v2(current(), version); }

cublasStatus_t allocate(int n, int element, void** pointer) {
  if (n <= 0 || element <= 0 || pointer == nullptr) return remember(CUBLAS_STATUS_INVALID_VALUE);
  const auto bytes = static_cast<std::size_t>(n) * static_cast<std::size_t>(element);
  return remember(cudaMalloc(pointer, bytes) == 0 ? CUBLAS_STATUS_SUCCESS
                                                  : CUBLAS_STATUS_ALLOC_FAILED);
}

cublasStatus_t release(void* pointer) {
  return remember(cudaFree(pointer) == 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INTERNAL_ERROR);
}

cublasStatus_t set_stream(cudaStream_t stream) {
  return remember(cublasSetStream_v2(current(), stream));
}

// Letters of either case; others give a value that the checks refuse.
char upper_case(char letter) {
  return letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
}
cublasOperation_t operation(char letter) {
  switch (upper_case(letter)) {
    case 'N': return CUBLAS_OP_N;
    case 'T': return CUBLAS_OP_T;
    case 'C': return CUBLAS_OP_C;
    default: return CUBLAS_OP_CONJG;
  }
}
cublasFillMode_t triangle(char letter) {
  switch (upper_case(letter)) {
    case 'U': return CUBLAS_FILL_MODE_UPPER;
    case 'L': return CUBLAS_FILL_MODE_LOWER;
    default: return CUBLAS_FILL_MODE_FULL;
  }
}
cublasDiagType_t diagonal(char letter) {
  switch (upper_case(letter)) {
    case 'N': return CUBLAS_DIAG_NON_UNIT;
    case 'U': return CUBLAS_DIAG_UNIT;
    default: return static_cast<cublasDiagType_t>(-1);
  }
}
cublasSideMode_t left_or_right(char letter) {
  switch (upper_case(letter)) {
    case 'L': return CUBLAS_SIDE_LEFT;
    case 'R': return CUBLAS_SIDE_RIGHT;
    default: return static_cast<cublasSideMode_t>(-1);
  }
}

template <class F, class... A>
void run(F function, A... arguments) {
  remember(function(current(), arguments...));
}

template <class R, class F, class... A>
R result_of(F function, A... arguments) {
  R result{};
  remember(function(current(), arguments..., &result));
  return result;
}

}  // namespace
}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_legacy.def"
}
