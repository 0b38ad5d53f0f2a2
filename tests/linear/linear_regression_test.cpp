#include "tandem/linear/linear_regression.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "support/messages.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .numerics = Numerics::exact, .threads = threads});
}

// data/diabetes.csv: ten features and the progression.
template <class T>
Dataset<T> diabetes() {
  std::ifstream file(std::string(TANDEM_DATA_DIR) + "/diabetes.csv");
  std::string line;
  std::getline(file, line);
  Dataset<T> data;
  data.source = "diabetes";
  std::vector<T> values;
  Index rows = 0;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string field;
    for (int j = 0; j <= 10; ++j) {
      std::getline(fields, field, ',');
      (j < 10 ? values : data.target).push_back(static_cast<T>(std::stod(field)));
    }
    ++rows;
  }
  data.features = Matrix<T>(rows, 10, std::move(values));
  data.columns = numbered_columns(10);
  return data;
}

// y = 3 − 2·x0 + 0.5·x1 + ... with noise.
template <class T>
Dataset<T> random_rows(Index n, Index d, double noise = 0.1, bool weighted = false) {
  const Random random(11, Purpose::test);
  Dataset<T> data;
  data.source = "random";
  data.features = Matrix<T>(n, d);
  data.columns = numbered_columns(d);
  for (Index i = 0; i < n; ++i) {
    double y = 3;
    for (Index j = 0; j < d; ++j) {
      const double x = 2 * random.uniform(static_cast<std::uint64_t>(i * d + j)) - 1;
      data.features(i, j) = static_cast<T>(x);
      y += (j % 2 == 0 ? -2.0 : 0.5) * static_cast<double>(data.features(i, j));
    }
    y += noise * (random.uniform(0x100000000U + static_cast<std::uint64_t>(i)) - 0.5);
    data.target.push_back(static_cast<T>(y));
    if (weighted) data.weights.push_back(static_cast<T>(i % 4));
  }
  return data;
}

template <class T>
double r2(Engine& engine, const LinearRegressionModel<T>& model, const Dataset<T>& data) {
  const auto predictions = model.predict(engine, data.features.view());
  double mean = 0;
  for (const T y : data.target) mean += static_cast<double>(y);
  mean /= static_cast<double>(data.rows());
  double residual = 0;
  double total = 0;
  for (std::size_t i = 0; i < data.target.size(); ++i) {
    const double y = static_cast<double>(data.target[i]);
    const double e = y - static_cast<double>(predictions.values[i]);
    residual += e * e;
    total += (y - mean) * (y - mean);
  }
  return 1 - residual / total;
}

LinearRegressionOptions gradient_options(OptimizerMethod method = OptimizerMethod::adam,
                                         double rate = 0.01) {
  LinearRegressionOptions options;
  options.solver = LinearSolver::gradient;
  options.gradient.optimizer.method = method;
  options.gradient.optimizer.learning_rate = rate;
  return options;
}

// --- closed form ---------------------------------------------------------------------------------

TEST(LeastSquares, ALineThroughThreePoints) {
  // x = 0, 1, 2; y = 1, 3, 4: w = 3/2, b = 7/6, Σ e² = 1/6.
  Dataset<double> data;
  data.features = Matrix<double>(3, 1, std::vector<double>{0, 1, 2});
  data.columns = numbered_columns(1);
  data.target = {1, 3, 4};
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, LinearRegressionOptions{});
    EXPECT_NEAR(model.weights[0], 1.5, 4e-15);
    EXPECT_NEAR(model.intercept, 7.0 / 6, 4e-15);
    EXPECT_NEAR(model.log.history.at("cost")[0], 1.0 / 36, 1e-16);
    LinearRegressionOptions through_zero;
    through_zero.no_intercept = true;
    const auto origin = fit(*engine, data, through_zero);
    EXPECT_NEAR(origin.weights[0], 11.0 / 5, 4e-15);
    EXPECT_EQ(origin.intercept, 0.0);
    // Twice the weight of a row is the row twice.
    Dataset<double> weighted = data;
    weighted.weights = {1, 1, 2};
    Dataset<double> repeated = data;
    repeated.features = Matrix<double>(4, 1, std::vector<double>{0, 1, 2, 2});
    repeated.target = {1, 3, 4, 4};
    EXPECT_NEAR(fit(*engine, weighted, LinearRegressionOptions{}).weights[0],
                fit(*engine, repeated, LinearRegressionOptions{}).weights[0], 1e-14);
  }
}

