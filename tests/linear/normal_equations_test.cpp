#include "core/linear/normal_equations.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "core/linear/least_squares.hpp"
#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/linear/linear_regression.hpp"

namespace tandem {
namespace {

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .numerics = Numerics::exact, .threads = threads});
}

// Columns of different means and units, the last one `left` away from the mean of two others; a
// target that depends on all, and noise.
template <class T>
Dataset<T> rows_of(Index n, Index d, double left = 1, bool weighted = false) {
  const Random random(17, Purpose::test);
  Dataset<T> data;
  data.source = "rows";
  data.features = Matrix<T>(n, d);
  data.columns = numbered_columns(d);
  data.target_column.name = "y";
  for (Index i = 0; i < n; ++i) {
    double y = 5;
    std::vector<double> row;
    for (Index j = 0; j < d; ++j) {
      double x = random.normal(static_cast<std::uint64_t>(i * d + j));
      if (j == d - 1 && d > 2) x = (row[0] + row[1]) / 2 + left * x;
      row.push_back(x);
      data.features(i, j) =
          static_cast<T>(std::ldexp(x, static_cast<int>(j)) + 3 * static_cast<double>(j));
      y += (j % 2 == 0 ? -2.0 : 0.5) * x;
    }
    y += random.normal(0x100000000U + static_cast<std::uint64_t>(i));
    data.target.push_back(static_cast<T>(y));
    if (weighted) data.weights.push_back(static_cast<T>(i % 4));
  }
  return data;
}

double deviation(const Dataset<double>& data, Index j) {
  double mean = 0;
  double squares = 0;
  for (Index i = 0; i < data.rows(); ++i) mean += data.features(i, j);
  mean /= static_cast<double>(data.rows());
  for (Index i = 0; i < data.rows(); ++i) {
    squares += (data.features(i, j) - mean) * (data.features(i, j) - mean);
  }
  return std::sqrt(squares / static_cast<double>(data.rows()));
}

std::string refusal_of(const Dataset<double>& data, const LeastSquaresProblem& problem = {}) {
  return solve_normal_equations(*engine_on(Device::cpu), problem, data.view()).refusal;
}

TEST(NormalEquations, ALineThroughThreePoints) {
  // x = 0, 1, 2; y = 1, 3, 4: w = 3/2, b = 7/6, Σ e² = 1/6.
  Dataset<double> data;
  data.features = Matrix<double>(3, 1, std::vector<double>{0, 1, 2});
  data.columns = numbered_columns(1);
  data.target = {1, 3, 4};
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto found = solve_normal_equations(*engine, {}, data.view());
    EXPECT_EQ(found.refusal, "");
    EXPECT_NEAR(found.solution.weights[0], 1.5, 4e-15);
    EXPECT_NEAR(found.solution.intercept, 7.0 / 6, 4e-15);
    EXPECT_NEAR(found.solution.cost, 1.0 / 36, 1e-15);
    EXPECT_NEAR(found.solution.mean_square, 1.0 / 18, 1e-15);
    EXPECT_EQ(found.solution.rank, 1);
    const auto origin = solve_normal_equations(*engine, {.intercept = false}, data.view());
    EXPECT_NEAR(origin.solution.weights[0], 11.0 / 5, 4e-15);
    EXPECT_EQ(origin.solution.intercept, 0.0);
  }
}

template <class T>
class NormalEquationsOf : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(NormalEquationsOf, Reals);

// The condition of the columns is below 10: both closed forms are right to some roundings.
TYPED_TEST(NormalEquationsOf, SolutionsAreThoseOfQr) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device, 2);
    for (const Index n : {Index{20}, Index{1023}, Index{1025}, Index{5000}, Index{9000}}) {
      for (const bool weighted : {false, true}) {
        const auto data = rows_of<TypeParam>(n, 7, 1, weighted);
        for (const LeastSquaresProblem& problem :
             {LeastSquaresProblem{}, LeastSquaresProblem{.intercept = false},
              LeastSquaresProblem{.l2 = 0.3}, LeastSquaresProblem{.l2 = 0.3, .standardise = false},
              LeastSquaresProblem{.intercept = false, .l2 = 0.1}}) {
          const auto qr = solve_least_squares(*engine, problem, data.view());
          const auto found = solve_normal_equations(*engine, problem, data.view());
          EXPECT_EQ(found.refusal, "");
          EXPECT_EQ(found.solution.rank, qr.rank);
          EXPECT_TRUE(test::within(found.solution.weights, qr.weights, [&](std::size_t j) {
            return 1e-11 * (1 + std::abs(qr.weights[j]));
          }));
          EXPECT_NEAR(found.solution.intercept, qr.intercept, 1e-9);
          EXPECT_NEAR(found.solution.cost, qr.cost, 1e-10 * qr.cost);
          EXPECT_NEAR(found.solution.mean_square, qr.mean_square, 1e-10 * qr.mean_square);
        }
      }
    }
  }
}

