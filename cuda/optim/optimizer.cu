// The optimisers' update on the GPU.
#include "core/optim/optimizer_steps.hpp"
#include "core/steps.hpp"
#include "cuda/core/engine.hpp"
#include "tandem/core/math.hpp"

namespace tandem::cuda {
namespace {

// OptimizerUpdate with every scalar rounded to T.
template <Real T>
struct UpdateScalars {
  explicit UpdateScalars(const OptimizerUpdate& u)
      : minus_rate(static_cast<T>(-u.rate)),
        momentum(static_cast<T>(u.momentum)),
        beta1(static_cast<T>(u.beta1)),
        one_minus_beta1(static_cast<T>(u.one_minus_beta1)),
        beta2(static_cast<T>(u.beta2)),
        one_minus_beta2(static_cast<T>(u.one_minus_beta2)),
        epsilon(static_cast<T>(u.epsilon)),
        minus_first_rate(static_cast<T>(-u.first_rate)),
        second_scale(static_cast<T>(u.second_scale)),
        minus_decay(static_cast<T>(-u.decay)),
        l2(static_cast<T>(u.l2)),
        threshold(static_cast<T>(u.threshold)),
        use_l2(u.l2 != 0),
        use_l1(u.threshold != 0),
        use_decay(u.decay != 0),
        penalised_begin(u.penalised_begin),
        penalised_end(u.penalised_end) {}

  T minus_rate, momentum, beta1, one_minus_beta1, beta2, one_minus_beta2, epsilon, minus_first_rate,
      second_scale, minus_decay, l2, threshold;
  bool use_l2, use_l1, use_decay;
  Index penalised_begin, penalised_end;
};

constexpr bool has_first(OptimizerMethod method) {
  return method != OptimizerMethod::gradient_descent && method != OptimizerMethod::rmsprop;
}
constexpr bool has_second(OptimizerMethod method) {
  return method == OptimizerMethod::rmsprop || method == OptimizerMethod::adam ||
         method == OptimizerMethod::adamw;
}

// One parameter per thread, in one pass. No shared memory, no synchronisation.
//
// Grid: ceil(size / block) blocks of any number of threads. Bytes and flops: optimizer_cost() in
// core/optim/optimizer_steps.hpp; bound by memory. Every operation rounds once, in the order that
// OptimizerUpdate documents. CPU twin: UpdateVector in cpu/optim/optimizer.cpp.
template <OptimizerMethod method, Real T>
__global__ void optimizer_update_kernel(UpdateScalars<T> u, Index size,
                                        const T* __restrict__ gradient, T* __restrict__ parameters,
                                        T* __restrict__ first, T* __restrict__ second) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= size) return;
  const bool penalised = i >= u.penalised_begin && i < u.penalised_end;
  T w = parameters[i];
  T g = gradient[i];
  T m = 0;
  T s = 0;
  if constexpr (has_first(method)) m = first[i];
  if constexpr (has_second(method)) s = second[i];
  if (penalised && u.use_l2) g = math::fma(u.l2, w, g);
  T divisor = 0;
  if constexpr (method == OptimizerMethod::gradient_descent) {
    w = math::fma(u.minus_rate, g, w);
  } else if constexpr (method == OptimizerMethod::momentum) {
    m = math::fma(u.momentum, m, g);
    w = math::fma(u.minus_rate, m, w);
  } else if constexpr (method == OptimizerMethod::nesterov) {
    m = math::fma(u.momentum, m, g);
    w = math::fma(u.minus_rate, math::fma(u.momentum, m, g), w);
  } else if constexpr (method == OptimizerMethod::rmsprop) {
    s = math::fma(u.beta2, s, u.one_minus_beta2 * (g * g));
    divisor = math::sqrt(s) + u.epsilon;
    w = math::fma(u.minus_rate, g / divisor, w);
  } else {
    m = math::fma(u.beta1, m, u.one_minus_beta1 * g);
    s = math::fma(u.beta2, s, u.one_minus_beta2 * (g * g));
    divisor = math::fma(math::sqrt(s), u.second_scale, u.epsilon);
    if (penalised && u.use_decay) w = math::fma(u.minus_decay, w, w);
    w = math::fma(u.minus_first_rate, m / divisor, w);
  }
  if (penalised && u.use_l1) {
    T threshold = u.threshold;
    if constexpr (has_second(method)) threshold = threshold / divisor;
    const T shrunk = std::fabs(w) - threshold;
    // Zero only where the comparison holds, so that a NaN stays a NaN.
    w = shrunk <= 0 ? T{0} : std::copysign(shrunk, w);
  }
  parameters[i] = w;
  if constexpr (has_first(method)) first[i] = m;
  if constexpr (has_second(method)) second[i] = s;
}

template <Real T>
class CudaOptimizer final : public OptimizerSteps<T> {
 public:
  explicit CudaOptimizer(Engine& engine) : engine_(cuda_engine(engine)) {}

  void update(const OptimizerUpdate& u, const Buffer<T>& gradient, Buffer<T>& parameters,
              Buffer<T>& first, Buffer<T>& second) override {
    const auto launch = [&](auto* kernel) {
      const unsigned threads = engine_.block_threads(256);
      engine_.launch(kernel,
                     {.grid = dim3(static_cast<unsigned>(blocks_for(parameters.size(), threads))),
                      .block = dim3(threads)},
                     UpdateScalars<T>(u), parameters.size(), gradient.data(), parameters.data(),
                     first.data(), second.data());
    };
    switch (u.method) {
      case OptimizerMethod::gradient_descent:
        return launch(optimizer_update_kernel<OptimizerMethod::gradient_descent, T>);
      case OptimizerMethod::momentum:
        return launch(optimizer_update_kernel<OptimizerMethod::momentum, T>);
      case OptimizerMethod::nesterov:
        return launch(optimizer_update_kernel<OptimizerMethod::nesterov, T>);
      case OptimizerMethod::rmsprop:
        return launch(optimizer_update_kernel<OptimizerMethod::rmsprop, T>);
      case OptimizerMethod::adam:
      case OptimizerMethod::adamw: return launch(optimizer_update_kernel<OptimizerMethod::adam, T>);
    }
  }

 private:
  CudaEngine& engine_;
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_optimizer_float32(tandem::Engine& engine) {
  return static_cast<tandem::OptimizerSteps<float>*>(
      new tandem::cuda::CudaOptimizer<float>(engine));
}
void* tandem_cuda_optimizer_float64(tandem::Engine& engine) {
  return static_cast<tandem::OptimizerSteps<double>*>(
      new tandem::cuda::CudaOptimizer<double>(engine));
}
}
