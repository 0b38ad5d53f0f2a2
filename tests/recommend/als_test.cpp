#include "tandem/recommend/als.hpp"

#include <gtest/gtest.h>

#include <cmath>

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

AlsOptions small(AlsSolver solver = AlsSolver::cg) {
  AlsOptions options;
  options.factors = 20;
  options.iterations = 6;
  options.regularization = 0.1;
  options.alpha = 5;
  options.solver = solver;
  options.compute_loss = true;
  return options;
}

TEST(AlsSteps, EnginesAgree) { test::expect_agreement("als", Device::reference, 12); }

TEST(TopItemsSteps, EnginesAgree) { test::expect_agreement("top-items", Device::reference, 12); }

TEST(Als, LossFalls) {
  const Interactions events = viewers(200, 120, 20);
  for (const AlsSolver solver : {AlsSolver::cg, AlsSolver::cholesky}) {
    const auto model = fit(*engine_of(2), {events}, small(solver));
    const auto& loss = model->training().history.find("loss")->second;
    ASSERT_EQ(loss.size(), 6U);
    for (std::size_t i = 1; i < loss.size(); ++i) EXPECT_LT(loss[i], loss[i - 1]);
  }
}

TEST(Als, SameBitsForAllThreadsAndInstructions) {
  // More than 1024 users of one item and items of one user: sums over several blocks.
  Interactions events = viewers(2300, 60, 3);
  for (Index u = 0; u < 2300; ++u) {
    events.user.push_back(static_cast<std::int32_t>(u));
    events.item.push_back(5);
    events.weight.push_back(1);
    events.time.push_back(0);
  }
  for (const AlsSolver solver : {AlsSolver::cg, AlsSolver::cholesky}) {
    AlsOptions options = small(solver);
    options.iterations = 2;
    const auto one = fit(*engine_of(1), {events}, options);
    const auto two = fit(*engine_of(2), {events}, options);
    EXPECT_EQ(one->item_factors, two->item_factors);
    for (const char* name : {"avx2", "baseline"}) {
      const test::RestoreSimd restore;
      cpu::limit_simd(name);
      EXPECT_EQ(fit(*engine_of(2), {events}, options)->item_factors, one->item_factors) << name;
    }
  }
}

// The equations of a history, solved in long double.
std::vector<double> solution_of(const AlsModel& model, UserHistory history) {
  const auto f = static_cast<std::size_t>(model.item_factors.cols());
  std::vector<std::vector<long double>> a(f, std::vector<long double>(f + 1, 0));
  for (Index i = 0; i < model.item_count(); ++i) {
    for (std::size_t j = 0; j < f; ++j) {
      for (std::size_t k = 0; k < f; ++k) {
        a[j][k] += static_cast<long double>(model.item_factors(i, static_cast<Index>(j))) *
                   static_cast<long double>(model.item_factors(i, static_cast<Index>(k)));
      }
    }
  }
  for (std::size_t j = 0; j < f; ++j) a[j][j] += model.regularization;
  for (const HistoryItem& one : history) {
    const long double extra = model.alpha * one.weight;
    for (std::size_t j = 0; j < f; ++j) {
      const long double y = model.item_factors(one.item, static_cast<Index>(j));
      a[j][f] += (1 + extra) * y;
      for (std::size_t k = 0; k < f; ++k) {
        a[j][k] += extra * y *
                   static_cast<long double>(model.item_factors(one.item, static_cast<Index>(k)));
      }
    }
  }
  for (std::size_t j = 0; j < f; ++j) {
    for (std::size_t i = 0; i < f; ++i) {
      if (i == j) continue;
      const long double factor = a[i][j] / a[j][j];
      for (std::size_t k = j; k <= f; ++k) a[i][k] -= factor * a[j][k];
    }
  }
  std::vector<double> x(f);
  for (std::size_t j = 0; j < f; ++j) x[j] = static_cast<double>(a[j][f] / a[j][j]);
  return x;
}

TEST(Als, FoldInSolvesTheUsersEquations) {
  const auto model = fit(*engine_of(2), {viewers(200, 120, 20)}, small());
  const std::vector<HistoryItem> history{{7, 2}, {3, 1}, {80, 3}};
  const std::vector<float> x = model->fold_in(history);
  const std::vector<double> expected = solution_of(*model, history);
  for (std::size_t j = 0; j < x.size(); ++j) EXPECT_NEAR(x[j], expected[j], 2e-4);
  // Neither the order nor how a weight is told in parts matters.
  const std::vector<HistoryItem> other{{80, 3}, {7, 1}, {3, 1}, {7, 1}};
  EXPECT_EQ(model->fold_in(other), x);
}

TEST(Als, PartsAddUpToTheScore) {
  const auto model = fit(*engine_of(2), {viewers(200, 120, 20)}, small());
  const std::vector<HistoryItem> history{{7, 2}, {3, 1}, {80, 3}};
  for (const std::int32_t item : {0, 9, 119}) {
    const Explanation all = model->because(history, item, 10);
    ASSERT_EQ(all.parts.size(), 3U);
    EXPECT_NEAR(all.rest, 0, 1e-4);
    const std::int32_t items[] = {item};
    EXPECT_EQ(all.score, model->score_items(history, items)[0]);
    // Without its largest reason an item has a lower score: the reason is true.
    const Explanation one = model->because(history, item, 1);
    ASSERT_EQ(one.parts.size(), 1U);
    EXPECT_NEAR(one.parts[0].part + one.rest, one.score, 1e-9);
  }
}

