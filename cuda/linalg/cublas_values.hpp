// Types and values of cuBLAS's interface.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem::cuda {

// The part of cuBLAS's interface that is used here, so that building needs no headers of it. The
// values are those of cublas_api.h and cublasLt.h of CUDA 13 (documented in the cuBLAS guide);
// tests/linalg/gemm_cuda_test.cpp compares them with the software GPU's, which are compared with
// NVIDIA's headers.
namespace cublas {

using Handle = struct cublasContext*;
inline constexpr int success = 0;                              // CUBLAS_STATUS_SUCCESS
enum class Operation : int { as_stored = 0, transposed = 1 };  // CUBLAS_OP_N, CUBLAS_OP_T
// CUBLAS_COMPUTE_32F, _64F, _32F_FAST_16BF, _32F_FAST_TF32
enum class Compute : int { float32 = 68, float64 = 70, bfloat16 = 75, tf32 = 77 };
inline constexpr int default_algorithm = -1;  // CUBLAS_GEMM_DEFAULT

// cublasLtEpilogue_t: CUBLASLT_EPILOGUE_RELU_BIAS, _RELU_AUX_BIAS, _DRELU_BGRAD
enum class Epilogue : int { relu = 6, relu_with_mask = 134, relu_gradient = 152 };
// cublasLtMatmulDescAttributes_t: CUBLASLT_MATMUL_DESC_TRANSA and so on
enum class Attribute : int {
  transpose_a = 3,
  transpose_b = 4,
  epilogue = 7,
  bias = 8,
  mask = 11,     // _EPILOGUE_AUX_POINTER
  mask_ld = 12,  // _EPILOGUE_AUX_LD
};
// cublasLtMatmulPreferenceAttributes_t
enum class Preference : int {
  workspace_bytes = 1,  // CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES
  alignment_a = 5,      // _MIN_ALIGNMENT_A_BYTES
  alignment_b = 6,
  alignment_c = 7,
  alignment_d = 8,
};
// cublasLtMatmulAlgo_t and cublasLtMatmulHeuristicResult_t
struct Algorithm {
  std::uint64_t data[8];
};
struct HeuristicResult {
  Algorithm algorithm;
  std::size_t workspace_bytes;
  int state;
  float waves;
  int reserved[4];
};

}  // namespace cublas

}  // namespace tandem::cuda
