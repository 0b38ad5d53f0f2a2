// What loops over rows say to external memory (tandem/core/external_memory.hpp).
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

#include "tandem/core/external_memory.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/types.hpp"

namespace tandem {
namespace external {

enum class Access { read, write };

extern std::atomic<bool> in_use;

// The calling thread is about to work on these bytes, and will go on with those behind them. What
// it has visited before of the same allocation may be dropped. Returns when they are in memory.
// Bytes that are visited by nobody can be used all the same: the system brings them page by page,
// which is slower.
void visit(const void* begin, std::size_t bytes, Access access);

// No thread is at these bytes' allocation any more: what they have visited of it may be dropped.
// After a loop that visited much at once, when all its threads are through with it.
void end_visits(const void* memory) noexcept;

// The system may begin to bring these bytes; returns at once.
void ask_for(const void* begin, std::size_t bytes) noexcept;

}  // namespace external

// The same for parts of arrays, wherever they stand; next to nothing where external memory is not
// in use. For loops over rows, once for each piece of some hundred rows or more.
template <class T>
void visit_elements(const T* first, Index count, external::Access access = external::Access::read) {
  if (!external::in_use.load(std::memory_order_relaxed) || count <= 0) return;
  external::visit(first, static_cast<std::size_t>(count) * sizeof(T), access);
}

// Rows begin .. end − 1.
template <class T>
void visit_rows(MatrixView<T> x, Index begin, Index end) {
  if (end > begin) visit_elements(x.data + begin * x.stride, (end - begin) * x.stride);
}

// Whether a pointer is into external memory.
[[nodiscard]] bool is_external(const void* memory) noexcept;

// How much a thread may visit at once, in bytes: about half of what may be in memory at a time.
[[nodiscard]] Index external_memory_window();

// Bytes that can still be allocated on the disk.
[[nodiscard]] Index external_memory_room();

// Whether pages of files stand in for memory.
[[nodiscard]] inline bool uses_external_memory() noexcept {
  return external::in_use.load(std::memory_order_relaxed);
}

}  // namespace tandem
