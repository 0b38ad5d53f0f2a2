#include "tandem/data/split.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// Both parts ascending, and together every row once.
void expect_partition(const Split& split, Index rows) {
  EXPECT_TRUE(std::is_sorted(split.train.begin(), split.train.end()));
  EXPECT_TRUE(std::is_sorted(split.test.begin(), split.test.end()));
  std::vector<Index> all = split.train;
  all.insert(all.end(), split.test.begin(), split.test.end());
  std::sort(all.begin(), all.end());
  ASSERT_EQ(static_cast<Index>(all.size()), rows);
  for (Index i = 0; i < rows; ++i) EXPECT_EQ(all[static_cast<std::size_t>(i)], i);
}

std::vector<std::int32_t> labels_of_counts(const std::vector<Index>& counts) {
  std::vector<std::int32_t> labels;
  // Interleaved, so that order in the file says nothing about the class.
  std::vector<Index> left = counts;
  while (std::any_of(left.begin(), left.end(), [](Index n) { return n > 0; })) {
    for (std::size_t c = 0; c < left.size(); ++c) {
      if (left[c]-- > 0)
        labels.push_back(static_cast<std::int32_t>(c));
      else
        left[c] = 0;
    }
  }
  return labels;
}

TEST(TrainTest, SizesAndPartition) {
  for (const Index rows : {2, 3, 10, 101, 1024}) {
    for (const double fraction : {0.001, 0.2, 0.25, 0.5, 0.999}) {
      const Split split = train_test_split(rows, fraction, 3);
      expect_partition(split, rows);
      const auto wanted = static_cast<Index>(fraction * static_cast<double>(rows) + 0.5);
      EXPECT_EQ(static_cast<Index>(split.test.size()), std::clamp<Index>(wanted, 1, rows - 1));
    }
  }
}

TEST(TrainTest, SeedDecides) {
  EXPECT_EQ(train_test_split(100, 0.3, 5).test, train_test_split(100, 0.3, 5).test);
  EXPECT_NE(train_test_split(100, 0.3, 5).test, train_test_split(100, 0.3, 6).test);
}

TEST(TrainTest, EveryRowIsEquallyLikely) {
  // 2000 draws of 3 of 10: 600 expected per row; the standard deviation is √(2000·.3·.7) = 20.5.
  std::vector<int> chosen(10, 0);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    for (const Index row : train_test_split(10, 0.3, seed).test)
      ++chosen[static_cast<std::size_t>(row)];
  }
  for (const int count : chosen) EXPECT_NEAR(count, 600, 5 * 20.5);
}

TEST(TrainTest, RefusesNonsense) {
  EXPECT_THROW((void)train_test_split(1, 0.5, 0), InputError);
  EXPECT_THROW((void)train_test_split(0, 0.5, 0), InputError);
  for (const double fraction : {0.0, 1.0, -0.5, 1.5, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW((void)train_test_split(10, fraction, 0), InputError) << fraction;
  }
}

TEST(StratifiedTrainTest, KeepsProportions) {
  const auto labels = labels_of_counts({50, 33, 17, 3});
  const Split split = stratified_train_test_split(labels, 0.2, 9);
  expect_partition(split, 103);
  ASSERT_EQ(split.test.size(), 21U);
  std::vector<Index> counts(4, 0);
  for (const Index row : split.test)
    ++counts[static_cast<std::size_t>(labels[static_cast<std::size_t>(row)])];
  // Shares 10.19, 6.73, 3.47, 0.61: the largest remainders are those of classes 1 and 3.
  EXPECT_EQ(counts, (std::vector<Index>{10, 7, 3, 1}));
}

TEST(StratifiedTrainTest, ASingleRowStaysInTraining) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto labels = labels_of_counts({10, 1});
    const Split split = stratified_train_test_split(labels, 0.5, seed);
    for (const Index row : split.test) EXPECT_EQ(labels[static_cast<std::size_t>(row)], 0);
    EXPECT_EQ(split.test.size(), 6U);  // round(5.5)
  }
  EXPECT_THROW((void)stratified_train_test_split(labels_of_counts({2, 1, 1}), 0.75, 0), InputError);
  EXPECT_THROW((void)stratified_train_test_split(std::vector<std::int32_t>{0, -1, 0}, 0.5, 0),
               InputError);
}

TEST(KFold, EveryRowIsTestedOnceAndFoldsAreEven) {
  for (const Index rows : {5, 7, 100, 1023}) {
    for (const Index count : {Index{2}, Index{3}, Index{5}}) {
      const Folds folds = k_fold(rows, count, 11);
      std::vector<int> tested(static_cast<std::size_t>(rows), 0);
      std::size_t least = static_cast<std::size_t>(rows);
      std::size_t most = 0;
      for (Index f = 0; f < count; ++f) {
        const Split split = folds.split(f);
        expect_partition(split, rows);
        for (const Index row : split.test) ++tested[static_cast<std::size_t>(row)];
        least = std::min(least, split.test.size());
        most = std::max(most, split.test.size());
      }
      EXPECT_LE(most - least, 1U);
      EXPECT_TRUE(std::all_of(tested.begin(), tested.end(), [](int n) { return n == 1; }));
    }
  }
}

