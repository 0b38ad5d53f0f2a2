#include "tandem/recommend/item_knn.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/recommend/knn_weights.hpp"
#include "cpu/simd.hpp"
#include "recommend/recommender_fixture.hpp"
#include "support/agree.hpp"
#include "support/simd.hpp"

namespace tandem {
namespace {

using test::engine_of;
using test::viewers;

TEST(ItemKnnSteps, EnginesAgree) { test::expect_agreement("item-knn", Device::reference, 24); }

TEST(RowSumsSteps, EnginesAgree) { test::expect_agreement("row-sums", Device::reference, 12); }

// Answers for many users at once are those for each alone, bit by bit, of histories whose items
// come in any order.
void expect_same_answers(const Interactions& events, const std::string& name,
                         const std::string& similarity) {
  const auto engine = engine_of(2);
  const auto algorithm = make_recommender(name);
  if (!similarity.empty()) algorithm->set("similarity", similarity);
  const auto model = algorithm->fit(*engine, {events});
  const auto items = static_cast<std::size_t>(model->item_count());
  std::vector<std::uint8_t> allowed(items, 1);
  for (std::size_t i = 0; i < items; i += 3) allowed[i] = 0;
  const std::vector<std::int32_t> out{1, 2};
  SparseMatrix<double> histories = interaction_matrix<double>(events);
  std::reverse(histories.columns.begin(), histories.columns.begin() + histories.offsets[1]);
  std::reverse(histories.values.begin(), histories.values.begin() + histories.offsets[1]);
  for (const bool seen_out : {true, false}) {
    ItemFilter filter;
    filter.leave_out_history = seen_out;
    filter.allowed = allowed;
    filter.leave_out = out;
    const TopItems all = model->top_items(*engine, histories.view(), 7, filter);
    Index answers = 0;
    for (Index u = 0; u < histories.rows; ++u) {
      std::vector<HistoryItem> history;
      for (std::size_t k = 0; k < histories.columns_of(u).size(); ++k) {
        history.push_back({histories.columns_of(u)[k], histories.values_of(u)[k]});
      }
      const std::vector<ScoredItem> one = model->top_items(history, 7, filter);
      ASSERT_EQ(all.counts[static_cast<std::size_t>(u)], static_cast<Index>(one.size())) << name;
      for (std::size_t k = 0; k < one.size(); ++k, ++answers) {
        EXPECT_EQ(all.items(u, static_cast<Index>(k)), one[k].item) << name << similarity;
        EXPECT_EQ(all.scores(u, static_cast<Index>(k)), one[k].score) << name << similarity;
      }
    }
    EXPECT_GT(answers, histories.rows);
  }
}

TEST(RowSums, ManyUsersAtOnceGetWhatOneGets) {
  const Interactions events = viewers(60, 90, 10);
  expect_same_answers(events, "slim", "");
  expect_same_answers(events, "ease", "");
  for (const char* similarity : {"cosine", "jaccard", "bm25"}) {
    expect_same_answers(events, "item-knn", similarity);
    expect_same_answers(events, "user-knn", similarity);
  }
}

// Sums over more than 1024 items of a history.
TEST(RowSums, LongHistoriesAreTrees) {
  Interactions events = viewers(30, 1500, 10);
  for (Index i = 0; i < 1400; ++i) {
    events.user.push_back(0);
    events.item.push_back(static_cast<std::int32_t>(i));
    events.weight.push_back(1 + 0.1 * static_cast<double>(i % 3));
    events.time.push_back(0);
  }
  expect_same_answers(events, "item-knn", "cosine");
  expect_same_answers(events, "user-knn", "cosine");
}

// p: a, b; q: a, b, c; r: c. Weights 1 but for (c, r) 2.
Interactions some() {
  Interactions events;
  events.users = {"a", "b", "c"};
  events.items = {"p", "q", "r"};
  events.user = {0, 0, 1, 1, 2, 2};
  events.item = {0, 1, 0, 1, 1, 2};
  events.weight = {1, 1, 1, 1, 1, 2};
  return events;
}

double likeness(const ItemKnnModel& model, std::int32_t a, std::int32_t b) {
  for (const ScoredItem& one : model.similar_items(a, 10)) {
    if (one.item == b) return one.score;
  }
  return 0;
}

TEST(ItemKnn, LikenessByHand) {
  ItemKnnOptions options;
  const auto engine = engine_of(1);
  const auto cosine = fit(*engine, {some()}, options);
  EXPECT_DOUBLE_EQ(likeness(*cosine, 0, 1), 2 / std::sqrt(2.0 * 3.0));
  EXPECT_DOUBLE_EQ(likeness(*cosine, 1, 2), 2 / (std::sqrt(3.0) * 2));
  EXPECT_EQ(likeness(*cosine, 0, 2), 0);
  options.shrinkage = 5;
  EXPECT_DOUBLE_EQ(likeness(*fit(*engine, {some()}, options), 0, 1),
                   2 / (std::sqrt(2.0) * std::sqrt(3.0) + 5));
  options.shrinkage = 0;
  options.similarity = KnnSimilarity::jaccard;
  const auto jaccard = fit(*engine, {some()}, options);
  EXPECT_DOUBLE_EQ(likeness(*jaccard, 0, 1), 2.0 / 3);
  EXPECT_DOUBLE_EQ(likeness(*jaccard, 1, 2), 1.0 / 3);
}

TEST(ItemKnn, ScoresAreSumsOfLikenessAndPartsAddUp) {
  const auto model = fit(*engine_of(1), {some()}, ItemKnnOptions{});
  const std::vector<HistoryItem> history{{2, 3}, {0, 1}};
  std::vector<double> scores(3);
  model->score(history, scores);
  EXPECT_DOUBLE_EQ(scores[1], 3 * likeness(*model, 2, 1) + likeness(*model, 0, 1));
  const Explanation why = model->because(history, 1, 5);
  ASSERT_EQ(why.parts.size(), 2U);
  EXPECT_DOUBLE_EQ(why.parts[0].part + why.parts[1].part, scores[1]);
  EXPECT_EQ(why.parts[0].item, 2);
  // Nothing speaks for what is like nothing of the history.
  const std::vector<HistoryItem> only_p{{0, 1}};
  const std::vector<ScoredItem> best = model->top_items(only_p, 10);
  ASSERT_EQ(best.size(), 1U);
  EXPECT_EQ(best[0].item, 1);
}

TEST(ItemKnn, Bm25IsTheCosineOfItsWeights) {
  ItemKnnOptions options;
  options.similarity = KnnSimilarity::bm25;
  const auto model = fit(*engine_of(1), {some()}, options);
  // Lengths 2, 2, 3, mean 7/3; items are in 2, 3 and 1 of 3 histories.
  const auto weight = [&](double w, double length, double n) {
    return w * 2.2 / (w + 1.2 * (0.25 + 0.75 * length / (7.0 / 3))) *
           std::log1p((3 - n + 0.5) / (n + 0.5));
  };
  const double ap = weight(1, 2, 2);
  const double aq = weight(1, 2, 3);
  const double cq = weight(1, 3, 3);
  const double expected = 2 * ap * aq / (std::sqrt(2 * ap * ap) * std::sqrt(2 * aq * aq + cq * cq));
  EXPECT_NEAR(likeness(*model, 0, 1), expected, 1e-7);
}

TEST(ItemKnn, SameBitsForAllThreadsAndInstructions) {
  for (const double scale : {1.0, 0.37}) {
    Interactions events = viewers(1500, 200, 12);
    for (double& weight : events.weight) weight *= scale;
    for (const KnnSimilarity similarity :
         {KnnSimilarity::cosine, KnnSimilarity::jaccard, KnnSimilarity::bm25}) {
      ItemKnnOptions options;
      options.neighbours = 7;
      options.similarity = similarity;
      const auto one = fit(*engine_of(1), {events}, options);
      EXPECT_EQ(fit(*engine_of(2), {events}, options)->neighbours, one->neighbours);
      for (const char* name : {"avx2", "baseline"}) {
        const test::RestoreSimd restore;
        cpu::limit_simd(name);
        EXPECT_EQ(fit(*engine_of(2), {events}, options)->neighbours, one->neighbours) << name;
      }
    }
  }
}

TEST(ItemKnn, WholeWeightsStayAsTheyAre) {
  SparseMatrix<double> matrix;
  matrix.rows = 2;
  matrix.cols = 2;
  matrix.offsets = {0, 2, 3};
  matrix.columns = {0, 1, 1};
  matrix.values = {3, 1, 7};
  const KnnWeights whole = knn_weights(matrix);
  EXPECT_EQ(whole.unit, 1);
  EXPECT_TRUE(whole.narrow);
  EXPECT_EQ(whole.values.values, matrix.values);
  matrix.values = {0.5, 1e-300, 1e300};
  const KnnWeights scaled = knn_weights(matrix);
  for (const double value : scaled.values.values) {
    EXPECT_EQ(value, std::floor(value));
    EXPECT_LE(value, 0x1p30);
  }
  EXPECT_NEAR(scaled.values.values[2] * scaled.unit / 1e300, 1, 1e-8);
}

TEST(ItemKnn, ItsFileGivesTheSameAnswers) {
  const auto model = fit(*engine_of(2), {viewers(100, 80, 10)}, ItemKnnOptions{});
  const std::string path = ::testing::TempDir() + "item_knn_test.tandem";
  save_recommender(path, *model, {});
  const SavedRecommender back = load_recommender(path);
  const std::vector<HistoryItem> history{{7, 2}, {3, 1}};
  EXPECT_EQ(back.model->top_items(history, 10), model->top_items(history, 10));
}

}  // namespace
}  // namespace tandem
