#include "core/memory.hpp"
#include "core/external_memory.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

constexpr Index unlimited = std::numeric_limits<Index>::max();

std::optional<Index> number_in(const std::string& path) {
  std::ifstream file(path);
  Index value = 0;
  // "max" (no limit) and limits past 2^63 fail to parse, which is what is wanted.
  if (file >> value) return value;
  return std::nullopt;
}

// The number after `key` in a file of lines "key number".
std::optional<Index> entry_in(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string name;
  Index value = 0;
  while (file >> name >> value) {
    if (name == key) return value;
    file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

Index left_in_group(const std::string& folder, const char* limit_name, const char* usage_name,
                    const char* cache_key) {
  const auto limit = number_in(folder + "/" + limit_name);
  const auto usage = number_in(folder + "/" + usage_name);
  if (!limit || !usage) return unlimited;
  const Index cache = entry_in(folder + "/memory.stat", cache_key).value_or(0);
  return std::max<Index>(0, *limit - *usage + std::min(cache, *usage));
}

// The least that any group on the way from `path` to the root leaves.
Index left_in_groups(const std::string& root, std::string path, const char* limit_name,
                     const char* usage_name, const char* cache_key) {
  Index least = unlimited;
  for (;;) {
    least = std::min(least, left_in_group(root + path, limit_name, usage_name, cache_key));
    const auto slash = path.find_last_of('/');
    if (path.empty() || slash == std::string::npos) return least;
    path.erase(slash);
  }
}

Index left_in_control_groups() {
  std::ifstream membership("/proc/self/cgroup");
  Index least = unlimited;
  for (std::string line; std::getline(membership, line);) {
    // hierarchy:controllers:path; version 2 has no controllers.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    std::string path = line.substr(second + 1);
    if (path == "/") path.clear();
    if (controllers == ",,") {
      least = std::min(least, left_in_groups("/sys/fs/cgroup", path, "memory.max", "memory.current",
                                             "inactive_file"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      least = std::min(least, left_in_groups("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes",
                                             "memory.usage_in_bytes", "total_inactive_file"));
    }
  }
  return least;
}

Index left_on_machine() {
  std::ifstream info("/proc/meminfo");
  std::string name;
  Index kilobytes = 0;
  while (info >> name >> kilobytes) {
    if (name == "MemAvailable:") return kilobytes * 1024;
    info.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return unlimited;
}

Index left_in_address_space() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return unlimited;
  // statm counts pages; its first number is the whole address space.
  const Index used = number_in("/proc/self/statm").value_or(0) * ::sysconf(_SC_PAGESIZE);
  const auto most =
      static_cast<Index>(std::min<rlim_t>(limit.rlim_cur, static_cast<rlim_t>(unlimited)));
  return std::max<Index>(0, most - used);
}

}  // namespace

Index memory_to_use() {
  return std::min({left_on_machine(), left_in_control_groups(), left_in_address_space()});
}

Index available_memory() {
  return uses_external_memory() ? external_memory_room() : memory_to_use();
}

namespace {

std::atomic<Index> memory_limit{0};

}  // namespace

void set_memory_limit(Index bytes) noexcept { memory_limit = bytes; }

void require_memory(const std::string& what, Index bytes, const std::string& way_out) {
  const Index limit = memory_limit;
  // Small requests are not worth reading /proc for.
  constexpr Index small = Index{64} << 20;
  if (bytes <= small && (limit == 0 || bytes <= limit)) return;
  const Index left = limit > 0 ? std::min(limit, available_memory()) : available_memory();
  if (bytes <= left) return;
  throw InputError(what + " needs " + readable_size(bytes) + " of memory, but " +
                   readable_size(left) + " are " +
                   (limit > 0 && left == limit ? "allowed" : "left") + "; " + way_out);
}

void advise_huge_pages(void* memory, std::size_t bytes) noexcept {
  if (is_external(memory)) return;
  constexpr std::uintptr_t page = std::uintptr_t{2} << 20;
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + page - 1) / page * page;
  const std::uintptr_t last = (begin + bytes) / page * page;
  if (first < last) (void)madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

std::string readable_size(Index bytes) {
  constexpr std::array<const char*, 6> units{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  double value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < units.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", value, units[unit]);
  return text.data();
}

Index saturating_product(Index a, Index b) noexcept {
  Index product = 0;
  return __builtin_mul_overflow(a, b, &product) ? unlimited : product;
}

Index saturating_sum(Index a, Index b) noexcept {
  Index sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? unlimited : sum;
}

}  // namespace tandem
