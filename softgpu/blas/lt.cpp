// cublasLt: products with layouts, epilogues and scales.
#include <cstdio>

#include "softgpu/blas/define_api.hpp"

namespace softgpu::blas {
std::atomic<bool> logging{false};
void log_call(const char*) {}
}  // namespace softgpu::blas

extern "C" {
__attribute__((visibility("hidden"))) int softgpu_cublaslt_unsupported(const char* name);
int softgpu_cublaslt_unsupported(const char* name) {
  std::fprintf(stderr, "softgpu: %s is not implemented by the software GPU's cublasLt\n", name);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}
}
