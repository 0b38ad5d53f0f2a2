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
  rules.most_weight = total;
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
            score = gini_score(left[0] * left[0] + left[1] * left[1], nl,
                               right[0] * right[0] + right[1] * right[1], 12 - nl);
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
  // y = 0, 1, 5, 6, sum 12; A = 4·S_L − 12·W_L.
  const SquaredErrorScore score(4, 12);
  EXPECT_EQ(score(1, 0), score_of(144.0 / 3));
  EXPECT_EQ(score(2, 1), score_of(400.0 / 4));
  EXPECT_EQ(score(3, 6), score_of(144.0 / 3));
  EXPECT_GT(score(2, 1), score(1, 0));
}

// a / b against c / d of 128 bits each, exactly: the digits of continued fractions are compared.
int compare(UnsignedWide a, UnsignedWide b, UnsignedWide c, UnsignedWide d) {
  for (int sign = 1;; sign = -sign) {
    if (a / b != c / d) return a / b < c / d ? -sign : sign;
    const UnsignedWide rest = a % b;
    const UnsignedWide other = c % d;
    if (rest == 0 || other == 0) return rest == other ? 0 : rest == 0 ? -sign : sign;
    a = b, b = rest, c = d, d = other;
  }
}

// Every cut of a node of two classes, all weights up to 16: fractions that are equal score equal,
// and the others in their order.
TEST(SplitGain, EqualFractionsScoreEqualByGini) {
  struct Cut {
    UnsignedWide numerator, denominator;
    std::int64_t score;
  };
  Index equal = 0;
  for (std::int64_t n0 = 1; n0 <= 16; ++n0) {
    for (std::int64_t n1 = 1; n1 <= n0; ++n1) {
      std::vector<Cut> cuts;
      for (std::int64_t l0 = 0; l0 <= n0; ++l0) {
        for (std::int64_t l1 = 0; l1 <= n1; ++l1) {
          const std::int64_t left = l0 + l1;
          const std::int64_t right = n0 + n1 - left;
          if (left == 0 || right == 0) continue;
          const std::int64_t left_squares = l0 * l0 + l1 * l1;
          const std::int64_t right_squares = (n0 - l0) * (n0 - l0) + (n1 - l1) * (n1 - l1);
          cuts.push_back({static_cast<UnsignedWide>(left_squares * right + right_squares * left),
                          static_cast<UnsignedWide>(left * right),
                          gini_score(left_squares, left, right_squares, right)});
        }
      }
      for (const Cut& a : cuts) {
        for (const Cut& b : cuts) {
          const int order = compare(a.numerator, a.denominator, b.numerator, b.denominator);
          equal += order == 0 ? 1 : 0;
          EXPECT_EQ(order, a.score < b.score ? -1 : a.score > b.score ? 1 : 0);
        }
      }
    }
  }
  EXPECT_GT(equal, 10000);
}

// The same for the squared error: targets of many sizes, weights whole or not, of which the mean is
// no double. Here A² / (W_L·W_R) has at most 2·61 bits above.
TEST(SplitGain, EqualFractionsScoreEqualBySquaredError) {
  const Random random(5, Purpose::test);
  std::uint64_t draw = 0;
  const auto whole = [&](std::int64_t below) {
    return static_cast<std::int64_t>(random.uniform<double>(draw++) * static_cast<double>(below));
  };
  Index equal = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::int64_t most_weight = std::int64_t{1} << (1 + whole(12));
    const std::int64_t most_sum = std::int64_t{1} << (1 + whole(40));
    const std::int64_t weight = 2 + whole(most_weight);
    const std::int64_t sum = whole(most_sum) - most_sum / 2;
    const SquaredErrorScore score(weight, sum);
    struct Cut {
      UnsignedWide numerator, denominator;
      std::int64_t score;
    };
    std::vector<Cut> cuts;
    for (int k = 0; k < 12; ++k) {
      const std::int64_t left = 1 + whole(weight - 1);
      const std::int64_t left_sum = whole(std::min<std::int64_t>(most_sum, 8)) - most_sum / 4;
      for (const bool mirrored : {false, true}) {
        const std::int64_t w = mirrored ? weight - left : left;
        const std::int64_t s = mirrored ? sum - left_sum : left_sum;
        const Wide apart = static_cast<Wide>(s) * weight - static_cast<Wide>(sum) * w;
        cuts.push_back({static_cast<UnsignedWide>(apart * apart),
                        static_cast<UnsignedWide>(w) * static_cast<UnsignedWide>(weight - w),
                        score(w, s)});
      }
    }
    for (const Cut& a : cuts) {
      for (const Cut& b : cuts) {
        const int order = compare(a.numerator, a.denominator, b.numerator, b.denominator);
        equal += order == 0 && &a != &b ? 1 : 0;
        const int by_score = a.score < b.score ? -1 : a.score > b.score ? 1 : 0;
        // Fractions that differ by less than a rounding may score equal, never the other way round.
        if (by_score != 0 || order == 0) {
          EXPECT_EQ(by_score, order);
        }
      }
    }
  }
  EXPECT_GT(equal, 3000 * 24);
}

// Quotients half way between two doubles, as different fractions: m² = (km)² / k², m² of 54 bits.
TEST(SplitGain, QuotientsHalfWayRoundAlike) {
  for (std::int64_t m = (std::int64_t{1} << 27) - 1; m > (std::int64_t{1} << 27) - 2000; m -= 2) {
    const auto exact = static_cast<UnsignedWide>(m) * static_cast<UnsignedWide>(m);
    const double expected = static_cast<double>(static_cast<std::int64_t>(exact));
    for (std::int64_t k = 1; k < 40; ++k) {
      const auto times = static_cast<UnsignedWide>(k * k);
      EXPECT_EQ(
          rounded_quotient(square_of(pair_of(static_cast<UnsignedWide>(k * m))), pair_of(times)),
          expected);
      EXPECT_EQ(rounded_quotient(pair_of(exact * times), pair_of(times)), expected);
    }
  }
}

TEST(SplitGain, PairsHoldWholeNumbers) {
  const auto at = [](int bit) { return static_cast<UnsignedWide>(1) << bit; };
  for (const UnsignedWide value : {at(0), at(53) - 1, at(53), at(53) + 1, at(54) - 1, at(100) + 1,
                                   at(106) - 1, at(62) + at(8)}) {
    const DoublePair pair = pair_of(value);
    EXPECT_EQ(pair.high, static_cast<double>(value));
    EXPECT_TRUE(static_cast<Wide>(pair.high) + static_cast<Wide>(pair.low) ==
                static_cast<Wide>(value));
  }
  const DoublePair longest = pair_of(at(126) + at(40));
  EXPECT_EQ(longest.high, 0x1p126);
  EXPECT_EQ(longest.low, 0x1p40);
  EXPECT_EQ(pair_of(0).high, 0);
  EXPECT_EQ(pair_of(0).low, 0);
}

TEST(SplitGain, KeysTellPathsApart) {
  EXPECT_NE(child_key(root_key, false), child_key(root_key, true));
  EXPECT_NE(child_key(child_key(root_key, false), true),
            child_key(child_key(root_key, true), false));
}

}  // namespace
}  // namespace tandem::tree
