// Features that may stand on one path: how they are written, and that trees keep to it.
#include "core/tree/interaction_groups.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tandem/core/error.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using tree::interaction_groups;
using Groups = tree::InteractionGroups;

TEST(InteractionGroups, AreReadInTheWaysThatOthersWriteThem) {
  const std::vector<std::string> names{"age", "zip=a", "zip=b", "income"};
  EXPECT_TRUE(interaction_groups("", names).empty());
  const Groups expected{{1, 0, 0, 1}, {0, 1, 1, 0}};
  EXPECT_EQ(interaction_groups("age,income;zip", names), expected);
  EXPECT_EQ(interaction_groups(" age , 3 ; zip=a,zip=b ", names), expected);
  EXPECT_EQ(interaction_groups("[[0,3],[1,2]]", names), expected);
  EXPECT_EQ(interaction_groups("[[\"age\", \"income\"], [\"zip\"]]", names), expected);
  EXPECT_EQ(interaction_groups("[0,3],[1,2]", names), expected);
  // Those of no group stand alone.
  EXPECT_EQ(interaction_groups("zip", names), (Groups{{0, 1, 1, 0}, {1, 0, 0, 0}, {0, 0, 0, 1}}));
}

TEST(InteractionGroups, RefuseWhatIsNoFeature) {
  const std::vector<std::string> names{"age", "income"};
  for (const auto& [text, message] : std::vector<std::pair<std::string, std::string>>{
           {"agee", "names agee, which is no feature (did you mean age?)"},
           {"2", "names 2, which is no feature"},
           {"-1", "names -1"},
           {"age,", "has an empty name"},
           {"age;;income", "has an empty name"},
           {"[[0,1]", "brackets"},
           {"[[0],[1]]]", "brackets"},
           {"[[[0]]]", "brackets"}}) {
    try {
      (void)interaction_groups(text, names);
      ADD_FAILURE() << text;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message)) << text;
      EXPECT_THAT(error.what(), HasSubstr("such as a,b;c,d or [[0,1],[2,3]]"));
    }
  }
}

// The features of each path from the root to a leaf.
template <Real T>
std::vector<std::set<std::int32_t>> paths_of(const EnsembleTree<T>& tree) {
  std::vector<std::set<std::int32_t>> above(tree.feature.size());
  std::vector<std::set<std::int32_t>> paths;
  for (std::size_t i = 0; i < above.size(); ++i) {
    if (tree.feature[i] < 0) {
      paths.push_back(above[i]);
      continue;
    }
    auto here = above[i];
    here.insert(tree.feature[i]);
    above[static_cast<std::size_t>(tree.left[i])] = here;
    above[static_cast<std::size_t>(tree.right[i])] = here;
  }
  return paths;
}

TEST(InteractionGroups, HoldOnEveryPath) {
  const auto data = test::make<float>(4000, 5, 0, 40);
  GradientBoostingOptions options;
  options.rounds = 20;
  options.interaction_constraints = "x0,x1;x1,x2;[3]";
  EXPECT_THROW((void)test::train(data, options), InputError);
  options.interaction_constraints = "x0,x1;x1,x2;3";  // x4 alone
  const std::vector<std::set<std::int32_t>> groups{{0, 1}, {1, 2}, {3}, {4}};
  for (const double share : {1.0, 0.6}) {
    options.colsample_bynode = share;
    std::size_t pairs = 0;
    for (const auto& tree : test::train(data, options).trees.trees) {
      for (const auto& path : paths_of(tree)) {
        EXPECT_TRUE(std::any_of(groups.begin(), groups.end(), [&](const auto& group) {
          return std::includes(group.begin(), group.end(), path.begin(), path.end());
        }));
        pairs += path.size() == 2 ? 1 : 0;
      }
    }
    EXPECT_GT(pairs, 0U);
  }
  options.interaction_constraints.clear();
  std::size_t most = 0;
  for (const auto& tree : test::train(data, options).trees.trees) {
    for (const auto& path : paths_of(tree)) most = std::max(most, path.size());
  }
  EXPECT_GT(most, 2U);
}

}  // namespace
}  // namespace tandem
