#include "systems/journal/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <istream>
#include <ostream>
#include <thread>

#include "core/random.hpp"
#include "systems/journal/crc32c.hpp"
#include "systems/journal/memory_storage.hpp"
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

std::string record_text(Sequence sequence) {
  return "record " + std::to_string(sequence) + std::string(sequence % 97, 'x');
}

std::vector<std::string> all_of(Journal& journal, Sequence from) {
  std::vector<std::string> texts;
  journal.read(from, [&](const Record& record) {
    EXPECT_EQ(record.sequence, from + texts.size());
    texts.push_back(record.gone ? "gone" : text_of(record.bytes));
  });
  return texts;
}

std::vector<std::string> all_of(Journal& journal) {
  return all_of(journal, journal.recovery().first);
}

JournalOptions small(Durability durability = Durability::sync) {
  JournalOptions options;
  options.durability = durability;
  options.segment_bytes = 4096;
  return options;
}

void append_until(Journal& journal, Sequence end) {
  while (journal.next() < end) {
    journal.append(7, bytes_of(record_text(journal.next())));
    if (journal.next() % 20 == 0) journal.flush();
  }
}

TEST(Crc32c, IsTheOneOfRfc3720) {
  EXPECT_EQ(crc32c(bytes_of("123456789")), 0xE3069283U);
  EXPECT_EQ(crc32c(std::vector<std::byte>(32)), 0x8A9136AAU);
  EXPECT_EQ(crc32c(bytes_of("6789"), crc32c(bytes_of("12345"))), 0xE3069283U);
}

TEST(Journal, GivesBackWhatWasAppendedAcrossFilesAndRestarts) {
  const auto disk = std::make_shared<MemoryStorage>();
  {
    Journal journal("j", small(), disk);
    append_until(journal, 300);
    journal.flush();
    EXPECT_EQ(journal.durable(), 300U);
    EXPECT_EQ(all_of(journal).size(), 300U);
  }
  Journal journal("j", small(), disk);
  EXPECT_EQ(journal.recovery().first, 0U);
  EXPECT_EQ(journal.recovery().next, 300U);
  EXPECT_GT(journal.recovery().segments, 2);
  append_until(journal, 310);
  const auto texts = all_of(journal, 299);
  ASSERT_EQ(texts.size(), 11U);
  EXPECT_EQ(texts.front(), record_text(299));
  EXPECT_EQ(texts.back(), record_text(309));
}

TEST(Journal, IsOnTheRealDiskToo) {
  const std::string folder = testing::TempDir() + "journal-" + std::to_string(::getpid());
  {
    Journal journal(folder, small());
    append_until(journal, 200);
    journal.wait(199);
    EXPECT_THROW(Journal(folder, small()), InputError) << "two processes would write";
    std::int64_t count = 0;
    EXPECT_EQ(read_journal(folder, 50, [&](const Record&) { ++count; }), 200U);
    EXPECT_EQ(count, 150);
  }
  {
    Journal journal(folder, small());
    EXPECT_EQ(all_of(journal).size(), 200U);
    journal.remove_below(200);
    EXPECT_THROW(journal.read(0, [](const Record&) {}), InputError);
  }
  for (const std::string& name : real_storage()->list(folder)) {
    if (name != "." && name != "..") real_storage()->remove(folder + "/" + name);
  }
  ::rmdir(folder.c_str());
}

