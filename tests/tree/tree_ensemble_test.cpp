#include "tandem/tree/tree_ensemble.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agree.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

// x0 <= 1 ? (x1 <= 0 ? 1 : 2) : 4, missing x0 right, missing x1 left.
template <Real T>
EnsembleTree<T> small_tree() {
  EnsembleTree<T> tree;
  for (const int value : {0, 0, 4, 1, 2}) tree.add_leaf(static_cast<T>(value), 1);
  tree.split(0, 0, 1, 1, 2, false, 8);
  tree.split(1, 1, 0, 3, 4, true, 2);
  tree.cover = {10, 6, 4, 1, 5};
  return tree;
}

template <Real T>
TreeEnsemble<T> small_ensemble() {
  TreeEnsemble<T> ensemble;
  ensemble.features = 2;
  ensemble.base = {static_cast<T>(0.5)};
  ensemble.trees = {small_tree<T>()};
  EnsembleTree<T> stump;
  for (const int value : {0, 10, 20}) stump.add_leaf(static_cast<T>(value), 5);
  stump.split_by_category(0, 1, std::vector<std::int32_t>{0, 3, 40}, 1, 2, true, 3);
  ensemble.trees.push_back(stump);
  return ensemble;
}

template <class T>
class TreeEnsembleOf : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(TreeEnsembleOf, Precisions);

TYPED_TEST(TreeEnsembleOf, AddsTheLeavesOfEachRow) {
  using T = TypeParam;
  const T nan = std::numeric_limits<T>::quiet_NaN();
  const T inf = std::numeric_limits<T>::infinity();
  const auto ensemble = small_ensemble<T>();
  const Matrix<T> x(9, 2,
                    std::vector<T>{1, 0,     // 1, category 0: left
                                   1, 3,     // 2, category 3: left
                                   2, 40,    // 4, left
                                   2, 41,    // 4, right
                                   nan, 1,   // 4, right
                                   0, nan,   // 1, missing goes left
                                   0, -1,    // 1, negative: right
                                   0, 1e9F,  // 2, right
                                   inf, -inf});
  const std::vector<T> expected{11.5, 12.5, 14.5, 24.5, 24.5, 11.5, 21.5, 22.5, 24.5};
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_of(device);
    EXPECT_EQ(ensemble.raw_scores(*engine, x.view()).values(), expected);
    for (Index i = 0; i < x.rows(); ++i) {
      EXPECT_EQ(ensemble.raw_scores(*engine, x.view().rows_from(i, 1)).values()[0],
                expected[static_cast<std::size_t>(i)]);
    }
    const auto leaves = ensemble.leaves(*engine, x.view());
    EXPECT_THAT(std::vector<std::int32_t>(leaves.values().begin(), leaves.values().begin() + 8),
                ElementsAre(3, 1, 4, 1, 2, 1, 2, 2));
    EXPECT_EQ(ensemble.raw_scores(*engine, x.view(), {}, 1, 1)(0, 0), T(10.5));
    const Matrix<T> margin(9, 1, T{100});
    EXPECT_EQ(ensemble.raw_scores(*engine, x.view(), margin.view())(0, 0), T(111));
  }
}

TYPED_TEST(TreeEnsembleOf, TakesZeroForMissingWhereAsked) {
  using T = TypeParam;
  TreeEnsemble<T> ensemble;
  ensemble.features = 1;
  ensemble.base = {0};
  ensemble.trees.resize(1);
  for (const int value : {0, 1, 2}) ensemble.trees[0].add_leaf(static_cast<T>(value));
  ensemble.trees[0].split(0, 0, 5, 1, 2, false);
  ensemble.trees[0].flags[0] |= tree_zero_is_missing;
  const Matrix<T> x(4, 1, std::vector<T>{0, static_cast<T>(-1e-36), static_cast<T>(1e-30), 6});
  for (const Device device : {Device::reference, Device::cpu}) {
    EXPECT_THAT(ensemble.raw_scores(*engine_of(device), x.view()).values(),
                ElementsAre(2, 2, 1, 2));
  }
}

