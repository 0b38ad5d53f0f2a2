// One list from many scores: by hand on a few items.
#include "systems/recommend/ranking.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace tandem::recommend {
namespace {

const float none = std::numeric_limits<float>::quiet_NaN();

Catalogue items() {
  std::vector<Item> made(6);
  const char* const genres[]{"drama", "drama", "comedy", "drama", "comedy", ""};
  for (std::size_t i = 0; i < made.size(); ++i) {
    made[i].id = std::string(1, static_cast<char>('a' + i));
    made[i].genre = genres[i];
  }
  return Catalogue(std::move(made));
}

Configuration plain() {
  Configuration made;
  made.weights = {0.5, 0.3, 0.2, 0};
  return made;
}

std::vector<ItemNumber> order(const std::vector<Ranked>& list) {
  std::vector<ItemNumber> numbers;
  for (const Ranked& one : list) numbers.push_back(one.item);
  return numbers;
}

TEST(Ranking, ScoresAreNormalisedBySourceAndWeighted) {
  const Catalogue catalogue = items();
  const Configuration configuration = plain();
  const std::vector<Candidate> candidates{
      {0, {-10, 0, 3, 0}}, {1, {none, 1, 3, 0}}, {2, {30, 0.5F, 3, 0}}};
  const auto list = rank(candidates, 3, configuration, {}, catalogue, 0);
  ASSERT_EQ(order(list), (std::vector<ItemNumber>{2, 1, 0}));
  // −10 and 30 become 0 and 1; what a source does not know is 0; all equal and above 0 is 1.
  EXPECT_NEAR(list[0].parts[collaborative_part], 0.5, 1e-12);
  EXPECT_NEAR(list[0].parts[content_part], 0.15, 1e-12);
  EXPECT_NEAR(list[0].parts[trending_part], 0.2, 1e-12);
  EXPECT_NEAR(list[0].score, 0.85, 1e-12);
  EXPECT_NEAR(list[1].score, 0.5, 1e-12);
  EXPECT_NEAR(list[2].score, 0.2, 1e-12);
}

TEST(Ranking, TheScoreIsTheBoostTimesTheSumOfTheParts) {
  const Catalogue catalogue = items();
  Configuration configuration;
  configuration.boosts = {{"genre", "comedy", 2}, {"item", "c", 1.5}};
  const BoostTable boosts(configuration, catalogue);
  const std::vector<Candidate> candidates{
      {0, {1, 1, 1, 0}}, {2, {0.2F, 0.2F, 0, 0}}, {4, {0, 0, 0, 0}}};
  for (const Ranked& one : rank(candidates, 3, configuration, boosts, catalogue, 0)) {
    double sum = 0;
    for (const double part : one.parts) sum += part;
    EXPECT_NEAR(one.score, one.boost * sum, 1e-12);
    EXPECT_NEAR(one.boost, one.item == 0 ? 1 : one.item == 2 ? 3 : 2, 1e-12);
  }
}

TEST(Ranking, DiversityTakesTheOtherGenreNext) {
  const Catalogue catalogue = items();
  Configuration configuration = plain();
  const std::vector<Candidate> candidates{
      {0, {1, 0, 0, 0}}, {1, {0.95F, 0, 0, 0}}, {2, {0.8F, 0, 0, 0}}, {5, {0, 0, 0, 0}}};
  EXPECT_EQ(order(rank(candidates, 2, configuration, {}, catalogue, 0)),
            (std::vector<ItemNumber>{0, 1}));
  configuration.weights = {0.5, 0.2, 0.2, 0.1};
  // 0.475 + 0.1 · (1 − 1) < 0.4 + 0.1 · (1 − 0): a and b are alike in all that is known.
  const auto list = rank(candidates, 2, configuration, {}, catalogue, 0);
  EXPECT_EQ(order(list), (std::vector<ItemNumber>{0, 2}));
  EXPECT_NEAR(list[1].parts[diversity_part], 0.1, 1e-6);
}

TEST(Ranking, CapsHoldAndTheUnknownGenreIsNotCapped) {
  const Catalogue catalogue = items();
  Configuration configuration = plain();
  configuration.max_per_genre = 1;
  std::vector<Candidate> candidates;
  for (ItemNumber i = 0; i < 6; ++i)
    candidates.push_back({i, {static_cast<float>(10 - i), 0, 0, 0}});
  EXPECT_EQ(order(rank(candidates, 6, configuration, {}, catalogue, 0)),
            (std::vector<ItemNumber>{0, 2, 5}));
  // Beyond the pool of diversity too.
  configuration.max_per_genre = 2;
  configuration.diversity_pool = 1;
  EXPECT_EQ(order(rank(candidates, 6, configuration, {}, catalogue, 0)),
            (std::vector<ItemNumber>{0, 1, 2, 4, 5}));
}

TEST(Ranking, WhatIsNewCountsMore) {
  std::vector<Item> made(2);
  made[0].id = "old";
  made[1].id = "new";
  constexpr Time one_day = 86'400'000;
  made[0].released = 1000 * one_day;
  made[1].released = 1014 * one_day;
  const Catalogue catalogue(std::move(made));
  Configuration configuration;
  configuration.freshness = 1;
  configuration.freshness_half_life_days = 7;
  const BoostTable boosts(configuration, catalogue);
  EXPECT_NEAR(boosts.of(catalogue, 1, 1014 * one_day), 2, 1e-12);
  EXPECT_NEAR(boosts.of(catalogue, 0, 1014 * one_day), 1.25, 1e-12);
  EXPECT_NEAR(boosts.of(catalogue, 1, 1013 * one_day), 1, 1e-12);  // not out yet
}

TEST(Ranking, NothingAndLessThanAskedFor) {
  const Catalogue catalogue = items();
  EXPECT_TRUE(rank({}, 5, plain(), {}, catalogue, 0).empty());
  const std::vector<Candidate> one{{3, {none, 0, 0, 0}}};
  const auto list = rank(one, 5, plain(), {}, catalogue, 0);
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0].score, 0);
}

}  // namespace
}  // namespace tandem::recommend