TEST(KFold, RepeatsDiffer) {
  const auto repeats = repeated_k_fold(60, 3, 4, 1);
  ASSERT_EQ(repeats.size(), 4U);
  std::set<std::vector<std::int32_t>> distinct;
  for (const Folds& folds : repeats) distinct.insert(folds.of_row);
  EXPECT_EQ(distinct.size(), 4U);
  EXPECT_EQ(repeats[2].of_row, k_fold(60, 3, 1, 2).of_row);
}

TEST(KFold, RefusesNonsense) {
  EXPECT_THROW((void)k_fold(4, 5, 0), InputError);
  EXPECT_THROW((void)k_fold(4, 1, 0), InputError);
  EXPECT_THROW((void)k_fold(4, 0, 0), InputError);
  EXPECT_THROW((void)k_fold(4, Index{1} << 40, 0), InputError);
  EXPECT_THROW((void)repeated_k_fold(10, 2, 0, 0), InputError);
}

TEST(StratifiedKFold, ClassesAndFoldsAreEven) {
  const auto labels = labels_of_counts({50, 33, 17, 7});
  for (std::uint32_t repeat = 0; repeat < 3; ++repeat) {
    const Folds folds = stratified_k_fold(labels, 5, 4, repeat);
    std::vector<std::vector<Index>> counts(5, std::vector<Index>(4, 0));
    std::vector<Index> sizes(5, 0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      ++counts[static_cast<std::size_t>(folds.of_row[i])][static_cast<std::size_t>(labels[i])];
      ++sizes[static_cast<std::size_t>(folds.of_row[i])];
    }
    const auto [least, most] = std::minmax_element(sizes.begin(), sizes.end());
    EXPECT_LE(*most - *least, 1);
    for (std::size_t c = 0; c < 4; ++c) {
      Index low = 1000;
      Index high = 0;
      for (std::size_t f = 0; f < 5; ++f) {
        low = std::min(low, counts[f][c]);
        high = std::max(high, counts[f][c]);
      }
      EXPECT_LE(high - low, 1) << "class " << c;
    }
  }
}

TEST(StratifiedKFold, SmallClasses) {
  // A class of 2 in 5 folds is allowed, with a warning; it is tested in two folds.
  const auto labels = labels_of_counts({20, 2});
  const Folds folds = stratified_k_fold(labels, 5, 0);
  std::set<std::int32_t> with_class_1;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == 1) with_class_1.insert(folds.of_row[i]);
  }
  EXPECT_EQ(with_class_1.size(), 2U);
  EXPECT_THROW((void)stratified_k_fold(labels_of_counts({4, 4, 4}), 5, 0), InputError);
  EXPECT_THROW((void)stratified_k_fold(std::vector<std::int32_t>{0, 1, -1}, 2, 0), InputError);
}

// 20 groups of 1 to 7 rows; their numbers say nothing of their order.
std::vector<Index> some_groups() {
  std::vector<Index> groups;
  for (Index g = 0; g < 20; ++g)
    groups.insert(groups.end(), static_cast<std::size_t>(1 + g % 7), 97 - 31 * g);
  return groups;
}

std::set<Index> groups_of(const std::vector<Index>& rows, const std::vector<Index>& groups) {
  std::set<Index> found;
  for (const Index row : rows) found.insert(groups[static_cast<std::size_t>(row)]);
  return found;
}

TEST(GroupTrainTest, GroupsStayWhole) {
  const std::vector<Index> groups = some_groups();
  for (const double fraction : {0.001, 0.25, 0.5, 0.999}) {
    const Split split = group_train_test_split(groups, fraction, 3);
    expect_partition(split, static_cast<Index>(groups.size()));
    const std::set<Index> tested = groups_of(split.test, groups);
    EXPECT_EQ(tested.size(),
              static_cast<std::size_t>(std::clamp(std::floor(fraction * 20 + 0.5), 1.0, 19.0)));
    for (const Index group : groups_of(split.train, groups)) EXPECT_FALSE(tested.contains(group));
    EXPECT_EQ(split.test, group_train_test_split(groups, fraction, 3).test);
  }
  EXPECT_NE(group_train_test_split(groups, 0.5, 1).test,
            group_train_test_split(groups, 0.5, 2).test);
  EXPECT_THROW((void)group_train_test_split(groups, 1, 0), InputError);
  EXPECT_THROW((void)group_train_test_split(std::vector<Index>{4, 4, 4}, 0.5, 0), InputError);
}

TEST(GroupKFold, GroupsStayWholeAndFoldsAreEven) {
  const std::vector<Index> groups = some_groups();
  const auto all = repeated_group_k_fold(groups, 3, 2, 5);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_NE(all[0].of_row, all[1].of_row);
  for (const Folds& folds : all) {
    std::set<Index> seen;
    for (Index f = 0; f < 3; ++f) {
      const Split split = folds.split(f);
      expect_partition(split, static_cast<Index>(groups.size()));
      const std::set<Index> tested = groups_of(split.test, groups);
      EXPECT_GE(tested.size(), 6U);
      EXPECT_LE(tested.size(), 7U);
      for (const Index group : tested) EXPECT_TRUE(seen.insert(group).second);
    }
    EXPECT_EQ(seen.size(), 20U);
  }
  EXPECT_THROW((void)group_k_fold(groups, 21, 0), InputError);
  EXPECT_THROW((void)group_k_fold(groups, 1, 0), InputError);
}

TEST(RandomOrder, IsAPermutation) {
  std::vector<Index> order = random_order(1000, 2);
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (Index i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace tandem
