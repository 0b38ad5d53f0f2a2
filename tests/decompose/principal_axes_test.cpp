// Principal axes against values worked out by hand, and against what they must have: directions at
// right angles, coordinates that do not vary together, variances that add up.
#include "tandem/decompose/principal_axes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "core/decompose/symmetric_eigen.hpp"
#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agree.hpp"
#include "support/agreement.hpp"
#include "support/messages.hpp"
#include "support/simd.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

template <Real T>
Dataset<T> table(Index columns, const std::vector<double>& values) {
  Dataset<T> data;
  data.source = "made";
  data.columns = numbered_columns(columns);
  std::vector<T> cells;
  for (const double value : values) cells.push_back(static_cast<T>(value));
  data.features = Matrix<T>(static_cast<Index>(values.size()) / columns, columns, std::move(cells));
  return data;
}

// Columns of different spread, of which some follow others; means far from 0.
template <Real T>
Dataset<T> drawn(Index rows, Index columns, bool weighted = false) {
  const Random random(23, Purpose::test);
  std::vector<double> values;
  for (Index i = 0; i < rows; ++i) {
    const double common = random.normal(static_cast<std::uint64_t>(i * (columns + 1)));
    for (Index j = 0; j < columns; ++j) {
      const double own = random.normal(static_cast<std::uint64_t>(i * (columns + 1) + j + 1));
      values.push_back(10.0 * static_cast<double>(j) + common * static_cast<double>(j % 3) +
                       own / static_cast<double>(j + 1));
    }
  }
  Dataset<T> data = table<T>(columns, values);
  for (Index i = 0; weighted && i < rows; ++i) data.weights.push_back(static_cast<T>(i % 4));
  return data;
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t j = 0; j < a.size(); ++j) sum += a[j] * b[j];
  return sum;
}

void expect_orthonormal(const Matrix<double>& rows) {
  for (Index k = 0; k < rows.rows(); ++k) {
    for (Index l = 0; l <= k; ++l) {
      EXPECT_NEAR(dot(rows.row(k), rows.row(l)), k == l ? 1 : 0, 1e-13) << k << ", " << l;
    }
  }
}

template <class T>
class PrincipalAxesOf : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PrincipalAxesOf, Reals);

TYPED_TEST(PrincipalAxesOf, FourPointsByHand) {
  using T = TypeParam;
  // About (3, 7): S = [[2.5, 1.5], [1.5, 2.5]], of which (1, 1)/√2 has 4 and (1, −1)/√2 has 1.
  const auto data = table<T>(2, {4, 8, 2, 6, 3.5, 6.5, 2.5, 7.5});
  for (const Device device : {Device::cpu, Device::reference}) {
    const auto engine = engine_on(device);
    const PrincipalAxes axes = principal_axes(*engine, data.view());
    EXPECT_EQ(axes.mean, (std::vector<double>{3, 7}));
    ASSERT_EQ(axes.count(), 2);
    EXPECT_NEAR(axes.explained_variance[0], 4.0 / 3, 1e-15);
    EXPECT_NEAR(axes.explained_variance[1], 1.0 / 3, 1e-15);
    EXPECT_NEAR(axes.total_variance, 5.0 / 3, 1e-15);
    EXPECT_EQ(axes.noise_variance, 0);
    EXPECT_EQ(axes.reconstruction_error, 0);
    // Both entries are as large: the first is positive.
    const double half = std::sqrt(0.5);
    EXPECT_NEAR(axes.components(0, 0), half, 1e-15);
    EXPECT_NEAR(axes.components(0, 1), half, 1e-15);
    EXPECT_NEAR(axes.components(1, 0), half, 1e-15);
    EXPECT_NEAR(axes.components(1, 1), -half, 1e-15);
    EXPECT_THAT(axes.explained_variance_ratio(),
                ::testing::ElementsAre(::testing::DoubleNear(0.8, 1e-15),
                                       ::testing::DoubleNear(0.2, 1e-15)));

    const Matrix<T> coordinates = project(*engine, axes, std::as_const(data.features).view());
    const double tolerance = 4 * std::numeric_limits<T>::epsilon();
    EXPECT_NEAR(coordinates(0, 0), std::sqrt(2.0), tolerance);
    EXPECT_NEAR(coordinates(0, 1), 0, tolerance);
    EXPECT_NEAR(coordinates(2, 1), half, tolerance);

    // One of them: what is left out is 1 of 5.
    const PrincipalAxes one = principal_axes(*engine, data.view(), {.components = 1});
    EXPECT_NEAR(one.noise_variance, 1.0 / 3, 1e-15);
    EXPECT_NEAR(one.reconstruction_error, 0.25, 1e-15);
    const Matrix<T> along = project(*engine, one, std::as_const(data.features).view());
    const Matrix<T> back = reconstruct(*engine, one, along.view());
    EXPECT_NEAR(back(2, 0), 3, 4 * tolerance);
    EXPECT_NEAR(back(2, 1), 7, 8 * tolerance);
  }
}

