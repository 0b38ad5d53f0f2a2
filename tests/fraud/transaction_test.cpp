#include "systems/fraud/transaction.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "systems/fraud/event.hpp"
#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

using nlohmann::json;
using testing::HasSubstr;

json whole() {
  return {{"transaction_id", "t-1"},
          {"user_id", "Jürgen \"J\""},
          {"amount", 12.5},
          {"currency", "EUR"},
          {"transaction_type", "purchase"},
          {"merchant_id", "m,1"},
          {"location", {48.25, -11.5}},
          {"timestamp", "2026-01-31T12:00:00.250+01:00"},
          {"card_last_four", "0042"},
          {"card_token", "tok"},
          {"ip_address", "2001:DB8:0:0::7"},
          {"device_id", "d-1"}};
}

std::string refusal(const json& value) {
  try {
    (void)parse_transaction(value);
  } catch (const InputError& error) {
    return error.what();
  }
  return "taken";
}

TEST(Transaction, IsReadAndWrittenInOneForm) {
  const Transaction transaction = parse_transaction(whole());
  EXPECT_EQ(transaction.time, 1'769'857'200'250);
  EXPECT_EQ(transaction.offset_minutes, 60);
  EXPECT_EQ(transaction.ip, "2001:db8::7");
  const std::string text = canonical(transaction);
  EXPECT_EQ(text,
            R"({"transaction_id":"t-1","user_id":"Jürgen \"J\"","amount":12.5,"currency":"EUR",)"
            R"("transaction_type":"purchase","merchant_id":"m,1","location":[48.25,-11.5],)"
            R"("timestamp":"2026-01-31T12:00:00.250+01:00","card_last_four":"0042",)"
            R"("card_token":"tok","ip_address":"2001:db8::7","device_id":"d-1"})");
  EXPECT_EQ(parse_transaction(json::parse(text)), transaction);
}

TEST(Transaction, OptionalMembersMayBeNullOrLeftOut) {
  json value = whole();
  for (const char* const name : {"merchant_id", "location", "card_token", "device_id"}) {
    value[name] = nullptr;
  }
  const Transaction nulls = parse_transaction(value);
  for (const char* const name : {"merchant_id", "location", "card_token", "device_id"}) {
    value.erase(name);
  }
  EXPECT_EQ(parse_transaction(value), nulls);
  EXPECT_FALSE(nulls.location.has_value());
  EXPECT_EQ(parse_transaction(json::parse(canonical(nulls))), nulls);
}

TEST(Transaction, RefusesWhatItIsNotAndSaysWhatWasExpected) {
  const auto with = [](const char* name, const json& value) {
    json changed = whole();
    changed[name] = value;
    return refusal(changed);
  };
  for (const char* const name : {"transaction_id", "user_id", "amount", "currency",
                                 "transaction_type", "timestamp", "card_last_four", "ip_address"}) {
    json lacking = whole();
    lacking.erase(name);
    EXPECT_THAT(refusal(lacking), HasSubstr(std::string("expected a member ") + name));
    EXPECT_THAT(with(name, nullptr), HasSubstr(name)) << "null";
    EXPECT_THAT(with(name, json::array()), HasSubstr(name)) << "of another type";
  }
  EXPECT_THAT(with("amout", 1), HasSubstr("unknown member 'amout'"));
  EXPECT_THAT(with("amount", "12"), HasSubstr("amount: expected a number"));
  EXPECT_THAT(with("amount", -1), HasSubstr("amount from 0"));
  EXPECT_THAT(with("amount", 2e12), HasSubstr("amount from 0"));
  EXPECT_THAT(with("currency", "eur"), HasSubstr("three capital letters"));
  EXPECT_THAT(with("transaction_type", "gift"), HasSubstr("purchase, withdrawal"));
  EXPECT_THAT(with("location", {91, 0}), HasSubstr("latitude"));
  EXPECT_THAT(with("location", {0, -181}), HasSubstr("longitude"));
  EXPECT_THAT(with("location", {1, 2, 3}), HasSubstr("two numbers"));
  EXPECT_THAT(with("card_last_four", "12a4"), HasSubstr("four digits"));
  EXPECT_THAT(with("card_last_four", 1234), HasSubstr("expected a text"));
  EXPECT_THAT(with("ip_address", "256.1.1.1"), HasSubstr("IPv4 or IPv6"));
  EXPECT_THAT(with("user_id", ""), HasSubstr("1 to 128 bytes"));
  EXPECT_THAT(with("user_id", std::string(129, 'x')), HasSubstr("1 to 128 bytes"));
  EXPECT_THAT(with("user_id", "a\nb"), HasSubstr("control characters"));
  for (const char* const time :
       {"2026-01-31", "2026-02-30T12:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00",
        "2026-01-31T12:00:00+15:00", "2026-01-31T12:00:00.1234Z", "1969-12-31T23:59:59Z",
        "2101-01-01T00:00:00Z", "2026-01-31T12:00:00.Z", "2026-01-31 12:00:00Z", ""}) {
    EXPECT_THAT(with("timestamp", time), HasSubstr("timestamp: expected a time")) << time;
  }
  EXPECT_THAT(refusal(json::array()), HasSubstr("a JSON object"));
}