// Expected values: scikit-learn 1.9.1, LinearRegression().fit(X, y), Ridge(alpha=44.2) on X and on
// standardised X with the coefficients divided by the deviations.
TEST(LeastSquares, DiabetesAsScikitLearn) {
  const auto data = diabetes<double>();
  ASSERT_EQ(data.rows(), 442);
  const std::vector<double> expected{
      -3.63612242e-02, -2.28596481e+01, 5.60296209e+00, 1.11680799e+00, -1.08999633e+00,
      7.46450456e-01,  3.72004715e-01,  6.53383194e+00, 6.84831250e+01, 2.80116989e-01};
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, LinearRegressionOptions{});
    for (std::size_t j = 0; j < 10; ++j) {
      EXPECT_NEAR(model.weights[j], expected[j], 5e-9 * std::abs(expected[j]));
    }
    EXPECT_NEAR(model.intercept, -334.5671385187859, 1e-9);
    EXPECT_NEAR(r2(*engine, model, data), 0.5177484222203499, 1e-13);
    EXPECT_EQ(model.rank, 10);

    LinearRegressionOptions ridge;
    ridge.l2 = 0.1;
    ridge.keep_scale = true;
    const auto raw = fit(*engine, data, ridge);
    EXPECT_NEAR(raw.weights[0], -0.01967399, 1e-8);
    EXPECT_NEAR(raw.weights[1], -15.16474415, 1e-7);
    EXPECT_NEAR(raw.intercept, -150.45009390019297, 1e-8);
    ridge.keep_scale = false;
    const auto standardised = fit(*engine, data, ridge);
    EXPECT_NEAR(standardised.weights[0], 4.75392278e-03, 1e-10);
    EXPECT_NEAR(standardised.weights[1], -1.97499449e+01, 1e-7);
  }
  const auto engine = engine_on(Device::cpu);
  const auto single = diabetes<float>();
  EXPECT_NEAR(r2(*engine, fit(*engine, single, LinearRegressionOptions{}), single), 0.517748, 1e-6);
}

// The columns of the Hilbert matrix, condition 1.6e13 at order 10: the residual of a QR solution
// stays at rounding level although the normal equations could not even be formed.
TEST(LeastSquares, IllConditionedColumnsKeepASmallResidual) {
  constexpr Index n = 200;
  constexpr Index d = 8;
  Dataset<double> data;
  data.features = Matrix<double>(n, d);
  data.columns = numbered_columns(d);
  for (Index i = 0; i < n; ++i) {
    double y = 0;
    for (Index j = 0; j < d; ++j) {
      data.features(i, j) = std::pow(static_cast<double>(i) / n, static_cast<double>(j + 1));
      y += data.features(i, j);
    }
    data.target.push_back(y);
  }
  const auto engine = engine_on(Device::cpu);
  const auto model = fit(*engine, data, LinearRegressionOptions{});
  EXPECT_EQ(model.rank, d);
  EXPECT_LT(std::sqrt(2 * model.log.history.at("cost")[0]), 1e-13);
  // Errors of the weights: condition of the centred, scaled columns, about 1e8, times 1e-15.
  for (const double w : model.weights) EXPECT_NEAR(w, 1.0, 1e-6);
}

