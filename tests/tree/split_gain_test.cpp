#include "core/tree/split_gain.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace tandem::tree {
namespace {

SplitRules rules_of(TreeCriterion criterion, std::int32_t classes, std::int64_t total) {
  SplitRules rules;
  rules.criterion = criterion;
  rules.classes = classes;
  rules.total_weight = total;
  rules.entropy_scale = entropy_scale_for(static_cast<double>(total), classes);
  return rules;
}

TEST(Threshold, IsTheMidpointAndNeverReachesTheUpperValue) {
  EXPECT_EQ(threshold_between(1.0F, 2.0F), 1.5F);
  EXPECT_EQ(threshold_between(-1.0, 3.0), 1.0);
  const float next = std::nextafter(1.0F, 2.0F);
  EXPECT_EQ(threshold_between(1.0F, next), 1.0F);
  EXPECT_EQ(threshold_between(std::nextafter(1.0, 0.0), 1.0), std::nextafter(1.0, 0.0));
  // Halves of denormals are not representable.
  const double tiny = std::numeric_limits<double>::denorm_min();
  EXPECT_EQ(threshold_between(0.0, tiny), 0.0);
  EXPECT_EQ(threshold_between(-tiny, 0.0), -tiny);
  const float tiny_float = std::numeric_limits<float>::denorm_min();
  EXPECT_EQ(threshold_between(tiny_float, 2 * tiny_float), tiny_float);
  // The sum of the two would overflow.
  const double huge = std::numeric_limits<double>::max();
  EXPECT_EQ(threshold_between(huge / 2, huge), huge * 0.75);
  EXPECT_EQ(threshold_between(-huge, huge), 0.0);
  const float huge_float = std::numeric_limits<float>::max();
  EXPECT_EQ(threshold_between(std::nextafter(huge_float, 0.0F), huge_float),
            std::nextafter(huge_float, 0.0F));
}

TEST(SplitGain, ImpurityByHand) {
  const std::int64_t even[] = {4, 4};
  const std::int64_t quarter[] = {1, 3};
  const std::int64_t pure[] = {0, 5};
  const auto entropy = rules_of(TreeCriterion::entropy, 2, 8);
  EXPECT_DOUBLE_EQ(impurity(entropy, even), 1.0);
  EXPECT_NEAR(impurity(entropy, quarter), 0.8112781244591328, 4e-16);  // −¼·log2 ¼ − ¾·log2 ¾
  EXPECT_EQ(impurity(entropy, pure), 0.0);
  const auto gini = rules_of(TreeCriterion::gini, 2, 8);
  EXPECT_DOUBLE_EQ(impurity(gini, even), 0.5);
  EXPECT_DOUBLE_EQ(impurity(gini, quarter), 0.375);
  EXPECT_EQ(impurity(gini, pure), 0.0);
  // y = 1, 2, 6: mean 3, variance (4 + 1 + 9) / 3.
  const std::int64_t sums[] = {3, 9, 41};
  EXPECT_DOUBLE_EQ(impurity(rules_of(TreeCriterion::squared_error, 0, 3), sums), 14.0 / 3);
}

TEST(SplitGain, DecreaseByHand) {
  const std::int64_t node[] = {4, 4};
  const std::int64_t left[] = {4, 0};
  const std::int64_t right[] = {0, 4};
  EXPECT_DOUBLE_EQ(impurity_decrease(rules_of(TreeCriterion::entropy, 2, 16), node, left, right),
                   0.5);
  EXPECT_DOUBLE_EQ(impurity_decrease(rules_of(TreeCriterion::gini, 2, 8), node, left, right), 0.5);
  const std::int64_t useless[] = {2, 2};
  EXPECT_EQ(impurity_decrease(rules_of(TreeCriterion::entropy, 2, 8), node, useless, useless), 0.0);
  // y = 0, 0 | 3, 3: the variance 2.25 goes to 0.
  const std::int64_t all[] = {4, 6, 18};
  const std::int64_t low[] = {2, 0, 0};
  const std::int64_t high[] = {2, 6, 18};
  EXPECT_DOUBLE_EQ(impurity_decrease(rules_of(TreeCriterion::squared_error, 0, 4), all, low, high),
                   2.25);
}

// Every cut of every composition of 12 rows: the scores order the cuts as the children's weighted
// impurities do, wherever those differ by more than the arithmetic's error.
TEST(SplitGain, ScoresOrderAsImpuritiesDo) {
  for (const auto criterion : {TreeCriterion::entropy, TreeCriterion::gini}) {
    const auto rules = rules_of(criterion, 2, 12);
    struct Cut {
      double impurity;
      std::int64_t score;
    };
    for (std::int64_t ones = 1; ones < 12; ++ones) {
      std::vector<Cut> cuts;
      for (std::int64_t l0 = 0; l0 <= 12 - ones; ++l0) {
        for (std::int64_t l1 = 0; l1 <= ones; ++l1) {
          const std::int64_t left[] = {l0, l1};
          const std::int64_t right[] = {12 - ones - l0, ones - l1};
          const std::int64_t nl = l0 + l1;
          if (nl == 0 || nl == 12) continue;
          const double weighted = static_cast<double>(nl) * impurity(rules, left) +
                                  static_cast<double>(12 - nl) * impurity(rules, right);
          std::int64_t score = 0;
          if (criterion == TreeCriterion::entropy) {
            const auto phi = [&](std::int64_t w) { return entropy_term(rules, w); };
            score = entropy_score(phi(left[0]) + phi(left[1]) + phi(right[0]) + phi(right[1]),
                                  phi(nl), phi(12 - nl));
          } else {
            score = gini_score(sum_of_squares(left, 2), static_cast<double>(nl),
                               sum_of_squares(right, 2), static_cast<double>(12 - nl));
          }
          cuts.push_back({weighted, score});
        }
      }
      for (const auto& a : cuts) {
        for (const auto& b : cuts) {
          if (a.impurity < b.impurity - 1e-12) {
            EXPECT_GT(a.score, b.score);
          }
        }
      }
    }
  }
}

TEST(SplitGain, EntropyTermsNeverOverflow) {
  for (const std::int64_t total :
       {std::int64_t{1}, std::int64_t{2}, std::int64_t{1000}, (std::int64_t{1} << 31) - 1}) {
    const auto rules = rules_of(TreeCriterion::entropy, 2, total);
    EXPECT_LT(entropy_term(rules, total), std::int64_t{1} << 59);
    EXPECT_EQ(entropy_term(rules, 0), 0);
    EXPECT_EQ(entropy_term(rules, 1), 0);
  }
}

TEST(SplitGain, SquaredErrorScoreIsTheGapBetweenTheMeans) {
  // y = 0, 1, 5, 6, sum 12, mean 3; a = S_L − 3·W_L.
  const SquaredErrorScore score(4, 12);
  EXPECT_EQ(score(1, 0), score_of(9.0 / 3));
  EXPECT_EQ(score(2, 1), score_of(25.0 / 4));
  EXPECT_EQ(score(3, 6), score_of(9.0 / 3));
  EXPECT_GT(score(2, 1), score(1, 0));
}

TEST(SplitGain, KeysTellPathsApart) {
  EXPECT_NE(child_key(root_key, false), child_key(root_key, true));
  EXPECT_NE(child_key(child_key(root_key, false), true),
            child_key(child_key(root_key, true), false));
}

}  // namespace
}  // namespace tandem::tree
