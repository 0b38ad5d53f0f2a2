// Nearest neighbours against values worked out by hand and against all distances sorted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/neighbors/neighbour_search.hpp"
#include "core/random.hpp"
#include "core/steps.hpp"
#include "cpu/simd.hpp"
#include "support/agree.hpp"
#include "support/agreement.hpp"
#include "support/messages.hpp"
#include "support/simd.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/neighbors/knn_classifier.hpp"
#include "tandem/neighbors/knn_regressor.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

template <Real T>
Dataset<T> table(Index columns, std::vector<T> values, std::vector<T> target, Index classes = 0) {
  Dataset<T> data;
  data.source = "made";
  data.columns = numbered_columns(columns);
  data.features = Matrix<T>(static_cast<Index>(target.size()), columns, std::move(values));
  data.target = std::move(target);
  data.target_column.name = "kind";
  for (Index c = 0; c < classes; ++c) data.target_column.categories.push_back(std::to_string(c));
  return data;
}

template <Real T>
Matrix<T> normal_rows(Index rows, Index columns, std::uint32_t stream) {
  const Random random(41, Purpose::test, stream);
  Matrix<T> x(rows, columns);
  for (std::size_t e = 0; e < x.values().size(); ++e) {
    x.values()[e] = static_cast<T>(random.normal(e));
  }
  return x;
}

template <Real T>
struct Lists {
  std::vector<std::int32_t> nearest;
  std::vector<T> distances;
};

template <Real T>
Lists<T> lists_of(Engine& engine, const Matrix<T>& points, const Matrix<T>& x, Index k,
                  NeighbourMetric metric, Own own = Own::no) {
  NeighbourSearch<T> search(engine, points.view(), metric, "the test");
  Lists<T> lists;
  search.for_each_piece(x.view(), k, own, [&](const NeighbourLists<T>& some) {
    lists.nearest.insert(lists.nearest.end(), some.nearest, some.nearest + some.rows * k);
    lists.distances.insert(lists.distances.end(), some.distances, some.distances + some.rows * k);
  });
  return lists;
}

// The definition, in long double.
long double distance_of(NeighbourMetric metric, std::span<const double> x,
                        std::span<const double> y) {
  long double sum = 0, xx = 0, yy = 0, xy = 0;
  for (std::size_t j = 0; j < x.size(); ++j) {
    const long double a = x[j], b = y[j];
    sum += metric == NeighbourMetric::manhattan ? std::abs(a - b) : (a - b) * (a - b);
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }
  if (metric == NeighbourMetric::manhattan) return sum;
  if (metric == NeighbourMetric::euclidean) return std::sqrt(sum);
  return xx > 0 && yy > 0 ? 1 - xy / std::sqrt(xx) / std::sqrt(yy) : 1;
}

constexpr NeighbourMetric metrics[] = {NeighbourMetric::euclidean, NeighbourMetric::manhattan,
                                       NeighbourMetric::cosine};

TEST(NeighbourSearch, DistancesByHand) {
  const Matrix<double> points(3, 2, std::vector<double>{0, 0, 3, 4, -6, 8});
  const Matrix<double> x(1, 2, std::vector<double>{3, 0});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto a = lists_of(*engine, points, x, 3, NeighbourMetric::euclidean);
    EXPECT_EQ(a.nearest, (std::vector<std::int32_t>{0, 1, 2}));
    EXPECT_EQ(a.distances, (std::vector<double>{3, 4, std::sqrt(145.0)}));
    const auto b = lists_of(*engine, points, x, 3, NeighbourMetric::manhattan);
    EXPECT_EQ(b.distances, (std::vector<double>{3, 4, 17}));
    // Directions: the zero row is 1 from everything, (3, 4) has cosine 0.6, (−6, 8) −0.6.
    const auto c = lists_of(*engine, points, x, 3, NeighbourMetric::cosine);
    EXPECT_EQ(c.nearest, (std::vector<std::int32_t>{1, 0, 2}));
    EXPECT_NEAR(c.distances[0], 0.4, 1e-15);
    EXPECT_EQ(c.distances[1], 1);
    EXPECT_NEAR(c.distances[2], 1.6, 1e-15);
  }
}