TEST(LeastSquares, DependentAndConstantColumnsGetTheSmallestWeights) {
  auto data = random_rows<double>(500, 2, 0.0);
  Matrix<double> wide(500, 5);
  for (Index i = 0; i < 500; ++i) {
    const double x0 = data.features(i, 0);
    const double x1 = data.features(i, 1);
    const double values[] = {x0, 7.25, x1, x0, 100 + x1};
    for (Index j = 0; j < 5; ++j) wide(i, j) = values[j];
  }
  data.features = wide;
  data.columns = numbered_columns(5);
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, LinearRegressionOptions{});
    EXPECT_EQ(model.rank, 2);
    EXPECT_NEAR(model.weights[0], -1.0, 1e-9);
    EXPECT_EQ(model.weights[1], 0.0);
    EXPECT_NEAR(model.weights[2], 0.25, 1e-9);
    EXPECT_NEAR(model.weights[3], -1.0, 1e-9);
    EXPECT_NEAR(model.weights[4], 0.25, 1e-9);
    EXPECT_NEAR(r2(*engine, model, data), 1.0, 1e-12);
    EXPECT_NE(model.log.stopped_because.find("only 2 of 5"), std::string::npos);
  }
}

// Columns of which only the last digits vary: time stamps in seconds, milliseconds, microseconds
// and nanoseconds since 1970, and counters from a large number on. y follows the column and
// another.
template <class T>
void expect_last_digits_found(double start, double step, Device device) {
  SCOPED_TRACE("from " + std::to_string(start) + " by " + std::to_string(step));
  const Random random(3, Purpose::test);
  Dataset<T> data;
  data.source = "stamps";
  constexpr Index n = 1000;
  data.features = Matrix<T>(n, 2);
  data.columns = numbered_columns(2);
  for (Index i = 0; i < n; ++i) {
    data.features(i, 0) = static_cast<T>(start + step * static_cast<double>(i));
    data.features(i, 1) = static_cast<T>(random.normal(static_cast<std::uint64_t>(i)));
    const double since = static_cast<double>(data.features(i, 0)) - static_cast<double>(start);
    data.target.push_back(static_cast<T>(since / (step * n) + 2.0 * data.features(i, 1)));
  }
  const auto engine = engine_on(device);
  for (const LinearSolver solver :
       {LinearSolver::automatic, LinearSolver::qr, LinearSolver::cholesky}) {
    LinearRegressionOptions options;
    options.solver = solver;
    const auto model = fit(*engine, data, options);
    EXPECT_EQ(model.rank, 2);
    EXPECT_NEAR(model.weights[0] * step * n, 1, 1e-5);
    EXPECT_NEAR(model.weights[1], 2, 1e-6);
  }
}

TEST(LeastSquares, ColumnsOfWhichOnlyTheLastDigitsVaryAreNotConstant) {
  for (const Device device : {Device::reference, Device::cpu}) {
    expect_last_digits_found<double>(1.7e9, 1, device);
    expect_last_digits_found<double>(1.7e12, 1, device);
    expect_last_digits_found<double>(1.7e15, 1, device);
    expect_last_digits_found<double>(1.7e18, 1024, device);
    expect_last_digits_found<double>(-4e15, 2, device);
    expect_last_digits_found<double>(1e150, 1e136, device);
    expect_last_digits_found<float>(1e6, 1, device);
  }
}

TEST(LeastSquares, ValuesThatDifferByRoundingsAreConstant) {
  for (const double value : {0.1, 1.7e15, -3e-200}) {
    auto data = random_rows<double>(300, 2);
    for (Index i = 0; i < 300; ++i) {
      data.features(i, 1) = i % 3 == 0 ? value : std::nextafter(value, 1e300);
    }
    for (const LinearSolver solver : {LinearSolver::automatic, LinearSolver::qr}) {
      LinearRegressionOptions options;
      options.solver = solver;
      const auto model = fit(*engine_on(Device::cpu), data, options);
      EXPECT_EQ(model.rank, 1) << value;
      EXPECT_EQ(model.weights[1], 0) << value;
    }
  }
}

