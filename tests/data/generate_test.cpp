#include "tandem/data/generate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "support/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

GenerateOptions options_of(Index rows, Index features, std::uint64_t seed = 5) {
  GenerateOptions options;
  options.rows = rows;
  options.features = features;
  options.seed = seed;
  return options;
}

// The promise of every kind: the same options give the same bits on any number of threads, the
// first rows do not depend on how many follow, and another seed gives other rows.
TEST(Generate, RowsDependOnSeedAndPlaceOnly) {
  for (const auto kind : generator_names()) {
    auto options = options_of(5000, 3);
    options.threads = 1;
    const auto one = generate<float>(kind, options);
    EXPECT_EQ(one.rows(), 5000);
    EXPECT_EQ(one.cols(), 3);
    EXPECT_NO_THROW(require_finite(one, true)) << kind;
    for (const int threads : {2, 7}) {
      options.threads = threads;
      const auto many = generate<float>(kind, options);
      EXPECT_TRUE(test::same_bits(one.features.values(), many.features.values())) << kind;
      EXPECT_TRUE(test::same_bits(one.target, many.target)) << kind;
    }
    options.rows = 1025;
    const auto fewer = generate<float>(kind, options);
    EXPECT_TRUE(std::equal(fewer.features.values().begin(), fewer.features.values().end(),
                           one.features.values().begin()))
        << kind;
    options.rows = 5000;
    options.seed = 6;
    EXPECT_NE(generate<float>(kind, options).features, one.features) << kind;
  }
}

TEST(Generate, SinglePrecisionIsTheRoundedDouble) {
  for (const auto kind : generator_names()) {
    const auto wide = generate<double>(kind, options_of(100, 4));
    const auto narrow = generate<float>(kind, options_of(100, 4));
    for (std::size_t i = 0; i < wide.features.values().size(); ++i) {
      EXPECT_EQ(narrow.features.values()[i], static_cast<float>(wide.features.values()[i])) << kind;
    }
  }
}

TEST(Generate, BlobsAreNormalAroundTheirCentres) {
  auto options = options_of(40000, 2);
  options.classes = 4;
  options.noise = 0.5;
  const auto data = generate_blobs<double>(options);
  EXPECT_EQ(encode_classes(data).names, (std::vector<std::string>{"0", "1", "2", "3"}));
  double mean[4][2] = {};
  for (Index i = 0; i < data.rows(); ++i) {
    EXPECT_EQ(data.target[static_cast<std::size_t>(i)], static_cast<double>(i % 4));
    for (Index j = 0; j < 2; ++j) mean[i % 4][j] += data.features(i, j) / 10000;
  }
  for (Index j = 0; j < 2; ++j) {
    double variance = 0;
    for (Index i = 0; i < data.rows(); ++i) {
      variance += std::pow(data.features(i, j) - mean[i % 4][j], 2) / 40000;
    }
    // Six standard errors of a variance of 40000 normal values: 6 · 0.25 · sqrt(2 / 40000).
    EXPECT_NEAR(variance, 0.25, 0.0107);
    for (auto& centre : mean) EXPECT_LT(std::abs(centre[j]), 10.02);
  }
}

TEST(Generate, MoonsAndCirclesLieOnTheirCurves) {
  auto options = options_of(1000, 2);
  options.noise = 0;
  const auto moons = generate_moons<double>(options);
  const auto circles = generate_circles<double>(options);
  for (Index i = 0; i < 1000; ++i) {
    const bool lower = moons.target[static_cast<std::size_t>(i)] == 1;
    const double x = moons.features(i, 0) - (lower ? 1 : 0);
    const double y = moons.features(i, 1) - (lower ? 0.5 : 0);
    EXPECT_NEAR(std::hypot(x, y), 1, 1e-14);
    if (lower)
      EXPECT_LE(y, 0);
    else
      EXPECT_GE(y, 0);
    const double radius = circles.target[static_cast<std::size_t>(i)] == 1 ? 0.5 : 1;
    EXPECT_NEAR(std::hypot(circles.features(i, 0), circles.features(i, 1)), radius, 1e-14);
  }
}

TEST(Generate, XorIsTheProductOfSigns) {
  const auto data = generate_xor<double>(options_of(1000, 2));
  Index ones = 0;
  for (Index i = 0; i < 1000; ++i) {
    const bool differ = (data.features(i, 0) < 0) != (data.features(i, 1) < 0);
    EXPECT_EQ(data.target[static_cast<std::size_t>(i)], differ ? 1 : 0);
    ones += differ ? 1 : 0;
  }
  EXPECT_NEAR(static_cast<double>(ones), 500, 95);  // six standard deviations of a fair coin
}

TEST(Generate, RegressionWithoutNoiseIsLinearInTheInformativeFeatures) {
  auto options = options_of(50, 5);
  options.informative = 2;
  options.noise = 0;
  const auto data = generate_regression<double>(options);
  // Weights and offset by Cramer's rule from the first rows; then every row must obey them.
  const auto x = [&](Index i, Index j) { return data.features(i, j) - data.features(0, j); };
  const auto y = [&](Index i) { return data.target[static_cast<std::size_t>(i)] - data.target[0]; };
  const double determinant = x(1, 0) * x(2, 1) - x(1, 1) * x(2, 0);
  const double w0 = (y(1) * x(2, 1) - x(1, 1) * y(2)) / determinant;
  const double w1 = (x(1, 0) * y(2) - y(1) * x(2, 0)) / determinant;
  EXPECT_LE(std::abs(w0), 100 + 1e-9);
  EXPECT_LE(std::abs(w1), 100 + 1e-9);
  for (Index i = 3; i < 50; ++i) EXPECT_NEAR(y(i), w0 * x(i, 0) + w1 * x(i, 1), 1e-9);
}

TEST(Generate, ClassificationFlipsTheAskedShareOfLabels) {
  auto options = options_of(30000, 4);
  options.classes = 3;
  options.noise = 0.3;
  const auto data = generate_classification<double>(options);
  Index changed = 0;
  for (Index i = 0; i < data.rows(); ++i) {
    changed += data.target[static_cast<std::size_t>(i)] != static_cast<double>(i % 3) ? 1 : 0;
  }
  // One draw in three gives the old class back; six standard deviations.
  EXPECT_NEAR(static_cast<double>(changed) / 30000, 0.2, 0.014);
}

TEST(Generate, RefusesWhatCannotBe) {
  EXPECT_THROW((void)generate<float>("spirals", {}), InputError);
  EXPECT_THROW((void)generate_blobs<float>(options_of(0, 2)), InputError);
  EXPECT_THROW((void)generate_moons<float>(options_of(10, 1)), InputError);
  EXPECT_THROW((void)generate_blobs<float>(options_of(Index{1} << 40, Index{1} << 40)), InputError);
  auto options = options_of(10, 2);
  options.noise = -1;
  EXPECT_THROW((void)generate_blobs<float>(options), InputError);
  options.noise = std::nan("");
  EXPECT_THROW((void)generate_xor<float>(options), InputError);
  options = options_of(10, 2);
  options.informative = 3;
  EXPECT_THROW((void)generate_regression<float>(options), InputError);
  options = options_of(10, 2);
  options.classes = -1;
  EXPECT_THROW((void)generate_classification<float>(options), InputError);
}

}  // namespace
}  // namespace tandem
