// The newest records of a log, as those that follow it are given them.
#include "systems/journal/tail.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "systems/journal/segment.hpp"
#include "tandem/core/error.hpp"

namespace tandem::journal {
namespace {

std::vector<std::byte> bytes_of(const std::string& text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// "KIND:TEXT", or "gone", of each record.
std::vector<std::string> read(std::span<const std::byte> bytes, Sequence from) {
  std::vector<std::string> found;
  each_record(bytes, from, [&](const Record& record) {
    EXPECT_EQ(record.sequence, from + found.size());
    found.push_back(record.gone ? "gone"
                                : std::to_string(record.kind) + ":" + text_of(record.bytes));
  });
  return found;
}

class TailOfLog : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "tail." + std::to_string(::getpid());
    std::filesystem::remove_all(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::unique_ptr<Journal> open(Tail& tail) {
    JournalOptions options;
    options.durability = Durability::os;
    options.segment_bytes = 4096;
    options.on_append = [&](const Record& record) { tail.add(record); };
    return std::make_unique<Journal>(folder_, options);
  }
  std::string folder_;
};

TEST_F(TailOfLog, IsWhatItsFilesAre) {
  Tail tail(1 << 20);
  const auto journal = open(tail);
  std::vector<std::string> wanted;
  for (int i = 0; i < 300; ++i) {
    if (i % 50 == 7) {
      EXPECT_EQ(journal->append_gone(), static_cast<Sequence>(i));
      wanted.emplace_back("gone");
      continue;
    }
    const std::string text(static_cast<std::size_t>(i % 40), static_cast<char>('a' + i % 26));
    (void)journal->append(static_cast<std::uint8_t>(i % 5 + 1), bytes_of(text));
    wanted.push_back(std::to_string(i % 5 + 1) + ":" + text);
  }
  journal->flush();
  for (const Sequence from : {0, 1, 57, 299}) {
    for (const std::size_t most : {std::size_t{1}, std::size_t{500}, std::size_t{1} << 20}) {
      std::vector<std::byte> memory;
      std::vector<std::byte> files;
      const auto next = tail.copy(from, 300, most, memory);
      ASSERT_TRUE(next.has_value());
      EXPECT_GT(*next, from);
      EXPECT_EQ(copy_from_files(folder_, from, 300, most, files), *next);
      EXPECT_EQ(memory, files);
      EXPECT_EQ(read(memory, from),
                std::vector<std::string>(wanted.begin() + static_cast<long>(from),
                                         wanted.begin() + static_cast<long>(*next)));
    }
  }
  // Not what is not safe yet.
  std::vector<std::byte> none;
  EXPECT_EQ(tail.copy(10, 12, 1 << 20, none).value_or(0), 12U);
  EXPECT_EQ(read(none, 10).size(), 2U);
  EXPECT_FALSE(tail.copy(300, 400, 1, none).has_value());
}

TEST_F(TailOfLog, KeepsTheNewestAndNothingThatWasChanged) {
  Tail tail(2'000);
  const auto journal = open(tail);
  for (int i = 0; i < 100; ++i) (void)journal->append(1, bytes_of(std::to_string(i)));
  journal->flush();
  std::vector<std::byte> out;
  EXPECT_FALSE(tail.copy(0, 100, 1, out).has_value());
  EXPECT_TRUE(tail.copy(99, 100, 1, out).has_value());
  tail.clear();
  EXPECT_FALSE(tail.copy(99, 100, 1, out).has_value());
  EXPECT_TRUE(out.size() > 0);
  (void)journal->append(1, bytes_of("new"));
  out.clear();
  EXPECT_EQ(tail.copy(100, 101, 1, out).value_or(0), 101U);
  EXPECT_EQ(read(out, 100), std::vector<std::string>{"1:new"});
}

TEST(Records, AreRefusedWhereTheyAreDamagedOrOthers) {
  Tail tail(1 << 20);
  tail.add({5, 1, {}, false});
  const auto text = bytes_of("x");
  tail.add({6, 2, text, false});
  std::vector<std::byte> good;
  ASSERT_EQ(tail.copy(5, 7, 1 << 20, good).value_or(0), 7U);
  const auto ignore = [](const Record&) {};
  EXPECT_THROW(each_record(good, 4, ignore), InputError);
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::vector<std::byte> bad = good;
    bad[i] ^= std::byte{1};
    EXPECT_THROW(each_record(bad, 5, ignore), InputError) << i;
    EXPECT_THROW(each_record(std::span(good).first(i == 0 ? 1 : i), 5,
                             [&](const Record& record) {
                               // Of a part, the whole records come before it is refused.
                               if (record.sequence != 5 || i < record_head_bytes)
                                 ADD_FAILURE() << i;
                             }),
                 InputError)
        << i;
    if (i + 1 == record_head_bytes) break;
  }
}

}  // namespace
}  // namespace tandem::journal
