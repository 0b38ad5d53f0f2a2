#include "tandem/tree/binned_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "core/random.hpp"
#include "core/tree/quantile_sketch.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

template <Real T>
std::vector<T> column(Index rows, std::uint64_t seed, Index distinct) {
  const Random random(seed, Purpose::test);
  std::vector<T> values;
  for (Index i = 0; i < rows; ++i) {
    const double u = random.uniform(static_cast<std::uint64_t>(i));
    values.push_back(static_cast<T>(distinct > 0 ? std::floor(u * static_cast<double>(distinct))
                                                 : std::exp(6 * u) - 20));
  }
  return values;
}

TEST(QuantileSketch, KeysOrderAsValuesDo) {
  for (const double value : {-1e300, -1.0, -5e-324, 0.0, 5e-324, 2.5, 1e300}) {
    EXPECT_EQ(tree::value_of_key<double>(tree::order_key(value)), value);
  }
  EXPECT_EQ(tree::order_key(-0.0F), tree::order_key(0.0F));
  EXPECT_LT(tree::order_key(-1.0F), tree::order_key(-0.5F));
  EXPECT_LT(tree::order_key(-0.5F), tree::order_key(0.25F));
}

TEST(QuantileSketch, IsExactWhileValuesFit) {
  const auto values = column<float>(20000, 3, 300);
  tree::QuantileSketch<float> sketch;
  std::map<float, std::int64_t> expected;
  for (const float v : values) ++expected[v];
  for (std::size_t begin = 0; begin < values.size(); begin += 4096) {
    const std::size_t count = std::min<std::size_t>(4096, values.size() - begin);
    sketch.add(std::span<const float>(values).subspan(begin, count), {});
  }
  const auto summary = sketch.finish();
  ASSERT_EQ(summary.size(), expected.size());
  std::size_t i = 0;
  for (const auto& [value, count] : expected) {
    EXPECT_EQ(tree::value_of_key<float>(summary.keys[i]), value);
    EXPECT_EQ(summary.weights[i++], count);
  }
}

// The rank of every value of the summary is off by at most (levels above the exact ones)/capacity.
TEST(QuantileSketch, KeepsItsErrorBound) {
  constexpr Index rows = 200000;
  const auto values = column<double>(rows, 4, 0);
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  tree::QuantileSketch<double> sketch;
  for (Index begin = 0; begin < rows; begin += 4096) {
    sketch.add(std::span<const double>(values).subspan(
                   static_cast<std::size_t>(begin),
                   static_cast<std::size_t>(std::min<Index>(4096, rows - begin))),
               {});
  }
  const auto summary = sketch.finish();
  EXPECT_LE(static_cast<Index>(summary.size()), tree::QuantileSketch<double>::capacity);
  const double bound = std::ceil(std::log2(rows / 4096.0)) / 4096;
  std::int64_t before = 0;
  double worst = 0;
  for (std::size_t i = 0; i < summary.size(); ++i) {
    const double value = tree::value_of_key<double>(summary.keys[i]);
    const auto rank =
        static_cast<double>(std::lower_bound(sorted.begin(), sorted.end(), value) - sorted.begin());
    const double middle = static_cast<double>(before) + static_cast<double>(summary.weights[i]) / 2;
    worst = std::max(worst, std::abs(rank - middle) / static_cast<double>(rows));
    before += summary.weights[i];
  }
  EXPECT_EQ(before, rows);
  EXPECT_LE(worst, bound + 1.0 / 4096);
}

template <class T>
class BinnedTableOf : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(BinnedTableOf, Precisions);

