#include "core/host_engine.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "core/external_memory.hpp"
#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "cpu/simd.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/external_memory.hpp"

namespace tandem {
namespace {

// So that of what stands on disk no more than a piece has to be in memory.
void copy_in_pieces(void* to, const void* from, std::size_t bytes) {
  constexpr std::size_t piece = std::size_t{1} << 18;
  for (std::size_t done = 0; done < bytes; done += piece) {
    const std::size_t count = std::min(piece, bytes - done);
    auto* const target = static_cast<std::byte*>(to) + done;
    const auto* const source = static_cast<const std::byte*>(from) + done;
    visit_elements(source, static_cast<Index>(count));
    visit_elements(target, static_cast<Index>(count), external::Access::write);
    std::memcpy(target, source, count);
  }
}

}  // namespace

HostEngine::HostEngine(const EngineOptions& options) : EngineBackend(options) {
  cpu::apply_simd_environment();
}

std::string HostEngine::description() const {
  if (device() == Device::reference) return "reference, double precision, 1 thread";
  return "cpu, " + std::to_string(threads()) + (threads() == 1 ? " thread, " : " threads, ") +
         std::string(cpu::simd_name());
}

void* HostEngine::allocate(std::size_t bytes) {
  if (void* const external = allocate_external(bytes); external != nullptr) return external;
  // A cache line, which is also the widest vector. Large buffers start on a page of 2 MiB so that
  // the kernel can back them with huge pages.
  const std::size_t alignment = bytes >= (std::size_t{4} << 20) ? std::size_t{2} << 20 : 64;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  void* memory = rounded >= bytes ? std::aligned_alloc(alignment, rounded) : nullptr;
  if (memory == nullptr) {
    throw SystemError("out of memory: " + std::to_string(bytes) + " bytes asked for");
  }
  if (alignment > 64) {
    advise_huge_pages(memory, rounded);
    // The system clears a page when it is first touched, and two threads that touch one at the same
    // time both clear it: the neighbouring pieces of a parallel loop, much smaller than a page of
    // 2 MiB, would do all of that twice. Each page is touched here by one thread.
    try {
      parallel_for(threads(), static_cast<Index>(rounded / alignment), [&](Index page) {
        static_cast<volatile char*>(memory)[static_cast<std::size_t>(page) * alignment] = 0;
      });
    } catch (...) {  // a stop
      std::free(memory);
      throw;
    }
  }
  return memory;
}

void HostEngine::deallocate(void* memory, std::size_t /*bytes*/) noexcept {
  if (!deallocate_external(memory)) std::free(memory);
}

void HostEngine::copy_from_host(void* to, const void* from_host, std::size_t bytes) {
  copy_in_pieces(to, from_host, bytes);
}
void HostEngine::copy_to_host(void* to_host, const void* from, std::size_t bytes) {
  copy_in_pieces(to_host, from, bytes);
}
void HostEngine::copy_within(void* to, const void* from, std::size_t bytes) {
  std::memmove(to, from, bytes);
}
void HostEngine::fill_zero(void* to, std::size_t bytes) { std::memset(to, 0, bytes); }

}  // namespace tandem