// Columns that others add up to, with means far above their deviations: what their sum lost to
// rounding is all that they add to the rank.
template <class T>
void expect_dependence_found(double offset, double factor, double weight_error) {
  SCOPED_TRACE("offset " + std::to_string(offset) + ", factor " + std::to_string(factor));
  const Random random(1, Purpose::test);
  Dataset<T> data;
  data.source = "sums";
  constexpr Index n = 400;
  data.features = Matrix<T>(n, 3);
  data.columns = numbered_columns(3);
  for (Index i = 0; i < n; ++i) {
    const auto a = static_cast<T>(offset + random.normal(static_cast<std::uint64_t>(3 * i)));
    const auto b = static_cast<T>(offset + random.normal(static_cast<std::uint64_t>(3 * i + 1)));
    data.features(i, 0) = a;
    data.features(i, 1) = b;
    data.features(i, 2) =
        static_cast<T>(factor * (static_cast<double>(a) + static_cast<double>(b)));
    data.target.push_back(
        static_cast<T>(static_cast<double>(a) - offset - 2 * (static_cast<double>(b) - offset) +
                       0.1 * random.normal(static_cast<std::uint64_t>(3 * i + 2))));
  }
  for (const LinearSolver solver : {LinearSolver::automatic, LinearSolver::qr}) {
    LinearRegressionOptions options;
    options.solver = solver;
    const auto model = fit(*engine_on(Device::cpu), data, options);
    EXPECT_EQ(model.rank, 2);
    EXPECT_NEAR(model.weights[0] + factor * model.weights[2], 1, weight_error);
    EXPECT_NEAR(model.weights[1] + factor * model.weights[2], -2, weight_error);
    for (const double weight : model.weights) EXPECT_LT(std::abs(weight), 3 / factor + 3);
  }
}

TEST(LeastSquares, DependenceIsRecognisedBesideLargeMeans) {
  for (const double offset : {0.0, 1.0, 1e3, 1e4, 1e6, 1e9}) {
    expect_dependence_found<double>(offset, 1, 0.03);
    expect_dependence_found<double>(offset, 1e-6, 0.03);
    expect_dependence_found<double>(offset, 1e5, 0.03);
  }
  for (const double offset : {0.0, 1.0, 1e2, 1e3}) expect_dependence_found<float>(offset, 1, 0.05);
}

TEST(LeastSquares, TheRankIsNotAboveTheRowsThatCount) {
  const Random random(8, Purpose::test);
  for (const double offset : {0.0, 1e6, 1e9}) {
    for (const bool intercept : {true, false}) {
      for (const Index unweighted : {0, 7}) {
        Dataset<double> data;
        data.source = "wide";
        const Index n = 20 + unweighted;
        data.features = Matrix<double>(n, 30);
        data.columns = numbered_columns(30);
        for (Index i = 0; i < n; ++i) {
          for (Index j = 0; j < 30; ++j) {
            data.features(i, j) =
                offset + random.normal(static_cast<std::uint64_t>(i * 30 + j)) * (i < 20 ? 1 : 1e3);
          }
          data.target.push_back(random.normal(0x100000000U + static_cast<std::uint64_t>(i)));
          if (unweighted > 0) data.weights.push_back(i < 20 ? 0.5 : 0.0);
        }
        LinearRegressionOptions options;
        options.no_intercept = !intercept;
        const auto model = fit(*engine_on(Device::cpu), data, options);
        EXPECT_LE(model.rank, intercept ? 19 : 20) << offset << " " << intercept;
        EXPECT_GE(model.rank, 18) << offset << " " << intercept;
      }
    }
  }
}

TEST(LeastSquares, FewerRowsThanFeatures) {
  const auto data = random_rows<double>(3, 6);
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, LinearRegressionOptions{});
    EXPECT_EQ(model.rank, 2);
    EXPECT_NEAR(r2(*engine, model, data), 1.0, 1e-12);
    LinearRegressionOptions ridge;
    ridge.l2 = 0.5;
    EXPECT_EQ(fit(*engine, data, ridge).rank, 6);
  }
  const auto one = random_rows<float>(1, 2);
  const auto engine = engine_on(Device::cpu);
  const auto model = fit(*engine, one, LinearRegressionOptions{});
  EXPECT_EQ(model.rank, 0);
  EXPECT_EQ(static_cast<float>(model.intercept), one.target[0]);
}

