// Where the matrix product keeps its packed operands: shapes and memory, common to all instruction
// sets.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "core/linalg/micro_batch.hpp"
#include "tandem/core/types.hpp"

namespace tandem::cpu {

class GemmPack {
 public:
  // Most elements of k per pass. A panel of 14 rows of floats then takes 22 KiB of the L1 cache.
  static constexpr Index depth = 400;
  // Columns of B per pass: depth × column_block floats take 1.5 MiB: more than one core's L2
  // cache, which costs less here than reading A more often.
  static constexpr Index column_block = 1024;
  // A packed panel has its rows row_stride apart where A is not transposed (an odd number of cache
  // lines, so that rows do not compete for the same ones), and its columns panel_width apart where
  // it is.
  static constexpr Index row_stride = depth;
  static constexpr Index panel_width = 16;
  // Rows per pass of a sum over rows: a node of its tree, and no more than `depth`.
  static constexpr int row_pass_levels = 3;
  static constexpr Index row_pass = micro_batch << row_pass_levels;
  static_assert(row_pass <= depth);

  // At least `size` elements, aligned to a cache line; kept from call to call.
  template <Real T>
  [[nodiscard]] T* strips(Index size) {
    const std::size_t bytes = static_cast<std::size_t>(size) * sizeof(T);
    return reinterpret_cast<T*>(strips_.at_least(bytes));
  }
  // Memory for the roots that wait while a sum over rows takes `passes` passes, `size` elements for
  // each level; null for one pass.
  template <Real T>
  [[nodiscard]] T* roots(Index passes, Index size) {
    Index levels = 0;
    while ((Index{1} << levels) < passes) ++levels;
    return reinterpret_cast<T*>(
        roots_.at_least(static_cast<std::size_t>(levels * size) * sizeof(T)));
  }

  // The calling thread's own panel.
  template <Real T>
  [[nodiscard]] static T* panel() {
    alignas(64) static thread_local T memory[panel_width * row_stride];
    return memory;
  }

 private:
  class Memory {
   public:
    std::byte* at_least(std::size_t bytes) {
      if (bytes > bytes_) {
        memory_.reset();
        memory_.reset(static_cast<std::byte*>(::operator new(bytes, alignment)));
        bytes_ = bytes;
      }
      return memory_.get();
    }

   private:
    static constexpr std::align_val_t alignment{64};
    struct Free {
      void operator()(std::byte* memory) const { ::operator delete(memory, alignment); }
    };
    std::unique_ptr<std::byte, Free> memory_;
    std::size_t bytes_ = 0;
  };

  Memory strips_;
  Memory roots_;
};

}  // namespace tandem::cpu
