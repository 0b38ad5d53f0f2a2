// Copies from global to shared memory that run beside computation (cp.async), on devices that have
// them: compute capability 8.0 and later. Below, code loads into registers and stores.
#pragma once

#include <cuda_runtime.h>

namespace tandem::cuda {

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
inline constexpr bool has_async_copy = false;
#else
inline constexpr bool has_async_copy = true;
#endif

// Starts a copy of `size` (4, 8 or 16) bytes to shared memory, both addresses multiples of `size`.
// Only the first `used` bytes are read, the others become 0; with used = 0 nothing is read, but
// `from` must still be an address that is valid to form. 16 bytes bypass the L1 cache.
template <int size>
__device__ inline void async_copy([[maybe_unused]] void* to_shared,
                                  [[maybe_unused]] const void* from, [[maybe_unused]] int used) {
  static_assert(size == 4 || size == 8 || size == 16, "sizes that cp.async has");
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const auto to = static_cast<unsigned>(__cvta_generic_to_shared(to_shared));
  const std::size_t source = __cvta_generic_to_global(from);
  if constexpr (size == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(source), "r"(used)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(source), "n"(size),
                 "r"(used)
                 : "memory");
  }
#endif
}

// Returns when the calling thread's own copies have arrived; for those of the block's other threads
// a __syncthreads() has to follow.
__device__ inline void await_async_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

}  // namespace tandem::cuda