// Against all distances in long double: what is told are distances of these points, right but for
// rounding, ascending, and nothing nearer is left out.
TEST(NeighbourSearch, IsAllDistancesSorted) {
  for (const NeighbourMetric metric : metrics) {
    for (const Index count : {Index{1}, Index{31}, Index{97}, Index{700}}) {
      for (const Index columns : {Index{1}, Index{7}, Index{40}}) {
        const auto points = normal_rows<double>(count, columns, 1);
        const auto x = normal_rows<double>(61, columns, 2);
        const Index k = std::min<Index>(count, 9);
        const auto lists = lists_of(*engine_on(Device::cpu, 2), points, x, k, metric);
        for (Index i = 0; i < x.rows(); ++i) {
          std::vector<long double> all;
          for (Index p = 0; p < count; ++p) {
            all.push_back(distance_of(metric, x.row(i), points.row(p)));
          }
          std::vector<long double> sorted = all;
          std::sort(sorted.begin(), sorted.end());
          for (Index r = 0; r < k; ++r) {
            const auto at = static_cast<std::size_t>(i * k + r);
            const auto point = static_cast<std::size_t>(lists.nearest[at]);
            EXPECT_NEAR(lists.distances[at], static_cast<double>(all[point]), 1e-13);
            EXPECT_NEAR(lists.distances[at],
                        static_cast<double>(sorted[static_cast<std::size_t>(r)]), 1e-13);
            if (r > 0) {
              EXPECT_LE(lists.distances[at - 1], lists.distances[at]);
            }
          }
        }
      }
    }
  }
}

TEST(NeighbourSearch, TiesGoToTheLowestNumber) {
  // Thousands of rows of five kinds.
  Matrix<float> points(3000, 2);
  for (Index i = 0; i < 3000; ++i) {
    points(i, 0) = static_cast<float>(i % 5);
    points(i, 1) = 1;
  }
  const Matrix<float> x(2, 2, std::vector<float>{3, 1, 0, 1});
  for (const Device device : {Device::reference, Device::cpu}) {
    for (const NeighbourMetric metric : {NeighbourMetric::euclidean, NeighbourMetric::manhattan}) {
      const auto lists = lists_of(*engine_on(device, 2), points, x, 602, metric);
      for (Index r = 0; r < 600; ++r) {
        EXPECT_EQ(lists.nearest[static_cast<std::size_t>(r)], 3 + 5 * r);
        EXPECT_EQ(lists.nearest[static_cast<std::size_t>(602 + r)], 5 * r);
      }
      // Then those on either side, in turn.
      EXPECT_EQ(lists.nearest[600], 2);
      EXPECT_EQ(lists.nearest[601], 4);
    }
  }
}

TEST(NeighbourSearch, NoRowIsItsOwnNeighbour) {
  const auto points = normal_rows<float>(150, 3, 3);
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto lists =
        lists_of(*engine_on(device, 2), points, points, 149, NeighbourMetric::euclidean, Own::yes);
    for (Index i = 0; i < 150; ++i) {
      std::vector<std::int32_t> numbers(lists.nearest.begin() + i * 149,
                                        lists.nearest.begin() + (i + 1) * 149);
      std::sort(numbers.begin(), numbers.end());
      for (Index r = 0; r < 149; ++r) {
        EXPECT_EQ(numbers[static_cast<std::size_t>(r)], r < i ? r : r + 1);
      }
    }
  }
}

