// Compares the interface of the drop-in libraries with NVIDIA's headers: every declaration meets
// its counterpart here (a difference is a conflicting declaration), and so does every number. Built
// where those headers are found; there is nothing to run.
#include <cublasLt.h>
#include <cublasXt.h>
#include <cublas_v2.h>

#define SOFTGPU_BLAS_TYPES_FROM_NVIDIA
#include "softgpu/blas/api.hpp"

#define SOFTGPU_ENUM(name) static_assert(sizeof(name) == sizeof(int));
#define SOFTGPU_VALUE(name, value) static_assert(static_cast<long long>(name) == (value), #name);
#define SOFTGPU_ENUM_END(name)
#include "softgpu/blas/enumerations_cublas.def"
#include "softgpu/blas/enumerations_cublaslt.def"

static_assert(sizeof(cuComplex) == 8 && alignof(cuComplex) == 8);
static_assert(sizeof(cuDoubleComplex) == 16 && alignof(cuDoubleComplex) == 16);
static_assert(sizeof(cublasLtMatrixLayoutOpaque_t) == 64);
static_assert(sizeof(cublasLtMatmulAlgo_t) == 64);
static_assert(sizeof(cublasLtMatmulDescOpaque_t) == 256);
static_assert(sizeof(cublasLtMatrixTransformDescOpaque_t) == 64);
static_assert(sizeof(cublasLtMatmulPreferenceOpaque_t) == 64);
static_assert(sizeof(cublasLtEmulationDescOpaque_t) == 64);
static_assert(sizeof(cublasLtMatmulHeuristicResult_t) == 96);
static_assert(offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize) == 64);
static_assert(offsetof(cublasLtMatmulHeuristicResult_t, state) == 72);
static_assert(offsetof(cublasLtMatmulHeuristicResult_t, wavesCount) == 76);
static_assert(CUBLAS_VERSION / 10000 == 13, "the soname says 13");
