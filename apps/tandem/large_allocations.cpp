// Where the program's large allocations stand: in files, where a run uses external memory
// (tandem/core/external_memory.hpp), wherever in the program or its libraries they are made. So a
// table may be read, transformed, trained on and evaluated by the same code, with the same results,
// whether it fits into memory or not.
//
// These functions replace those of the standard library in this program; its other forms of new and
// delete call them, but for the one that throws nothing under the address sanitizer, which has its
// own: it stands here too, since what it gives comes back to this file's delete. Memory of a
// stricter alignment is not affected.
#include <cstdlib>
#include <new>

#include "tandem/core/external_memory.hpp"

void* operator new(std::size_t bytes) {
  if (void* const external = tandem::allocate_external(bytes); external != nullptr) return external;
  for (;;) {
    if (void* const memory = std::malloc(bytes > 0 ? bytes : 1); memory != nullptr) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void* operator new(std::size_t bytes, const std::nothrow_t& /*none*/) noexcept {
  try {
    return operator new(bytes);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void operator delete(void* memory) noexcept {
  if (!tandem::deallocate_external(memory)) std::free(memory);
}

void operator delete(void* memory, std::size_t /*bytes*/) noexcept { operator delete(memory); }