TYPED_TEST(PrincipalAxesOf, HaveWhatTheyMust) {
  using T = TypeParam;
  const auto engine = engine_on(Device::cpu, 2);
  struct Shape {
    Index rows, columns;
    bool weighted;
  };
  // More rows than features; one block of rows and several; more features than rows.
  for (const Shape& shape : {Shape{40, 7, false}, Shape{3000, 5, true}, Shape{9, 30, false},
                             Shape{24, 24, true}, Shape{1, 1, false}}) {
    if (shape.rows == 1) continue;
    SCOPED_TRACE(std::to_string(shape.rows) + " x " + std::to_string(shape.columns));
    const Dataset<T> data = drawn<T>(shape.rows, shape.columns, shape.weighted);
    const MatrixView<const T> x = std::as_const(data.features).view();
    const PrincipalAxes axes = principal_axes(*engine, data.view());
    Index counting = 0;
    double weight = 0;
    for (Index i = 0; i < shape.rows; ++i) {
      const double w = shape.weighted ? static_cast<double>(i % 4) : 1.0;
      counting += w > 0 ? 1 : 0;
      weight += w;
    }
    ASSERT_EQ(axes.count(), std::min(counting, shape.columns));
    expect_orthonormal(axes.components);
    double sum = 0;
    for (const double variance : axes.explained_variance) sum += variance;
    EXPECT_NEAR(sum, axes.total_variance, 1e-12 * axes.total_variance);
    EXPECT_TRUE(std::is_sorted(axes.explained_variance.rbegin(), axes.explained_variance.rend()));

    // Coordinates have the mean 0, the variances that are said, and do not vary together.
    const Matrix<T> coordinates = project(*engine, axes, x);
    const double rounding = 200 * std::numeric_limits<T>::epsilon() * axes.total_variance;
    for (Index k = 0; k < axes.count(); ++k) {
      for (Index l = 0; l <= k; ++l) {
        double product = 0;
        for (Index i = 0; i < shape.rows; ++i) {
          const double w = shape.weighted ? static_cast<double>(i % 4) : 1.0;
          product +=
              w * static_cast<double>(coordinates(i, k)) * static_cast<double>(coordinates(i, l));
        }
        const double expected = k == l ? axes.explained_variance[static_cast<std::size_t>(k)] : 0.0;
        EXPECT_NEAR(product / (weight - 1), expected, rounding) << k << ", " << l;
      }
    }

    // All of them give the rows back, where the rows that count span what the others lie in.
    if (!shape.weighted || counting > shape.columns) {
      const Matrix<T> back = reconstruct(*engine, axes, coordinates.view());
      for (Index i = 0; i < shape.rows; ++i) {
        for (Index j = 0; j < shape.columns; ++j) {
          EXPECT_NEAR(back(i, j), x(i, j),
                      100 * std::numeric_limits<T>::epsilon() *
                          (std::abs(static_cast<double>(x(i, j))) + 10));
        }
      }
    }

    // The error of fewer, by its definition.
    const PrincipalAxes few = principal_axes(*engine, data.view(), {.components = 2});
    const Matrix<T> rough = reconstruct<T>(*engine, few, project(*engine, few, x).view());
    double error = 0;
    for (Index i = 0; i < shape.rows; ++i) {
      const double w = shape.weighted ? static_cast<double>(i % 4) : 1.0;
      for (Index j = 0; j < shape.columns; ++j) {
        const double off = static_cast<double>(x(i, j)) - static_cast<double>(rough(i, j));
        error += w * off * off / weight;
      }
    }
    EXPECT_NEAR(few.reconstruction_error, error, 1e-4 * error + rounding);
    EXPECT_EQ(few.explained_variance[0], axes.explained_variance[0]);
  }
}

