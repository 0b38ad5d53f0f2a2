#include "core/memory.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <limits>

namespace tandem {
namespace {

constexpr Index largest_count = std::numeric_limits<Index>::max();

TEST(Memory, SizesReadWell) {
  EXPECT_EQ(readable_size(0), "0 bytes");
  EXPECT_EQ(readable_size(1), "1 byte");
  EXPECT_EQ(readable_size(1023), "1023 bytes");
  EXPECT_EQ(readable_size(1536), "1.5 KiB");
  EXPECT_EQ(readable_size((Index{1} << 30) - 1), "1.0 GiB");  // not 1024.0 MiB
  EXPECT_EQ(readable_size(largest_count), "8.0 EiB");
}

TEST(Memory, SizesSaturate) {
  EXPECT_EQ(saturating_product(Index{1} << 32, Index{1} << 32), largest_count);
  EXPECT_EQ(saturating_product(Index{1} << 31, Index{1} << 31), Index{1} << 62);
  EXPECT_EQ(saturating_product(0, largest_count), 0);
  EXPECT_EQ(saturating_sum(largest_count, 1), largest_count);
  EXPECT_EQ(saturating_sum(largest_count - 1, 1), largest_count);
}

TEST(Memory, SomeIsAvailableAndNotMoreThanTheMachineHas) {
  const Index left = available_memory();
  EXPECT_GT(left, Index{1} << 20);
  EXPECT_LE(left, ::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGESIZE));
}

TEST(MemoryDeathTest, TheAddressSpaceLimitCounts) {
  EXPECT_EXIT(
      {
        std::ifstream statm("/proc/self/statm");
        Index pages = 0;
        statm >> pages;
        rlimit limit{};
        limit.rlim_cur = static_cast<rlim_t>(pages * ::sysconf(_SC_PAGESIZE) + (Index{64} << 20));
        limit.rlim_max = limit.rlim_cur;
        const bool set = ::setrlimit(RLIMIT_AS, &limit) == 0;
        const Index left = available_memory();
        std::_Exit(set && left <= (Index{64} << 20) && left > (Index{32} << 20) ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tandem
