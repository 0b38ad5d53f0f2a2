// The CUDA half's steps of recommenders against cpu and reference, and whole models.
#include <gtest/gtest.h>

#include "recommend/recommender_fixture.hpp"
#include "support/agree.hpp"
#include "support/cuda.hpp"
#include "tandem/recommend/recommender.hpp"

namespace tandem {
namespace {

TEST(RecommendCuda, AlsAgrees) { test::expect_agreement("als", test::cuda_device(), 6); }
TEST(RecommendCuda, TopItemsAgree) { test::expect_agreement("top-items", test::cuda_device(), 6); }
TEST(RecommendCuda, EaseAgrees) { test::expect_agreement("ease", test::cuda_device(), 12); }
TEST(RecommendCuda, ItemKnnAgrees) { test::expect_agreement("item-knn", test::cuda_device(), 12); }

TEST(RecommendCuda, BprAgrees) { test::expect_agreement("bpr", test::cuda_device(), 6); }
TEST(RecommendCuda, SlimAgrees) { test::expect_agreement("slim", test::cuda_device(), 12); }

TEST(RecommendCuda, RowSumsAgree) { test::expect_agreement("row-sums", test::cuda_device(), 8); }

TEST(RecommendCuda, ModelsAndAnswersHaveTheSameBits) {
  const Interactions events = test::viewers(60, 50, 8);
  const auto cuda = test::cuda_engine();
  const auto cpu = Engine::create();
  const SparseMatrix<double> histories = interaction_matrix<double>(events);
  for (const std::string& name : recommender_names()) {
    if (name == "content") continue;  // asks for attributes
    const auto algorithm = make_recommender(name);
    if (name == "als") algorithm->set("factors", 24).set("iterations", 2);
    if (name == "bpr") {
      algorithm->set("factors", 24).set("iterations", 3).set("fold_in_passes", 5);
    }
    const auto a = algorithm->fit(*cuda, {events});
    const auto b = algorithm->fit(*cpu, {events});
    Archive of_a;
    Archive of_b;
    a->save(of_a);
    b->save(of_b);
    EXPECT_EQ(of_a, of_b) << name;
    const TopItems on_cuda = a->top_items(*cuda, histories.view(), 5);
    const TopItems on_cpu = b->top_items(*cpu, histories.view(), 5);
    EXPECT_EQ(on_cuda.items, on_cpu.items) << name;
    EXPECT_EQ(on_cuda.scores, on_cpu.scores) << name;
    EXPECT_EQ(on_cuda.counts, on_cpu.counts) << name;
  }
}

}  // namespace
}  // namespace tandem
