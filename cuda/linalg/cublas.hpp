// Matrix products by NVIDIA's cuBLAS, for fast numerics. The library is loaded when the first
// product asks for it: exact numerics, the default, needs no cuBLAS on the machine.
#pragma once

#include <cuda_runtime.h>

#include <cstddef>

#include "core/linalg/gemm_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/linalg/cublas_values.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::cuda {

// One handle, for one algorithm's steps.
class Cublas {
 public:
  // Loads nothing yet.
  explicit Cublas(CudaEngine& engine) : engine_(engine) {}
  Cublas(const Cublas&) = delete;
  Cublas& operator=(const Cublas&) = delete;
  ~Cublas();

  // As GemmSteps::gemm, with m, n, k > 0. Throws DeviceError where cuBLAS is missing or fails.
  template <Real T>
  void gemm(cublas::Compute compute, Transpose transpose_a, Transpose transpose_b, Index m, Index n,
            Index k, const T* a, Index lda, const T* b, Index ldb, bool accumulate, T* c,
            Index ldc);

 private:
  void open();

  CudaEngine& engine_;
  cublas::Handle handle_ = nullptr;
  Buffer<std::byte> workspace_;
};

}  // namespace tandem::cuda
