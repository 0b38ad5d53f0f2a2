#include "softgpu/memory/memory.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

namespace softgpu {
namespace {

constexpr std::size_t map_from = std::size_t{1} << 20;
constexpr std::size_t page = 4096;

}  // namespace

Memory& Memory::instance() {
  static auto* memory = new Memory;  // outlives every static of the program
  return *memory;
}

void* Memory::allocate(std::size_t bytes, MemoryKind kind, int device, std::size_t align,
                       unsigned flags) {
  const std::size_t rounded = (bytes + align - 1) / align * align;
  if (rounded < bytes || rounded > (std::size_t{1} << 46)) return nullptr;
  if (rounded >= map_from && align <= page) {
    const std::size_t mapped = (rounded + page - 1) / page * page;
    void* address = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) return nullptr;
    (void)::madvise(address, mapped, MADV_HUGEPAGE);
    if (!add_range(address, bytes, kind, device, flags, mapped)) {
      (void)::munmap(address, mapped);
      return nullptr;
    }
    return address;
  }
  const std::size_t size = rounded == 0 ? align : rounded;
  void* address = std::aligned_alloc(align, size);
  if (address == nullptr) return nullptr;
  std::memset(address, 0, size);
  if (!add_range(address, bytes, kind, device, flags, 0)) {
    std::free(address);
    return nullptr;
  }
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
    __atomic_add_fetch(&epoch_, 1, __ATOMIC_RELEASE);
  }
  if (mapped != 0) {
    (void)::munmap(address, mapped);
  } else {
    std::free(address);
  }
  return true;
}

bool Memory::remove(void* address) {
  const std::unique_lock lock(mutex_);
  const auto found = ranges_.find(reinterpret_cast<std::uint64_t>(address));
  if (found == ranges_.end() || found->second.freed) return false;
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
  return true;
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
