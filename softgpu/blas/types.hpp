// The types of the cuBLAS and cublasLt interfaces, with the layouts that compiled programs hold.
//
// Written here so that a machine without the CUDA toolkit builds the drop-in libraries. A test
// compares every number and layout with NVIDIA's headers where they are present; it defines
// SOFTGPU_BLAS_TYPES_FROM_NVIDIA and includes those first, so that api.hpp's declarations meet
// NVIDIA's in one translation unit and any difference is an error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>

#ifndef SOFTGPU_BLAS_TYPES_FROM_NVIDIA

#define SOFTGPU_ENUM(name) enum name : int {
#define SOFTGPU_VALUE(name, value) name = value,
#define SOFTGPU_ENUM_END(name) \
  }                            \
  ;
#include "softgpu/blas/enumerations_cublas.def"
#include "softgpu/blas/enumerations_cublaslt.def"
#undef SOFTGPU_ENUM
#undef SOFTGPU_VALUE
#undef SOFTGPU_ENUM_END

using cudaDataType_t = cudaDataType;

struct alignas(8) cuComplex {
  float x, y;
};
struct alignas(16) cuDoubleComplex {
  double x, y;
};
// Half precision numbers cross the interface behind pointers only.
struct __half;
struct __nv_bfloat16;

using cudaStream_t = struct CUstream_st*;
using cublasHandle_t = struct cublasContext*;
using cublasXtHandle_t = struct cublasXtContext*;
using cublasLtHandle_t = struct cublasLtContext*;
using cublasLogCallback = void (*)(const char* message);
using cublasLtLoggerCallback_t = void (*)(int level, const char* function, const char* message);

struct cublasLtMatrixLayoutOpaque_t {
  std::uint64_t data[8];
};
struct cublasLtMatmulAlgo_t {
  std::uint64_t data[8];
};
struct cublasLtMatmulDescOpaque_t {
  std::uint64_t data[32];
};
struct cublasLtMatrixTransformDescOpaque_t {
  std::uint64_t data[8];
};
struct cublasLtMatmulPreferenceOpaque_t {
  std::uint64_t data[8];
};
struct cublasLtEmulationDescOpaque_t {
  std::uint64_t data[8];
};
using cublasLtMatrixLayout_t = cublasLtMatrixLayoutOpaque_t*;
using cublasLtMatmulDesc_t = cublasLtMatmulDescOpaque_t*;
using cublasLtMatrixTransformDesc_t = cublasLtMatrixTransformDescOpaque_t*;
using cublasLtMatmulPreference_t = cublasLtMatmulPreferenceOpaque_t*;
using cublasLtEmulationDesc_t = cublasLtEmulationDescOpaque_t*;

struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  std::size_t workspaceSize;
  cublasStatus_t state;
  float wavesCount;
  int reserved[4];
};

#endif  // SOFTGPU_BLAS_TYPES_FROM_NVIDIA
