// Expected values: scikit-learn 1.9.1, where i = np.arange(60), truth = (i * 7 + i // 4) % 3,
//   pred = (i * 5 + i // 7) % 3 and
//   x = np.stack([(i * 37) % 41 / 8 + i % 3 * 6, (i * 23) % 29 / 8 - i % 3 * 4, (i * 5) % 19 / 4],
//   1)
#include "tandem/metrics/clustering.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using Labels = std::vector<std::int32_t>;

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

template <Real T>
MatrixView<const T> view(const Matrix<T>& x) {
  return x.view();
}

struct Cases {
  Matrix<double> x{60, 3};
  Labels groups;
  Labels truth;
  Labels predicted;
  Cases() {
    for (int i = 0; i < 60; ++i) {
      x(i, 0) = (i * 37) % 41 / 8.0 + i % 3 * 6;
      x(i, 1) = (i * 23) % 29 / 8.0 - i % 3 * 4;
      x(i, 2) = (i * 5) % 19 / 4.0;
      groups.push_back(i % 3);
      truth.push_back((i * 7 + i / 4) % 3);
      predicted.push_back((i * 5 + i / 7) % 3);
    }
  }
};

TEST(Clustering, AgainstScikitLearn) {
  const Cases c;
  // silhouette_score(x, i % 3), silhouette_samples, davies_bouldin_score, calinski_harabasz_score
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    EXPECT_NEAR(silhouette(*engine, view(c.x), c.groups), 0.5610978941626336, 1e-14);
    const auto values = silhouette_values(*engine, view(c.x), c.groups);
    EXPECT_NEAR(values[0], 0.5499231116470298, 1e-14);
    EXPECT_NEAR(values[1], 0.5187639359107483, 1e-14);
    EXPECT_NEAR(values[2], 0.6787518689956746, 1e-14);
  }
  EXPECT_NEAR(davies_bouldin(view(c.x), c.groups), 0.6046791513123665, 1e-14);
  EXPECT_NEAR(calinski_harabasz(view(c.x), c.groups), 190.88742912565303, 1e-11);
  // adjusted_rand_score, normalized_mutual_info_score
  EXPECT_NEAR(adjusted_rand(c.truth, c.predicted), -0.0210973205969632, 1e-15);
  EXPECT_NEAR(normalized_mutual_information(c.truth, c.predicted), 0.013739468784153651, 1e-14);
}

// Labels with gaps are the same partition.
TEST(Clustering, OnlyThePartitionMatters) {
  const Cases c;
  const auto engine = engine_on(Device::cpu);
  Labels renamed;
  for (const std::int32_t label : c.groups) renamed.push_back(7 * label + 3);
  EXPECT_EQ(silhouette(*engine, view(c.x), c.groups), silhouette(*engine, view(c.x), renamed));
  EXPECT_EQ(davies_bouldin(view(c.x), c.groups), davies_bouldin(view(c.x), renamed));
  EXPECT_EQ(calinski_harabasz(view(c.x), c.groups), calinski_harabasz(view(c.x), renamed));
  EXPECT_EQ(adjusted_rand(c.groups, renamed), 1);
  EXPECT_EQ(normalized_mutual_information(c.groups, renamed), 1);
}

