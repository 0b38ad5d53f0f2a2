// The assignment against vectors that GrowthBook's own Python package made
// (make_growthbook_vectors.py).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "systems/serving/experiments/experiment.hpp"

namespace tandem::experiments {
namespace {

using nlohmann::json;

const json& vectors() {
  static const json read = [] {
    std::ifstream file(std::string(TANDEM_DATA_DIR) +
                       "/../tests/experiments/growthbook_vectors.json");
    return json::parse(file);
  }();
  return read;
}

TEST(GrowthBook, HashesAreThoseOfItsPackage) {
  ASSERT_GT(vectors()["hashes"].size(), 100U);
  for (const json& one : vectors()["hashes"]) {
    EXPECT_EQ(hash_unit(one["seed"].get<std::string>(), one["unit"].get<std::string>(),
                        static_cast<HashVersion>(one["version"].get<int>())),
              one["hash"].get<double>())
        << one;
  }
}

TEST(GrowthBook, RangesAndChoicesAreThoseOfItsPackage) {
  for (const json& one : vectors()["ranges"]) {
    const auto ranges =
        bucket_ranges(one["weights"].get<std::vector<double>>(), one["coverage"].get<double>());
    ASSERT_EQ(ranges.size(), one["ranges"].size());
    for (std::size_t i = 0; i < ranges.size(); ++i) {
      EXPECT_EQ(ranges[i].from, one["ranges"][i][0].get<double>()) << one;
      EXPECT_EQ(ranges[i].to, one["ranges"][i][1].get<double>()) << one;
    }
    for (const json& chosen : one["chosen"]) {
      EXPECT_EQ(choose_range(chosen[0].get<double>(), ranges), chosen[1].get<int>()) << one;
    }
  }
}

TEST(GrowthBook, ExclusionGroupsAreItsNamespaces) {
  for (const json& one : vectors()["groups"]) {
    const json& group = one["group"];
    EXPECT_EQ(
        in_group(one["unit"].get<std::string>(),
                 {group[0].get<std::string>(), group[1].get<double>(), group[2].get<double>()}),
        one["in"].get<bool>())
        << one;
  }
}

TEST(GrowthBook, ConditionsHoldWhereItsPackageSaysSo) {
  ASSERT_GT(vectors()["conditions"].size(), 40U);
  for (const json& one : vectors()["conditions"]) {
    EXPECT_EQ(Condition::parse(one["condition"]).matches(one["attributes"]),
              one["holds"].get<bool>())
        << one;
  }
}

TEST(GrowthBook, WholeAssignmentsAreThoseOfItsPackage) {
  int none = 0;
  int some = 0;
  for (const json& one : vectors()["assignments"]) {
    const json& said = one["experiment"];
    json definition{{"name", said["key"]},          {"unit", "id"},
                    {"coverage", said["coverage"]}, {"hash_version", said["hashVersion"]},
                    {"seed", said["seed"]},         {"condition", said["condition"]}};
    if (!said["namespace"].is_null()) {
      definition["group"] = {{"name", said["namespace"][0]},
                             {"from", said["namespace"][1]},
                             {"to", said["namespace"][2]}};
    }
    int number = 0;
    for (const json& weight : said["weights"]) {
      definition["arms"].push_back({{"name", std::to_string(number++)}, {"weight", weight}});
    }
    const int arm = assign(Experiment::parse(definition), one["attributes"], 0).arm;
    EXPECT_EQ(arm, one["arm"].get<int>()) << one;
    ++(arm < 0 ? none : some);
  }
  EXPECT_GT(none, 40);
  EXPECT_GT(some, 40);
}

}  // namespace
}  // namespace tandem::experiments