TEST(LeastSquares, AConstantTargetIsItsIntercept) {
  auto data = random_rows<float>(100, 3);
  std::fill(data.target.begin(), data.target.end(), 4.5F);
  const auto engine = engine_on(Device::cpu);
  for (const bool gradient : {false, true}) {
    const auto model =
        fit(*engine, data, gradient ? gradient_options() : LinearRegressionOptions{});
    EXPECT_NEAR(model.intercept, 4.5, 1e-12);
    for (const double w : model.weights) EXPECT_NEAR(w, 0.0, 1e-12);
  }
}

template <class T>
class LinearEngines : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LinearEngines, Reals);

// Both factorisations are backward stable: with well-conditioned columns (condition below 10 here)
// the solutions differ by a small multiple of the unit roundoff of double, whatever T is.
TYPED_TEST(LinearEngines, ClosedFormAgreesWithTheReferenceAtAwkwardSizes) {
  const auto reference = engine_on(Device::reference);
  const auto cpu = engine_on(Device::cpu);
  for (const Index n : {Index{20}, Index{31}, Index{32}, Index{33}, Index{1023}, Index{1024},
                        Index{1025}, Index{4096}, Index{4097}, Index{12001}}) {
    for (const Index d : {Index{1}, Index{3}, Index{8}, Index{9}}) {
      const auto data = random_rows<TypeParam>(n, d, 0.1, n % 2 == 1);
      const auto expected = fit(*reference, data, LinearRegressionOptions{});
      const auto got = fit(*cpu, data, LinearRegressionOptions{});
      EXPECT_TRUE(test::within(got.weights, expected.weights, [](std::size_t) { return 1e-12; }))
          << n << " " << d;
      EXPECT_NEAR(got.intercept, expected.intercept, 1e-12);
    }
  }
}

TYPED_TEST(LinearEngines, SameBitsForAllThreadsAndInstructionSets) {
  const auto data = random_rows<TypeParam>(5001, 13, 0.1, true);
  std::vector<LinearRegressionOptions> cases(3);
  cases[1] = gradient_options(OptimizerMethod::nesterov, 0.1);
  cases[1].gradient.epochs = 5;
  cases[2] = gradient_options(OptimizerMethod::adam, 0.01);
  cases[2].gradient.epochs = 2;
  cases[2].gradient.batch_size = 1500;
  for (const auto& options : cases) {
    cpu::limit_simd("baseline");
    const auto one = engine_on(Device::cpu, 1);
    const auto expected = fit(*one, data, options);
    const auto values = expected.predict(*one, data.features.view()).values;
    for (const char* simd : {"avx512", "avx2", "baseline"}) {
      try {
        cpu::limit_simd(simd);
      } catch (const InputError&) {
        continue;
      }
      for (const int threads : {1, 2, 7}) {
        const auto engine = engine_on(Device::cpu, threads);
        const auto got = fit(*engine, data, options);
        EXPECT_TRUE(test::same_bits(got.weights, expected.weights)) << simd << " " << threads;
        EXPECT_EQ(test::bits_of(got.intercept), test::bits_of(expected.intercept));
        EXPECT_EQ(got.log, expected.log);
        EXPECT_TRUE(test::same_bits(got.predict(*engine, data.features.view()).values, values));
      }
    }
  }
}

// --- gradients -----------------------------------------------------------------------------------

TEST(GradientSolver, ReachesTheClosedFormOnDiabetes) {
  const auto data = diabetes<double>();
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, gradient_options());
    EXPECT_NEAR(r2(*engine, model, data), 0.517748, 1e-6)
        << model.log.stopped_because << " " << model.log.iterations;
    EXPECT_TRUE(model.log.converged);
  }
}

