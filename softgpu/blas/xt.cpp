// cublasXt: level 3 on matrices in host memory, by the functions of an ordinary handle inside. The
// devices, the blocks and the share of the host are remembered and change nothing: all the work is
// the host's.
#include <type_traits>
#include <vector>

#include "softgpu/blas/api.hpp"
#include "softgpu/blas/define_api.hpp"
#include "softgpu/blas/runtime_api.hpp"

struct cublasXtContext {
  cublasHandle_t blas = nullptr;
  int block = 2048;
  cublasXtPinnedMemMode_t pinning = CUBLASXT_PINNING_DISABLED;
};

namespace softgpu::blas {
namespace {

cublasStatus_t create(cublasXtHandle_t* handle) {
  if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *handle = nullptr;
  cublasHandle_t blas = nullptr;
  if (const auto status = cublasCreate_v2(&blas); status != CUBLAS_STATUS_SUCCESS) return status;
  *handle = new (std::nothrow) cublasXtContext{blas};
  if (*handle == nullptr) {
    cublasDestroy_v2(blas);
    return CUBLAS_STATUS_ALLOC_FAILED;
  }
  register_handle(*handle);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t destroy(cublasXtHandle_t handle) {
  if (!forget_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  cublasDestroy_v2(handle->blas);
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

bool are_devices(int count, const int* devices) {
  int available = 0;
  if (count <= 0 || devices == nullptr || cudaGetDeviceCount(&available) != 0) return false;
  for (int i = 0; i < count; ++i) {
    if (devices[i] < 0 || devices[i] >= available) return false;
  }
  return true;
}

cublasStatus_t count_boards(int count, const int* devices, int* boards) {
  if (boards == nullptr || !are_devices(count, devices)) return CUBLAS_STATUS_INVALID_VALUE;
  *boards = count;  // every device is a board of its own
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t most_boards(int* boards) {
  if (boards == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  return cudaGetDeviceCount(boards) == 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_INITIALIZED;
}

cublasStatus_t select_devices(cublasXtHandle_t handle, int count, const int* devices) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  return are_devices(count, devices) ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

template <class T>
cublasStatus_t set(cublasXtHandle_t handle, T cublasXtContext::*field, T value, bool valid) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (!valid) return CUBLAS_STATUS_INVALID_VALUE;
  handle->*field = value;
  return CUBLAS_STATUS_SUCCESS;
}

template <class T>
cublasStatus_t get(cublasXtHandle_t handle, T cublasXtContext::*field, T* value) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  if (value == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
  *value = handle->*field;
  return CUBLAS_STATUS_SUCCESS;
}

bool is_routine(cublasXtBlasOp_t operation, cublasXtOpType_t type) {
  return operation >= CUBLASXT_GEMM && operation < CUBLASXT_ROUTINE_MAX && type >= CUBLASXT_FLOAT &&
         type <= CUBLASXT_DOUBLECOMPLEX;
}

cublasStatus_t set_cpu_routine(cublasXtHandle_t handle, cublasXtBlasOp_t operation,
                               cublasXtOpType_t type, const void* routine) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  return routine != nullptr && is_routine(operation, type) ? CUBLAS_STATUS_SUCCESS
                                                           : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t set_cpu_ratio(cublasXtHandle_t handle, cublasXtBlasOp_t operation,
                             cublasXtOpType_t type, float ratio) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  return ratio >= 0 && ratio <= 1 && is_routine(operation, type) ? CUBLAS_STATUS_SUCCESS
                                                                 : CUBLAS_STATUS_INVALID_VALUE;
}

template <class A>
auto as_index(A argument) {
  if constexpr (std::is_same_v<A, std::size_t>) {
    return static_cast<std::int64_t>(argument);
  } else {
    return argument;
  }
}

template <class F, class... A>
cublasStatus_t forward(cublasXtHandle_t handle, F function, A... arguments) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  const HostOperands host;
  return function(handle->blas, as_index(arguments)...);
}

// C = alpha A B + beta C with A symmetric and packed: unpacked first.
template <class F, class T>
cublasStatus_t packed_mm(cublasXtHandle_t handle, F function, cublasSideMode_t side,
                         cublasFillMode_t uplo, std::size_t m, std::size_t n, const T* alpha,
                         const T* packed, const T* b, std::size_t ldb, const T* beta, T* c,
                         std::size_t ldc) {
  if (!is_handle(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
  constexpr std::size_t kMost = std::size_t{1} << 20;
  const std::size_t order = side == CUBLAS_SIDE_LEFT ? m : n;
  if (!is_side(side) || !is_triangle(uplo) || order > kMost || packed == nullptr) {
    return CUBLAS_STATUS_INVALID_VALUE;
  }
  std::vector<T> full;
  try {
    full.resize(order * order);
  } catch (const std::exception&) {
    return CUBLAS_STATUS_ALLOC_FAILED;
  }
  const T* next = packed;
  for (std::size_t j = 0; j < order; ++j) {
    const bool upper = uplo == CUBLAS_FILL_MODE_UPPER;
    for (std::size_t i = upper ? 0 : j; i < (upper ? j + 1 : order); ++i) {
      full[i + j * order] = *next++;
    }
  }
  const std::size_t leading = order > 0 ? order : 1;
  return forward(handle, function, side, uplo, m, n, alpha, static_cast<const T*>(full.data()),
                 leading, b, ldb, beta, c, ldc);
}

}  // namespace
}  // namespace softgpu::blas

using namespace softgpu::blas;  // NOLINT: the table's expressions name what is defined above
extern "C" {
#include "softgpu/blas/api_xt.def"
}