TYPED_TEST(TreeEnsembleOf, HasLeavesForSeveralOutputs) {
  using T = TypeParam;
  TreeEnsemble<T> ensemble;
  ensemble.features = 1;
  ensemble.outputs = 2;
  ensemble.base = {1, 2};
  EnsembleTree<T> both;
  both.output = all_outputs;
  both.add_leaf(std::vector<T>{0, 0});
  both.add_leaf(std::vector<T>{10, 20});
  both.add_leaf(std::vector<T>{30, 40});
  both.split(0, 0, 0, 1, 2, false);
  EnsembleTree<T> second;
  second.output = 1;
  second.add_leaf(T{100});
  ensemble.trees = {both, second};
  const Matrix<T> x(2, 1, std::vector<T>{0, 1});
  for (const Device device : {Device::reference, Device::cpu}) {
    EXPECT_THAT(ensemble.raw_scores(*engine_of(device), x.view()).values(),
                ElementsAre(11, 122, 31, 142));
  }
}

TYPED_TEST(TreeEnsembleOf, SavesAndLoads) {
  using T = TypeParam;
  for (auto ensemble : {small_ensemble<T>(), TreeEnsemble<T>{2, 1, {T{3}}, {}}}) {
    Archive archive;
    ensemble.save(archive, "model/trees");
    EXPECT_EQ(TreeEnsemble<T>::load(archive, "model/trees"), ensemble);
  }
}

TYPED_TEST(TreeEnsembleOf, RefusesWhatCannotBePredictedWith) {
  using T = TypeParam;
  using Ensemble = TreeEnsemble<T>;
  const std::vector<std::pair<std::function<void(Ensemble&)>, std::string>> faults{
      {[](Ensemble& e) { e.trees[0].left[0] = 0; },
       "tree 0, node 0 has a child that does not come"},
      {[](Ensemble& e) { e.trees[0].right[1] = 5; },
       "tree 0, node 1 has a child that does not come"},
      {[](Ensemble& e) { e.trees[0].right[1] = 3; }, "tree 0, node 1 shares a child"},
      {[](Ensemble& e) { e.trees[0].feature[1] = 2; }, "splits a feature that is not there"},
      {[](Ensemble& e) { e.trees[0].feature[3] = -2; }, "leaf with children"},
      {[](Ensemble& e) { e.trees[0].threshold[0] = NAN; }, "threshold that is no number"},
      {[](Ensemble& e) { e.trees[1].value[2] = INFINITY; },
       "tree 1, node 2 has a value that is not"},
      {[](Ensemble& e) { e.trees[0].cover[2] = -1; }, "cover"},
      {[](Ensemble& e) { e.trees[0].gain[0] = NAN; }, "gain"},
      {[](Ensemble& e) { e.trees[0].flags[0] = 8; }, "unknown flag"},
      {[](Ensemble& e) { e.trees[0].flags[0] = tree_categorical; }, "no set of categories"},
      {[](Ensemble& e) { e.trees[1].category_words[0] = 3; }, "set of categories that is not"},
      {[](Ensemble& e) { e.trees[0].output = 1; }, "adds to output 1 of 1"},
      {[](Ensemble& e) { e.trees[0].gain.pop_back(); }, "unequal length"},
      {[](Ensemble& e) { e.base = {NAN}; }, "base score"},
      {[](Ensemble& e) { e.trees[0] = {}; }, "has no nodes"},
  };
  for (const auto& [spoil, message] : faults) {
    Ensemble ensemble = small_ensemble<T>();
    spoil(ensemble);
    try {
      ensemble.check("file.json");
      ADD_FAILURE() << "accepted: " << message;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(message));
      EXPECT_THAT(error.what(), HasSubstr("file.json"));
    }
  }
  Archive archive;
  small_ensemble<T>().save(archive);
  for (const auto& entry : archive.entries()) {
    Archive spoiled = archive;
    spoiled.set(entry.first, "text");
    EXPECT_THROW((void)Ensemble::load(spoiled), InputError) << entry.first;
  }
  Archive counts = archive;
  counts.set_tensor("trees/nodes", std::vector<std::int64_t>{5, 2});
  EXPECT_THROW((void)Ensemble::load(counts), InputError);
  counts.set_tensor("trees/nodes", std::vector<std::int64_t>{5, 1LL << 62});
  EXPECT_THROW((void)Ensemble::load(counts), InputError);
}

TYPED_TEST(TreeEnsembleOf, RefusesOtherColumnsAndTreesThatAreNotThere) {
  using T = TypeParam;
  const auto ensemble = small_ensemble<T>();
  const auto engine = engine_of(Device::cpu);
  const Matrix<T> x(1, 3);
  EXPECT_THROW((void)ensemble.raw_scores(*engine, x.view()), InputError);
  EXPECT_THROW((void)ensemble.leaves(*engine, x.view()), InputError);
  const Matrix<T> good(1, 2);
  EXPECT_THROW((void)ensemble.raw_scores(*engine, good.view(), {}, 1, 2), InputError);
  EXPECT_THROW((void)ensemble.raw_scores(*engine, good.view(), x.view()), InputError);
}