TEST(GradientSolver, EveryOptimizerComesClose) {
  const auto data = diabetes<float>();
  const auto engine = engine_on(Device::cpu);
  for (const auto name : enum_names<OptimizerMethod>) {
    const auto method = parse_enum<OptimizerMethod>("optimizer", name);
    const bool plain = method == OptimizerMethod::gradient_descent;
    auto options = gradient_options(method, plain ? 0.3 : 0.03);
    options.gradient.optimizer.weight_decay = 0;
    options.gradient.optimizer.schedule = LearningRateSchedule::inverse_time;
    options.gradient.optimizer.decay_every = plain ? 1000000 : 500;
    options.gradient.epochs = 4000;
    const auto model = fit(*engine, data, options);
    EXPECT_NEAR(r2(*engine, model, data), 0.517748, 1e-3) << name;
  }
}

// Descent lemma: with η below 2 / L, L the largest eigenvalue of the correlation matrix and so at
// most the number of features, the cost of gradient descent falls in every epoch.
TEST(GradientSolver, TheCostNeverRisesWithASmallRate) {
  const auto data = diabetes<double>();
  const auto engine = engine_on(Device::cpu);
  auto options = gradient_options(OptimizerMethod::gradient_descent, 0.09);
  options.gradient.epochs = 2000;
  const auto model = fit(*engine, data, options);
  const auto& cost = model.log.history.at("cost");
  for (std::size_t e = 1; e < cost.size(); ++e) EXPECT_LE(cost[e], cost[e - 1]) << e;
  // The first entry is the cost of predicting the mean: half the variance of the target.
  EXPECT_NEAR(cost[0], 0.5 * 5929.88489656, 1e-6);
}

TEST(GradientSolver, PenaltiesMeanTheSameAsInTheClosedForm) {
  const auto data = diabetes<double>();
  const auto engine = engine_on(Device::cpu);
  auto options = gradient_options(OptimizerMethod::nesterov, 0.1);
  options.l2 = 0.1;
  options.gradient.tolerance = 1e-14;
  options.gradient.patience = 500;  // the velocity makes the cost swing
  const auto model = fit(*engine, data, options);
  EXPECT_NEAR(model.weights[0], 4.75392278e-03, 1e-5);
  EXPECT_NEAR(model.weights[1], -1.97499449e+01, 1e-4);
  LinearRegressionOptions closed;
  closed.l2 = 0.1;
  EXPECT_NEAR(model.log.history.at("cost").back(),
              fit(*engine, data, closed).log.history.at("cost")[0], 1e-7);
}

// scikit-learn 1.9.1: Lasso(alpha=2.0, tol=1e-12) on standardised features, coefficients divided by
// the deviations. The proximal step makes zeros exactly zero.
TEST(GradientSolver, LassoAsScikitLearn) {
  const auto data = diabetes<double>();
  const auto engine = engine_on(Device::cpu);
  const std::vector<double> expected{0, -15.16685983, 5.57946006, 0.95383623,  -0.0785938,
                                     0, -0.77816787,  0,          44.36173754, 0.1472023};
  for (const OptimizerMethod method :
       {OptimizerMethod::nesterov, OptimizerMethod::momentum, OptimizerMethod::gradient_descent}) {
    auto options = gradient_options(method, 0.1);
    options.l1 = 2;
    options.gradient.tolerance = 1e-14;
    options.gradient.patience = 500;
    const auto model = fit(*engine, data, options);
    for (std::size_t j = 0; j < 10; ++j) {
      EXPECT_NEAR(model.weights[j], expected[j], 1e-4) << to_string(method) << " " << j;
      if (expected[j] == 0) {
        EXPECT_EQ(model.weights[j], 0.0) << to_string(method) << " " << j;
      }
    }
  }
}

TEST(GradientSolver, MiniBatchesComeClose) {
  const auto data = random_rows<float>(5000, 4, 0.1, true);
  const auto engine = engine_on(Device::cpu);
  auto options = gradient_options(OptimizerMethod::adam, 0.01);
  options.gradient.batch_size = 128;
  options.gradient.epochs = 60;
  options.gradient.optimizer.schedule = LearningRateSchedule::exponential;
  options.gradient.optimizer.decay_every = 10;
  const auto model = fit(*engine, data, options);
  const auto exact = fit(*engine, data, LinearRegressionOptions{});
  for (std::size_t j = 0; j < 4; ++j) EXPECT_NEAR(model.weights[j], exact.weights[j], 0.01);
  options.seed = 1;
  EXPECT_NE(fit(*engine, data, options).weights, model.weights);
}