TEST(KNNClassifier, VotesByHand) {
  // On a line: a at 0 and 1, b at 2, c at 10.
  const auto data = table<double>(1, {0, 1, 2, 10}, {0, 0, 1, 2}, 3);
  const Matrix<double> x(2, 1, std::vector<double>{1.75, 2});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    KNNClassifierOptions options;
    options.neighbours = 3;
    const auto alike = fit(*engine, data, options).predict(*engine, x.view());
    EXPECT_DOUBLE_EQ(alike.probabilities(0, 0), 2.0 / 3);
    EXPECT_DOUBLE_EQ(alike.probabilities(0, 1), 1.0 / 3);
    EXPECT_EQ(alike.labels, (std::vector<std::int32_t>{0, 0}));
    // 1/0.25 for b; 1/0.75 + 1/1.75 for a.
    options.weighting = NeighbourWeights::distance;
    const auto by_distance = fit(*engine, data, options).predict(*engine, x.view());
    const double a = 1 / 0.75 + 1 / 1.75;
    EXPECT_NEAR(by_distance.probabilities(0, 0), a / (a + 4), 1e-15);
    // At distance 0 the others have no say.
    EXPECT_EQ(by_distance.probabilities(1, 1), 1);
    EXPECT_EQ(by_distance.labels, (std::vector<std::int32_t>{1, 1}));
  }
}

TEST(KNNClassifier, EqualVotesGoToTheFirstClass) {
  const auto data = table<float>(1, {-1, 1}, {1, 0}, 2);
  KNNClassifierOptions options;
  options.neighbours = 2;
  const auto engine = engine_on(Device::cpu);
  const Matrix<float> x(1, 1, 0.0F);
  EXPECT_EQ(fit(*engine, data, options).predict(*engine, x.view()).labels[0], 0);
}

TEST(KNNClassifier, WeightsMultiplyAndZeroLeavesOut) {
  auto data = table<double>(1, {0, 1, 2, 3}, {0, 0, 1, 1}, 2);
  data.weights = {1, 0, 3, 1};
  KNNClassifierOptions options;
  options.neighbours = 2;
  const auto engine = engine_on(Device::cpu);
  const auto model = fit(*engine, data, options);
  EXPECT_EQ(model.rows.rows(), 3);
  const Matrix<double> x(1, 1, 0.5);  // the nearest two of weight are 0 and 2
  EXPECT_EQ(model.predict(*engine, x.view()).probabilities(0, 0), 0.25);
}

TEST(KNNRegressor, MeansByHand) {
  const auto data = table<double>(1, {0, 1, 2, 10}, {5, 7, 12, 100});
  const Matrix<double> x(2, 1, std::vector<double>{1.75, 2});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    KNNRegressorOptions options;
    options.neighbours = 3;
    EXPECT_DOUBLE_EQ(fit(*engine, data, options).predict(*engine, x.view()).values[0], 8);
    options.weighting = NeighbourWeights::distance;
    const auto values = fit(*engine, data, options).predict(*engine, x.view()).values;
    const double total = 4 + 1 / 0.75 + 1 / 1.75;
    EXPECT_NEAR(values[0], (4 * 12 + 7 / 0.75 + 5 / 1.75) / total, 1e-14);
    EXPECT_EQ(values[1], 12);
  }
}

TEST(KNNRegressor, TheMeanOfEqualTargetsIsTheirs) {
  std::vector<double> x, y;
  for (int i = 0; i < 100; ++i) {
    x.push_back(i * 0.37);
    y.push_back(0.1);
  }
  const auto data = table<double>(1, x, y);
  KNNRegressorOptions options;
  options.neighbours = 7;
  options.weighting = NeighbourWeights::distance;
  const auto engine = engine_on(Device::cpu);
  for (const double value :
       fit(*engine, data, options).predict(*engine, data.features.view()).values) {
    EXPECT_EQ(value, 0.1);
  }
}

// Reciprocals of the smallest distances leave the range of double; shares do not.
TEST(KNNRegressor, TinyDistancesHaveFiniteShares) {
  const double tiny = std::numeric_limits<double>::denorm_min();
  const auto data = table<double>(1, {tiny, 2 * tiny, 1}, {1, 2, 3});
  KNNRegressorOptions options;
  options.neighbours = 2;
  options.weighting = NeighbourWeights::distance;
  options.distance = NeighbourMetric::manhattan;
  const auto engine = engine_on(Device::cpu);
  const Matrix<double> x(1, 1, 0.0);
  EXPECT_NEAR(fit(*engine, data, options).predict(*engine, x.view()).values[0], 4.0 / 3, 1e-15);
}