TEST(Als, ManyUsersAtOnceGetWhatOneGets) {
  const Interactions events = viewers(150, 300, 12);
  const auto model = fit(*engine_of(2), {events}, small());
  const SparseMatrix<double> histories = interaction_matrix<double>(events);
  std::vector<std::uint8_t> allowed(300, 1);
  for (std::size_t i = 0; i < 300; i += 3) allowed[i] = 0;
  const std::vector<std::int32_t> out{1, 2};
  const auto engine = engine_of(2);
  for (const bool seen_out : {true, false}) {
    ItemFilter filter;
    filter.leave_out_history = seen_out;
    filter.allowed = allowed;
    filter.leave_out = out;
    const TopItems all = model->top_items(*engine, histories.view(), 7, filter);
    for (Index u = 0; u < histories.rows; ++u) {
      std::vector<HistoryItem> history;
      for (std::size_t k = 0; k < histories.columns_of(u).size(); ++k) {
        history.push_back({histories.columns_of(u)[k], histories.values_of(u)[k]});
      }
      const std::vector<ScoredItem> one = model->top_items(history, 7, filter);
      ASSERT_EQ(all.counts[static_cast<std::size_t>(u)], static_cast<Index>(one.size()));
      for (std::size_t k = 0; k < one.size(); ++k) {
        EXPECT_EQ(all.items(u, static_cast<Index>(k)), one[k].item);
        EXPECT_EQ(all.scores(u, static_cast<Index>(k)), one[k].score);
        EXPECT_NE(one[k].item % 3, 0);
        EXPECT_FALSE(one[k].item == 1 || one[k].item == 2);
      }
    }
  }
}

TEST(Als, NobodysHistoryLeadsToNoAnswer) {
  Interactions events = viewers(50, 40, 6);
  events.items.push_back("never");
  const auto model = fit(*engine_of(1), {events}, small());
  EXPECT_TRUE(model->top_items(UserHistory(), 5).empty());
  const std::vector<HistoryItem> history{{1, 1}};
  for (const ScoredItem& one : model->top_items(history, 100)) EXPECT_NE(one.item, 40);
  EXPECT_TRUE(model->similar_items(40, 5).empty());
  const std::vector<HistoryItem> unknown{{41, 1}};
  EXPECT_THROW((void)model->top_items(unknown, 5), InputError);
  const std::vector<HistoryItem> negative{{1, -1}};
  EXPECT_THROW((void)model->fold_in(negative), InputError);
}

TEST(Als, ItsFileGivesTheSameAnswers) {
  const Interactions events = viewers(100, 80, 10);
  const auto model = fit(*engine_of(2), {events}, small());
  const std::string path = ::testing::TempDir() + "als_test.tandem";
  RecommenderProvenance from;
  from.source = "viewers";
  from.events = events.size();
  save_recommender(path, *model, from);
  const SavedRecommender back = load_recommender(path);
  EXPECT_EQ(back.provenance.source, "viewers");
  EXPECT_EQ(back.model->algorithm(), "als");
  EXPECT_EQ(back.model->items(), model->items());
  EXPECT_EQ(back.model->item_events(), model->item_events());
  const std::vector<HistoryItem> history{{7, 2}, {3, 1}};
  EXPECT_EQ(back.model->top_items(history, 10), model->top_items(history, 10));
}

TEST(Als, KnowsTastes) {
  const Interactions events = viewers(400, 200, 20);
  const InteractionSplit split = split_by_time(events, 0.2);
  const auto engine = engine_of(2);
  const auto als = fit(*engine, {split.train}, small());
  const auto popular = fit(*engine, {split.train}, PopularityOptions{});
  const double good = evaluate_recommender(*engine, *als, split.train, split.test).value("ndcg@10");
  const double plain =
      evaluate_recommender(*engine, *popular, split.train, split.test).value("ndcg@10");
  EXPECT_GT(good, 1.5 * plain);
}

// What happens after the border of a split by time says nothing to the model.
TEST(Als, TheFutureDoesNotLeak) {
  const Interactions events = viewers(200, 100, 15);
  const InteractionSplit split = split_by_time(events, 0.3);
  Interactions shuffled = events;
  const Random random(9, Purpose::test);
  std::vector<std::size_t> future;
  for (std::size_t e = 0; e < events.time.size(); ++e) {
    if (events.time[e] >= split.boundary) future.push_back(e);
  }
  for (std::size_t k = future.size(); k-- > 1;) {
    const auto other = static_cast<std::size_t>(
        random.below(static_cast<Index>(k + 1), static_cast<std::uint64_t>(k)));
    std::swap(shuffled.item[future[k]], shuffled.item[future[other]]);
    std::swap(shuffled.weight[future[k]], shuffled.weight[future[other]]);
  }
  ASSERT_NE(shuffled.item, events.item);
  const InteractionSplit again = split_at(shuffled, split.boundary);
  const auto engine = engine_of(2);
  for (const std::string& name : recommender_names()) {
    if (name == "content") continue;  // learns nothing from events
    const auto algorithm = make_recommender(name);
    const auto a = algorithm->fit(*engine, {split.train});
    const auto b = algorithm->fit(*engine, {again.train});
    Archive of_a;
    Archive of_b;
    a->save(of_a);
    b->save(of_b);
    EXPECT_EQ(of_a, of_b) << name;
    EXPECT_EQ(a->item_events(), b->item_events()) << name;
  }
}

TEST(Als, RefusesWhatItCannotUse) {
  AlsOptions options = small(AlsSolver::cholesky);
  options.regularization = 0;
  const Interactions events = viewers(20, 20, 4);
  EXPECT_THROW((void)fit(*engine_of(1), {events}, options), InputError);
  Interactions zero = events;
  zero.weight.assign(zero.weight.size(), 0.0);
  EXPECT_THROW((void)fit(*engine_of(1), {zero}, small()), InputError);
}

}  // namespace
}  // namespace tandem
