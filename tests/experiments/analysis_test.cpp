// The analysis against SciPy and statsmodels (make_expected_analysis.py).
#include "systems/serving/experiments/analysis.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "systems/statistics/distributions.hpp"

namespace tandem::experiments {
namespace {

using nlohmann::json;

const json& expected() {
  static const json read = [] {
    std::ifstream file(std::string(TANDEM_DATA_DIR) +
                       "/../tests/experiments/expected_analysis.json");
    return json::parse(file);
  }();
  return read;
}

void expect_close(double found, const json& wanted, double tolerance, const std::string& what) {
  const auto value = wanted.get<double>();
  EXPECT_LE(std::abs(found - value), tolerance * std::max(std::abs(value), 1e-300))
      << what << ": " << found << " for " << value;
}

Moments moments_of(const json& arm) {
  Moments moments;
  for (std::size_t i = 0; i < arm["y"].size(); ++i) {
    moments.add(arm["y"][i].get<double>(), arm["x"][i].get<double>());
  }
  return moments;
}

TEST(Distributions, AreThoseOfSciPy) {
  namespace s = statistics;
  const json& of = expected()["distributions"];
  const double tolerance = 1e-11;
  for (const json& one : of["normal"]) {
    expect_close(s::normal_probability(one[0]), one[1], tolerance, one.dump());
    expect_close(s::normal_two_sided(one[0]), one[2], tolerance, one.dump());
  }
  for (const json& one : of["normal_quantile"]) {
    EXPECT_NEAR(s::normal_quantile(one[0]), one[1].get<double>(), 1e-12);
  }
  for (const json& one : of["student"]) {
    expect_close(s::student_two_sided(one[0], one[1]), one[2], 1e-9, one.dump());
  }
  for (const json& one : of["student_interval"]) {
    expect_close(s::student_interval(one[0], one[1]), one[2], 1e-9, one.dump());
  }
  for (const json& one : of["chi_squared"]) {
    expect_close(s::chi_squared_tail(one[0], one[1]), one[2], tolerance, one.dump());
  }
  for (const json& one : of["chi_squared_quantile"]) {
    expect_close(s::chi_squared_quantile(one[0], one[1]), one[2], tolerance, one.dump());
  }
  for (const json& one : of["binomial_at_most"]) {
    expect_close(s::binomial_at_most(one[0], one[1], one[2]), one[3], tolerance, one.dump());
  }
  for (const json& one : of["binomial_at_least"]) {
    expect_close(s::binomial_at_least(one[0], one[1], one[2]), one[3], tolerance, one.dump());
  }
}

TEST(Distributions, GiveNanOutsideTheirDomain) {
  EXPECT_TRUE(std::isnan(statistics::student_two_sided(1, 0)));
  EXPECT_TRUE(std::isnan(statistics::student_interval(1.5, 3)));
  EXPECT_TRUE(std::isnan(statistics::chi_squared_tail(-1, 3)));
  EXPECT_TRUE(std::isnan(statistics::chi_squared_tail(NAN, 3)));
  EXPECT_TRUE(std::isnan(statistics::binomial_at_most(1, 10, -0.1)));
  EXPECT_EQ(statistics::chi_squared_tail(std::numeric_limits<double>::infinity(), 3), 0);
}

TEST(Analysis, AgreesWithStatsmodelsAndQuadrature) {
  ASSERT_EQ(expected()["cases"].size(), 3U);
  for (const json& one : expected()["cases"]) {
    const Moments control = moments_of(one["control"]);
    const Moments arm = moments_of(one["arm"]);
    ComparisonOptions options;
    options.confidence = one["confidence"];
    options.planned_units = one["planned"];
    const Comparison plain = compare_arms(control, arm, 0, options);
    const double tolerance = 1e-9;
    expect_close(plain.difference, one["difference"], tolerance, "difference");
    expect_close(plain.standard_error, one["standard_error"], tolerance, "standard error");
    expect_close(plain.p, one["p"], tolerance, "p");
    expect_close(plain.interval.low, one["interval"][0], tolerance, "low");
    expect_close(plain.interval.high, one["interval"][1], tolerance, "high");
    expect_close(plain.p_sequential, one["p_sequential"], 1e-8, "sequential p");
    expect_close(plain.sequential.low, one["sequential_interval"][0], 1e-8, "sequential low");
    expect_close(plain.sequential.high, one["sequential_interval"][1], 1e-8, "sequential high");
    const double slope = cuped_slope({control, arm});
    expect_close(slope, one["slope"], tolerance, "slope");
    const Comparison adjusted = compare_arms(control, arm, slope, options);
    expect_close(adjusted.difference, one["adjusted_difference"], tolerance, "adjusted");
    expect_close(adjusted.p, one["adjusted_p"], 1e-7, "adjusted p");
    expect_close(adjusted.interval.low, one["adjusted_interval"][0], 1e-8, "adjusted low");
    expect_close(adjusted.interval.high, one["adjusted_interval"][1], 1e-8, "adjusted high");
    EXPECT_LT(adjusted.standard_error, plain.standard_error);
  }
}

TEST(Analysis, SampleRatioAgreesWithSciPy) {
  for (const json& one : expected()["distributions"]["sample_ratio"]) {
    const SampleRatio found =
        sample_ratio(one[0].get<std::vector<double>>(), one[1].get<std::vector<double>>());
    expect_close(found.chi_squared, one[2], 1e-11, one.dump());
    expect_close(found.p, one[3], 1e-9, one.dump());
  }
  EXPECT_EQ(sample_ratio({0, 0}, {0.5, 0.5}).p, 1);
  EXPECT_LT(sample_ratio({6000, 5000}, {0.5, 0.5}).p_sequential, 1e-6);
  EXPECT_GT(sample_ratio({5010, 5000}, {0.5, 0.5}).p_sequential, 0.5);
}

TEST(Analysis, MomentsMergeAsIfTheyWereAddedTogether) {
  Moments whole;
  Moments left;
  Moments right;
  for (int i = 0; i < 101; ++i) {
    const double y = std::sin(i) * 1e3 + 1e6;
    const double x = std::cos(3 * i);
    whole.add(y, x);
    (i < 37 ? left : right).add(y, x);
  }
  left.merge(right);
  left.merge(Moments{});
  EXPECT_EQ(left.n, whole.n);
  EXPECT_NEAR(left.mean_y, whole.mean_y, 1e-8);
  EXPECT_NEAR(left.yy, whole.yy, 1e-5);
  EXPECT_NEAR(left.xy, whole.xy, 1e-5);
  EXPECT_NEAR(left.xx, whole.xx, 1e-9);
}

TEST(Analysis, SaysNothingOfTooFewUnits) {
  Moments one;
  one.add(1);
  Moments many;
  for (int i = 0; i < 99; ++i) many.add(i % 2);
  EXPECT_TRUE(std::isnan(compare_arms(one, many, 0, {}).difference));
  const Comparison small = compare_arms(many, many, 0, {});
  EXPECT_TRUE(std::isinf(small.sequential.high));
  EXPECT_EQ(small.p_sequential, 1);
  EXPECT_TRUE(std::isfinite(small.interval.high));
}

TEST(Analysis, UnitsThatAreAllAlikeAreNoDivisionByZero) {
  Moments zeros;
  Moments ones;
  for (int i = 0; i < 200; ++i) {
    zeros.add(0);
    ones.add(1);
  }
  const Comparison same = compare_arms(zeros, zeros, 0, {});
  EXPECT_EQ(same.p, 1);
  EXPECT_EQ(same.p_sequential, 1);
  EXPECT_TRUE(std::isnan(same.relative));
  const Comparison apart = compare_arms(zeros, ones, 0, {});
  EXPECT_EQ(apart.p, 0);
  EXPECT_EQ(apart.sequential.low, 1);
}

}  // namespace
}  // namespace tandem::experiments