TEST(Journal, SeveralThreadsAppendInOneOrder) {
  const auto disk = std::make_shared<MemoryStorage>();
  Journal journal("j", small(), disk);
  std::vector<std::thread> threads;
  std::vector<std::vector<std::pair<Sequence, std::string>>> of_thread(4);
  for (std::size_t t = 0; t < of_thread.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string text = std::to_string(t) + ":" + std::to_string(i);
        const Sequence at = journal.append(1, bytes_of(text));
        of_thread[t].emplace_back(at, text);
        if (i % 10 == 0) {
          journal.wait(at);
          EXPECT_GT(journal.durable(), at);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto texts = all_of(journal);
  ASSERT_EQ(texts.size(), 800U);
  for (const auto& list : of_thread) {
    for (const auto& [at, text] : list) EXPECT_EQ(texts[at], text);
  }
}

// The main promise: whatever a loss of power leaves of what was not synced, a log opens again, has
// all that was acknowledged, and nothing that was not appended.
TEST(Journal, KeepsWhatWasAcknowledgedWhenPowerIsLost) {
  std::int64_t with_torn_end = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    auto disk = std::make_shared<MemoryStorage>();
    Sequence acknowledged = 0;
    // Three lives, one after the other on what the last one left.
    for (std::uint32_t life = 0; life < 3; ++life) {
      const Random random(seed, Purpose::test, life);
      std::shared_ptr<MemoryStorage> after;
      Sequence acknowledged_then = 0;
      {
        Journal journal("j", small(), disk);
        ASSERT_GE(journal.recovery().next, acknowledged) << "seed " << seed;
        with_torn_end += journal.recovery().cut_bytes > 0 ? 1 : 0;
        // Power is lost at some sync, between the write and what makes it safe.
        std::int64_t left = random.below(20, 0);
        disk->before_sync([&] {
          if (left-- != 0) return;
          acknowledged_then = journal.durable();
          after =
              disk->after_power_loss(seed * 3 + life, seed % 2 == 0 ? MemoryStorage::Torn::prefix
                                                                    : MemoryStorage::Torn::pages);
        });
        const auto count = static_cast<Sequence>(random.below(80, 1)) + 1;
        for (Sequence i = 0; i < count; ++i) {
          const Sequence at = journal.append(7, bytes_of(record_text(journal.next())));
          if (random.below(4, 10 + i) == 0) journal.wait(at);
        }
        journal.flush();
        disk->before_sync({});
        if (!after) {
          acknowledged_then = journal.durable();
          after = disk->after_power_loss(seed * 3 + life, MemoryStorage::Torn::prefix);
        }
      }
      acknowledged = acknowledged_then;
      disk = after;
    }
    Journal journal("j", small(), disk);
    const auto texts = all_of(journal);
    ASSERT_GE(texts.size(), acknowledged) << "seed " << seed;
    for (Sequence i = 0; i < texts.size(); ++i) ASSERT_EQ(texts[i], record_text(i));
  }
  EXPECT_GT(with_torn_end, 50) << "the losses of this test tear nothing";
}

TEST(Journal, AcknowledgesNothingAfterAFailedSync) {
  const auto disk = std::make_shared<MemoryStorage>();
  JournalOptions options = small();
  std::atomic<int> failures{0};
  std::atomic<Sequence> told{0};
  options.on_failure = [&](const std::string&) { ++failures; };
  options.on_durable = [&](Sequence sequence) { told = sequence; };
  std::shared_ptr<MemoryStorage> after;
  {
    Journal journal("j", options, disk);
    journal.wait(journal.append(1, bytes_of("first")));
    disk->fail_sync_after(0);
    const Sequence lost = journal.append(1, bytes_of("second"));
    EXPECT_THROW(journal.wait(lost), SystemError);
    EXPECT_TRUE(journal.failed());
    EXPECT_THAT(journal.failure(), testing::HasSubstr("nothing is acknowledged"));
    // Also where the disk would take it again.
    disk->fail_sync_after(1'000'000);
    EXPECT_THROW(journal.append(1, bytes_of("third")), SystemError);
    EXPECT_EQ(journal.durable(), 1U);
    EXPECT_EQ(told.load(), 1U);
    after = disk->after_power_loss(1, MemoryStorage::Torn::prefix);
  }
  EXPECT_EQ(failures.load(), 1);
  Journal journal("j", small(), after);
  EXPECT_EQ(all_of(journal).front(), "first");
}

TEST(Journal, AFullDiskLeavesTheLogAsItWasAcknowledged) {
  for (const Durability durability : {Durability::sync, Durability::os}) {
    const auto disk = std::make_shared<MemoryStorage>();
    {
      Journal journal("j", small(durability), disk);
      append_until(journal, 20);
      journal.flush();
      disk->fail_write_after(0);
      const Sequence lost = journal.append(1, bytes_of("a record that is written by half"));
      EXPECT_THROW(journal.wait(lost), SystemError);
    }
    Journal journal("j", small(durability), disk->after_kill());
    EXPECT_EQ(journal.recovery().next, 20U);
    EXPECT_GT(journal.recovery().cut_bytes, 0U);
  }
}

TEST(Journal, WithDurabilityOfTheSystemAKillLosesNothing) {
  const auto disk = std::make_shared<MemoryStorage>();
  Journal before("j", small(Durability::os), disk);
  append_until(before, 100);
  before.flush();
  EXPECT_EQ(before.durable(), 100U);
  const std::int64_t syncs = disk->syncs();
  Journal journal("j", small(Durability::os), disk->after_kill());
  EXPECT_EQ(all_of(journal).size(), 100U);
  EXPECT_LT(syncs, 10);
}

TEST(Journal, DamageAmongAcknowledgedRecordsIsRefusedAndSaysWhere) {
  const auto disk = std::make_shared<MemoryStorage>();
  {
    JournalOptions options;
    Journal journal("j", options, disk);
    for (int i = 0; i < 10; ++i)
      journal.wait(journal.append(1, bytes_of(record_text(journal.next()))));
  }
  const std::string path = "j/" + segment_name(0);
  const std::vector<std::byte> whole = disk->content(path);
  std::int64_t refused = 0;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::vector<std::byte> damaged = whole;
    damaged[at] ^= std::byte{0x10};
    disk->set_content(path, damaged);
    try {
      Journal journal("j", {}, disk);
      // What was the last group alone may pass for a torn end.
      EXPECT_GE(journal.recovery().next, 9U) << "byte " << at;
      disk->set_content(path, whole);
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr(path));
      ++refused;
    }
  }
  EXPECT_GE(refused, static_cast<std::int64_t>(whole.size() * 8 / 10));
}