// Lengths do not matter to a direction, however large or small.
TEST(NeighbourSearch, CosineTakesAnyScale) {
  const Matrix<double> points(2, 2, std::vector<double>{1e300, 1e300, 1e-310, 0});
  const Matrix<double> x(1, 2, std::vector<double>{3e-320, 3e-320});
  const auto lists = lists_of(*engine_on(Device::cpu), points, x, 2, NeighbourMetric::cosine);
  EXPECT_EQ(lists.nearest, (std::vector<std::int32_t>{0, 1}));
  EXPECT_NEAR(lists.distances[0], 0, 1e-15);
  EXPECT_NEAR(lists.distances[1], 1 - std::sqrt(0.5), 1e-15);
}

TEST(Neighbours, BadInputIsNamed) {
  const auto engine = engine_on(Device::cpu);
  for (const std::string name : {"knn-classifier", "knn-regressor"}) {
    const auto good = table<float>(2, {1, 5, 1, 6, 1, 7, 1, 8, 1, 9, 1, 9}, {0, 1, 0, 1, 0, 1},
                                   name == "knn-classifier" ? 2 : 0);
    const auto refusal = [&](const Dataset<float>& data, std::int64_t k = 2) {
      return test::message_of([&] {
        auto algorithm = make_algorithm(name);
        algorithm->set("n_neighbors", k);
        (void)algorithm->fit(*engine, data);
      });
    };
    EXPECT_EQ(refusal(good), "nothing was thrown");
    EXPECT_THAT(refusal(good, 7), HasSubstr("made: has 6 rows to be neighbours; neighbours asks "
                                            "for 7; ask for fewer"));
    EXPECT_THAT(refusal(good, 1025), HasSubstr("neighbours"));
    auto data = good;
    data.weights = {1, 0, 0, 0, 0, 1};
    EXPECT_THAT(refusal(data, 3), HasSubstr("has 2 rows of weight above 0 to be neighbours"));
    data = good;
    data.features(3, 1) = std::numeric_limits<float>::quiet_NaN();
    EXPECT_THAT(refusal(data), HasSubstr("x1"));
    data = good;
    data.features(3, 1) = -1e19F;
    EXPECT_THAT(refusal(data), HasSubstr("made: row 4, column 2: -1e+19 is too large for distances "
                                         "in float32"));
    data = good;
    data.target.clear();
    EXPECT_THAT(refusal(data), HasSubstr("has no target"));
    data = good;
    data.base_margin.assign(6, 0.5F);
    EXPECT_THAT(refusal(data), HasSubstr("has base margins"));
    const auto model = make_algorithm(name)->fit(*engine, good);
    const auto answer = [&](const Matrix<float>& x) {
      return test::message_of([&] { (void)model->predict(*engine, x.view()); });
    };
    EXPECT_THAT(answer(Matrix<float>(1, 3)), HasSubstr("was trained on 2 features but the data "
                                                       "has 3"));
    EXPECT_THAT(answer(Matrix<float>(1, 2, 1e30F)), HasSubstr("is too large for distances"));
    EXPECT_THAT(answer(Matrix<float>(1, 2, std::numeric_limits<float>::quiet_NaN())),
                HasSubstr("row 1, column 1: nan has no distance to anything"));
  }
  auto one = table<float>(1, {1, 2, 3, 4, 5}, {1, 1, 1, 1, 1}, 2);
  EXPECT_THAT(test::message_of([&] { (void)make_algorithm("knn-classifier")->fit(*engine, one); }),
              HasSubstr("every row has the class 1 in kind"));
}