// KMeans(k, n_init=30, random_state=0).fit(load_iris().data): centres to 6 digits, and
// silhouette_score, davies_bouldin_score, calinski_harabasz_score of its labels.
TEST(Clustering, KMeansOfIris) {
  std::ifstream file(TANDEM_DATA_DIR "/iris.csv");
  std::string line;
  std::getline(file, line);
  std::vector<double> values;
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string cell;
    for (int j = 0; j < 4 && std::getline(cells, cell, ','); ++j) values.push_back(std::stod(cell));
  }
  ASSERT_EQ(values.size(), 600U);
  const Matrix<double> x(150, 4, values);
  struct Expected {
    std::vector<std::vector<double>> centres;
    double silhouette;
    double davies_bouldin;
    double calinski_harabasz;
  };
  const std::vector<double> setosa{5.006, 3.428, 1.462, 0.246};
  const std::vector<Expected> all{
      {{{5.00566, 3.369811, 1.560377, 0.290566}, {6.301031, 2.886598, 4.958763, 1.695876}},
       0.6810461692117462,
       0.40429283717304343,
       513.9245459802768},
      {{{5.901613, 2.748387, 4.393548, 1.433871}, setosa, {6.85, 3.073684, 5.742105, 2.071053}},
       0.5528190123564095,
       0.6619715465007465,
       561.62775662962},
      {{{5.532143, 2.635714, 3.960714, 1.228571},
        setosa,
        {6.9125, 3.1, 5.846875, 2.13125},
        {6.2525, 2.855, 4.815, 1.625}},
       0.49805050499728737,
       0.7803069838811107,
       530.7658081872851},
      {{{7.475, 3.125, 6.3, 2.05},
        setosa,
        {5.508, 2.6, 3.908, 1.204},
        {6.529167, 3.058333, 5.508333, 2.1625},
        {6.207692, 2.853846, 4.746154, 1.564103}},
       0.4887488870931056,
       0.8059652120182736,
       495.54148767768777}};
  const auto engine = engine_on(Device::cpu, 2);
  for (const Expected& expected : all) {
    Labels labels;
    for (Index i = 0; i < 150; ++i) {
      double least = std::numeric_limits<double>::infinity();
      std::int32_t nearest = 0;
      for (std::size_t c = 0; c < expected.centres.size(); ++c) {
        double distance = 0;
        for (Index j = 0; j < 4; ++j) {
          const double d = x(i, j) - expected.centres[c][static_cast<std::size_t>(j)];
          distance += d * d;
        }
        if (distance < least) {
          least = distance;
          nearest = static_cast<std::int32_t>(c);
        }
      }
      labels.push_back(nearest);
    }
    EXPECT_NEAR(silhouette(*engine, view(x), labels), expected.silhouette, 1e-12);
    EXPECT_NEAR(davies_bouldin(view(x), labels), expected.davies_bouldin, 1e-12);
    EXPECT_NEAR(calinski_harabasz(view(x), labels), expected.calinski_harabasz, 1e-9);
  }
}

TEST(Clustering, SilhouetteByHand) {
  // On a line: 0 and 1 together, 5 alone, 9 and 9 together.
  const Matrix<double> x(5, 1, {0, 1, 5, 9, 9});
  const Labels labels{0, 0, 1, 2, 2};
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto values = silhouette_values(*engine_on(device), view(x), labels);
    EXPECT_DOUBLE_EQ(values[0], (5.0 - 1) / 5);
    EXPECT_DOUBLE_EQ(values[1], (4.0 - 1) / 4);
    EXPECT_EQ(values[2], 0);  // alone
    EXPECT_EQ(values[3], 1);
  }
  // All rows equal: nothing tells the clusters apart.
  const Matrix<float> same(4, 2, 3.0F);
  EXPECT_EQ(silhouette(*engine_on(Device::cpu), view(same), Labels{0, 0, 1, 1}), 0);
}

template <class T>
class ClusteringTyped : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(ClusteringTyped, Reals);

template <Real T>
Matrix<T> noise(Index rows, Index cols, std::uint64_t seed) {
  Matrix<T> x(rows, cols);
  const Random random(seed, Purpose::test);
  for (Index i = 0; i < rows * cols; ++i) {
    x.values()[static_cast<std::size_t>(i)] = random.uniform<T>(static_cast<std::uint64_t>(i));
  }
  return x;
}

Labels skewed_labels(Index rows) {
  // Sizes from 1 upwards, among them whole and broken groups of 32 and, for many rows, more than
  // one block of the long sum.
  Labels labels;
  const Random random(2, Purpose::test);
  for (Index i = 0; i < rows; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    labels.push_back(i == 0 ? 9 : static_cast<std::int32_t>(u * u * u * 5));
  }
  return labels;
}