TYPED_TEST(PrincipalAxesOf, WhitenedCoordinatesHaveVarianceOne) {
  using T = TypeParam;
  const auto engine = engine_on(Device::cpu);
  const Dataset<T> data = drawn<T>(500, 4);
  const PrincipalAxes axes =
      principal_axes(*engine, data.view(), {.components = 3, .whiten = true});
  const Matrix<T> coordinates = project(*engine, axes, std::as_const(data.features).view());
  for (Index k = 0; k < 3; ++k) {
    double squares = 0;
    for (Index i = 0; i < 500; ++i) {
      squares += static_cast<double>(coordinates(i, k)) * static_cast<double>(coordinates(i, k));
    }
    EXPECT_NEAR(squares / 499, 1, 1e-4);
  }
  // They give the same rows back as those that are not.
  const PrincipalAxes plain = principal_axes(*engine, data.view(), {.components = 3});
  const Matrix<T> a = reconstruct(*engine, axes, coordinates.view());
  const Matrix<T> b = reconstruct<T>(
      *engine, plain, project(*engine, plain, std::as_const(data.features).view()).view());
  for (Index e = 0; e < a.size(); ++e) {
    EXPECT_NEAR(a.data()[e], b.data()[e], 1000 * std::numeric_limits<T>::epsilon());
  }
}

TYPED_TEST(PrincipalAxesOf, AWeightCountsAsSoManyRows) {
  using T = TypeParam;
  const auto engine = engine_on(Device::cpu);
  for (const Index columns : {Index{3}, Index{40}}) {
    const Dataset<T> weighted = drawn<T>(24, columns, true);
    std::vector<Index> repeated;
    for (Index i = 0; i < 24; ++i) {
      for (Index copy = 0; copy < i % 4; ++copy) repeated.push_back(i);
    }
    Dataset<T> plain = select_rows(weighted, repeated);
    plain.weights.clear();
    const PrincipalAxes a = principal_axes(*engine, weighted.view(), {.components = 3});
    const PrincipalAxes b = principal_axes(*engine, plain.view(), {.components = 3});
    EXPECT_NEAR(a.total_variance, b.total_variance, 1e-12 * b.total_variance);
    EXPECT_NEAR(a.reconstruction_error, b.reconstruction_error, 1e-12 * b.total_variance);
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_NEAR(a.explained_variance[k], b.explained_variance[k], 1e-12 * b.total_variance);
    }
    for (Index e = 0; e < a.components.size(); ++e) {
      EXPECT_NEAR(a.components.data()[e], b.components.data()[e], 1e-9);
    }
  }
}

TYPED_TEST(PrincipalAxesOf, ConstantColumnsHaveNoWeight) {
  using T = TypeParam;
  const auto engine = engine_on(Device::cpu);
  // A column of one value, and one of which only the last digits vary.
  const auto data =
      table<T>(3, {5, 0.1, 4194304, 7, 0.1, 4194305, 9, 0.1, 4194304, 11, 0.1, 4194305});
  const PrincipalAxes axes = principal_axes(*engine, data.view());
  EXPECT_EQ(axes.mean[1], static_cast<double>(static_cast<T>(0.1)));
  EXPECT_EQ(axes.mean[2], 4194304.5);
  EXPECT_EQ(axes.components(0, 1), 0);
  EXPECT_EQ(axes.components(1, 1), 0);
  EXPECT_EQ(axes.explained_variance[2], 0);
  EXPECT_NEAR(axes.total_variance, 20.0 / 3 + 1.0 / 3, 1e-14);

  // All of them: no direction has a variance, and there are as many as are asked for.
  const auto flat = table<T>(2, {1, 2, 1, 2, 1, 2});
  const PrincipalAxes none = principal_axes(*engine, flat.view());
  EXPECT_EQ(none.explained_variance, (std::vector<double>{0, 0}));
  EXPECT_EQ(none.explained_variance_ratio(), (std::vector<double>{0, 0}));
  expect_orthonormal(none.components);
  // So of rows that are all one, with more columns than rows.
  const PrincipalAxes wide = principal_axes(*engine, table<T>(4, {1, 2, 3, 4, 1, 2, 3, 4}).view());
  EXPECT_EQ(wide.count(), 2);
  EXPECT_EQ(wide.total_variance, 0);
  expect_orthonormal(wide.components);
}