TEST(GradientSolver, AValidationPartStopsEarlyAndKeepsTheBest) {
  // Twelve rows and ten features: training to the end overfits.
  const auto train = random_rows<double>(12, 10, 6.0);
  auto all = random_rows<double>(300, 10, 6.0);
  const auto engine = engine_on(Device::cpu);
  auto options = gradient_options(OptimizerMethod::gradient_descent, 0.1);
  const auto model = fit(*engine, train, options, {.validation = all.view()});
  const auto& watched = model.log.history.at("validation_cost");
  EXPECT_NE(model.log.stopped_because.find("validation cost"), std::string::npos);
  const double best = *std::min_element(watched.begin(), watched.end());
  EXPECT_LT(best, watched.back());
  double cost = 0;
  const auto values = model.predict(*engine, all.features.view()).values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    cost += 0.5 * (values[i] - all.target[i]) * (values[i] - all.target[i]);
  }
  EXPECT_NEAR(cost / 300, best, 1e-9 * best);
  options.gradient.validation_fraction = 0.25;
  EXPECT_TRUE(fit(*engine, all, options).log.history.contains("validation_cost"));
}

TEST(GradientSolver, DivergenceIsAnErrorThatNamesTheRate) {
  const auto data = diabetes<float>();
  const auto engine = engine_on(Device::cpu);
  const auto message = test::message_of<Error>(
      [&] { (void)fit(*engine, data, gradient_options(OptimizerMethod::momentum, 5)); });
  EXPECT_NE(message.find("learning_rate"), std::string::npos) << message;
  auto raw = gradient_options(OptimizerMethod::gradient_descent, 0.1);
  raw.keep_scale = true;
  EXPECT_THROW((void)fit(*engine, data, raw), NumericalError);
}

