// How long a run will take, of reports at given times.
#include "apps/tandem/time_estimate.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace tandem::program {
namespace {

Progress step(std::string_view stage, Index done, Index total) {
  return {stage, done, total, "", 0};
}

TEST(TimeEstimate, FoldsAreMeasuredFromTheStartOfTheRun) {
  StepTimes times;
  times.note(step("fold", 1, 5), 3);
  const auto estimate = times.estimate();
  ASSERT_TRUE(estimate);
  EXPECT_DOUBLE_EQ(estimate->seconds, 15);
  EXPECT_DOUBLE_EQ(estimate->after, 3);
  EXPECT_FALSE(estimate->at_most);
}

// Seeding of 30 s is not taken for the time of an iteration.
TEST(TimeEstimate, WhatComesBeforeTheFirstIterationIsSpentOnce) {
  StepTimes times;
  times.note(step("iteration", 1, 101), 30);
  EXPECT_FALSE(times.estimate());
  times.note(step("iteration", 3, 101), 31);
  const auto estimate = times.estimate();
  ASSERT_TRUE(estimate);
  EXPECT_DOUBLE_EQ(estimate->seconds, 31 + 49);
  EXPECT_TRUE(estimate->at_most);
}

TEST(TimeEstimate, EveryStartOfKMeansCounts) {
  StepTimes times(false, 4);
  times.note(step("iteration", 1, 11), 0);
  times.note(step("iteration", 6, 11), 5);
  ASSERT_TRUE(times.left());
  EXPECT_DOUBLE_EQ(*times.left(), 5 + 3 * 11);
  // The second start begins after the first has converged: an iteration of 44 in all is counted
  // from its end.
  times.note(step("iteration", 1, 11), 8);
  ASSERT_TRUE(times.left());
  EXPECT_NEAR(*times.left(), 8.0 * 32 / 11, 1e-9);
}

TEST(TimeEstimate, ResumedRunsAreMeasuredFromWhereTheyGoOn) {
  StepTimes times(true);
  times.note(step("fold", 5, 10), 2);
  EXPECT_FALSE(times.left());
  times.note(step("fold", 6, 10), 5);
  ASSERT_TRUE(times.left());
  EXPECT_DOUBLE_EQ(*times.left(), 12);
  // The start at which k-means goes on is not known.
  StepTimes starts(true, 3);
  starts.note(step("iteration", 5, 10), 2);
  starts.note(step("iteration", 6, 10), 5);
  EXPECT_FALSE(starts.left());
}

// Batches and epochs are reported in turn, and their shares are of one whole.
TEST(TimeEstimate, EpochsAndTheirBatchesAreOneMeasure) {
  StepTimes times;
  constexpr Index epochs = 7;
  constexpr Index batches = 13;
  double now = 0;
  for (Index epoch = 0; epoch < epochs; ++epoch) {
    for (Index batch = 1; batch <= batches; ++batch) {
      times.note(step("batch", epoch * batches + batch, epochs * batches), ++now);
    }
    times.note(step("epoch", epoch + 1, epochs), now);
    EXPECT_NEAR(times.measured(), now - 1, 1e-9) << epoch;
    ASSERT_TRUE(times.left()) << epoch;
    EXPECT_NEAR(*times.left(), static_cast<double>(epochs * batches) - now, 1e-6) << epoch;
  }
}

TEST(TimeEstimate, StepsThatAreNotAlikeTellNothing) {
  StepTimes tree;
  tree.note(step("level", 1, 0), 1);
  tree.note(step("level", 2, 0), 4);
  EXPECT_FALSE(tree.left());
}

// A tree's subtrees are counted in rows, fits of growing size in rows or centres.
TEST(TimeEstimate, StepsOfDifferentSizeAreCountedInWhatTheyAreMadeOf) {
  StepTimes tree;
  tree.note(step("level", 1, 0), 4);
  tree.note(step("row", 100, 1000), 5);
  tree.note(step("row", 400, 1000), 8);
  ASSERT_TRUE(tree.left());
  EXPECT_DOUBLE_EQ(*tree.left(), 6);
  StepTimes curve;
  curve.note(step("training row", 100, 1500), 1);
  curve.note(step("training row", 500, 1500), 5);
  ASSERT_TRUE(curve.left());
  EXPECT_DOUBLE_EQ(*curve.left(), 10);
  EXPECT_FALSE(curve.at_most());
  StepTimes select;
  select.note(step("centre", 12, 60), 6);
  ASSERT_TRUE(select.left());
  EXPECT_DOUBLE_EQ(*select.left(), 24);
}

// Another method that begins is measured by itself.
TEST(TimeEstimate, AShareThatFallsBeginsAnew) {
  StepTimes times;
  times.note(step("tree", 1, 10), 1);
  times.note(step("tree", 10, 10), 10);
  EXPECT_DOUBLE_EQ(times.left().value_or(-1), 0);
  times.note(step("round", 1, 11), 20);
  EXPECT_FALSE(times.left());
  times.note(step("round", 2, 11), 22);
  EXPECT_NEAR(times.left().value_or(-1), 18, 1e-9);
  EXPECT_TRUE(times.at_most());
}

}  // namespace
}  // namespace tandem::program
