// Going over rows that may not fit into the device's memory.
#pragma once

#include <algorithm>
#include <array>
#include <utility>

#include "cuda/core/check.hpp"
#include "cuda/core/engine.hpp"

namespace tandem::cuda {

// Rows on the host, seen through two pieces of device memory: while the kernels of one piece run,
// the next one is copied on the engine's second stream. One object serves one algorithm's steps;
// its device memory is kept between passes.
class PieceStream {
 public:
  // Bytes of device memory that it may take, for both pieces together, at least one unit each; less
  // where half of what is free is less.
  explicit PieceStream(CudaEngine& engine, std::size_t bytes = std::size_t{64} << 20)
      : engine_(engine), budget_(bytes) {}
  PieceStream(const PieceStream&) = delete;
  PieceStream& operator=(const PieceStream&) = delete;
  ~PieceStream() {
    for (const cudaEvent_t event : copied_) {
      if (event != nullptr) (void)cudaEventDestroy(event);
    }
    for (const cudaEvent_t event : used_) {
      if (event != nullptr) (void)cudaEventDestroy(event);
    }
  }

  // `data` is `units` units of `unit_elements` elements each (a unit is what must not be cut: a
  // block of sum_block rows, a row). Calls use(first_unit, units, pointer to first_unit in device
  // memory) for consecutive pieces that make up all of it, in ascending order; `use` enqueues on
  // the engine's stream. Where the data is on the device, that is one call and nothing is copied;
  // where it is not, a repeated part that this stands in is enqueued as it comes, not as a graph.
  template <class T, class Use>
  void for_each_piece(const T* data, Index units, Index unit_elements, Use&& use) {
    if (units == 0) return;
    if (engine_.on_device(data)) {
      use(Index{0}, units, data);
      return;
    }
    engine_.enqueue_directly();
    const std::size_t unit_bytes = static_cast<std::size_t>(unit_elements) * sizeof(T);
    const std::size_t free = engine_.free_memory() + 2 * halves_[0].bytes();
    const std::size_t budget = std::min(budget_, free / 2);
    const auto at_once = static_cast<Index>(
        std::min(static_cast<std::size_t>(units),
                 std::max(std::size_t{1}, budget / 2 / std::max(std::size_t{1}, unit_bytes))));
    reserve(static_cast<std::size_t>(at_once) * unit_bytes);
    std::size_t half = 0;
    for (Index first = 0; first < units; first += at_once) {
      const Index count = std::min(at_once, units - first);
      // The kernels that read this half before must be through.
      TANDEM_CUDA(cudaStreamWaitEvent(engine_.copy_stream(), used_[half]));
      TANDEM_CUDA(cudaMemcpyAsync(halves_[half].data(), data + first * unit_elements,
                                  static_cast<std::size_t>(count) * unit_bytes,
                                  cudaMemcpyHostToDevice, engine_.copy_stream()));
      engine_.count_streamed(static_cast<std::size_t>(count) * unit_bytes);
      TANDEM_CUDA(cudaEventRecord(copied_[half], engine_.copy_stream()));
      TANDEM_CUDA(cudaStreamWaitEvent(engine_.stream(), copied_[half]));
      use(first, count, reinterpret_cast<const T*>(std::as_const(halves_[half]).data()));
      TANDEM_CUDA(cudaEventRecord(used_[half], engine_.stream()));
      half = 1 - half;
    }
  }

 private:
  void reserve(std::size_t bytes) {
    engine_.make_current();
    if (copied_[0] == nullptr) {
      for (auto* events : {&copied_, &used_}) {
        for (cudaEvent_t& event : *events) {
          TANDEM_CUDA(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
        }
      }
    }
    if (halves_[0].bytes() >= bytes) return;
    for (Buffer<std::byte>& half : halves_) half = Buffer<std::byte>();
    for (Buffer<std::byte>& half : halves_) {
      half = Buffer<std::byte>(engine_, static_cast<Index>(bytes));
    }
    // The memory is the first stream's, where it was allocated: the copies come after that.
    TANDEM_CUDA(cudaEventRecord(used_[0], engine_.stream()));
    TANDEM_CUDA(cudaEventRecord(used_[1], engine_.stream()));
  }

  CudaEngine& engine_;
  std::size_t budget_;
  std::array<Buffer<std::byte>, 2> halves_;
  std::array<cudaEvent_t, 2> copied_{};
  std::array<cudaEvent_t, 2> used_{};
};

}  // namespace tandem::cuda