// As far apart as values of the type may be, distances are finite and in order.
TEST(NeighbourSearch, TheLargestValuesHaveDistances) {
  const float most = 4.6e18F / std::sqrt(3.0F);
  const Matrix<float> points(2, 3, std::vector<float>{most, most, most, -most, -most, -most});
  const auto lists =
      lists_of(*engine_on(Device::cpu), points, points, 2, NeighbourMetric::euclidean);
  EXPECT_EQ(lists.nearest, (std::vector<std::int32_t>{0, 1, 1, 0}));
  EXPECT_TRUE(std::isfinite(lists.distances[1]));
  EXPECT_EQ(lists.distances[0], 0);
}

template <class Model>
void expect_read_back(const Model& model, Engine& engine, MatrixView<const float> x) {
  Archive archive;
  model.save(archive);
  const auto again = Model::load(archive);
  const auto a = model.predict(engine, x);
  const auto b = again.predict(engine, x);
  EXPECT_EQ(a.values, b.values);
  EXPECT_EQ(a.probabilities, b.probabilities);
  const auto refused = [&](const char* name, auto value) {
    Archive damaged = archive;
    damaged.set(name, value);
    return test::message_of([&] { (void)Model::load(damaged); });
  };
  EXPECT_THAT(refused("neighbours", std::int64_t{0}), HasSubstr("neighbours"));
  EXPECT_THAT(refused("neighbours", std::int64_t{1000}), HasSubstr("neighbours"));
  EXPECT_THAT(refused("metric", "far"), HasSubstr("expected one of euclidean, manhattan, cosine"));
  Archive damaged = archive;
  damaged.set_tensor("weights", std::vector<float>(static_cast<std::size_t>(model.rows.rows()), 0));
  EXPECT_THAT(test::message_of([&] { (void)Model::load(damaged); }), HasSubstr("weights"));
  damaged = archive;
  auto rows = model.rows;
  rows(1, 1) = 1e30F;
  damaged.set_matrix("rows", rows);
  EXPECT_THAT(test::message_of([&] { (void)Model::load(damaged); }), HasSubstr("rows: row 2, "));
}

TEST(Neighbours, ModelsAreReadBackAndDamageIsRefused) {
  const auto engine = engine_on(Device::cpu);
  auto data = table<float>(3, normal_rows<float>(50, 3, 5).values(), std::vector<float>(50), 2);
  for (std::size_t i = 0; i < 50; ++i) data.target[i] = static_cast<float>(i % 2);
  expect_read_back(fit(*engine, data, KNNClassifierOptions{}), *engine, data.features.view());
  data.target_column.categories.clear();
  data.weights.assign(50, 0.5F);
  expect_read_back(fit(*engine, data, KNNRegressorOptions{}), *engine, data.features.view());
}

// Bits do not depend on threads or instruction sets, at sizes around panels, tiles and groups.
TEST(NeighbourSearch, BitsDependOnNothing) {
  for (const Index count : {Index{1}, Index{33}, Index{600}}) {
    for (const Index columns : {Index{1}, Index{63}, Index{130}}) {
      for (const Index rows : {Index{1}, Index{2}, Index{110}}) {
        const auto points = normal_rows<float>(count, columns, 1);
        const auto x = normal_rows<float>(rows, columns, 2);
        for (const NeighbourMetric metric : metrics) {
          const Index k = std::min<Index>(count, 17);
          const auto expected = lists_of(*engine_on(Device::reference), points, x, k, metric);
          const test::RestoreSimd restore;
          for (const char* simd : {"avx512", "avx2", "baseline"}) {
            try {
              cpu::limit_simd(simd);
            } catch (const InputError&) {
              continue;  // the processor lacks this one
            }
            for (const int threads : {1, 3}) {
              const auto got = lists_of(*engine_on(Device::cpu, threads), points, x, k, metric);
              EXPECT_EQ(got.nearest, expected.nearest) << simd;
              EXPECT_TRUE(test::same_bits(got.distances, expected.distances)) << simd;
            }
          }
        }
      }
    }
  }
}

TEST(Neighbours, Agree) {
  for (const char* name : {"neighbours", "knn-classifier", "knn-regressor"}) {
    test::expect_agreement(name, Device::reference);
  }
}

}  // namespace
}  // namespace tandem