TYPED_TEST(ClusteringTyped, CpuAgainstReferenceAndTheContract) {
  using T = TypeParam;
  for (const Index rows : {12, 31, 33, 257, 2100}) {
    for (const Index cols : {1, 3, 17}) {
      const Matrix<T> x = noise<T>(rows, cols, 1);
      const Labels labels = skewed_labels(rows);
      const auto cpu = silhouette_values(*engine_on(Device::cpu), view(x), labels);
      const auto reference = silhouette_values(*engine_on(Device::reference), view(x), labels);
      // A squared distance is a chain of cols fmas of differences (one rounding each, squared), its
      // root halves the relative error and rounds once; the sums over members are in double. With
      // all terms positive, a and b have the relative error of a distance, their quotient twice
      // that, and the silhouette is 1 − that quotient (or its like) <= 1 in magnitude.
      const double distance = gamma_bound<T>(cols + 2) / 2 + unit_roundoff<T>;
      const double bound = 2.1 * distance + 4 * long_sum_bound(rows);
      EXPECT_TRUE(test::within(cpu, reference, [&](std::size_t) { return bound; }))
          << rows << " x " << cols;
    }
  }
}

// The documented chain, written plainly.
TYPED_TEST(ClusteringTyped, SumsHaveTheDocumentedShape) {
  using T = TypeParam;
  const Index rows = 1500;
  const Index cols = 5;
  const Matrix<T> x = noise<T>(rows, cols, 4);
  Labels labels;
  for (Index i = 0; i < rows; ++i) labels.push_back(i % 7 == 0 ? 1 : 0);
  const auto values = silhouette_values(*engine_on(Device::cpu, 2), view(x), labels);
  std::vector<std::vector<Index>> members(2);
  for (Index i = 0; i < rows; ++i)
    members[static_cast<std::size_t>(labels[static_cast<std::size_t>(i)])].push_back(i);
  for (Index i = 0; i < rows; i += 50) {
    double mean[2];
    for (std::size_t c = 0; c < 2; ++c) {
      const auto size = static_cast<Index>(members[c].size());
      const double sum = long_sum(size, [&](Index m) {
        const Index j = members[c][static_cast<std::size_t>(m)];
        T squares = 0;
        for (Index f = 0; f < cols; ++f) {
          const T d = x(i, f) - x(j, f);
          squares = std::fma(d, d, squares);
        }
        return std::sqrt(squares);
      });
      const bool own = labels[static_cast<std::size_t>(i)] == static_cast<std::int32_t>(c);
      mean[c] = sum / static_cast<double>(own ? size - 1 : size);
    }
    const auto own = static_cast<std::size_t>(labels[static_cast<std::size_t>(i)]);
    const double a = mean[own];
    const double b = mean[1 - own];
    EXPECT_EQ(values[static_cast<std::size_t>(i)], (b - a) / std::max(a, b)) << i;
  }
}

TYPED_TEST(ClusteringTyped, ThreadsAndInstructionsDoNotMatter) {
  using T = TypeParam;
  const Index rows = 1333;
  const Matrix<T> x = noise<T>(rows, 13, 8);
  const Labels labels = skewed_labels(rows);
  const auto expected = silhouette_values(*engine_on(Device::cpu, 1), view(x), labels);
  const double db = davies_bouldin(view(x), labels);
  const double ch = calinski_harabasz(view(x), labels);
  for (const int threads : {2, 7}) {
    EXPECT_TRUE(test::same_bits(
        silhouette_values(*engine_on(Device::cpu, threads), view(x), labels), expected));
    EXPECT_EQ(davies_bouldin(view(x), labels, threads), db);
    EXPECT_EQ(calinski_harabasz(view(x), labels, threads), ch);
  }
  const auto engine = engine_on(Device::cpu, 2);
  std::string best = "baseline";
  for (const std::string simd : {"baseline", "avx2", "avx512"}) {
    try {
      cpu::limit_simd(simd);
    } catch (const InputError&) {
      continue;
    }
    best = simd;
    EXPECT_TRUE(test::same_bits(silhouette_values(*engine, view(x), labels), expected)) << simd;
  }
  cpu::limit_simd(best);
}

TEST(Clustering, AStridedViewIsItsRows) {
  const Matrix<double> wide = noise<double>(40, 6, 3);
  Matrix<double> packed(40, 4);
  for (Index i = 0; i < 40; ++i) std::copy_n(wide.row(i).begin(), 4, packed.row(i).begin());
  const MatrixView<const double> window{wide.data(), 40, 4, 6};
  const Labels labels = skewed_labels(40);
  const auto engine = engine_on(Device::cpu);
  EXPECT_EQ(silhouette(*engine, window, labels), silhouette(*engine, view(packed), labels));
  EXPECT_EQ(davies_bouldin(window, labels), davies_bouldin(view(packed), labels));
}

