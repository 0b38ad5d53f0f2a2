#include "softgpu/profile/machine_model.hpp"

#include <algorithm>
#include <bit>

namespace softgpu::profile {

namespace {

constexpr std::uint64_t sector = 32;

}  // namespace

std::uint64_t Pages::place(std::uint64_t address) {
  const std::uint64_t page = address / bytes;
  if (page != last_page_) {
    last_page_ = page;
    last_number_ = numbers_.emplace(page, numbers_.size()).first->second;
  }
  return last_number_ * bytes + address % bytes;
}

DeviceMemory::DeviceMemory(const DeviceModel& device)
    : l2_(device.l2_bytes, l2_ways),
      multiprocessors_(static_cast<std::size_t>(device.multiprocessors)) {}

void DeviceMemory::begin_launch(std::size_t l1) {
  l1_.assign(multiprocessors_, Cache(l1, l1_ways));
}

DeviceMemory::Found DeviceMemory::access(std::uint32_t multiprocessor, Way way, bool cached,
                                         const std::uint64_t* sectors, std::uint32_t count) {
  Found found;
  Cache& l1 = l1_[multiprocessor % multiprocessors_];
  for (std::uint32_t i = 0; i < count;) {
    // Those of one line together.
    const std::uint64_t line = pages_.place(sectors[i] * sector) / Cache::line_bytes;
    const std::uint64_t of_line = sectors[i] / Cache::sectors_per_line;
    std::uint32_t wanted = 0;
    for (; i < count && sectors[i] / Cache::sectors_per_line == of_line; ++i) {
      wanted |= 1U << (sectors[i] % Cache::sectors_per_line);
    }
    ++found.lines;
    if (way == Way::load) {
      const std::uint32_t near = cached ? l1.read(line, wanted) : 0;
      found.l1 += static_cast<std::uint32_t>(std::popcount(near));
      wanted &= ~near;
      if (wanted == 0) continue;
      const std::uint32_t far = l2_.read(line, wanted);
      found.l2 += static_cast<std::uint32_t>(std::popcount(far));
      wanted &= ~far;
      found.slowest = std::max(found.slowest, wanted == 0 ? Level::l2 : Level::dram);
      missed_ += static_cast<std::uint64_t>(std::popcount(wanted));
      continue;
    }
    std::uint32_t held = 0;
    if (way == Way::atomic) {
      held = l2_.read(line, wanted);
      missed_ += static_cast<std::uint64_t>(std::popcount(wanted & ~held));
      (void)l2_.write(line, wanted);
    } else {
      held = l2_.write(line, wanted);
    }
    found.l2 += static_cast<std::uint32_t>(std::popcount(held));
    found.slowest = std::max(found.slowest, held == wanted ? Level::l2 : Level::dram);
  }
  return found;
}

DeviceMemory::Traffic DeviceMemory::take_traffic() {
  const Traffic traffic{missed_ * sector, l2_.take_evicted() * sector};
  missed_ = 0;
  return traffic;
}

}  // namespace softgpu::profile