TYPED_TEST(BinnedTableOf, CutsBetweenNeighbours) {
  using T = TypeParam;
  const Matrix<T> x(5, 3,
                    std::vector<T>{1, 7, static_cast<T>(nan),  //
                                   3, 7, -1,                   //
                                   1, 7, static_cast<T>(nan),  //
                                   4, 7, -0.0,                 //
                                   3, 7, 0.0});
  const auto cuts = make_bin_cuts(x.view(), std::span<const T>(), 255, 1);
  EXPECT_THAT(std::vector<T>(cuts.of(0).begin(), cuts.of(0).end()),
              ElementsAre(2, static_cast<T>(3.5)));
  EXPECT_THAT(std::vector<T>(cuts.of(1).begin(), cuts.of(1).end()), IsEmpty());
  EXPECT_THAT(std::vector<T>(cuts.of(2).begin(), cuts.of(2).end()),
              ElementsAre(static_cast<T>(-0.5)));
  EXPECT_THAT(cuts.missing, ElementsAre(0, 0, 1));
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto table = bin_rows(*engine_of(device), x.view(), cuts);
    const std::vector<int> expected{0, 0, 2, 1, 0, 0, 0, 0, 2, 2, 0, 1, 1, 0, 1};
    for (Index i = 0; i < 5; ++i) {
      for (Index j = 0; j < 3; ++j) {
        EXPECT_EQ(table(i, j), expected[static_cast<std::size_t>(i * 3 + j)]) << i << ' ' << j;
        EXPECT_EQ(table(i, j), cuts.bin_of(j, x(i, j)));
      }
    }
  }
}

TYPED_TEST(BinnedTableOf, AColumnWithoutKnownValuesHasOneBin) {
  using T = TypeParam;
  const Matrix<T> x(3, 1, static_cast<T>(nan));
  const auto cuts = make_bin_cuts(x.view(), std::span<const T>(), 255, 1);
  EXPECT_EQ(cuts.bins(0), 1);
  EXPECT_EQ(bin_rows(*engine_of(Device::cpu), x.view(), cuts)(2, 0), 1);
}

TYPED_TEST(BinnedTableOf, BinsWeighAboutTheSame) {
  using T = TypeParam;
  constexpr Index rows = 50000;
  const Matrix<T> x(rows, 1, column<T>(rows, 5, 0));
  const auto cuts = make_bin_cuts(x.view(), std::span<const T>(), 100, 2);
  EXPECT_EQ(cuts.bins(0), 100);
  const auto table = bin_rows(*engine_of(Device::cpu, 2), x.view(), cuts);
  std::vector<Index> counts(100, 0);
  for (Index i = 0; i < rows; ++i) ++counts[table(i, 0)];
  for (const Index count : counts) EXPECT_NEAR(static_cast<double>(count), 500, 130);
}

TYPED_TEST(BinnedTableOf, FollowsWeightsAndHeavyValues) {
  using T = TypeParam;
  constexpr Index rows = 10000;
  Matrix<T> x(rows, 1, column<T>(rows, 6, 0));
  for (Index i = 0; i < rows / 2; ++i) x(i, 0) = 5;  // half of the rows have one value
  const auto cuts = make_bin_cuts(x.view(), std::span<const T>(), 20, 1);
  // It has a bin of its own, and the others share the rest.
  const Index bin = cuts.bin_of(0, 5);
  EXPECT_GT(cuts.bin_of(0, static_cast<T>(5.5)), bin);
  EXPECT_GE(cuts.bins(0), 18);
  std::vector<T> weights(static_cast<std::size_t>(rows), 0);
  for (Index i = 0; i < rows; ++i) {
    weights[static_cast<std::size_t>(i)] = x(i, 0) > 100 ? T{1} : T{0};
  }
  const auto heavy = make_bin_cuts(x.view(), std::span<const T>(weights), 20, 1);
  for (const T threshold : heavy.of(0)) EXPECT_GT(threshold, 100);
}

TYPED_TEST(BinnedTableOf, DoesNotDependOnThreads) {
  using T = TypeParam;
  constexpr Index rows = 30000;
  Matrix<T> x(rows, 21);
  for (Index j = 0; j < x.cols(); ++j) {
    const auto values = column<T>(rows, static_cast<std::uint64_t>(20 + j), j % 3 == 0 ? 40 : 0);
    for (Index i = 0; i < rows; ++i) x(i, j) = values[static_cast<std::size_t>(i)];
  }
  const auto weights = column<T>(rows, 8, 4);
  const auto expected = make_bin_cuts(x.view(), std::span<const T>(weights), 64, 1);
  const auto table = bin_rows(*engine_of(Device::cpu, 1), x.view(), expected);
  for (const int threads : {2, 3, 7, 40}) {
    EXPECT_EQ(make_bin_cuts(x.view(), std::span<const T>(weights), 64, threads), expected);
    EXPECT_EQ(bin_rows(*engine_of(Device::cpu, threads), x.view(), expected), table);
  }
}

