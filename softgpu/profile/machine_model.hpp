// The memory of a device as the profiler follows it: an L1 cache per multiprocessor, one L2 cache,
// and, in between launches, what the L2 still holds.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "softgpu/isa/touch.hpp"
#include "softgpu/profile/cache.hpp"
#include "softgpu/profile/costs.hpp"

namespace softgpu::profile {

// Numbers of pages by the order in which they are first touched, as an operating system gives out
// physical ones: results do not depend on where the host put an allocation.
class Pages {
 public:
  static constexpr std::uint64_t bytes = 4096;
  // The address with its page's number in place of the page.
  [[nodiscard]] std::uint64_t place(std::uint64_t address);

 private:
  std::unordered_map<std::uint64_t, std::uint64_t> numbers_;
  std::uint64_t last_page_ = ~std::uint64_t{0};
  std::uint64_t last_number_ = 0;
};

// The caches of one device, while its kernels run one after the other.
class DeviceMemory {
 public:
  explicit DeviceMemory(const DeviceModel& device);

  // A kernel begins: no L1 holds anything; each has `l1` bytes.
  void begin_launch(std::size_t l1);

  enum class Level : std::uint8_t { l1, l2, dram };
  struct Found {
    std::uint32_t l1 = 0;  // sectors
    std::uint32_t l2 = 0;
    std::uint32_t lines = 0;
    Level slowest = Level::l1;
  };
  // The sectors of a request, each once: their addresses over 32. Loads go through the L1 of
  // `multiprocessor` where `cached`; stores and atomics go to the L2, and stores update a line of
  // the L1 that is there.
  Found access(std::uint32_t multiprocessor, Way way, bool cached, const std::uint64_t* sectors,
               std::uint32_t count);

  // Bytes read from and written to memory since the last call.
  struct Traffic {
    std::uint64_t read = 0;
    std::uint64_t written = 0;
  };
  [[nodiscard]] Traffic take_traffic();

 private:
  static constexpr std::uint32_t l1_ways = 8;
  static constexpr std::uint32_t l2_ways = 16;

  Pages pages_;
  Cache l2_;
  std::vector<Cache> l1_;
  std::size_t multiprocessors_;
  std::uint64_t missed_ = 0;
};

}  // namespace softgpu::profile
