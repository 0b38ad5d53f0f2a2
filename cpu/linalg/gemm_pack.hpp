// Where the matrix product keeps its packed operands: shapes and memory, common to all instruction
// sets.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "tandem/core/types.hpp"

namespace tandem::cpu {

class GemmPack {
 public:
  // Elements of k per pass. A panel of 14 rows of floats then takes 22 KiB of the L1 cache.
  static constexpr Index depth = 384;
  // Columns of B per pass: depth × column_block floats take 1.5 MiB: more than one core's L2
  // cache, which costs less here than reading A more often.
  static constexpr Index column_block = 1024;
  // A packed panel has its rows row_stride apart where A is not transposed (an odd number of cache
  // lines, so that rows do not compete for the same ones), and its columns panel_width apart where
  // it is.
  static constexpr Index row_stride = depth + 16;
  static constexpr Index panel_width = 16;

  // At least `size` elements, aligned to a cache line; kept from call to call.
  template <Real T>
  [[nodiscard]] T* strips(Index size) {
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
    if (bytes > bytes_) {
      strips_.reset();
      strips_.reset(static_cast<std::byte*>(::operator new(bytes, alignment)));
      bytes_ = bytes;
    }
    return reinterpret_cast<T*>(strips_.get());
  }

  // The calling thread's own panel.
  template <Real T>
  [[nodiscard]] static T* panel() {
    alignas(64) static thread_local T memory[panel_width * row_stride];
    return memory;
  }

 private:
  static constexpr std::align_val_t alignment{64};
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete(memory, alignment); }
  };
  std::unique_ptr<std::byte, Free> strips_;
  std::size_t bytes_ = 0;
};

}  // namespace tandem::cpu