TEST(Transaction, TimesAreReadInTheirOffset) {
  int offset = 0;
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00Z", offset), 0);
  EXPECT_EQ(parse_timestamp("2000-02-29T23:59:60-05:30", offset), 951'888'599'000);
  EXPECT_EQ(offset, -330);
  for (const Time time : {Time{0}, Time{951'888'599'999}, Time{4'102'444'800'000}}) {
    for (const int minutes : {-840, -1, 0, 59, 840}) {
      if (time + minutes * 60'000 < 0) continue;
      EXPECT_EQ(parse_timestamp(timestamp_text(time, minutes), offset), time);
      EXPECT_EQ(offset, minutes);
    }
  }
}

TEST(TransactionReader, ReadsWhatSimulateWrites) {
  TransactionRow row;
  row.transaction = parse_transaction(whole());
  row.truth.fraud = true;
  row.truth.known_at = row.transaction.time + 1000;
  row.truth.scenario = "stolen_card";
  TransactionRow plain = row;
  plain.truth = {};
  plain.transaction.location.reset();
  plain.transaction.merchant.clear();
  std::string text = csv_header();
  append_csv(text, row);
  append_csv(text, plain);
  std::istringstream in(text);
  TransactionReader reader(in, "f.csv");
  TransactionRow read;
  ASSERT_TRUE(reader.next(read));
  EXPECT_EQ(read.transaction, row.transaction);
  EXPECT_EQ(read.truth.fraud, true);
  EXPECT_EQ(read.truth.known_at, row.truth.known_at);
  EXPECT_EQ(read.truth.scenario, "stolen_card");
  ASSERT_TRUE(reader.next(read));
  EXPECT_EQ(read.transaction, plain.transaction);
  EXPECT_FALSE(read.truth.fraud.has_value());
  EXPECT_FALSE(reader.next(read));
}

TEST(TransactionReader, SaysFileRowAndColumn) {
  const auto refusal_of = [](const std::string& text) {
    std::istringstream in(text);
    try {
      TransactionReader reader(in, "f.csv");
      TransactionRow row;
      while (reader.next(row)) {
      }
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  const std::string header =
      "transaction_id,user_id,amount,currency,transaction_type,timestamp,card_last_four,"
      "ip_address\n";
  const std::string good = "1,u,5,EUR,payment,2026-01-01T00:00:00Z,1234,192.0.2.1\n";
  EXPECT_EQ(refusal_of(header + good + "\"2\",u,5,EUR,payment,2026-01-01T00:00:00Z,1234,::1\r\n"),
            "taken");
  EXPECT_THAT(refusal_of(""), HasSubstr("is empty"));
  EXPECT_THAT(refusal_of("user_id\n"), HasSubstr("no column transaction_id"));
  EXPECT_THAT(refusal_of("user_id,user_id\n"), HasSubstr("twice"));
  EXPECT_THAT(refusal_of("user_id,colour\n"), HasSubstr("column colour"));
  EXPECT_THAT(refusal_of(header + good + "2,u,x,EUR,payment,2026-01-01T00:00:00Z,1234,::1\n"),
              HasSubstr("f.csv: row 3, column amount: expected a number"));
  EXPECT_THAT(refusal_of(header + "2,u\n"), HasSubstr("row 2 has 2 columns"));
  EXPECT_THAT(refusal_of(header + "\"2,u\n"), HasSubstr("not closed"));
  EXPECT_THAT(refusal_of(header + "\"2\"x,u\n"), HasSubstr("closing quote"));
  EXPECT_THAT(refusal_of(header + "\xff,u,5,EUR,payment,2026-01-01T00:00:00Z,1234,::1\n"),
              HasSubstr("UTF-8"));
}

TEST(Event, HoldsNoIdentifierAndIsTheSameFromItsBytes) {
  const Transaction transaction = parse_transaction(whole());
  const Event event = make_event(transaction, Identities::of_seed(1), Currencies{});
  std::vector<std::byte> bytes;
  append_bytes(bytes, event);
  EXPECT_EQ(bytes.size(), event_bytes);
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  EXPECT_EQ(text.find("t-1"), std::string_view::npos);
  std::span<const std::byte> rest(bytes);
  EXPECT_EQ(take_event(rest), event);
  EXPECT_TRUE(rest.empty());
  rest = std::span(bytes).first(event_bytes - 1);
  EXPECT_THROW((void)take_event(rest), InputError);

  const Label label = make_label(event, true, event.time + 5);
  bytes.clear();
  append_bytes(bytes, label);
  EXPECT_EQ(bytes.size(), label_bytes);
  rest = bytes;
  EXPECT_EQ(take_label(rest), label);

  // Another secret, other keys; a card without a token belongs to its user.
  EXPECT_NE(make_event(transaction, Identities::of_seed(2), Currencies{}).user, event.user);
  Transaction other = transaction;
  other.user = "somebody";
  EXPECT_EQ(make_event(other, Identities::of_seed(1), Currencies{}).card, event.card);
  other.card_token.clear();
  Transaction plain = transaction;
  plain.card_token.clear();
  EXPECT_NE(make_event(other, Identities::of_seed(1), Currencies{}).card,
            make_event(plain, Identities::of_seed(1), Currencies{}).card);
  other.currency = "XXX";
  EXPECT_THROW((void)make_event(other, Identities::of_seed(1), Currencies{}), InputError);
}

// The vectors of the reference implementation: bytes 0, 1, 2, ... under the key 00 01 ... 0f.
TEST(Event, SipHashIsTheReferenceOne) {
  std::array<std::uint8_t, 16> secret;
  for (std::size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<std::uint8_t>(i);
  std::vector<std::uint8_t> bytes;
  EXPECT_EQ(siphash(secret, bytes), 0x726fdb47dd0e0e31U);
  for (std::uint8_t i = 0; i < 15; ++i) bytes.push_back(i);
  EXPECT_EQ(siphash(secret, bytes), 0xa129ca6149be45e5U);
}

}  // namespace
}  // namespace tandem::fraud
