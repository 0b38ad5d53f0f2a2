#include "systems/fraud/rules/rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tandem/core/error.hpp"

namespace tandem::fraud {
namespace {

const std::vector<RuleVariable> variables{
    {"amount"},
    {"distance_km"},
    {"device_is_new", RuleType::truth},
    {"kind", RuleType::choice, {"purchase", "withdrawal", "transfer"}},
    {"count_1h"}};
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

RuleSet parse(const std::string& text) { return RuleSet::parse(text, "rules.txt", variables); }

RuleSet of_condition(const std::string& condition) {
  return parse("version 1\nrule r\n  when " + condition + "\n  weight 0.5\n  reason \"x\"\n");
}

bool holds(const std::string& condition, const std::vector<double>& values) {
  std::vector<int> hits;
  of_condition(condition).evaluate(values, hits);
  return !hits.empty();
}

std::string error_of(const std::string& text) {
  try {
    (void)parse(text);
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::string condition_error(const std::string& condition) {
  return error_of("version 1\nrule r\n  when " + condition + "\n  weight 0.5\n  reason \"x\"\n");
}

TEST(Rules, ConditionsAreWhatTheySay) {
  const std::vector<double> values{120, 800, 1, 1, 3};
  for (const char* condition : {"amount > 100",
                                "amount >= 120 and amount <= 120",
                                "not amount < 120",
                                "amount == 120",
                                "amount != 121",
                                "device_is_new",
                                "not not device_is_new",
                                "device_is_new == true",
                                "kind == \"withdrawal\"",
                                "\"withdrawal\" == kind",
                                "kind != \"purchase\"",
                                "kind in {\"transfer\", \"withdrawal\"}",
                                "count_1h in {1, 2, 3}",
                                "not count_1h in {-3, 4}",
                                "amount - 20 - 50 == 50",
                                "amount / 2 / 3 == 20",
                                "2 + 3 * 4 == 14",
                                "(2 + 3) * 4 == 20",
                                "-amount < -119",
                                "min(amount, distance_km) == 120",
                                "max(amount, distance_km) == 800",
                                "abs(amount - 150) == 30",
                                "amount > 100 or count_1h > 100 and false",
                                "(amount > 100 or true) and count_1h < 4",
                                "known(amount)",
                                "1e2 < amount",
                                "false or false or amount > 1",
                                "true and true and amount > 1"}) {
    EXPECT_TRUE(holds(condition, values)) << condition;
    EXPECT_FALSE(holds("not (" + std::string(condition) + ")", values)) << condition;
  }
}

TEST(Rules, WhatIsNotKnownNeitherComparesNorCounts) {
  const std::vector<double> values{nan, std::numeric_limits<double>::infinity(), nan, nan, 0};
  for (const char* condition :
       {"amount > 1", "amount <= 1", "amount == amount", "amount != 1", "device_is_new",
        "kind == \"purchase\"", "kind != \"purchase\"", "known(amount)", "distance_km > 1",
        "1 / count_1h > 0", "min(amount, 1) == 1", "amount + 1 > 0", "abs(amount) >= 0",
        "device_is_new and true", "device_is_new or false", "count_1h + 1e308 * 10 > 0"}) {
    EXPECT_FALSE(holds(condition, values)) << condition;
  }
  EXPECT_TRUE(holds("not known(amount)", values));
  EXPECT_TRUE(holds("not device_is_new", values));
  EXPECT_TRUE(holds("device_is_new or count_1h == 0", values));
}

TEST(Rules, TheHighestPriorityComesFirst) {
  const RuleSet rules = parse(
      "version 7  # of the review on Monday\n"
      "rule late priority -5 when true weight 1 reason \"a\"\n"
      "rule first priority 10 when amount > 5 action decline dry-run reason \"b\"\n"
      "rule never priority 10 when false action approve reason \"c\"\n"
      "rule middle when true weight .25 reason \"d\"\n");
  EXPECT_EQ(rules.version(), 7);
  EXPECT_EQ(rules.id().substr(0, 2), "7-");
  ASSERT_EQ(rules.rules().size(), 4U);
  EXPECT_EQ(rules.rules()[0].name, "first");
  EXPECT_TRUE(rules.rules()[0].dry_run);
  EXPECT_EQ(rules.rules()[0].action, RuleAction::decline);
  EXPECT_EQ(rules.rules()[2].weight, 0.25);
  EXPECT_EQ(rules.rules()[3].line, 2);
  std::vector<int> hits{9};
  rules.evaluate(std::vector<double>{6, 0, 0, 0, 0}, hits);
  EXPECT_THAT(hits, testing::ElementsAre(0, 2, 3));
  EXPECT_NE(rules.id(), parse("version 7\n").id());
}

TEST(Rules, ReasonsAreFilledIn) {
  const RuleSet rules = parse(
      "version 1 rule r when true weight 1 reason \"{amount} of \\\"{kind}\\\", {distance_km} km, "
      "new: {device_is_new}, {{so}} {count_1h}\"");
  EXPECT_EQ(rules.reason(0, std::vector<double>{120.5, nan, 1, 2, 0.00123}),
            "120.5 of \"transfer\", unknown km, new: yes, {so} 0.0012");
  EXPECT_EQ(rules.reason(0, std::vector<double>{1000, -0.0, 0, 0, 3}),
            "1000 of \"purchase\", 0 km, new: no, {so} 3");
}

TEST(Rules, ErrorsNameThePlaceAndTheWayOut) {
  using testing::HasSubstr;
  using testing::StartsWith;
  EXPECT_THAT(error_of(""), StartsWith("rules.txt:1:1: expected 'version N' first"));
  EXPECT_THAT(error_of("version 0"), StartsWith("rules.txt:1:9: expected a whole number from 1"));
  EXPECT_THAT(error_of("version 1\nrul r"), StartsWith("rules.txt:2:1: expected 'rule NAME'"));
  EXPECT_THAT(error_of("version 1\nrule when"), HasSubstr("2:6: expected the name of a rule"));
  EXPECT_THAT(error_of("version 1 rule r weight 1 reason \"x\""), HasSubstr("has no 'when'"));
  EXPECT_THAT(error_of("version 1 rule r when true weight 1"), HasSubstr("has no 'reason'"));
  EXPECT_THAT(error_of("version 1 rule r when true reason \"x\""),
              HasSubstr("neither 'weight' nor 'action'"));
  EXPECT_THAT(error_of("version 1 rule r when true weight 1.5"), HasSubstr("from 0 to 1"));
  EXPECT_THAT(error_of("version 1 rule r when true action block"),
              HasSubstr("expected approve, review or decline"));
  EXPECT_THAT(error_of("version 1 rule r when true when true"), HasSubstr("has 'when' already"));
  const std::string rule = "rule r when true weight 1 reason \"x\" ";
  EXPECT_THAT(error_of("version 1 " + rule + rule), HasSubstr("there is a rule r already"));
  EXPECT_THAT(error_of("version 1 rule r when true weight 1 reason \"{amout}\""),
              HasSubstr("did you mean amount?"));
  EXPECT_THAT(error_of("version 1 rule r when true weight 1 reason \"{amount\""),
              HasSubstr("has no '}'"));
  EXPECT_THAT(error_of("version 1 rule r when true weight 1 reason \"x\n\""),
              HasSubstr("does not end on its line"));
  EXPECT_THAT(condition_error("amout > 1"),
              StartsWith("rules.txt:3:8: there is no feature 'amout'"));
  EXPECT_THAT(condition_error("amount"), HasSubstr("expected a condition"));
  EXPECT_THAT(condition_error("amount and true"), HasSubstr("'and' takes a condition"));
  EXPECT_THAT(condition_error("device_is_new > 1"), HasSubstr("cannot be compared"));
  EXPECT_THAT(condition_error("device_is_new + 1 > 1"), HasSubstr("'+' takes a number"));
  EXPECT_THAT(condition_error("kind == \"gift\""),
              HasSubstr("it is one of purchase, withdrawal, transfer"));
  EXPECT_THAT(condition_error("kind > \"purchase\""), HasSubstr("choices have no order"));
  EXPECT_THAT(condition_error("kind == 1"), HasSubstr("cannot be compared"));
  EXPECT_THAT(condition_error("\"a\" == \"b\""), HasSubstr("two texts"));
  EXPECT_THAT(condition_error("\"a\""), HasSubstr("a text can only be compared"));
  EXPECT_THAT(condition_error("1 < amount < 3"), HasSubstr("write 'a < b and b < c'"));
  EXPECT_THAT(condition_error("amount = 1"), HasSubstr("equality is '=='"));
  EXPECT_THAT(condition_error("amount > 1 && true"), HasSubstr("write 'and'"));
  EXPECT_THAT(condition_error("amount > 1..2"), HasSubstr("expected a number"));
  EXPECT_THAT(condition_error("(amount + 1) in {1}"), HasSubstr("'in' takes the name"));
  EXPECT_THAT(condition_error("$"), HasSubstr("not of the language"));
}

TEST(Rules, CostIsBounded) {
  EXPECT_THAT(condition_error(std::string(40, '(') + "true" + std::string(40, ')')),
              testing::HasSubstr("nested deeper than 32"));
  std::string sum = "amount";
  for (int i = 0; i < 300; ++i) sum += " + 1";
  EXPECT_THAT(condition_error(sum + " > 1"), testing::HasSubstr("more than 256 operations"));
  std::string many = "version 1\n";
  for (int i = 0; i < 1001; ++i) {
    many += "rule r" + std::to_string(i) + " when true weight 1 reason \"x\"\n";
  }
  EXPECT_THAT(error_of(many), testing::HasSubstr("1000 rules"));
  std::string costly = "version 1\n";
  for (int i = 0; i < 100; ++i) {
    costly += "rule r" + std::to_string(i) + " when amount";
    for (int k = 0; k < 120; ++k) costly += " + 1";
    costly += " > 1 weight 1 reason \"x\"\n";
  }
  EXPECT_THAT(error_of(costly), testing::HasSubstr("20000 operations"));
}

}  // namespace
}  // namespace tandem::fraud