// The part of the last column that two others do not explain becomes smaller and smaller. The bound
// is always above the true error, grows with the inverse square of that part, and ends in a
// refusal.
TEST(NormalEquations, TheBoundIsAboveTheErrorUntilTheyRefuse) {
  const auto engine = engine_on(Device::cpu);
  double before = 0;
  bool refused = false;
  for (double left = 1; left > 1e-9; left /= 4) {
    const auto data = rows_of<double>(3000, 5, left);
    const auto found = solve_normal_equations(*engine, {}, data.view());
    if (!found.refusal.empty()) {
      refused = true;
      EXPECT_NE(found.refusal.find("x4"), std::string::npos) << found.refusal;
      EXPECT_EQ(found.refusal.find("x2"), std::string::npos) << found.refusal;
      continue;
    }
    EXPECT_FALSE(refused) << left;
    const auto qr = solve_least_squares(*engine, {}, data.view());
    double spread = 0;
    double mean = 0;
    for (const double y : data.target) mean += y / 3000;
    for (const double y : data.target) spread += (y - mean) * (y - mean) / 3000;
    for (Index j = 0; j < 5; ++j) {
      const auto at = static_cast<std::size_t>(j);
      EXPECT_LE(std::abs(found.solution.weights[at] - qr.weights[at]) * deviation(data, j),
                found.error * std::sqrt(spread))
          << left << " " << j;
    }
    EXPECT_GT(found.error, before);
    before = found.error;
  }
  EXPECT_TRUE(refused);
  // The bound was not the reason from the start.
  EXPECT_GT(before, 1e-10);
}

TEST(NormalEquations, RefusalsNameColumns) {
  auto data = rows_of<double>(500, 4);
  for (Index i = 0; i < 500; ++i) data.features(i, 3) = 3 * data.features(i, 1) - 7;
  const std::string twice = refusal_of(data);
  EXPECT_NE(twice.find("x3"), std::string::npos) << twice;
  EXPECT_NE(twice.find("(x1)"), std::string::npos) << twice;
  // A penalty determines the weights.
  EXPECT_EQ(refusal_of(data, {.l2 = 0.01}), "");

  const std::string few = refusal_of(rows_of<double>(3, 6));
  EXPECT_NE(few.find("3 rows for 6 features"), std::string::npos) << few;

  auto tiny = rows_of<double>(100, 2);
  for (Index i = 0; i < 100; ++i) tiny.features(i, 1) = std::ldexp(tiny.features(i, 0), -600);
  EXPECT_NE(refusal_of(tiny).find("x1"), std::string::npos);

  // By name, through the public function.
  const auto engine = engine_on(Device::cpu);
  try {
    (void)fit(*engine, data, LinearRegressionOptions{.solver = LinearSolver::cholesky});
    ADD_FAILURE() << "nothing was thrown";
  } catch (const InputError& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("rows: column x3"), std::string::npos) << message;
    EXPECT_NE(message.find("qr"), std::string::npos) << message;
  }
  const auto chosen = fit(*engine, data, LinearRegressionOptions{});
  EXPECT_EQ(chosen.solver, LinearSolver::qr);
  EXPECT_EQ(chosen.rank, 3);
  EXPECT_NE(chosen.log.stopped_because.find("auto chose"), std::string::npos);
  EXPECT_NE(chosen.log.stopped_because.find("x3"), std::string::npos);
  const auto plain = fit(*engine, rows_of<double>(500, 4), LinearRegressionOptions{});
  EXPECT_EQ(plain.solver, LinearSolver::cholesky);
}

TEST(NormalEquations, ConstantColumnsGetNoWeight) {
  auto data = rows_of<double>(3000, 4);
  for (Index i = 0; i < 3000; ++i) {
    data.features(i, 1) = 0.1;
    data.features(i, 2) = 0;
  }
  const auto engine = engine_on(Device::cpu);
  const auto found = solve_normal_equations(*engine, {}, data.view());
  EXPECT_EQ(found.refusal, "");
  EXPECT_EQ(found.solution.rank, 2);
  EXPECT_EQ(found.solution.weights[1], 0.0);
  EXPECT_EQ(found.solution.weights[2], 0.0);
  std::fill(data.target.begin(), data.target.end(), 4.5);
  const auto level = solve_normal_equations(*engine, {}, data.view());
  EXPECT_EQ(level.refusal, "");
  EXPECT_NEAR(level.solution.intercept, 4.5, 1e-14);
  EXPECT_EQ(level.solution.cost, 0.0);
}

// Means a hundred million times the deviations, and rows sorted by a column.
TEST(NormalEquations, LargeMeansAndSortedRowsCostNoDigits) {
  const auto engine = engine_on(Device::cpu);
  auto data = rows_of<double>(5000, 3);
  for (Index i = 0; i < 5000; ++i) {
    data.features(i, 0) += 0x1p27;
    data.features(i, 1) = static_cast<double>(i);
    data.target[static_cast<std::size_t>(i)] += 0.001 * static_cast<double>(i);
  }
  const auto found = solve_normal_equations(*engine, {}, data.view());
  // QR has not as many digits there: it takes the means from the columns as one more reflection.
  for (Index i = 0; i < 5000; ++i) data.features(i, 0) -= 0x1p27;
  const auto centred = solve_least_squares(*engine, {}, data.view());
  EXPECT_EQ(found.refusal, "");
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR(found.solution.weights[j], centred.weights[j], 1e-11 * std::abs(centred.weights[j]))
        << j;
  }
}

TYPED_TEST(NormalEquationsOf, SameBitsForAllThreadsAndInstructionSets) {
  for (const Index d : {Index{1}, Index{5}, Index{28}, Index{45}}) {
    const auto data = rows_of<TypeParam>(20000 / d + 8300, d, 1, d == 5);
    cpu::limit_simd("baseline");
    const auto expected = solve_normal_equations(*engine_on(Device::cpu), {}, data.view());
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;
      }
      for (const int threads : {1, 2, 7}) {
        const auto got = solve_normal_equations(*engine_on(Device::cpu, threads), {}, data.view());
        EXPECT_TRUE(test::same_bits(got.solution.weights, expected.solution.weights))
            << simd << " " << threads << " " << d;
        EXPECT_EQ(test::bits_of(got.error), test::bits_of(expected.error));
      }
    }
  }
}

}  // namespace
}  // namespace tandem