TEST(TreeEnsembleTest, CountsImportances) {
  const auto ensemble = small_ensemble<double>();
  EXPECT_THAT(ensemble.importances(ImportanceKind::total_gain), ElementsAre(8, 5));
  EXPECT_THAT(ensemble.importances(ImportanceKind::gain), ElementsAre(8, 2.5));
  EXPECT_THAT(ensemble.importances(ImportanceKind::total_cover), ElementsAre(10, 11));
  EXPECT_THAT(ensemble.importances(ImportanceKind::cover), ElementsAre(10, 5.5));
  EXPECT_THAT(ensemble.importances(ImportanceKind::splits), ElementsAre(1, 2));
}

TEST(TreeEnsembleTest, IsReadable) {
  const auto ensemble = small_ensemble<double>();
  EXPECT_EQ(ensemble.to_text({"age", "city"}),
            "tree 0\n"
            "  0: age <= 1 ? 1 : 2, missing 2, gain 8, cover 10\n"
            "    1: city <= 0 ? 3 : 4, missing 3, gain 2, cover 6\n"
            "      3: 1\n"
            "      4: 2\n"
            "    2: 4\n"
            "tree 1\n"
            "  0: city in {0, 3, 40} ? 1 : 2, missing 1, gain 3, cover 5\n"
            "    1: 10\n"
            "    2: 20\n");
  EXPECT_THAT(ensemble.to_text({"age", "city"}, 1), HasSubstr("... 1 more tree"));
  const auto json = nlohmann::json::parse(ensemble.to_json({"age", "city"}));
  EXPECT_EQ(json["trees"][1]["nodes"][0]["categories"], nlohmann::json({0, 3, 40}));
  EXPECT_EQ(json["trees"][0]["nodes"][0]["threshold"], 1);
  EXPECT_THROW((void)ensemble.to_text({"age"}), InputError);
}

// A complete tree of random splits.
template <Real T>
TreeEnsemble<T> random_ensemble(Index trees, Index depth, Index features, std::uint64_t seed) {
  const Random random(seed, Purpose::test);
  std::uint64_t next = 0;
  TreeEnsemble<T> ensemble;
  ensemble.features = features;
  ensemble.base = {static_cast<T>(0.1)};
  for (Index t = 0; t < trees; ++t) {
    EnsembleTree<T> tree;
    const Index nodes = (Index{2} << depth) - 1;
    for (Index i = 0; i < nodes; ++i) tree.add_leaf(static_cast<T>(random.uniform(next++) - 0.5));
    for (Index i = 0; i < nodes / 2; ++i) {
      const auto feature = static_cast<std::int32_t>(random.below(features, next++));
      const auto threshold = static_cast<T>(random.uniform(next++));
      tree.split(i, feature, threshold, 2 * i + 1, 2 * i + 2, i % 2 == 0);
    }
    ensemble.trees.push_back(tree);
  }
  return ensemble;
}

TYPED_TEST(TreeEnsembleOf, GivesTheSameBitsForAnyRowsThreadsAndInstructions) {
  using T = TypeParam;
  const auto ensemble = random_ensemble<T>(37, 6, 11, 5);
  const Random random(9, Purpose::test);
  Matrix<T> x(1000, 11);
  std::uint64_t next = 0;
  for (T& value : x.values()) {
    value = static_cast<T>(random.uniform(next++));
    if (next % 13 == 0) value = std::numeric_limits<T>::quiet_NaN();
  }
  const auto expected = ensemble.raw_scores(*engine_of(Device::cpu), x.view());
  for (const char* set : {"baseline", "avx2", "avx512"}) {
    try {
      cpu::limit_simd(set);
    } catch (const InputError&) {
      continue;  // a processor without it
    }
    for (const int threads : {1, 2, 7}) {
      const auto engine = engine_of(Device::cpu, threads);
      EXPECT_EQ(ensemble.raw_scores(*engine, x.view()), expected);
      for (Index i = 0; i + 3 < 60; i += 3) {
        const auto few = ensemble.raw_scores(*engine, x.view().rows_from(i, 1 + i % 4));
        for (Index r = 0; r < few.rows(); ++r) EXPECT_EQ(few(r, 0), expected(i + r, 0));
      }
    }
  }
  cpu::limit_simd("avx512");
}

TEST(TreeEnsembleTest, AgreesWithTheReference) {
  test::expect_agreement("tree-ensemble", Device::reference);
}

}  // namespace
}  // namespace tandem
