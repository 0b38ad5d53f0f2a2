// Which rows a batch has, and the batch in one piece of memory.
#include <algorithm>

#include "cuda/core/check.hpp"
#include "cuda/nn/mlp.cuh"

namespace tandem::cuda::mlp {
namespace {

// to[p] = the row at place p of the epoch, or from[that row]. A block of threads per block of
// sum_block rows, whose permutation each thread has the keys of. Grid: the blocks of rows. No
// shared memory, no synchronisation; writes are coalesced, reads of `from` are gathers of one
// sector each. Bytes: mlp_order_cost. CPU twin: order_blocks in cpu/nn/mlp_rows.cpp.
__global__ void __launch_bounds__(most_threads)
    order_rows_kernel(RowOrder order, const Index* __restrict__ from, Index* __restrict__ to) {
  for (Index place = blockIdx.x; place < order.blocks(); place += gridDim.x) {
    const RowOrder::Block block = order.block(place);
    for (Index i = threadIdx.x; i < block.size; i += blockDim.x) {
      const Index row = order.row(block, i);
      to[block.begin + i] = from != nullptr ? from[row] : row;
    }
  }
}

// out(r, ·) = x(order[r], ·), in units of 16, 8 or 4 bytes: the largest that rows and addresses are
// multiples of.
//
// Block: x threads, a power of two up to 32, go over a row; y rows. Grid: x over the rows, y over
// pieces of gather_ahead·blockDim.x units of a row. A thread issues its loads before its stores. No
// shared memory, no synchronisation. Reads are coalesced along a row; a row whose first byte is not
// at a multiple of 32 costs one sector more. x may also be pinned memory of the host: then each row
// crosses the bus once, in pieces of up to 512 bytes. Bytes: mlp_gather_cost; no flops. CPU twin:
// gather_rows in cpu/nn/mlp_rows.cpp.
constexpr int gather_ahead = 4;

template <class Unit>
__global__ void __launch_bounds__(most_threads)
    gather_rows_kernel(const Unit* __restrict__ x, Index units, const Index* __restrict__ order,
                       Index rows, Unit* __restrict__ out) {
  const Index r = static_cast<Index>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (r >= rows) return;
  const Unit* from = x + order[r] * units;
  Unit* to = out + r * units;
  const Index step = static_cast<Index>(blockDim.x) * gather_ahead;
  for (Index begin = blockIdx.y * step + threadIdx.x; begin < units; begin += gridDim.y * step) {
    Unit values[gather_ahead];
#pragma unroll
    for (int k = 0; k < gather_ahead; ++k) {
      const Index j = begin + static_cast<Index>(k) * blockDim.x;
      if (j < units) values[k] = from[j];
    }
#pragma unroll
    for (int k = 0; k < gather_ahead; ++k) {
      const Index j = begin + static_cast<Index>(k) * blockDim.x;
      if (j < units) to[j] = values[k];
    }
  }
}

struct GatherShape {
  dim3 grid;
  dim3 block;
};

[[nodiscard]] GatherShape gather_shape(Index units, Index rows, unsigned threads) {
  unsigned along = 1;
  while (along < 32 && along < units) along *= 2;
  const Index pieces = blocks_for(units, static_cast<Index>(along) * gather_ahead);
  return {.grid = dim3(static_cast<unsigned>(blocks_for(rows, threads / along)),
                       static_cast<unsigned>(std::min<Index>(pieces, 65535))),
          .block = dim3(along, threads / along)};
}

}  // namespace

void order_rows(CudaEngine& engine, const RowOrder& order, const Index* from, Index* to) {
  engine.launch(order_rows_kernel,
                {.grid = dim3(static_cast<unsigned>(std::min<Index>(order.blocks(), 65535))),
                 .block = dim3(engine.block_threads(256))},
                order, from, to);
}

template <Real T>
Rows<T>::~Rows() {
  // Rows that were prepared and never asked for are still being read and written.
  (void)cudaStreamSynchronize(engine_.copy_stream());
  if (enqueued_ != nullptr) (void)cudaEventDestroy(enqueued_);
  for (Prepared& half : prepared_) {
    if (half.ready != nullptr) (void)cudaEventDestroy(half.ready);
  }
}

// Rows on the host: a kernel on the second stream fetches them into one of two pieces of device
// memory while the first stream's kernels work on the batch before.
template <Real T>
void Rows<T>::prepare_rows(const T* x, Index cols, const Index* order, Index rows) {
  if (rows == 0 || engine_.on_device(x)) return;
  (void)prepare(x, cols, order, rows);
}

template <Real T>
void Rows<T>::gather_rows(const T* x, Index cols, const Index* order, Index rows, T* out) {
  if (rows == 0 || cols == 0) return;
  if (engine_.on_device(x)) {
    gather(x, cols, rows, out,
           [&](auto* kernel, const GatherShape& shape, auto* from, Index units, auto* to) {
             engine_.launch(kernel, {.grid = shape.grid, .block = shape.block}, from, units, order,
                            rows, to);
           });
    return;
  }
  Prepared* half = nullptr;
  for (Prepared& one : prepared_) {
    if (one.waiting && one.x == x && one.order == order && one.rows == rows) half = &one;
  }
  if (half == nullptr) half = &prepare(x, cols, order, rows);
  half->waiting = false;
  // Also right inside a repeated part: its graph is launched after this.
  TANDEM_CUDA(cudaStreamWaitEvent(engine_.stream(), half->ready));
  engine_.copy_within(out, half->memory.data(), bytes_of<T>(rows * cols));
}

// Calls launch(kernel, shape, from, units, to) for the largest unit that fits.
template <Real T>
template <class Launch>
void Rows<T>::gather(const T* x, Index cols, Index rows, T* out, Launch&& launch) {
  const auto with = [&]<class Unit>() {
    const Index units = static_cast<Index>(bytes_of<T>(cols) / sizeof(Unit));
    launch(gather_rows_kernel<Unit>, gather_shape(units, rows, engine_.block_threads(256)),
           reinterpret_cast<const Unit*>(x), units, reinterpret_cast<Unit*>(out));
  };
  const auto all = reinterpret_cast<std::uintptr_t>(x) | reinterpret_cast<std::uintptr_t>(out) |
                   bytes_of<T>(cols);
  if (all % sizeof(uint4) == 0) {
    with.template operator()<uint4>();
  } else if (all % sizeof(uint2) == 0) {
    with.template operator()<uint2>();
  } else {
    with.template operator()<unsigned>();
  }
}

// Begins to fetch rows from the host, after all that is enqueued now. The half that it takes was
// last read by work that is enqueued: of two gathers at most, where they are inside a repeated
// part.
template <Real T>
typename Rows<T>::Prepared& Rows<T>::prepare(const T* x, Index cols, const Index* order,
                                             Index rows) {
  engine_.make_current();
  if (enqueued_ == nullptr) {
    for (cudaEvent_t* event : {&enqueued_, &prepared_[0].ready, &prepared_[1].ready}) {
      TANDEM_CUDA(cudaEventCreateWithFlags(event, cudaEventDisableTiming));
    }
  }
  if (prepared_[next_].waiting && !prepared_[1 - next_].waiting) next_ = 1 - next_;
  Prepared& half = prepared_[next_];
  next_ = 1 - next_;
  if (half.memory.size() < rows * cols) {
    if (half.waiting) TANDEM_CUDA(cudaStreamWaitEvent(engine_.stream(), half.ready));
    half.memory = Buffer<T>(engine_, rows * cols);
  }
  half.waiting = false;
  TANDEM_CUDA(cudaEventRecord(enqueued_, engine_.stream()));
  TANDEM_CUDA(cudaStreamWaitEvent(engine_.copy_stream(), enqueued_));
  gather(x, cols, rows, half.memory.data(),
         [&](auto* kernel, const GatherShape& shape, auto* from, Index units, auto* to) {
           kernel<<<shape.grid, shape.block, 0, engine_.copy_stream()>>>(from, units, order, rows,
                                                                         to);
           check(cudaGetLastError(), "kernel gather_rows_kernel");
         });
  TANDEM_CUDA(cudaEventRecord(half.ready, engine_.copy_stream()));
  half.waiting = true;
  half.x = x;
  half.order = order;
  half.rows = rows;
  return half;
}

template class Rows<float>;
template class Rows<double>;

}  // namespace tandem::cuda::mlp
