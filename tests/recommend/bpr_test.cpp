#include "tandem/recommend/bpr.hpp"

#include <gtest/gtest.h>

#include <set>

#include "core/recommend/bpr_schedule.hpp"
#include "cpu/simd.hpp"
#include "recommend/recommender_fixture.hpp"
#include "support/agree.hpp"
#include "support/simd.hpp"
#include "tandem/core/error.hpp"
#include "tandem/recommend/metrics.hpp"
#include "tandem/recommend/popularity.hpp"

namespace tandem {
namespace {

using test::engine_of;
using test::viewers;

BprOptions small() {
  BprOptions options;
  options.factors = 20;
  options.iterations = 20;
  return options;
}

SparseMatrix<float> pairs_of(const Interactions& events) {
  SparseMatrix<float> users = interaction_matrix<float>(events);
  users.values.assign(users.values.size(), 1.0F);
  return users;
}

TEST(BprSteps, EnginesAgree) { test::expect_agreement("bpr", Device::reference, 12); }

TEST(BprSchedule, EveryPairComesOnceInAPass) {
  const SparseMatrix<float> users = pairs_of(viewers(300, 200, 30));
  for (const Index blocks : {1, 2, 8}) {
    const BprSchedule schedule = bpr_schedule(users, blocks, BprNegatives::uniform, 3);
    const auto engine = engine_of(1);
    BprOnEngine on_engine(*engine, schedule, users);
    for (const std::uint32_t pass : {0U, 1U}) {
      const BprView view = on_engine.view(4, 3, pass);
      std::set<std::pair<std::int32_t, std::int32_t>> seen;
      Index drawn_items = 0;
      for (Index round = 0; round < blocks; ++round) {
        // Tasks of a round share no user and no item.
        std::vector<Index> task_of_user(300, -1);
        std::vector<Index> task_of_item(200, -1);
        const auto taken_by = [](std::vector<Index>& owner, std::int32_t row, Index block) {
          Index& whose = owner[static_cast<std::size_t>(row)];
          if (whose < 0) whose = block;
          return whose == block;
        };
        for (Index block = 0; block < blocks; ++block) {
          BprTask task(view, block, round);
          for (std::uint32_t k = 0; k < task.size(); ++k) {
            std::int32_t user = 0;
            std::int32_t item = 0;
            std::int32_t drawn = 0;
            task.next(user, item, drawn);
            EXPECT_TRUE(seen.emplace(user, item).second);
            EXPECT_TRUE(taken_by(task_of_user, user, block));
            EXPECT_TRUE(taken_by(task_of_item, item, block));
            if (drawn < 0) continue;
            ++drawn_items;
            EXPECT_TRUE(taken_by(task_of_item, drawn, block));
            const auto own = users.columns_of(user);
            EXPECT_FALSE(std::binary_search(own.begin(), own.end(), drawn));
          }
        }
      }
      EXPECT_EQ(static_cast<Index>(seen.size()), users.size());
      EXPECT_GT(drawn_items, users.size() * 9 / 10);
    }
  }
}

// Every item is drawn as often as the kind of draw says: the chance of a pass does not depend on
// which blocks its users and items lie in.
TEST(BprSchedule, PopularItemsAreDrawnAsOftenAsTheyAreTaken) {
  const SparseMatrix<float> users = pairs_of(viewers(400, 80, 10));
  const BprSchedule schedule = bpr_schedule(users, 2, BprNegatives::popular, 5);
  std::vector<Index> taken(80, 0);
  for (const std::int32_t item : users.columns) ++taken[static_cast<std::size_t>(item)];
  std::vector<Index> in_pools(80, 0);
  for (const std::int32_t item : schedule.pool_items) ++in_pools[static_cast<std::size_t>(item)];
  EXPECT_EQ(in_pools, taken);
  const BprSchedule uniform = bpr_schedule(users, 2, BprNegatives::uniform, 5);
  std::set<std::int32_t> once(uniform.pool_items.begin(), uniform.pool_items.end());
  EXPECT_EQ(once.size(), uniform.pool_items.size());
}

TEST(BprSchedule, BlocksHoldAboutAsManyPairs) {
  const SparseMatrix<float> users = pairs_of(viewers(2000, 1000, 40));
  const Index blocks = bpr_blocks(users.rows, users.cols, users.size());
  ASSERT_GE(blocks, 16);
  const BprSchedule schedule = bpr_schedule(users, blocks, BprNegatives::uniform, 1);
  const Index mean = users.size() / blocks;
  for (Index a = 0; a < blocks; ++a) {
    const auto first = static_cast<std::size_t>(a * 2 * blocks);
    const Index here = schedule.cell_offsets[first + static_cast<std::size_t>(2 * blocks)] -
                       schedule.cell_offsets[first];
    EXPECT_NEAR(static_cast<double>(here), static_cast<double>(mean),
                0.05 * static_cast<double>(mean));
  }
}

TEST(Bpr, SameBitsForAllThreadsAndInstructions) {
  const Interactions events = viewers(600, 300, 20);
  for (const BprNegatives negatives : {BprNegatives::uniform, BprNegatives::popular}) {
    BprOptions options = small();
    options.iterations = 3;
    options.negatives = negatives;
    const auto one = fit(*engine_of(1), {events}, options);
    const auto four = fit(*engine_of(4), {events}, options);
    EXPECT_EQ(one->item_factors, four->item_factors);
    const std::vector<HistoryItem> history{{7, 2}, {3, 1}, {80, 3}};
    const std::vector<float> x = one->fold_in(history);
    for (const char* name : {"avx2", "baseline"}) {
      const test::RestoreSimd restore;
      cpu::limit_simd(name);
      EXPECT_EQ(fit(*engine_of(2), {events}, options)->item_factors, one->item_factors) << name;
      EXPECT_EQ(one->fold_in(history), x) << name;
    }
    options.seed = 1;
    EXPECT_NE(fit(*engine_of(1), {events}, options)->item_factors, one->item_factors);
  }
}

TEST(Bpr, PutsAUsersItemsFirst) {
  const Interactions events = viewers(400, 200, 20);
  const auto model = fit(*engine_of(2), {events}, small());
  const auto& right = model->training().history.find("ranked_right")->second;
  ASSERT_EQ(right.size(), 20U);
  EXPECT_GT(right.back(), 0.85);
  EXPECT_GT(right.back(), right.front() + 0.1);
}

TEST(Bpr, KnowsTastes) {
  const Interactions events = viewers(400, 200, 20);
  const InteractionSplit split = split_by_time(events, 0.2);
  const auto engine = engine_of(2);
  const auto bpr = fit(*engine, {split.train}, small());
  const auto popular = fit(*engine, {split.train}, PopularityOptions{});
  const double good = evaluate_recommender(*engine, *bpr, split.train, split.test).value("ndcg@10");
  const double plain =
      evaluate_recommender(*engine, *popular, split.train, split.test).value("ndcg@10");
  EXPECT_GT(good, 1.4 * plain);
}

TEST(Bpr, PartsAddUpToTheScore) {
  const auto model = fit(*engine_of(2), {viewers(200, 120, 20)}, small());
  const std::vector<HistoryItem> history{{7, 2}, {3, 1}, {80, 3}};
  for (const std::int32_t item : {0, 9, 119}) {
    const Explanation all = model->because(history, item, 10);
    ASSERT_EQ(all.parts.size(), 3U);
    EXPECT_NEAR(all.rest, static_cast<double>(model->item_factors.row(item).back()), 1e-4);
    const std::int32_t items[] = {item};
    EXPECT_EQ(all.score, model->score_items(history, items)[0]);
    const Explanation one = model->because(history, item, 1);
    ASSERT_EQ(one.parts.size(), 1U);
    EXPECT_EQ(one.parts[0].item, all.parts[0].item);
    EXPECT_NEAR(one.parts[0].part + one.rest, one.score, 1e-9);
  }
}

TEST(Bpr, ManyUsersAtOnceGetWhatOneGets) {
  const Interactions events = viewers(150, 300, 12);
  for (const Index factors : {20, 32}) {
    BprOptions options = small();
    options.factors = factors;
    options.iterations = 5;
    const auto model = fit(*engine_of(2), {events}, options);
    const SparseMatrix<double> histories = interaction_matrix<double>(events);
    const auto engine = engine_of(2);
    const TopItems all = model->top_items(*engine, histories.view(), 7);
    for (Index u = 0; u < histories.rows; ++u) {
      std::vector<HistoryItem> history;
      for (const std::int32_t item : histories.columns_of(u)) history.push_back({item, 1});
      const std::vector<ScoredItem> one = model->top_items(history, 7);
      ASSERT_EQ(all.counts[static_cast<std::size_t>(u)], static_cast<Index>(one.size()));
      for (std::size_t k = 0; k < one.size(); ++k) {
        EXPECT_EQ(all.items(u, static_cast<Index>(k)), one[k].item);
        EXPECT_EQ(all.scores(u, static_cast<Index>(k)), one[k].score);
      }
    }
  }
}

TEST(Bpr, OrderAndWeightsOfAHistoryDoNotMatter) {
  const auto model = fit(*engine_of(1), {viewers(100, 60, 10)}, small());
  const std::vector<HistoryItem> history{{7, 2}, {3, 1}, {40, 3}};
  const std::vector<HistoryItem> other{{40, 1}, {7, 1}, {3, 5}, {7, 1}, {9, 0}};
  EXPECT_EQ(model->fold_in(history), model->fold_in(other));
  EXPECT_TRUE(model->top_items(UserHistory(), 5).empty());
  const std::vector<HistoryItem> nothing{{9, 0}};
  EXPECT_TRUE(model->top_items(nothing, 5).empty());
}

TEST(Bpr, ItemsThatNobodyHasAreNoAnswer) {
  Interactions events = viewers(50, 40, 6);
  events.items.push_back("never");
  const auto model = fit(*engine_of(1), {events}, small());
  const std::vector<HistoryItem> history{{1, 1}};
  for (const ScoredItem& one : model->top_items(history, 100)) EXPECT_NE(one.item, 40);
  EXPECT_TRUE(model->similar_items(40, 5).empty());
  EXPECT_FALSE(model->similar_items(1, 5).empty());
}

TEST(Bpr, SmallestDataAndUsersWithEverything) {
  Interactions events;
  events.users = {"a", "b"};
  events.items = {"p", "q"};
  events.user = {0, 0, 1};
  events.item = {0, 1, 0};
  const auto model = fit(*engine_of(2), {events}, small());
  // a has all items, so that nothing is drawn for a; b's p is compared with q.
  const std::vector<HistoryItem> history{{0, 1}};
  ASSERT_EQ(model->top_items(history, 5).size(), 1U);
  events.user = {0};
  events.item = {0};
  EXPECT_NO_THROW((void)fit(*engine_of(2), {events}, small()));
}

TEST(Bpr, ItsFileGivesTheSameAnswers) {
  const Interactions events = viewers(100, 80, 10);
  const auto model = fit(*engine_of(2), {events}, small());
  const std::string path = ::testing::TempDir() + "bpr_test.tandem";
  save_recommender(path, *model, {});
  const SavedRecommender back = load_recommender(path);
  EXPECT_EQ(back.model->algorithm(), "bpr");
  const std::vector<HistoryItem> history{{7, 2}, {3, 1}};
  EXPECT_EQ(back.model->top_items(history, 10), model->top_items(history, 10));
}

TEST(Bpr, RefusesWhatItCannotUse) {
  const Interactions events = viewers(20, 20, 4);
  BprOptions options = small();
  options.regularization = 100;
  EXPECT_THROW((void)fit(*engine_of(1), {events}, options), InputError);
  options = small();
  options.learning_rate = 0;
  EXPECT_THROW((void)fit(*engine_of(1), {events}, options), InputError);
  options.learning_rate = 999;
  EXPECT_THROW((void)fit(*engine_of(1), {events}, options), Error);
  Interactions zero = events;
  zero.weight.assign(zero.weight.size(), 0.0);
  EXPECT_THROW((void)fit(*engine_of(1), {zero}, small()), InputError);
}

}  // namespace
}  // namespace tandem
