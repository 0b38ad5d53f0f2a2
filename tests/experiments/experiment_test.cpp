// Definitions of experiments, and assignment beyond GrowthBook's vectors.
#include "systems/serving/experiments/experiment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "tandem/core/error.hpp"

namespace tandem::experiments {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

json two_arms(const std::string& name) {
  return {{"name", name},
          {"unit", "user"},
          {"arms", {{{"name", "old"}}, {{"name", "new"}, {"version", "2"}}}},
          {"metrics", {{{"name", "bought"}}, {{"name", "spent"}, {"kind", "sum"}}}}};
}

std::string refusal(const json& definition) {
  try {
    (void)Experiment::parse(definition);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(ExperimentDefinition, ComesBackFromItsOwnText) {
  json definition = two_arms("a");
  definition["ramp"] = {{{"from", "2026-11-30T00:00:00Z"}, {"coverage", 0.5}},
                        {{"from", "2026-12-01"}, {"coverage", 1}}};
  definition["coverage"] = 0.1;
  definition["group"] = {{"name", "checkout"}, {"from", 0}, {"to", 0.5}};
  definition["condition"] = {{"country", "NO"}};
  definition["forced"] = {{"u1", "new"}};
  definition["metrics"][1]["guard"] = true;
  definition["metrics"][1]["margin"] = 0.5;
  definition["metrics"][1]["window_hours"] = 24;
  const Experiment once = Experiment::parse(definition);
  EXPECT_EQ(Experiment::parse(once.to_json()).to_json(), once.to_json());
  EXPECT_EQ(once.coverage_at(parse_time("2026-11-29T23:59:59Z")), 0.1);
  EXPECT_EQ(once.coverage_at(parse_time("2026-11-30")), 0.5);
  EXPECT_EQ(once.coverage_at(parse_time("2027-01-01")), 1);
}

TEST(ExperimentDefinition, RefusesWhatIsWrongAndNamesThePlace) {
  const auto with = [](const std::string& member, json value) {
    json definition = two_arms("a");
    definition[member] = std::move(value);
    return refusal(definition);
  };
  EXPECT_THAT(refusal(json::array()), HasSubstr("no JSON object"));
  EXPECT_THAT(with("colour", 1), HasSubstr("experiment.colour: is no member that is known"));
  EXPECT_THAT(with("name", 3), HasSubstr("experiment.name: is no text"));
  EXPECT_THAT(with("unit", ""), HasSubstr("experiment.unit: is empty"));
  EXPECT_THAT(with("coverage", 1.5), HasSubstr("experiment.coverage: 1.5"));
  EXPECT_THAT(with("hash_version", 3), HasSubstr("neither 1 nor 2"));
  EXPECT_THAT(with("arms", {{{"name", "a"}}}), HasSubstr("at least two"));
  EXPECT_THAT(with("arms", {{{"name", "a"}}, {{"name", "a"}}}), HasSubstr("stands twice"));
  EXPECT_THAT(with("arms", {{{"name", "a"}, {"weight", 0.5}}, {{"name", "b"}, {"weight", 0.6}}}),
              HasSubstr("sum to 1.1"));
  EXPECT_THAT(with("arms", {{{"name", "a"}, {"weight", 0}}, {{"name", "b"}, {"weight", 1}}}),
              HasSubstr("the weight of a is 0"));
  EXPECT_THAT(with("ramp", {{{"from", "2026-01-01"}, {"coverage", 0.5}}}),
              HasSubstr("units would leave"));
  EXPECT_THAT(with("condition", {{"age", {{"$regex", ".*"}}}}), HasSubstr("condition.age.$regex"));
  EXPECT_THAT(with("condition", {{"$xor", json::array()}}), HasSubstr("condition.$xor"));
  EXPECT_THAT(with("forced", {{"u", "other"}}), HasSubstr("experiment.forced.u"));
  EXPECT_THAT(with("metrics", {{{"name", "m"}, {"margin", 1}}}), HasSubstr("for guards only"));
  json deep = {{"a", 1}};
  for (int i = 0; i < 40; ++i) deep = {{"$not", deep}};
  EXPECT_THAT(with("condition", deep), HasSubstr("32 levels"));
}

TEST(Times, AreReadAndWritten) {
  EXPECT_EQ(parse_time("1970-01-02"), 86'400'000);
  EXPECT_EQ(parse_time("1970-01-01T00:00:01.250Z"), 1250);
  EXPECT_EQ(parse_time("1764504000000"), 1764504000000);
  EXPECT_EQ(time_text(parse_time("2026-02-28T23:59:59Z")), "2026-02-28T23:59:59Z");
  for (const char* wrong : {"", "yesterday", "2026-02-30", "2026-13-01", "2026-01-01T25:00:00Z",
                            "2026-01-01T00:00:00+01:00", "2026-1-1"}) {
    EXPECT_THROW((void)parse_time(wrong), InputError) << wrong;
  }
}

TEST(Assignment, KeepsEveryUnitWhenTheCoverageGrows) {
  json definition = two_arms("sticky");
  definition["arms"].push_back({{"name", "third"}});
  definition["coverage"] = 0.05;
  definition["ramp"] = {{{"from", "10"}, {"coverage", 0.3}}, {{"from", "20"}, {"coverage", 1}}};
  const Experiment experiment = Experiment::parse(definition);
  std::array<int, 3> at_end{};
  int early = 0;
  for (int i = 0; i < 3000; ++i) {
    const json who{{"user", "u" + std::to_string(i)}};
    const int first = assign(experiment, who, 0).arm;
    const int then = assign(experiment, who, 10).arm;
    const int last = assign(experiment, who, 30).arm;
    if (first >= 0) {
      ++early;
      EXPECT_EQ(first, then);
    }
    EXPECT_TRUE(then < 0 || then == last) << then << " " << last;
    ASSERT_GE(last, 0);
    ++at_end[static_cast<std::size_t>(last)];
  }
  EXPECT_NEAR(early, 150, 60);
  for (const int count : at_end) EXPECT_NEAR(count, 1000, 120);
}

TEST(Assignment, TakesTextsAndWholeNumbersAndNothingElse) {
  json definition = two_arms("a");
  definition["forced"] = {{"7", "new"}};
  const Experiment experiment = Experiment::parse(definition);
  EXPECT_EQ(assign(experiment, {{"user", 7}}, 0).arm, 1);
  EXPECT_TRUE(assign(experiment, {{"user", "7"}}, 0).forced);
  EXPECT_EQ(assign(experiment, {{"user", 8}}, 0).arm, assign(experiment, {{"user", "8"}}, 0).arm);
  for (const json& none : {json{{"user", ""}}, json{{"user", 0}}, json{{"user", true}},
                           json{{"user", 1.5}}, json::object(), json(3)}) {
    EXPECT_EQ(assign(experiment, none, 0).arm, -1) << none;
  }
}

}  // namespace
}  // namespace tandem::experiments
