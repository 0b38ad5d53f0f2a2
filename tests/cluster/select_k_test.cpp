// Choosing k.
#include "tandem/cluster/select_k.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "cluster/support.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

template <Real T>
DatasetView<T> rows_of(const Matrix<T>& x) {
  return {.features = x.view()};
}

// Scaled, the points are (0, 1) (1/4, 0.3) (2/4, 0.2) (3/4, 0.1) (1, 0): 0.45 below the chord at 2,
// 0.3 at 3.
TEST(Elbow, IsFarthestBelowTheChord) {
  EXPECT_EQ(elbow({1, 2, 3, 4, 5}, {110, 40, 30, 20, 10}), 2);
  EXPECT_EQ(elbow({2, 3, 4, 5, 6}, {110, 90, 30, 20, 10}), 4);
  // A straight line and a rising curve have none; of equals the least k.
  EXPECT_EQ(elbow({1, 2, 3}, {30, 20, 10}), 0);
  EXPECT_EQ(elbow({1, 2, 3}, {10, 20, 30}), 0);
  EXPECT_EQ(elbow({1, 2}, {30, 20}), 0);
  EXPECT_EQ(elbow({1, 2, 3, 4, 5}, {8, 4, 2, 0, 0}), 2);
}

TEST(Gap, IsTheFirstWithinOneErrorOfTheNext) {
  EXPECT_EQ(first_gap_within_error({1, 2, 3, 4}, {0.1, 0.5, 0.6, 0.55}, {0, 0.05, 0.05, 0.05}), 3);
  EXPECT_EQ(first_gap_within_error({1, 2, 3, 4}, {0.1, 0.5, 0.6, 0.55}, {0, 0.05, 0.1, 0.05}), 2);
  EXPECT_EQ(first_gap_within_error({1, 2, 3}, {0.1, 0.5, 0.9}, {0, 0.1, 0.1}), 0);
}

// sklearn.metrics.silhouette_score of the best of 60 sklearn.cluster.KMeans(k, n_init=1) on iris;
// the inertias are those of the same runs.
TEST(SelectK, IrisAgreesWithScikitLearn) {
  const auto engine = Engine::create({Device::cpu, Numerics::exact, 2});
  const auto x = test::iris<double>();
  SelectKOptions options;
  options.highest = 5;
  const auto selection = select_k(*engine, rows_of(x), options);
  const std::array<double, 4> silhouettes{0.6810461692117462, 0.5528190123564095,
                                          0.49805050499728737, 0.4887488870931056};
  const std::array<double, 4> inertias{152.34795176035792, 78.851441426146, 57.228473214285714,
                                       46.44618205128205};
  ASSERT_EQ(selection.candidates.size(), 4U);
  for (std::size_t at = 0; at < 4; ++at) {
    EXPECT_EQ(selection.candidates[at].k, static_cast<Index>(at) + 2);
    EXPECT_NEAR(selection.candidates[at].inertia, inertias[at], 1e-4);
    EXPECT_NEAR(selection.candidates[at].silhouette, silhouettes[at], 1e-9);
    EXPECT_EQ(selection.models[at].centres.rows(), selection.candidates[at].k);
  }
  EXPECT_EQ(selection.by_silhouette, 2);
  EXPECT_EQ(selection.by_elbow, 3);
  const auto json = nlohmann::json::parse(selection.to_json());
  EXPECT_EQ(json["candidates"].size(), 4U);
  EXPECT_EQ(json["by_silhouette"], 2);
  EXPECT_THAT(selection.to_text(), ::testing::HasSubstr("silhouette (largest): k = 2"));
}

// Four groups far apart: all three rules find them, and uniform points have no clusters.
TEST(SelectK, FindsFourGroups) {
  const auto engine = Engine::create({Device::cpu, Numerics::exact, 1});
  const Random random(5, Purpose::test);
  Matrix<float> x(200, 2);
  for (Index i = 0; i < 200; ++i) {
    for (Index j = 0; j < 2; ++j) {
      const double side = j == 0 ? static_cast<double>(i % 2) : static_cast<double>(i / 2 % 2);
      x(i, j) =
          static_cast<float>(20 * side + random.uniform(static_cast<std::uint64_t>(2 * i + j)));
    }
  }
  SelectKOptions options;
  options.lowest = 1;
  options.highest = 8;
  options.kmeans.starts = 10;
  const auto four = select_k(*engine, rows_of(x), options);
  EXPECT_EQ(four.by_silhouette, 4);
  EXPECT_EQ(four.by_gap, 4);
  EXPECT_EQ(four.by_elbow, 4);
  EXPECT_TRUE(std::isnan(four.candidates[0].silhouette));
  EXPECT_TRUE(nlohmann::json::parse(four.to_json())["candidates"][0]["silhouette"].is_null());

  // The rule took 38 of 40 such sets of uniform points for one cluster; this is one of the 38.
  const Random uniform(0, Purpose::test);
  for (Index i = 0; i < 400; ++i) {
    x.values()[static_cast<std::size_t>(i)] =
        static_cast<float>(uniform.uniform(static_cast<std::uint64_t>(1000 + i)));
  }
  options.highest = 4;
  EXPECT_EQ(select_k(*engine, rows_of(x), options).by_gap, 1);
}

TEST(SelectK, SameBitsForAnyThreads) {
  const auto x = test::grouped_rows<float>(300, 3, 4, 9);
  SelectKOptions options;
  options.highest = 5;
  options.kmeans.starts = 3;
  options.silhouette_rows = 100;
  const auto run = [&](int threads) {
    const auto engine = Engine::create({Device::cpu, Numerics::exact, threads});
    return select_k(*engine, rows_of(x), options).to_json();
  };
  EXPECT_EQ(run(1), run(2));
}

TEST(SelectK, RefusesRangesThatMakeNoSense) {
  const auto engine = Engine::create({Device::cpu, Numerics::exact, 1});
  const Matrix<float> x(5, 1, {1, 2, 3, 4, 4});
  SelectKOptions options;
  options.gap = false;
  options.highest = 5;
  EXPECT_THROW((void)select_k(*engine, rows_of(x), options), InputError);
  options.highest = 4;
  const auto selection = select_k(*engine, rows_of(x), options);
  EXPECT_EQ(selection.candidates.back().inertia, 0);
  EXPECT_EQ(selection.by_gap, 0);
  options.lowest = 0;
  EXPECT_THROW((void)select_k(*engine, rows_of(x), options), InputError);
  options.lowest = 5;
  EXPECT_THROW((void)select_k(*engine, rows_of(x), options), InputError);
  options.lowest = 2;
  options.kmeans.init = KMeansInit::given;
  EXPECT_THROW((void)select_k(*engine, rows_of(x), options), InputError);
}

}  // namespace
}  // namespace tandem
