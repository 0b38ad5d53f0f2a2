// Generated data sets, made where they will be used.
#include "core/data/generate_steps.hpp"
#include "cuda/core/engine.hpp"

namespace tandem::cuda {
namespace {

// x(i, j), one element per thread; consecutive threads write consecutive elements.
//
// Grid: ceil(rows·features / block) blocks of any number of threads. No shared memory. Writes each
// element once: generate_bytes(). Each element costs one or two Philox blocks and, for most kinds,
// a logarithm, a cosine and a square root in double. CPU twin: cpu/data/generate.cpp.
template <Real T>
__global__ void generate_values_kernel(GeneratedRows set, Index elements, T* __restrict__ x) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  x[e] = static_cast<T>(set.value(e / set.features, e % set.features));
}

// target(i), one row per thread. Only regression reads the row: a chain of fmas over its
// informative features, so that a warp's loads are `features` elements apart; the cache serves the
// rest of each sector to the next features.
//
// Grid: ceil(rows / block) blocks of any number of threads.
template <Real T>
__global__ void generate_targets_kernel(GeneratedRows set, Index rows,
                                        const double* __restrict__ weights, const T* __restrict__ x,
                                        T* __restrict__ target) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows) return;
  target[i] = static_cast<T>(set.target(i, x + i * set.features, weights));
}

template <Real T>
class CudaGenerate final : public GenerateSteps<T> {
 public:
  explicit CudaGenerate(Engine& engine) : engine_(cuda_engine(engine)) {}

  void generate(const GeneratedRows& set, const Buffer<double>& weights, Buffer<T>& x,
                Buffer<T>& target) override {
    const unsigned threads = engine_.block_threads(256);
    const Shape values{.grid = dim3(static_cast<unsigned>(blocks_for(x.size(), threads))),
                       .block = dim3(threads)};
    engine_.launch(generate_values_kernel<T>, values, set, x.size(), x.data());
    const Shape targets{.grid = dim3(static_cast<unsigned>(blocks_for(target.size(), threads))),
                        .block = dim3(threads)};
    engine_.launch(generate_targets_kernel<T>, targets, set, target.size(), weights.data(),
                   x.data(), target.data());
  }

 private:
  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_generate_float32(tandem::Engine& engine) {
  return static_cast<tandem::GenerateSteps<float>*>(new tandem::cuda::CudaGenerate<float>(engine));
}
void* tandem_cuda_generate_float64(tandem::Engine& engine) {
  return static_cast<tandem::GenerateSteps<double>*>(
      new tandem::cuda::CudaGenerate<double>(engine));
}
}
