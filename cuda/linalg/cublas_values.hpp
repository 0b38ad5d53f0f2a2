// Types and values of cuBLAS's interface.
#pragma once

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

}  // namespace cublas

}  // namespace tandem::cuda