TEST(PrincipalAxes, RefusesWhatHasNone) {
  const auto engine = engine_on(Device::cpu);
  const auto refused = [&](const Dataset<double>& data, const PrincipalAxesOptions& options = {}) {
    return test::message_of([&] { (void)principal_axes(*engine, data.view(), options); });
  };
  EXPECT_THAT(refused(table<double>(2, {1, 2})), HasSubstr("expected at least 2"));
  EXPECT_THAT(refused(table<double>(2, {1, 2, 3, 5}), {.components = 3}), HasSubstr("at most 2"));
  EXPECT_THAT(refused(table<double>(2, {1, 2, 3, 5}), {.components = -1}), HasSubstr("components"));
  EXPECT_THAT(refused(table<double>(2, {1, NAN, 3, 5, 3, 4})), HasSubstr("row 1"));
  EXPECT_THAT(refused(table<double>(3, {1, 2, 3, 5, INFINITY, 4})), HasSubstr("x1"));
  // Two points differ in one direction.
  EXPECT_THAT(refused(table<double>(2, {1, 2, 3, 5}), {.components = 2, .whiten = true}),
              HasSubstr("ask for at most 1"));
  EXPECT_THAT(refused(table<double>(2, {1, 2, 1, 2}), {.whiten = true}),
              HasSubstr("ask for no components"));
  EXPECT_EQ(
      principal_axes(*engine, table<double>(2, {1, 2, 3, 5}).view(), {.whiten = true}).count(), 1);
  auto weighted = table<double>(2, {1, 2, 3, 5, 4, 4});
  weighted.weights = {0.5, 0.25, 0.25};
  EXPECT_THAT(refused(weighted), HasSubstr("no more than one row"));
  weighted.weights = {3, 0, 0};
  EXPECT_THAT(refused(weighted), HasSubstr("has 1 row that count"));
  weighted.weights = {1, -1, 2};
  EXPECT_THAT(refused(weighted), HasSubstr("row 2"));
  weighted.weights.clear();
  const PrincipalAxes axes = principal_axes(*engine, weighted.view());
  EXPECT_THAT(test::message_of([&] {
                const Matrix<double> other(1, 3);
                (void)project(*engine, axes, other.view());
              }),
              HasSubstr("2 features"));
  EXPECT_THAT(test::message_of([&] {
                const Matrix<double> gap(2, 2, {1, 2, 3, NAN});
                (void)project(*engine, axes, gap.view(), {"a", "b"});
              }),
              HasSubstr("column b: row 2 has no value"));
  EXPECT_THAT(test::message_of<NumericalError>([&] {
                (void)principal_axes(*engine, table<double>(2, {1e300, 2, -1e300, 5, 3, 4}).view());
              }),
              HasSubstr("scale the features"));
}

TEST(PrincipalAxes, TheBitsDependOnNeitherThreadsNorInstructions) {
  const test::RestoreSimd restore;
  struct Shape {
    Index rows, columns;
  };
  for (const Shape& shape : {Shape{5000, 33}, Shape{20, 150}}) {
    const Dataset<float> data = drawn<float>(shape.rows, shape.columns, true);
    std::string expected;
    std::vector<float> coordinates;
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;  // this processor has no such set
      }
      for (const int threads : {1, 3}) {
        const auto engine = engine_on(Device::cpu, threads);
        const PrincipalAxes axes = principal_axes(*engine, data.view(), {.components = 5});
        const auto made = project(*engine, axes, std::as_const(data.features).view());
        const std::string text = axes.to_json({});
        if (expected.empty()) {
          expected = text;
          coordinates = made.values();
        }
        EXPECT_EQ(text, expected) << simd << ", " << threads;
        EXPECT_TRUE(test::same_bits(made.values(), coordinates)) << simd << ", " << threads;
      }
    }
  }
}

