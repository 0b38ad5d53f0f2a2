// Which users are a server's, and what the log of one of several servers holds.
#include "systems/fraud/service/partition.hpp"

#include <gtest/gtest.h>

#include "systems/broker/kafka.hpp"
#include "systems/fraud/service/fleet_records.hpp"
#include "systems/http/message.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

int status_of(const Partition& partition, std::string_view header,
              const std::vector<std::uint32_t>& sums) {
  try {
    check_partition(partition, header, sums);
    return 200;
  } catch (const http::HttpError& error) {
    return error.status;
  }
}

TEST(Partition, IsThatOfKafkasKeys) {
  EXPECT_EQ(user_sum("123456789"), 0xCBF43926U);
  for (int i = 0; i < 200; ++i) {
    const std::string user = "user-" + std::to_string(i);
    // A topic of 12 partitions is parted among 4 servers.
    const auto of_topic = static_cast<std::int32_t>(broker::partition_of(user, 12));
    for (std::uint32_t index = 0; index < 4; ++index) {
      const Partition partition{index, 4};
      const auto theirs = partition.of_topic(12);
      const bool reads = std::find(theirs.begin(), theirs.end(), of_topic) != theirs.end();
      EXPECT_EQ(reads, partition.has(user_sum(user)));
    }
  }
  EXPECT_THROW((void)Partition({0, 4}).of_topic(6), InputError);
  EXPECT_EQ(Partition({0, 1}).of_topic(3), (std::vector<std::int32_t>{0, 1, 2}));
}

TEST(Partition, IsReadAsPeopleWriteIt) {
  EXPECT_EQ(Partition::parse("2/7").to_string(), "2/7");
  for (const char* wrong :
       {"", "1", "/", "1/", "/2", "2/2", "-1/2", "0/0", "0/1025", "a/b", "0/2/4", "0 /2"}) {
    EXPECT_THROW((void)Partition::parse(wrong), InputError) << wrong;
  }
}

TEST(Partition, OfATransactionIsCheckedAgainstTheHeader) {
  const Partition one{1, 3};
  std::vector<std::uint32_t> theirs;
  std::vector<std::string> users;
  std::string stranger;
  for (int i = 0; theirs.size() < 3 || stranger.empty(); ++i) {
    const std::string user = "u" + std::to_string(i);
    if (one.has(user_sum(user))) {
      theirs.push_back(user_sum(user));
      users.push_back(user);
    } else {
      stranger = user;
    }
  }
  EXPECT_EQ(status_of(one, "", theirs), 200);
  EXPECT_EQ(status_of(one, users[0], theirs), 200);
  EXPECT_EQ(status_of(one, users[1], theirs), 400);
  EXPECT_EQ(status_of(one, stranger, theirs), 400);
  theirs.push_back(user_sum(stranger));
  EXPECT_EQ(status_of(one, users[0], theirs), 421);
  EXPECT_EQ(status_of(Partition{}, users[0], theirs), 200);
}

TEST(FleetRecords, AreReadBack) {
  ElsewhereRecord record;
  record.partition = 513;
  record.position = {7, 1ULL << 40};
  record.event.user = 11;
  record.event.merchant = 12;
  record.event.cents = 5;
  for (const RecordKind kind : {RecordKind::transaction, RecordKind::label, RecordKind::erase}) {
    record.kind = kind;
    record.label.user = 13;
    record.label.fraud = true;
    record.user = 14;
    const auto bytes = bytes_of(record);
    const ElsewhereRecord read = elsewhere_record(bytes);
    EXPECT_EQ(read.partition, record.partition);
    EXPECT_EQ(read.position, record.position);
    EXPECT_EQ(read.kind, kind);
    EXPECT_TRUE(kind != RecordKind::transaction || read.event == record.event);
    EXPECT_TRUE(kind != RecordKind::label || read.label == record.label);
    EXPECT_TRUE(kind != RecordKind::erase || read.user == record.user);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      EXPECT_THROW((void)elsewhere_record(std::span(bytes).first(i)), InputError);
    }
  }
  record.kind = RecordKind::versions;
  EXPECT_THROW((void)elsewhere_record(bytes_of(record)), InputError);
  EXPECT_EQ(without_record(bytes_of(WithoutRecord{3, 9})).parts, 3);
  EXPECT_THROW((void)without_record(bytes_of(WithoutRecord{4, 9})), InputError);
  EXPECT_EQ(takeover_record(bytes_of(TakeoverRecord{5, 9})).epoch, 5U);
  EXPECT_EQ(without_text(0), "");
  EXPECT_EQ(without_text(1), R"(,"without":["redis"])");
  EXPECT_EQ(without_text(3), R"(,"without":["redis","kafka"])");
}

}  // namespace
}  // namespace tandem::fraud
