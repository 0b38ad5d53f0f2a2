// Memory that stands in files: what is written is read back whoever asks, in any order, from
// several threads, and no more of it is in memory than is allowed.
#include "core/external_memory.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "core/memory.hpp"
#include "core/parallel.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

constexpr Index memory = Index{64} << 20;

// Bytes of mapped files that are in memory now.
Index mapped_now() {
  long size = 0;
  long resident = 0;
  long shared = 0;
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  const int read = std::fscanf(file, "%ld %ld %ld", &size, &resident, &shared);
  std::fclose(file);
  return read == 3 ? shared * ::sysconf(_SC_PAGESIZE) : 0;
}

class ExternalMemory : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern =
        (std::filesystem::path(::testing::TempDir()) / "tandem-external-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    use_external_memory({.folder = folder_, .memory = memory});
  }
  void TearDown() override {
    stop_external_memory();
    std::filesystem::remove_all(folder_);
  }

  std::string folder_;
};

// Numbers in external memory.
class Numbers {
 public:
  explicit Numbers(Index count)
      : data_(static_cast<std::uint64_t*>(
            allocate_external(static_cast<std::size_t>(count) * sizeof(std::uint64_t)))),
        count_(count) {}
  Numbers(const Numbers&) = delete;
  Numbers& operator=(const Numbers&) = delete;
  ~Numbers() {
    if (data_ == nullptr) return;
    EXPECT_TRUE(deallocate_external(data_));
  }
  [[nodiscard]] std::uint64_t* data() { return data_; }
  [[nodiscard]] Index count() const { return count_; }

 private:
  std::uint64_t* data_;
  Index count_;
};

constexpr std::uint64_t value_at(Index i) {
  return static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15U + 1;
}

constexpr Index piece_size = 16 * 1024;

void write_all(Numbers& numbers) {
  for (Index i = 0; i < numbers.count(); ++i) {
    if (i % piece_size == 0) {
      visit_elements(numbers.data() + i, std::min(piece_size, numbers.count() - i),
                     external::Access::write);
    }
    numbers.data()[i] = value_at(i);
  }
}

// Values that are not as they were written, seen by two threads; and the most that was mapped.
Index wrong_ones(Numbers& numbers, Index& most_mapped) {
  std::atomic<Index> wrong{0};
  std::atomic<Index> most{0};
  parallel_pieces(2, numbers.count(), piece_size, [&](Piece piece) {
    visit_elements(numbers.data() + piece.begin, piece.size());
    for (Index i = piece.begin; i < piece.end; ++i) {
      if (numbers.data()[i] != value_at(i)) ++wrong;
    }
    if (piece.begin / piece_size % 16 != 0) return;
    const Index now = mapped_now();
    Index before = most;
    while (now > before && !most.compare_exchange_weak(before, now)) {
    }
  });
  most_mapped = std::max(most_mapped, most.load());
  return wrong;
}

TEST_F(ExternalMemory, HoldsMoreThanTheMemory) {
  const Index at_first = mapped_now();
  Numbers numbers(Index{24} << 20);  // 192 MiB, three times the memory
  ASSERT_NE(numbers.data(), nullptr);
  // Its files have no names.
  EXPECT_TRUE(std::filesystem::is_empty(folder_));
  write_all(numbers);
  Index most = mapped_now();
  for (int pass = 0; pass < 2; ++pass) EXPECT_EQ(wrong_ones(numbers, most), 0);
  EXPECT_LE(most - at_first, memory);
  const ExternalMemoryUse use = external_memory_use();
  EXPECT_GE(use.bytes, Index{192} << 20);
  // All were dropped at least once, and some stayed from the first pass to the second.
  EXPECT_GE(use.loaded_bytes, 2 * (Index{192} << 20));
}

// What no loop visits is brought by the system, and dropped again.
TEST_F(ExternalMemory, IsRightWithoutVisits) {
  const Index at_first = mapped_now();
  Numbers numbers(Index{12} << 20);
  ASSERT_NE(numbers.data(), nullptr);
  for (Index i = 0; i < numbers.count(); ++i) numbers.data()[i] = value_at(i);
  Index wrong = 0;
  // Every row of 64, from the last to the first.
  for (Index i = numbers.count() - 1; i >= 0; i -= 64) {
    wrong += numbers.data()[i] == value_at(i) ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0);
  for (int waits = 0; waits < 500 && mapped_now() - at_first > memory; ++waits) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_LE(mapped_now() - at_first, memory);
}

TEST_F(ExternalMemory, IsGivenBackAndTakenAgain) {
  const Index before = external_memory_use().bytes;
  for (int turn = 0; turn < 20; ++turn) {
    Numbers first(Index{2} << 20);
    Numbers second(Index{3} << 20);
    ASSERT_NE(first.data(), nullptr);
    ASSERT_NE(second.data(), nullptr);
    // What was there before is not seen.
    EXPECT_EQ(first.data()[turn * 1000], 0U);
    write_all(second);
    std::thread([&] {
      visit_elements(second.data(), piece_size);
      EXPECT_EQ(second.data()[7], value_at(7));
    }).join();
    first.data()[turn * 1000 + 1000] = 1;
  }
  EXPECT_EQ(external_memory_use().bytes, before);
}

TEST_F(ExternalMemory, OfAnEngineIsItsOwnBuffers) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 2});
  Buffer<double> large(*engine, Index{4} << 20);
  Buffer<double> small(*engine, 1000);
  EXPECT_GE(external_memory_use().bytes, Index{32} << 20);
  large.fill_zero();
  large.data()[5] = 3;
  EXPECT_EQ(large.to_host()[5], 3);
  small.fill_zero();
}

TEST_F(ExternalMemory, LeavesOtherMemoryAlone) {
  EXPECT_EQ(allocate_external(1000), nullptr);
  std::vector<double> ordinary(1000);
  EXPECT_FALSE(deallocate_external(ordinary.data()));
  visit_elements(ordinary.data(), 1000);  // does nothing
  stop_external_memory();
  EXPECT_EQ(allocate_external(std::size_t{1} << 28), nullptr);
}

TEST_F(ExternalMemory, SaysWhatIsWrong) {
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(
      message([&] { use_external_memory({.folder = folder_ + "/none", .memory = memory}); }),
      HasSubstr("is no folder"));
  EXPECT_THAT(message([&] { use_external_memory({.folder = folder_, .memory = 1000}); }),
              HasSubstr("expected at least 64.0 MiB"));
  EXPECT_THAT(message([&] { (void)allocate_external(std::size_t{1} << 43); }),
              HasSubstr("cannot be taken there"));
}

}  // namespace
}  // namespace tandem::test