// Where one feature has more than 255 bins, all bins are numbered by 16 bits.
TYPED_TEST(BinnedTableOf, HasBinsOf16Bits) {
  using T = TypeParam;
  constexpr Index rows = 5000;
  Matrix<T> x(rows, 3);
  for (Index j = 0; j < x.cols(); ++j) {
    const auto values = column<T>(rows, static_cast<std::uint64_t>(40 + j), j == 1 ? 700 : 20);
    for (Index i = 0; i < rows; ++i) x(i, j) = values[static_cast<std::size_t>(i)];
  }
  for (Index i = 0; i < rows; i += 7) x(i, 1) = static_cast<T>(nan);
  EXPECT_EQ(make_bin_cuts(x.view(), std::span<const T>(), 255, 1).bin_bytes(), 1);
  const auto cuts = make_bin_cuts(x.view(), std::span<const T>(), 4096, 2);
  EXPECT_EQ(cuts.bin_bytes(), 2);
  EXPECT_GT(cuts.bins(1), 680);
  const auto table = bin_rows(*engine_of(Device::reference), x.view(), cuts);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < 3; ++j) ASSERT_EQ(table(i, j), cuts.bin_of(j, x(i, j))) << i << ' ' << j;
  }
  for (const int threads : {1, 3}) {
    EXPECT_EQ(bin_rows(*engine_of(Device::cpu, threads), x.view(), cuts), table);
  }
  Archive archive;
  table.save(archive);
  EXPECT_EQ(BinnedTable<T>::load(archive), table);
}

TYPED_TEST(BinnedTableOf, SavesAndLoads) {
  using T = TypeParam;
  const Matrix<T> x(4, 2, std::vector<T>{1, 2, 3, static_cast<T>(nan), 5, 6, 7, 8});
  const auto cuts = make_bin_cuts(x.view(), std::span<const T>(), 255, 1);
  const auto table = bin_rows(*engine_of(Device::cpu), x.view(), cuts);
  Archive archive;
  table.save(archive);
  EXPECT_EQ(BinnedTable<T>::load(archive), table);
  for (const auto& entry : archive.entries()) {
    Archive spoiled = archive;
    spoiled.set(entry.first, "text");
    EXPECT_THROW((void)BinnedTable<T>::load(spoiled), InputError) << entry.first;
  }
  Archive bins = archive;
  std::vector<std::uint8_t> bytes(table.bins.view().begin(), table.bins.view().end());
  bytes[0] = 99;
  bins.set_tensor("bins/bins", bytes);
  EXPECT_THROW((void)BinnedTable<T>::load(bins), InputError);
  Archive order = archive;
  auto thresholds = cuts.thresholds;
  std::swap(thresholds[0], thresholds[1]);
  order.set_tensor("bins/thresholds", thresholds);
  EXPECT_THROW((void)BinnedTable<T>::load(order), InputError);
}

TYPED_TEST(BinnedTableOf, RefusesOtherColumnsAndTooManyBins) {
  using T = TypeParam;
  const Matrix<T> x(2, 2, std::vector<T>{1, 2, 3, 4});
  const auto cuts = make_bin_cuts(x.view(), std::span<const T>(), 255, 1);
  const Matrix<T> other(2, 1);
  EXPECT_THROW((void)bin_rows(*engine_of(Device::cpu), other.view(), cuts), InputError);
  EXPECT_THROW((void)make_bin_cuts(x.view(), std::span<const T>(), 4097, 1), InputError);
  EXPECT_THROW((void)make_bin_cuts(x.view(), std::span<const T>(), 1, 1), InputError);
}

}  // namespace
}  // namespace tandem