TEST(PrincipalAxes, EnginesAgree) { test::expect_agreement("pca", Device::reference); }

TEST(PrincipalAxes, AreKept) {
  const auto engine = engine_on(Device::cpu);
  const PrincipalAxes axes =
      principal_axes(*engine, drawn<double>(30, 4).view(), {.components = 2, .whiten = true});
  Archive good;
  axes.save(good);
  EXPECT_EQ(PrincipalAxes::load(good), axes);
  const auto refused = [&](auto&& damage) {
    Archive bad = good;
    damage(bad);
    EXPECT_THROW((void)PrincipalAxes::load(bad), InputError);
  };
  refused([](Archive& a) { a.set_matrix("components", Matrix<double>(2, 4, 1.0)); });
  refused([](Archive& a) { a.set_matrix("components", Matrix<double>(0, 4)); });
  refused([](Archive& a) { a.set("mean", std::vector<double>{1, 2}); });
  refused([](Archive& a) { a.set("mean", std::vector<double>{1, 2, NAN, 4}); });
  refused([](Archive& a) { a.set("explained_variance", std::vector<double>{1, 2}); });
  refused([](Archive& a) { a.set("explained_variance", std::vector<double>{2, 0}); });
  refused([](Archive& a) { a.set("explained_variance", std::vector<double>{2}); });
  refused([](Archive& a) { a.set("total_variance", -1.0); });
  refused([](Archive& a) { a.set("noise_variance", NAN); });
  refused([](Archive& a) { a.set("reconstruction_error", INFINITY); });

  const std::string json = axes.to_json({"a", "b", "c", "d"});
  EXPECT_THAT(json, HasSubstr("\"features\":[\"a\",\"b\",\"c\",\"d\"]"));
  EXPECT_THAT(json, HasSubstr("\"name\":\"pc2\""));
  EXPECT_THAT(json, Not(HasSubstr("\"name\":\"pc3\"")));
  EXPECT_THAT(json, HasSubstr("\"total_variance\":" + shortest(axes.total_variance)));
  EXPECT_THAT(axes.to_text({"a", "b", "c", "d"}), HasSubstr("2 principal components of 4"));
}

TEST(SymmetricEigen, ByHand) {
  const SymmetricEigen eigen = symmetric_eigen(Matrix<double>(3, 3, {2, 0, 0, 0, 0, 3, 0, 3, 0}));
  EXPECT_THAT(eigen.values,
              ::testing::Pointwise(::testing::DoubleNear(1e-15), std::vector<double>{3, 2, -3}));
  expect_orthonormal(eigen.vectors);
  EXPECT_NEAR(std::abs(eigen.vectors(1, 0)), 1, 1e-15);
}

TEST(SymmetricEigen, SignsByTheLargestEntry) {
  // −0.5 is the largest; of 3 and −3 the first decides; so it does where only a rounding is
  // between.
  Matrix<double> rows(4, 3, {0.25, -0.5, 0.25, 3, -3, 1, -3, 3, 0, -1, std::nextafter(1.0, 2), 0});
  fix_signs(rows);
  EXPECT_EQ(rows.values(), (std::vector<double>{-0.25, 0.5, -0.25, 3, -3, 1, 3, -3, -0.0, 1,
                                                -std::nextafter(1.0, 2), -0.0}));
}

TEST(SymmetricEigen, RowsThatFollowFromOthersAreReplaced) {
  Matrix<double> rows(3, 3, {0, 2, 0, 0, 1, 0, 0, 0, 0});
  make_orthonormal(rows);
  // Of the unit vectors beside (0, 1, 0) the first and the third are left whole; the first is
  // lower.
  EXPECT_EQ(rows.values(), (std::vector<double>{0, 1, 0, 1, 0, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace tandem