class StopAfter final : public RunControl {
 public:
  explicit StopAfter(Index count) : left_(count) {}
  explicit StopAfter(const Archive& state) : left_(-1), resume_(&state) {}
  void report(const Progress&) override { --left_; }
  [[nodiscard]] bool stop_requested() const noexcept override { return left_ == 0; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { saved = state; }
  [[nodiscard]] const Archive* resume_state() const noexcept override { return resume_; }
  Archive saved;

 private:
  Index left_;
  const Archive* resume_ = nullptr;
};

TEST(GradientSolver, ResumesWithTheSameBits) {
  const auto data = random_rows<float>(3000, 5);
  const auto validation = random_rows<float>(100, 5);
  const auto engine = engine_on(Device::cpu, 2);
  for (const Index batch_size : {Index{0}, Index{700}}) {
    auto options = gradient_options(OptimizerMethod::adam, 0.05);
    options.gradient.batch_size = batch_size;
    options.gradient.epochs = 30;
    options.gradient.optimizer.schedule = LearningRateSchedule::cosine;
    const auto whole = fit(*engine, data, options, {.validation = validation.view()});
    StopAfter stop(11);
    EXPECT_THROW(
        (void)fit(*engine, data, options, {.validation = validation.view(), .control = &stop}),
        Interrupted);
    const auto state = decode_archive(encode_archive(stop.saved, "checkpoint"), "checkpoint", "x");
    StopAfter resume(state);
    const auto resumed =
        fit(*engine, data, options, {.validation = validation.view(), .control = &resume});
    EXPECT_TRUE(test::same_bits(resumed.weights, whole.weights));
    EXPECT_EQ(test::bits_of(resumed.intercept), test::bits_of(whole.intercept));
    EXPECT_EQ(resumed.log, whole.log);
  }
}

// --- input and model file ------------------------------------------------------------------------

TEST(LinearRegression, RefusesWhatItCannotBeTrainedOn) {
  const auto engine = engine_on(Device::cpu);
  const auto refuses = [&](auto change, const std::string& word) {
    for (const bool gradient : {false, true}) {
      auto data = random_rows<float>(50, 3, 0.1, true);
      change(data);
      const auto message = test::message_of<Error>([&] {
        (void)fit(*engine, data, gradient ? gradient_options() : LinearRegressionOptions{});
      });
      EXPECT_NE(message.find(word), std::string::npos) << message;
    }
  };
  refuses([](auto& data) { data.features(17, 1) = std::nanf(""); }, "row 18, column x1");
  refuses([](auto& data) { data.features(3, 0) = std::numeric_limits<float>::infinity(); },
          "infinite");
  refuses([](auto& data) { data.target[4] = std::nanf(""); }, "row 5");
  refuses([](auto& data) { data.target.clear(); }, "name one with target");
  refuses([](auto& data) { data = random_rows<float>(0, 3); }, "no rows");
  refuses([](auto& data) { data.weights[2] = -1; }, "row 3");
  refuses([](auto& data) { std::fill(data.weights.begin(), data.weights.end(), 0.0F); }, "zero");

  const auto narrow = random_rows<float>(20, 2);
  EXPECT_NE(test::message_of<Error>([&] {
              (void)fit(*engine, random_rows<float>(20, 3), gradient_options(),
                        {.validation = narrow.view()});
            }).find("2 features"),
            std::string::npos);

  LinearRegressionOptions lasso;
  lasso.l1 = 1;
  EXPECT_NE(test::message_of<Error>([&] { lasso.check(); }).find("add solver gradient"),
            std::string::npos);
  Dataset<double> huge = random_rows<double>(50, 2);
  for (Index i = 0; i < 50; ++i) huge.features(i, 1) *= 1e200;
  EXPECT_THROW((void)fit(*engine, huge, LinearRegressionOptions{}), NumericalError);
  EXPECT_THROW((void)fit(*engine, huge, gradient_options()), NumericalError);
}

TEST(LinearRegression, SavesAndLoads) {
  const auto engine = engine_on(Device::cpu);
  const auto data = random_rows<float>(100, 3);
  const auto model = fit(*engine, data, LinearRegressionOptions{});
  Archive archive;
  model.save(archive);
  const auto loaded = LinearRegressionModel<float>::load(archive);
  EXPECT_TRUE(test::same_bits(loaded.weights, model.weights));
  EXPECT_EQ(loaded.log, model.log);
  EXPECT_TRUE(test::same_bits(loaded.predict(*engine, data.features.view()).values,
                              model.predict(*engine, data.features.view()).values));
  EXPECT_NE(model.to_text({"a", "b", "c"}).find("(intercept)"), std::string::npos);
  Archive broken = archive;
  broken.set_tensor("weights", std::vector<double>{1, std::nan(""), 2});
  EXPECT_THROW((void)LinearRegressionModel<float>::load(broken), InputError);
  broken.set_tensor("weights", std::vector<double>{});
  EXPECT_THROW((void)LinearRegressionModel<float>::load(broken), InputError);
  const auto wide = random_rows<float>(4, 5);
  EXPECT_NE(test::message_of<Error>([&] {
              (void)model.predict(*engine, wide.features.view());
            }).find("3 features"),
            std::string::npos);
}

// A window on a wider matrix predicts as its copy does.
TEST(LinearRegression, PredictsThroughAStride) {
  const auto engine = engine_on(Device::cpu);
  const auto data = random_rows<double>(1500, 3);
  const auto model = fit(*engine, data, LinearRegressionOptions{});
  Matrix<double> wide(1500, 5);
  for (Index i = 0; i < 1500; ++i) {
    for (Index j = 0; j < 3; ++j) wide(i, j) = data.features(i, j);
  }
  const MatrixView<const double> window{wide.data(), 1500, 3, 5};
  EXPECT_TRUE(test::same_bits(model.predict(*engine, window).values,
                              model.predict(*engine, data.features.view()).values));
  EXPECT_TRUE(model.predict(*engine, data.features.view().rows_from(0, 0)).values.empty());
}

}  // namespace
}  // namespace tandem