TEST(Journal, AMissingFileInBetweenIsRefused) {
  const auto disk = std::make_shared<MemoryStorage>();
  {
    Journal journal("j", small(), disk);
    append_until(journal, 300);
  }
  std::vector<std::string> segments;
  for (const std::string& name : disk->list("j")) {
    if (segment_of(name)) segments.push_back(name);
  }
  ASSERT_GT(segments.size(), 3U);
  disk->remove("j/" + segments[1]);
  EXPECT_THROW(Journal("j", small(), disk), InputError);
}

TEST(Journal, ErasesRecordsAndKeepsTheirPlaces) {
  const auto disk = std::make_shared<MemoryStorage>();
  {
    Journal journal("j", small(), disk);
    append_until(journal, 300);
    journal.flush();
    journal.write_snapshot(300, [](std::ostream& out) { out << "state"; });
    const std::int64_t changed =
        journal.rewrite([](const Record& record) -> std::optional<std::vector<std::byte>> {
          if (record.sequence % 10 == 3) return std::vector<std::byte>{};
          if (record.sequence == 100) return bytes_of("another");
          return std::nullopt;
        });
    EXPECT_EQ(changed, 31);
    journal.remove_snapshots_below(300);
    EXPECT_TRUE(journal.newest_snapshot().has_value());
    journal.remove_snapshots_below(301);
    EXPECT_FALSE(journal.newest_snapshot().has_value());
    append_until(journal, 320);
  }
  for (const std::string& name : disk->list("j")) {
    EXPECT_EQ(text_of(disk->content("j/" + name)).find(record_text(13)), std::string::npos) << name;
  }
  Journal journal("j", small(), disk);
  const auto texts = all_of(journal);
  ASSERT_EQ(texts.size(), 320U);
  for (Sequence i = 0; i < texts.size(); ++i) {
    const std::string expected = i == 100                 ? "another"
                                 : i < 300 && i % 10 == 3 ? "gone"
                                                          : record_text(i);
    EXPECT_EQ(texts[i], expected);
  }
}

TEST(Journal, SnapshotsAreReadBackAndDamagedOnesPassedOver) {
  const auto disk = std::make_shared<MemoryStorage>();
  Journal journal("j", small(), disk);
  append_until(journal, 40);
  EXPECT_FALSE(journal.newest_snapshot().has_value());
  EXPECT_THROW(journal.write_snapshot(41, [](std::ostream&) {}), InputError);
  journal.flush();
  const std::string large(3'000'000, 's');
  for (const Sequence at : {10U, 20U, 40U}) {
    journal.write_snapshot(at, [&](std::ostream& out) { out << at << large; });
  }
  const auto read = [&] {
    const auto info = journal.newest_snapshot();
    std::string text;
    journal.read_snapshot(*info, [&](std::istream& in) { std::getline(in, text); });
    return text;
  };
  EXPECT_EQ(journal.newest_snapshot()->sequence, 40U);
  EXPECT_EQ(read(), "40" + large);
  std::vector<std::byte> content = disk->content("j/" + snapshot_name(40));
  content[1000] ^= std::byte{1};
  disk->set_content("j/" + snapshot_name(40), content);
  EXPECT_EQ(journal.newest_snapshot()->sequence, 20U);
  EXPECT_EQ(read(), "20" + large);
  EXPECT_THROW(disk->size("j/" + snapshot_name(10)), SystemError) << "the newest two are kept";
}

TEST(Journal, ALogWithoutFilesGoesOnAfterItsSnapshot) {
  const auto disk = std::make_shared<MemoryStorage>();
  {
    Journal journal("j", small(), disk);
    append_until(journal, 30);
    journal.flush();
    journal.write_snapshot(30, [](std::ostream& out) { out << "s"; });
  }
  for (const std::string& name : disk->list("j")) {
    if (segment_of(name)) disk->remove("j/" + name);
  }
  Journal journal("j", small(), disk);
  EXPECT_EQ(journal.next(), 30U);
}

TEST(Journal, RefusesWhatIsTooLong) {
  Journal journal("j", small(), std::make_shared<MemoryStorage>());
  EXPECT_THROW(journal.append(1, std::vector<std::byte>(longest_record + 1)), InputError);
  EXPECT_EQ(journal.append(1, std::vector<std::byte>(longest_record)), 0U);
  journal.wait(0);
  journal.read(0, [](const Record& record) { EXPECT_EQ(record.bytes.size(), longest_record); });
}

}  // namespace
}  // namespace tandem::journal
