// The memory that kernels may touch. Device addresses are addresses of this process, so a kernel
// and the host see the same bytes; every access of a kernel is checked against the ranges
// registered here.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

namespace softgpu {

// Words that stand where a program may find anything: NaN as floats of any width, large integers.
// undefined_word fills memory that was never written, and registers that take a value from a lane
// that gave none; freed_word fills memory that was freed.
inline constexpr std::uint32_t undefined_word = 0x7ffb7ffb;
inline constexpr std::uint32_t freed_word = 0xfffbfffb;

// Repeats the word over the bytes; a rest of less than four gets its beginning.
void fill_words(std::byte* at, std::size_t bytes, std::uint32_t word);

enum class MemoryKind { device, pinned, registered, managed, symbol };

struct MemoryRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  MemoryKind kind = MemoryKind::device;
  int device = 0;
  unsigned flags = 0;
  std::size_t mapped = 0;  // bytes that came from mmap; 0: from the C++ heap
  bool freed = false;  // kept for a while, so that a use after free can be told from a wild address
  // Memory that is not to be used now although it is kept: a graph's, outside of the time from its
  // allocation's launch to its being freed. What finds such a range is told that it is freed.
  bool withheld = false;
};

class Memory {
 public:
  static Memory& instance();

  // Zero-filled: what a kernel reads before it writes is the same in every run; after poison(true)
  // device and managed memory is filled with undefined_word. From a mebibyte on the pages come from
  // the operating system and cost nothing until they are used. Returns nullptr where there is not
  // enough memory.
  void* allocate(std::size_t bytes, MemoryKind kind, int device, std::size_t align = 256,
                 unsigned flags = 0);
  // False where `address` is not the start of a live allocation of one of the kinds.
  bool release(void* address);
  // Whether memory that is allocated or freed from now on is filled with a pattern.
  void poison(bool on) noexcept { poison_.store(on, std::memory_order_relaxed); }
  [[nodiscard]] bool poisons() const noexcept { return poison_.load(std::memory_order_relaxed); }
  // Memory of the program's own that kernels may touch.
  bool add(void* address, std::size_t bytes, MemoryKind kind, int device, unsigned flags = 0);
  bool remove(void* address);

  // Says whether the live range that begins at `address` is withheld.
  void withhold(void* address, bool on);

  // The range that contains `address`, freed ones included, or false.
  [[nodiscard]] bool find(std::uint64_t address, MemoryRange& range) const;
  // The last range that begins at or before `address`, or false.
  [[nodiscard]] bool find_before(std::uint64_t address, MemoryRange& range) const;
  // Changes whenever a range appears or goes: what is remembered of ranges is then stale.
  [[nodiscard]] std::uint64_t epoch() const noexcept {
    return __atomic_load_n(&epoch_, __ATOMIC_ACQUIRE);
  }
  [[nodiscard]] std::size_t used(int device) const;

 private:
  bool add_range(void* address, std::size_t bytes, MemoryKind kind, int device, unsigned flags,
                 std::size_t mapped);

  mutable std::shared_mutex mutex_;
  std::map<std::uint64_t, MemoryRange> ranges_;  // by begin
  std::uint64_t epoch_ = 1;
  std::map<int, std::size_t> used_;
  std::size_t withheld_ = 0;  // bytes that were freed and are kept for the checker
  std::atomic<bool> poison_{false};
};

// Describes for a person where in this process's own memory `address` lies: "on the stack",
// "malloc'd", ...; empty where nothing is mapped there.
[[nodiscard]] std::string describe_host_memory(std::uint64_t address);

// Generic addresses of a block's shared memory and of a thread's local memory. No process maps
// anything there: they are not canonical x86-64 addresses.
inline constexpr std::uint64_t shared_window = std::uint64_t{1} << 56;
inline constexpr std::uint64_t local_window = std::uint64_t{2} << 56;
inline constexpr std::uint64_t param_window = std::uint64_t{3} << 56;
inline constexpr std::uint64_t window_mask = std::uint64_t{0xff} << 56;

}  // namespace softgpu
