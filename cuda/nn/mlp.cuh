// The perceptron's kernels, which cuda/nn/mlp.cu launches, and the types they share.
//
// No result depends on the number of threads of a block; sizes and widths are any, bounded by the
// memory; every operation rounds as core/nn/mlp_steps.hpp says, in its order, so that two runs and
// the CPU give the same bits. Which NaN stands for an invalid operation is the processor's affair
// and not fixed. Bytes and flops are the functions mlp_*_cost there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "core/nn/mlp_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "tandem/core/buffer.hpp"

namespace tandem::cuda::mlp {

// Vectors of 16 bytes.

inline constexpr std::size_t vector_bytes = 16;

// Elements that one memory access of 16 bytes moves: four floats or two doubles.
template <class T>
inline constexpr int vector_size = static_cast<int>(vector_bytes / sizeof(T));

template <class T>
struct alignas(vector_bytes) Vector {
  T at[vector_size<T>];
};

template <class... P>
[[nodiscard]] bool aligned(const P*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % vector_bytes == 0) && ...);
}

// The first `count` elements of a vector; `whole` where all of them are, at an aligned address.
template <class T>
__device__ Vector<T> load(const T* from, bool whole, Index count) {
  Vector<T> v{};
  if (whole) {
    v = *reinterpret_cast<const Vector<T>*>(from);
  } else {
#pragma unroll
    for (int k = 0; k < vector_size<T>; ++k) {
      if (k < count) v.at[k] = from[k];
    }
  }
  return v;
}
template <class T>
__device__ void store(T* to, const Vector<T>& v, bool whole, Index count) {
  if (whole) {
    *reinterpret_cast<Vector<T>*>(to) = v;
  } else {
#pragma unroll
    for (int k = 0; k < vector_size<T>; ++k) {
      if (k < count) to[k] = v.at[k];
    }
  }
}

// The column of an element of a row-major matrix. A division of 32 bits where that is enough: one
// of 64 bits takes five times as long.
__device__ inline Index column_of(Index element, Index width) {
  if ((static_cast<std::uint64_t>(element) | static_cast<std::uint64_t>(width)) >> 32 == 0) {
    return static_cast<std::uint32_t>(element) % static_cast<std::uint32_t>(width);
  }
  return element % width;
}

// The dynamic shared memory.
template <class T>
__device__ T* shared_array() {
  extern __shared__ __align__(16) unsigned char shared_bytes[];
  return reinterpret_cast<T*>(shared_bytes);
}

// Dynamic shared memory that a block may have on every GPU without being asked for specially: 48
// KiB less what kernels have besides.
inline constexpr std::size_t shared_limit = (std::size_t{48} << 10) - 512;

// Of a block, for kernels that take any number of threads: so many registers are left to each.
inline constexpr int most_threads = 1024;

// Blocks of a grid along x.
[[nodiscard]] inline dim3 grid_of(Index count, Index per_block) {
  return dim3(static_cast<unsigned>(blocks_for(count, per_block)));
}
template <Real T>
[[nodiscard]] constexpr std::size_t bytes_of(Index count) {
  return static_cast<std::size_t>(count) * sizeof(T);
}

// mlp_rows.cu: the order of an epoch (MlpSteps::order_rows), and batches of rows that stand on the
// device or, then fetched by a second stream, on the host.
void order_rows(CudaEngine& engine, const RowOrder& order, const Index* from, Index* to);
template <Real T>
class Rows {
 public:
  explicit Rows(CudaEngine& engine) : engine_(engine) {}
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows();
  void prepare_rows(const T* x, Index cols, const Index* order, Index rows);
  void gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out);

 private:
  struct Prepared {
    Buffer<T> memory;
    cudaEvent_t ready = nullptr;
    bool waiting = false;  // for its gather_rows
    const T* x = nullptr;
    const Index* order = nullptr;
    Index rows = 0;
  };
  template <class Launch>
  void gather(const T* x, Index cols, Index rows, T* out, Launch&& launch);
  Prepared& prepare(const T* x, Index cols, const Index* order, Index rows);

  CudaEngine& engine_;
  std::array<Prepared, 2> prepared_;
  std::size_t next_ = 0;
  cudaEvent_t enqueued_ = nullptr;
};

// mlp_activation.cu
template <Real T>
void activate(CudaEngine& engine, Activation activation, Index rows, Index width, const T* scale,
              const T* shift, const MlpDropout& dropout, const T* z, T* a, T* slope);
template <Real T>
void activation_gradient(CudaEngine& engine, Index rows, Index width, const T* slope, T* d, T* db);

// mlp_normalize.cu
template <Real T>
void normalize(CudaEngine& engine, Index rows, Index width, double epsilon, double momentum, T* z,
               T* inverse, T* running_mean, T* running_variance);
template <Real T>
void normalize_backward(CudaEngine& engine, Index rows, Index width, const T* normalized,
                        const T* scale, const T* inverse, T* du, T* scale_gradient,
                        T* shift_gradient);
template <Real T>
void running_affine(CudaEngine& engine, Index width, double epsilon, const T* scale, const T* shift,
                    const T* mean, const T* variance, T* s, T* t);

// mlp_loss.cu
// What the blocks of a loss kernel tell each other; all zero between kernels.
struct LossState {
  unsigned long long right = 0;  // rows whose most probable class is right
  unsigned blocks = 0;           // blocks that are done
};
template <Real T>
void output(CudaEngine& engine, MlpOutput output, Index rows, Index width, const T* bias, T* z);
template <Real T>
class Losses {
 public:
  explicit Losses(CudaEngine& engine) : engine_(engine), state_(engine, 1) { state_.fill_zero(); }
  void loss(MlpOutput output, MlpLoss loss, bool gradient, Index rows, Index width, const T* bias,
            const MlpTargets<T>& targets, const Index* order, T* z, double* totals);

 private:
  CudaEngine& engine_;
  Buffer<LossState> state_;
  Buffer<double> row_losses_;
};

}  // namespace tandem::cuda::mlp
