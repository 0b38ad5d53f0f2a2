// Products by NVIDIA's cuBLASLt with what a layer of a network does to them, in one pass over the
// result: for fast numerics. Loaded when it is first asked for, as cuBLAS is.
#pragma once

#include <cuda_runtime.h>

#include <compare>
#include <map>
#include <memory>

#include "core/linalg/gemm_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/linalg/cublas_values.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::cuda {

// A product of floats of row-major matrices without gaps: C (m×n) = op(A)·op(B), then the epilogue.
struct FusedProduct {
  cublas::Epilogue epilogue;
  cublas::Compute compute;
  Transpose transpose_a;
  Transpose transpose_b;
  Index m, n, k;

  friend auto operator<=>(const FusedProduct&, const FusedProduct&) = default;
};

class CublasLt {
 public:
  // Loads nothing yet.
  explicit CublasLt(CudaEngine& engine);
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;
  ~CublasLt();

  // True where cuBLASLt has an algorithm for it. Answers are kept. Throws DeviceError where
  // cuBLASLt is missing.
  [[nodiscard]] bool has(const FusedProduct& product);
  // Requires has(product). All of the operands begin at multiples of 16 bytes. `bias` is read by
  // the forward epilogues and written by the gradient's; the mask is written and read.
  void run(const FusedProduct& product, const float* a, const float* b, const float* bias,
           const void* mask, float* c);

  // A bit per output, rows of whole 128 bits.
  [[nodiscard]] static Index mask_ld(Index n) { return (n + 127) / 128 * 128; }

 private:
  struct Plan;

  void open();
  Plan& plan(const FusedProduct& product);

  CudaEngine& engine_;
  void* handle_ = nullptr;  // cublasLtHandle_t
  Buffer<std::byte> workspace_;
  std::map<FusedProduct, std::unique_ptr<Plan>> plans_;
};

}  // namespace tandem::cuda
