#include "softgpu/memory/memory.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>

#include "softgpu/check/allocations.hpp"
#include "softgpu/check/gaps.hpp"
#include "softgpu/check/host_pages.hpp"
#include "softgpu/memory/sharing.hpp"

namespace softgpu {
namespace {

constexpr std::size_t map_from = std::size_t{1} << 20;
constexpr std::size_t page = 4096;

// Maps the pattern over [address, address + bytes), copied where it is written: memory that nobody
// touches costs nothing. False where the system has no more mappings to give.
bool map_pattern(std::byte* address, std::size_t bytes) {
  constexpr std::size_t piece = std::size_t{16} << 20;
  static const int file = [] {
    const int made = ::memfd_create("softgpu-undefined", MFD_CLOEXEC);
    if (made < 0 || ::ftruncate(made, piece) != 0) return -1;
    void* const all = ::mmap(nullptr, piece, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
    if (all == MAP_FAILED) return -1;
    fill_words(static_cast<std::byte*>(all), piece, undefined_word);
    (void)::munmap(all, piece);
    return made;
  }();
  if (file < 0) return false;
  for (std::size_t at = 0; at < bytes; at += piece) {
    if (::mmap(address + at, std::min(piece, bytes - at), PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, file, 0) == MAP_FAILED) {
      return false;
    }
  }
  return true;
}

// A file in memory that is mapped over [address, address + bytes); -1 where the system refuses.
int move_to_file(std::byte* address, std::size_t bytes) {
  const int file = ::memfd_create("softgpu-shared", MFD_CLOEXEC);
  if (file < 0) return -1;
  std::size_t written = 0;
  if (::ftruncate(file, static_cast<off_t>(bytes)) == 0) {
    while (written < bytes) {
      const ssize_t now =
          ::pwrite(file, address + written, bytes - written, static_cast<off_t>(written));
      if (now <= 0) break;
      written += static_cast<std::size_t>(now);
    }
  }
  if (written < bytes || ::mmap(address, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                                file, 0) == MAP_FAILED) {
    (void)::close(file);
    return -1;
  }
  return file;
}

// Where small allocations of the device come from: pages of their own, apart from the program's
// heap, so that they can be shared with another process and are no host pointers. Best fit.
class Arena {
 public:
  static Arena& instance() {
    static auto* arena = new Arena;  // outlives every static of the program
    return *arena;
  }

  // nullptr where the system has no memory. `bytes` is a multiple of the alignment, a power of two,
  // and not more than a chunk's.
  void* allocate(std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    auto best = by_size_.lower_bound({bytes, nullptr});
    if (best == by_size_.end()) {
      void* const chunk = ::mmap(nullptr, chunk_bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (chunk == MAP_FAILED) return nullptr;
      chunks_[static_cast<std::byte*>(chunk)] = -1;
      add_free(static_cast<std::byte*>(chunk), chunk_bytes);
      best = by_size_.lower_bound({bytes, nullptr});
    }
    const auto [size, address] = *best;
    remove_free(address, size);
    if (size > bytes) add_free(address + bytes, size - bytes);
    taken_[address] = bytes;
    return address;
  }
  // False where the address is not from here.
  bool release(void* address) {
    const std::lock_guard lock(mutex_);
    const auto found = taken_.find(static_cast<std::byte*>(address));
    if (found == taken_.end()) return false;
    std::byte* begin = found->first;
    std::size_t bytes = found->second;
    taken_.erase(found);
    // Neighbours that are free become one with it, but not across chunks.
    const auto after = free_.find(begin + bytes);
    if (after != free_.end() && !chunks_.contains(begin + bytes)) {
      const std::size_t more = after->second;
      remove_free(begin + bytes, more);
      bytes += more;
    }
    if (const auto next = free_.lower_bound(begin);
        next != free_.begin() && !chunks_.contains(begin)) {
      const auto [before, size] = *std::prev(next);
      if (before + size == begin) {
        remove_free(before, size);
        begin = before;
        bytes += size;
      }
    }
    add_free(begin, bytes);
    return true;
  }
  [[nodiscard]] bool contains(std::uint64_t address) {
    const std::lock_guard lock(mutex_);
    const auto chunk = chunks_.upper_bound(reinterpret_cast<std::byte*>(address));
    return chunk != chunks_.begin() &&
           address < reinterpret_cast<std::uint64_t>(std::prev(chunk)->first) + chunk_bytes;
  }
  // Moves the chunk around `address` to a file; false where it is in none.
  bool share(std::byte* address, SharedPlace& place) {
    const std::lock_guard lock(mutex_);
    auto chunk = chunks_.upper_bound(address);
    if (chunk == chunks_.begin()) return false;
    --chunk;
    if (address >= chunk->first + chunk_bytes) return false;
    if (chunk->second < 0) chunk->second = move_to_file(chunk->first, chunk_bytes);
    place = {chunk->second, chunk_bytes, static_cast<std::uint64_t>(address - chunk->first)};
    return chunk->second >= 0;
  }

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{2} << 20;

  void add_free(std::byte* address, std::size_t bytes) {
    free_[address] = bytes;
    by_size_.insert({bytes, address});
  }
  void remove_free(std::byte* address, std::size_t bytes) {
    free_.erase(address);
    by_size_.erase({bytes, address});
  }

  std::mutex mutex_;
  std::map<std::byte*, std::size_t> free_;
  std::set<std::pair<std::size_t, std::byte*>> by_size_;  // the same
  std::unordered_map<std::byte*, std::size_t> taken_;
  std::map<std::byte*, int> chunks_;  // and the file that each was moved to; -1: none
};

// Large allocations that were shared, and their files.
struct SharedFiles {
  std::mutex mutex;
  std::map<std::uint64_t, int> by_address;
};
SharedFiles& shared_files() {
  static auto* files = new SharedFiles;
  return *files;
}

// The sanitizers watch what comes from the C++ library's heap.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool use_arena = false;
#else
constexpr bool use_arena = true;
#endif

// Kernels allocate with this alignment, the interface's functions with more.
constexpr std::size_t kernel_align = 16;

bool is_shared(MemoryKind kind) {
  return kind == MemoryKind::managed || kind == MemoryKind::pinned;
}

// `own_pages`: nothing else lies on its pages.
void tell_checker(const void* address, std::size_t bytes, MemoryKind kind, std::size_t align,
                  bool own_pages) {
  if (own_pages && (kind == MemoryKind::device || is_shared(kind))) {
    check::watch_memory(reinterpret_cast<std::uint64_t>(address), bytes, is_shared(kind));
  }
  if (kind != MemoryKind::device && kind != MemoryKind::managed && kind != MemoryKind::pinned) {
    return check::forget_accesses(reinterpret_cast<std::uint64_t>(address), bytes);
  }
  check::allocated(reinterpret_cast<std::uint64_t>(address), bytes, kind != MemoryKind::device,
                   align > kernel_align);
}

// What the checker keeps of memory that was freed, so that its addresses are not used again soon.
constexpr std::size_t most_withheld = std::size_t{512} << 20;

bool poisoned(MemoryKind kind) { return kind == MemoryKind::device || kind == MemoryKind::managed; }

}  // namespace

void fill_words(std::byte* at, std::size_t bytes, std::uint32_t word) {
  std::size_t i = 0;
  for (; i + sizeof word <= bytes; i += sizeof word) std::memcpy(at + i, &word, sizeof word);
  if (i < bytes) std::memcpy(at + i, &word, bytes - i);
}

std::string describe_host_memory(std::uint64_t address) {
  if (Arena::instance().contains(address)) return "";
  std::string found;
  if (std::FILE* file = std::fopen("/proc/self/maps", "r")) {
    char line[1024];
    while (std::fgets(line, sizeof line, file) != nullptr) {
      unsigned long long begin = 0;
      unsigned long long end = 0;
      char name[512] = "";
      // begin-end permissions offset device inode name
      const int fields =
          std::sscanf(line, "%llx-%llx %*s %*s %*s %*s %511[^\n]", &begin, &end, name);
      if (fields < 2 || address < begin || address >= end) continue;
      const std::string of = name;
      if (of.starts_with("/memfd:softgpu")) break;  // the device's
      found = of == "[stack]"                ? "on the stack"
              : of == "[heap]" || of.empty() ? "malloc'd, new, or on another thread's stack"
              : of[0] == '['                 ? of
                                             : "a static variable in " + of;
      if (of == "[heap]") found = "malloc'd or new";
      break;
    }
    std::fclose(file);
  }
  return found;
}

bool share_memory(std::uint64_t address, SharedPlace& place) {
  MemoryRange range;
  if (!Memory::instance().find(address, range) || range.freed) return false;
  if (range.mapped == 0)
    return Arena::instance().share(reinterpret_cast<std::byte*>(range.begin), place);
  SharedFiles& files = shared_files();
  const std::lock_guard lock(files.mutex);
  auto found = files.by_address.find(range.begin);
  if (found == files.by_address.end()) {
    const int file = move_to_file(reinterpret_cast<std::byte*>(range.begin), range.mapped);
    if (file < 0) return false;
    found = files.by_address.emplace(range.begin, file).first;
  }
  place = {found->second, range.mapped, 0};
  return true;
}

std::uint64_t inode_of(int file) {
  struct stat status {};
  return ::fstat(file, &status) == 0 ? status.st_ino : 0;
}

void* map_shared(int process, int file, std::uint64_t inode, std::uint64_t bytes) {
  const std::string path = "/proc/" + std::to_string(process) + "/fd/" + std::to_string(file);
  const int opened = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (opened < 0) return nullptr;
  struct stat status {};
  void* address = MAP_FAILED;
  if (::fstat(opened, &status) == 0 && status.st_ino == inode &&
      static_cast<std::uint64_t>(status.st_size) == bytes) {
    address = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, opened, 0);
  }
  (void)::close(opened);
  return address == MAP_FAILED ? nullptr : address;
}

void unmap_shared(void* address, std::uint64_t bytes) { (void)::munmap(address, bytes); }

Memory& Memory::instance() {
  static auto* memory = new Memory;  // outlives every static of the program
  return *memory;
}

void* Memory::allocate(std::size_t bytes, MemoryKind kind, int device, std::size_t align,
                       unsigned flags) {
  const std::size_t rounded = (bytes + align - 1) / align * align;
  if (rounded < bytes || rounded > (std::size_t{1} << 46)) return nullptr;
  // Where the host's accesses are looked at, its memory has pages of its own.
  const bool own_pages = options().check && use_arena && is_shared(kind) && bytes > 0;
  if ((rounded >= map_from || own_pages) && align <= page) {
    const std::size_t mapped = (rounded + memory_gap_after(bytes) + page - 1) / page * page;
    void* address = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) return nullptr;
    if (!(poisons() && poisoned(kind))) {
      (void)::madvise(address, mapped, MADV_HUGEPAGE);
    } else if (!map_pattern(static_cast<std::byte*>(address), mapped)) {
      (void)::munmap(address, mapped);
      return nullptr;
    }
    if (!add_range(address, bytes, kind, device, flags, mapped)) {
      (void)::munmap(address, mapped);
      return nullptr;
    }
    if (options().check) tell_checker(address, bytes, kind, align, true);
    return address;
  }
  constexpr std::size_t arena_align = 512;
  constexpr std::size_t arena_gap = 512;  // to the next one, so that what runs over an end is seen
  // Not what kernels allocate in small pieces.
  const bool from_arena =
      use_arena && kind == MemoryKind::device && align >= arena_align / 2 && align <= arena_align;
  if (from_arena) align = arena_align;
  const std::size_t gap =
      std::max(arena_gap, (memory_gap_after(std::min(bytes, map_from / 4)) + arena_gap - 1) /
                              arena_gap * arena_gap);
  const std::size_t size = rounded == 0 ? align : (rounded + align - 1) / align * align;
  void* address =
      from_arena ? Arena::instance().allocate(size + gap) : std::aligned_alloc(align, size);
  if (address == nullptr) return nullptr;
  if (poisons() && poisoned(kind)) {
    fill_words(static_cast<std::byte*>(address), size, undefined_word);
  } else {
    std::memset(address, 0, size);
  }
  if (!add_range(address, bytes, kind, device, flags, 0)) {
    if (!from_arena) {
      std::free(address);
    } else {
      Arena::instance().release(address);
    }
    return nullptr;
  }
  if (options().check) tell_checker(address, bytes, kind, align, from_arena);
  return address;
}

bool Memory::add(void* address, std::size_t bytes, MemoryKind kind, int device, unsigned flags) {
  return add_range(address, bytes, kind, device, flags, 0);
}

bool Memory::add_range(void* address, std::size_t bytes, MemoryKind kind, int device,
                       unsigned flags, std::size_t mapped) {
  const auto begin = reinterpret_cast<std::uint64_t>(address);
  const std::unique_lock lock(mutex_);
  // Freed ranges that the new one covers are history now.
  auto at = ranges_.lower_bound(begin);
  if (at != ranges_.begin()) {
    auto before = std::prev(at);
    if (before->second.end > begin) {
      if (!before->second.freed) return false;
      ranges_.erase(before);
    }
  }
  while (at != ranges_.end() && at->first < begin + bytes) {
    if (!at->second.freed) return false;
    at = ranges_.erase(at);
  }
  ranges_[begin] = {begin, begin + bytes, kind, device, flags, mapped, false};
  used_[device] += kind == MemoryKind::device || kind == MemoryKind::managed ? bytes : 0;
  __atomic_add_fetch(&epoch_, 1, __ATOMIC_RELEASE);
  return true;
}

bool Memory::release(void* address) {
  std::size_t mapped = 0;
  bool keeps = false;
  {
    const std::unique_lock lock(mutex_);
    const auto found = ranges_.find(reinterpret_cast<std::uint64_t>(address));
    if (found == ranges_.end() || found->second.freed) return false;
    MemoryRange& range = found->second;
    if (range.kind == MemoryKind::device || range.kind == MemoryKind::managed) {
      used_[range.device] -= range.end - range.begin;
    }
    range.freed = true;
    mapped = range.mapped;
    keeps = options().check && withheld_ + (range.end - range.begin) <= most_withheld &&
            range.kind != MemoryKind::symbol;
    if (keeps) withheld_ += range.end - range.begin;
    if (mapped == 0 && poisons() && poisoned(range.kind)) {
      fill_words(static_cast<std::byte*>(address), range.end - range.begin, freed_word);
    }
    __atomic_add_fetch(&epoch_, 1, __ATOMIC_RELEASE);
  }
  if (options().check) {
    check::freed(reinterpret_cast<std::uint64_t>(address));
    check::unwatch_memory(reinterpret_cast<std::uint64_t>(address), keeps);
  }
  if (keeps) return true;
  if (mapped != 0) {
    (void)::munmap(address, mapped);
    SharedFiles& files = shared_files();
    const std::lock_guard lock(files.mutex);
    if (const auto found = files.by_address.find(reinterpret_cast<std::uint64_t>(address));
        found != files.by_address.end()) {
      (void)::close(found->second);
      files.by_address.erase(found);
    }
  } else if (!Arena::instance().release(address)) {
    std::free(address);
  }
  return true;
}

bool Memory::remove(void* address) {
  const std::unique_lock lock(mutex_);
  const auto found = ranges_.find(reinterpret_cast<std::uint64_t>(address));
  if (found == ranges_.end() || found->second.freed) return false;
  const MemoryRange& range = found->second;
  if (range.kind == MemoryKind::device || range.kind == MemoryKind::managed) {
    used_[range.device] -= range.end - range.begin;
  }
  ranges_.erase(found);
  __atomic_add_fetch(&epoch_, 1, __ATOMIC_RELEASE);
  return true;
}

bool Memory::find(std::uint64_t address, MemoryRange& range) const {
  const std::shared_lock lock(mutex_);
  auto at = ranges_.upper_bound(address);
  if (at == ranges_.begin()) return false;
  --at;
  if (address >= at->second.end && !(address == at->second.begin)) return false;
  range = at->second;
  range.freed = range.freed || range.withheld;
  return true;
}

void Memory::withhold(void* address, bool on) {
  const std::unique_lock lock(mutex_);
  const auto found = ranges_.find(reinterpret_cast<std::uint64_t>(address));
  if (found == ranges_.end() || found->second.freed) return;
  MemoryRange& range = found->second;
  if (poisons() && range.withheld != on && poisoned(range.kind)) {
    fill_words(static_cast<std::byte*>(address), range.end - range.begin,
               on ? freed_word : undefined_word);
  }
  range.withheld = on;
  __atomic_add_fetch(&epoch_, 1, __ATOMIC_RELEASE);
}

bool Memory::find_before(std::uint64_t address, MemoryRange& range) const {
  const std::shared_lock lock(mutex_);
  auto at = ranges_.upper_bound(address);
  if (at == ranges_.begin()) return false;
  range = std::prev(at)->second;
  return true;
}

std::size_t Memory::used(int device) const {
  const std::shared_lock lock(mutex_);
  const auto found = used_.find(device);
  return found == used_.end() ? 0 : found->second;
}

}  // namespace softgpu
