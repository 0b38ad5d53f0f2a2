// Aᵀ·B on the GPU as a sum over rows by micro-batches (GemmSteps::row_products in exact numerics).
#pragma once

#include "cuda/core/engine.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::cuda {

template <Real T>
class RowProducts {
 public:
  explicit RowProducts(CudaEngine& engine) : engine_(engine) {}
  // Enqueues. Sizes of 0 are allowed.
  void run(Index m, Index n, Index rows, const T* a, Index lda, const T* b, Index ldb, T* c,
           Index ldc);

 private:
  CudaEngine& engine_;
  Buffer<T> nodes_;
};

}  // namespace tandem::cuda
