#include "softgpu/exec/async.hpp"

#include <cstring>

#include "softgpu/device/settings.hpp"

namespace softgpu {

bool defers_copies() noexcept { return schedule_seed() != 0; }

void defer_copy(Warp& warp, int lane, std::byte* to, const std::byte* from, std::uint32_t bytes,
                std::uint32_t read) {
  if (!warp.async) warp.async = std::make_shared<AsyncCopies>();
  AsyncCopies& async = *warp.async;
  async.copies.push_back({to, from, static_cast<std::uint8_t>(bytes),
                          static_cast<std::uint8_t>(read), static_cast<std::uint8_t>(lane),
                          async.committed[lane]});
}

void commit_copies(Warp& warp, std::uint32_t lanes) {
  if (!warp.async) return;
  for (int l = 0; l < warp_size; ++l) {
    if (((lanes >> l) & 1U) != 0) ++warp.async->committed[l];
  }
}

void complete_copies(Warp& warp, std::uint32_t lanes, std::uint32_t left, bool all) {
  if (!warp.async) return;
  AsyncCopies& async = *warp.async;
  std::size_t kept = 0;
  for (const auto& copy : async.copies) {
    const std::uint32_t closed = async.committed[copy.lane];
    const bool due = ((lanes >> copy.lane) & 1U) != 0 &&
                     (all || (copy.group < closed && closed - copy.group > left));
    if (!due) {
      async.copies[kept++] = copy;
      continue;
    }
    if (copy.read != 0) {
      // The source was checked when the copy was issued; the kernel may have freed it since.
      MemoryRange range;
      const auto from = reinterpret_cast<std::uint64_t>(copy.from);
      if (Memory::instance().find(from, range) && (range.freed || from + copy.read > range.end)) {
        continue;
      }
      std::memcpy(copy.to, copy.from, copy.read);
    }
    std::memset(copy.to + copy.read, 0, static_cast<std::size_t>(copy.bytes - copy.read));
  }
  async.copies.resize(kept);
}

}  // namespace softgpu