TEST(Clustering, DaviesBouldinOfCoincidingCentroids) {
  // Both centroids at 0, both clusters spread.
  const Matrix<double> x(4, 1, {-1, 1, -2, 2});
  EXPECT_EQ(davies_bouldin(view(x), Labels{0, 0, 1, 1}), std::numeric_limits<double>::infinity());
  const Matrix<double> same(4, 1, 5.0);
  EXPECT_EQ(davies_bouldin(view(same), Labels{0, 0, 1, 1}), 0);
  EXPECT_EQ(calinski_harabasz(view(same), Labels{0, 0, 1, 1}), 1);
}

TEST(Clustering, PartitionsByHand) {
  // Hubert and Arabie: pairs together in both 2, in truth 2 + 1... of {0,0,0,1,1} and {0,0,1,1,2}:
  // cells (0,0) 2, (0,1) 1, (1,1) 1, (1,2) 1: together 1; truth 3 + 1 = 4; labels 1 + 1 = 2;
  // all 10. (1 − .8) / (3 − .8)
  EXPECT_DOUBLE_EQ(adjusted_rand(Labels{0, 0, 0, 1, 1}, Labels{0, 0, 1, 1, 2}), 0.2 / 2.2);
  EXPECT_EQ(adjusted_rand(Labels{0, 0, 0}, Labels{4, 4, 4}), 1);
  EXPECT_EQ(adjusted_rand(Labels{0, 1, 2}, Labels{4, 5, 6}), 1);
  EXPECT_EQ(adjusted_rand(Labels{0, 0, 0}, Labels{0, 1, 2}), 0);
  EXPECT_EQ(adjusted_rand(Labels{0}, Labels{0}), 1);
  // Independent halves share no information; half of one bit of two.
  EXPECT_EQ(normalized_mutual_information(Labels{0, 0, 1, 1}, Labels{0, 1, 0, 1}), 0);
  EXPECT_NEAR(normalized_mutual_information(Labels{0, 0, 1, 1}, Labels{0, 1, 2, 3}), 2.0 / 3,
              1e-15);
  EXPECT_EQ(normalized_mutual_information(Labels{0, 0}, Labels{1, 1}), 1);
  EXPECT_EQ(normalized_mutual_information(Labels{0, 0}, Labels{0, 1}), 0);
}

TEST(Clustering, RefusesBadInput) {
  const auto engine = engine_on(Device::cpu);
  Matrix<double> x = noise<double>(4, 2, 1);
  EXPECT_THROW((void)silhouette(*engine, view(x), Labels{0, 0, 0, 0}), InputError);
  EXPECT_THROW((void)silhouette(*engine, view(x), Labels{0, 1, 2, 3}), InputError);
  EXPECT_THROW((void)silhouette(*engine, view(x), Labels{0, 1, 1}), InputError);
  EXPECT_THROW((void)silhouette(*engine, view(x), Labels{0, 1, 1, -1}), InputError);
  EXPECT_THROW((void)adjusted_rand(Labels{0, -1}, Labels{0, 0}), InputError);
  EXPECT_THROW((void)adjusted_rand(Labels{}, Labels{}), InputError);
  EXPECT_THROW((void)normalized_mutual_information(Labels{0}, Labels{0, 0}), InputError);
  x(2, 1) = std::nan("");
  EXPECT_THROW((void)silhouette(*engine, view(x), Labels{0, 0, 1, 1}), InputError);
  EXPECT_THROW((void)davies_bouldin(view(x), Labels{0, 0, 1, 1}), InputError);
  EXPECT_THROW((void)calinski_harabasz(view(x), Labels{0, 0, 1, 1}), InputError);
  const Matrix<float> huge(4, 1, {-3e38F, 3e38F, 3e38F, -3e38F});
  EXPECT_THROW((void)silhouette(*engine, view(huge), Labels{0, 0, 1, 1}), NumericalError);
}

}  // namespace
}  // namespace tandem
