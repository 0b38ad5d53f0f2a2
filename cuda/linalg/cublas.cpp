#include "cuda/linalg/cublas.hpp"

#include <algorithm>
#include <cstddef>
#include <string>

#include "cuda/linalg/shared_library.hpp"
#include "tandem/core/error.hpp"

namespace tandem::cuda {
namespace {

using cublas::Handle;

// The functions that are used, in libcublas.so.13.
struct Library {
  int (*create)(Handle*) = nullptr;
  int (*destroy)(Handle) = nullptr;
  int (*set_stream)(Handle, cudaStream_t) = nullptr;
  int (*set_workspace)(Handle, void*, std::size_t) = nullptr;
  const char* (*status_string)(int) = nullptr;
  int (*gemm)(Handle, cublas::Operation, cublas::Operation, std::int64_t m, std::int64_t n,
              std::int64_t k, const void* alpha, const void* a, cudaDataType a_type,
              std::int64_t lda, const void* b, cudaDataType b_type, std::int64_t ldb,
              const void* beta, void* c, cudaDataType c_type, std::int64_t ldc, cublas::Compute,
              int algorithm) = nullptr;
};

Library load() {
  const SharedLibrary shared("libcublas.so.13");
  Library library;
  shared.find("cublasCreate_v2", library.create);
  shared.find("cublasDestroy_v2", library.destroy);
  shared.find("cublasSetStream_v2", library.set_stream);
  shared.find("cublasSetWorkspace_v2", library.set_workspace);
  shared.find("cublasGetStatusString", library.status_string);
  shared.find("cublasGemmEx_64", library.gemm);
  return library;
}

// Loaded once for the process; a failure is tried again.
const Library& library() {
  static const Library loaded = load();
  return loaded;
}

void check_cublas(int status, const std::string& what) {
  if (status == cublas::success) return;
  throw DeviceError("cuBLAS: " + what + " failed: " + library().status_string(status) +
                    " (status " + std::to_string(status) + ")");
}

cublas::Operation operation(Transpose transpose) {
  return transpose == Transpose::no ? cublas::Operation::as_stored : cublas::Operation::transposed;
}

}  // namespace

Cublas::~Cublas() {
  if (handle_ == nullptr) return;
  // Work under way may use the workspace, whose memory is given back in the order of the stream.
  (void)library().destroy(handle_);
}

void Cublas::open() {
  if (handle_ != nullptr) return;
  const Library& functions = library();
  Handle handle = nullptr;
  check_cublas(functions.create(&handle), "creating a handle");
  handle_ = handle;
  // Explicit, so that nothing is allocated behind the engine's back. NVIDIA advises 4 MiB, from
  // compute capability 9.0 on 32 MiB (cuBLAS guide, cublasSetWorkspace); less where memory is
  // short.
  const std::size_t advised = std::size_t{engine_.properties().major >= 9 ? 32U : 4U} << 20;
  const std::size_t bytes = std::min(advised, engine_.free_memory() / 8);
  workspace_ = Buffer<std::byte>(engine_, static_cast<Index>(bytes));
  // In this order: setting the stream resets the workspace.
  check_cublas(functions.set_stream(handle_, engine_.stream()), "setting the stream");
  check_cublas(functions.set_workspace(handle_, workspace_.data(), bytes), "setting the workspace");
}

template <Real T>
void Cublas::gemm(cublas::Compute compute, Transpose transpose_a, Transpose transpose_b, Index m,
                  Index n, Index k, const T* a, Index lda, const T* b, Index ldb, bool accumulate,
                  T* c, Index ldc) {
  // A graph of kernels cannot hold what a library launches.
  engine_.enqueue_directly();
  engine_.before_library_call("cublasGemmEx");
  open();
  constexpr cudaDataType type = sizeof(T) == 4 ? CUDA_R_32F : CUDA_R_64F;
  const T alpha = 1;
  const T beta = accumulate ? T{1} : T{0};
  // cuBLAS's matrices are column-major: what is stored here row by row is the transposed matrix
  // there, and Cᵀ = op(B)ᵀ·op(A)ᵀ.
  const int status = library().gemm(handle_, operation(transpose_b), operation(transpose_a), n, m,
                                    k, &alpha, b, type, ldb, a, type, lda, &beta, c, type, ldc,
                                    compute, cublas::default_algorithm);
  check_cublas(status, "a product of " + std::to_string(m) + " by " + std::to_string(k) + " by " +
                           std::to_string(n));
  engine_.after_library_call("cublasGemmEx");
}

template void Cublas::gemm(cublas::Compute, Transpose, Transpose, Index, Index, Index, const float*,
                           Index, const float*, Index, bool, float*, Index);
template void Cublas::gemm(cublas::Compute, Transpose, Transpose, Index, Index, Index,
                           const double*, Index, const double*, Index, bool, double*, Index);

}  // namespace tandem::cuda
