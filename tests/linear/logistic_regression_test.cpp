#include "tandem/linear/logistic_regression.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <sstream>

#include "core/random.hpp"
#include "cpu/simd.hpp"
#include "support/agreement.hpp"
#include "support/messages.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/split.hpp"

namespace tandem {
namespace {

std::unique_ptr<Engine> engine_on(Device device, int threads = 1) {
  return Engine::create({.device = device, .numerics = Numerics::exact, .threads = threads});
}

// A shipped table whose last column is the class, numbers or names.
template <class T>
Dataset<T> shipped(const std::string& name) {
  std::ifstream file(std::string(TANDEM_DATA_DIR) + "/" + name);
  std::string line;
  std::getline(file, line);
  const Index d = std::count(line.begin(), line.end(), ',');
  Dataset<T> data;
  data.source = name;
  data.columns = numbered_columns(d);
  data.target_column.name = "class";
  std::vector<T> values;
  std::vector<std::string> classes;
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string field;
    for (Index j = 0; j < d; ++j) {
      std::getline(fields, field, ',');
      values.push_back(static_cast<T>(std::stod(field)));
    }
    std::getline(fields, field);
    classes.push_back(field);
  }
  auto& names = data.target_column.categories;
  names = classes;
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  for (const auto& c : classes) {
    data.target.push_back(
        static_cast<T>(std::lower_bound(names.begin(), names.end(), c) - names.begin()));
  }
  data.features = Matrix<T>(static_cast<Index>(classes.size()), d, std::move(values));
  return data;
}

// Iris without its first class, which the other two overlap.
template <class T>
Dataset<T> versicolor_and_virginica() {
  std::vector<Index> rows;
  for (Index i = 50; i < 150; ++i) rows.push_back(i);
  return select_rows(shipped<T>("iris.csv"), rows);
}

// Overlapping classes around different centres.
template <class T>
Dataset<T> random_classes(Index n, Index d, Index classes, bool weighted = false) {
  const Random random(21, Purpose::test);
  Dataset<T> data;
  data.source = "random";
  data.features = Matrix<T>(n, d);
  data.columns = numbered_columns(d);
  data.target_column.name = "class";
  for (Index i = 0; i < n; ++i) {
    const Index label = i % classes;
    for (Index j = 0; j < d; ++j) {
      const double x = 2 * random.uniform(static_cast<std::uint64_t>(i * d + j)) - 1;
      data.features(i, j) = static_cast<T>(x + (j % classes == label ? 0.4 : 0.0));
    }
    data.target.push_back(static_cast<T>(label));
    if (weighted) data.weights.push_back(static_cast<T>((i / 7) % 3));
  }
  return data;
}

template <class T>
double accuracy(Engine& engine, const LogisticRegressionModel<T>& model, const Dataset<T>& data) {
  const auto labels = model.predict(engine, data.features.view()).labels;
  double right = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == static_cast<std::int32_t>(data.target[i])) ++right;
  }
  return right / static_cast<double>(labels.size());
}

LogisticRegressionOptions tight() {
  LogisticRegressionOptions options;
  options.gradient_tolerance = 1e-8;
  return options;
}

// --- against scikit-learn ------------------------------------------------------------------------

// scikit-learn 1.9.1: LogisticRegression(tol=1e-14, max_iter=100000, solver='newton-cholesky')
// .fit(X, y) on data/iris.csv.
TEST(LogisticRegression, IrisAsScikitLearn) {
  const auto data = shipped<double>("iris.csv");
  const std::vector<double> weights{-0.4235099201, 0.9673505796,  -2.5171523776, -1.0793366485,
                                    0.534461509,   -0.3215878552, -0.2063920713, -0.9442984654,
                                    -0.1109515889, -0.6457627244, 2.7235444489,  2.0236351139};
  const std::vector<double> intercepts{9.8495680505, 2.2372056322, -12.0867736827};
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    const auto model = fit(*engine, data, tight());
    EXPECT_TRUE(model.log.converged) << model.log.stopped_because;
    // The gradient's tolerance over the smallest curvature, 1e-8 / (1 / 150).
    EXPECT_TRUE(test::within(model.weights.values(), weights, [](std::size_t) { return 1.5e-6; }));
    EXPECT_TRUE(test::within(model.intercepts, intercepts, [](std::size_t) { return 1e-5; }));
    EXPECT_NEAR(model.log.history.at("cost").back(), 0.19257544402728327, 1e-12);
    EXPECT_NEAR(accuracy(*engine, model, data), 0.9733333333333334, 1e-12);
    EXPECT_EQ(model.class_names, (std::vector<std::string>{"setosa", "versicolor", "virginica"}));
  }
}

// The same on its last hundred rows with C = 0.5, and with sample weights 1, 2, 3, 1, ... .
TEST(LogisticRegression, TwoClassesAsScikitLearn) {
  auto data = versicolor_and_virginica<double>();
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    auto options = tight();
    options.c = 0.5;
    data.weights.clear();
    const auto model = fit(*engine, data, options);
    EXPECT_TRUE(
        test::within(model.weights.values(),
                     std::vector<double>{-0.1020873103, -0.2625915113, 2.3040208946, 1.7748768765},
                     [](std::size_t) { return 1e-6; }));
    EXPECT_NEAR(model.intercepts[0], -12.8425140263, 1e-5);
    const auto p = model.predict(*engine, data.features.view()).probabilities;
    EXPECT_NEAR(p(0, 0), 0.7471920623, 1e-7);
    EXPECT_NEAR(p(1, 1), 0.2131978338, 1e-7);
    for (std::size_t i = 0; i < 100; ++i) data.weights.push_back(static_cast<double>(i % 3) + 1);
    const auto weighted = fit(*engine, data, tight());
    EXPECT_TRUE(
        test::within(weighted.weights.values(),
                     std::vector<double>{-0.7867049584, -0.9409415012, 3.5848860752, 3.2858993656},
                     [](std::size_t) { return 1e-6; }));
    EXPECT_NEAR(weighted.intercepts[0], -15.3566341932, 1e-5);
  }
}

TEST(LogisticRegression, ReadsDigitsOfAHeldOutQuarter) {
  const auto data = shipped<float>("digits.csv");
  std::vector<std::int32_t> labels(data.target.begin(), data.target.end());
  const auto engine = engine_on(Device::cpu, 2);
  double mean = 0;
  for (const std::uint64_t seed : {0, 1, 2}) {
    const Split split = stratified_train_test_split(labels, 0.25, seed);
    auto train = select_rows(data, split.train);
    auto test = select_rows(data, split.test);
    for (auto* part : {&train, &test}) {
      for (float& x : part->features.values()) x /= 16;
    }
    const auto model = fit(*engine, train, LogisticRegressionOptions{});
    mean += accuracy(*engine, model, test) / 3;
    EXPECT_TRUE(model.log.converged) << model.log.stopped_because;
  }
  // scikit-learn 1.9.1 with the same settings: 0.962 to 0.971 over six splits.
  EXPECT_GE(mean, 0.955);
}

// --- solvers -------------------------------------------------------------------------------------

TEST(LogisticRegression, BothSolversFindTheSameMinimum) {
  const auto engine = engine_on(Device::cpu);
  for (const Index classes : {Index{2}, Index{3}}) {
    const auto data = random_classes<double>(600, 5, classes, true);
    auto options = tight();
    options.l2 = 0.01;
    const auto exact = fit(*engine, data, options);
    options.solver = LogisticSolver::gradient;
    options.gradient.optimizer.method = OptimizerMethod::nesterov;
    options.gradient.optimizer.learning_rate = 0.5;
    options.gradient.epochs = 3000;
    options.gradient.tolerance = 1e-15;
    const auto model = fit(*engine, data, options);
    EXPECT_TRUE(test::within(model.weights.values(), exact.weights.values(),
                             [](std::size_t) { return 1e-5; }));
    EXPECT_NEAR(model.log.history.at("cost").back(), exact.log.history.at("cost").back(), 1e-10);
  }
}

// With L1 the gradient of the loss is −l1·sign(w) where w ≠ 0 and at most l1 in magnitude where
// w = 0 (Karush, Kuhn and Tucker); computed here from the predictions.
TEST(LogisticRegression, L1SatisfiesTheConditionsOfOptimality) {
  const auto data = versicolor_and_virginica<double>();
  const auto engine = engine_on(Device::cpu);
  LogisticRegressionOptions options;
  options.solver = LogisticSolver::gradient;
  options.l1 = 0.05;
  options.gradient.optimizer.method = OptimizerMethod::nesterov;
  options.gradient.optimizer.learning_rate = 0.05;
  options.gradient.epochs = 20000;
  options.gradient.patience = 0;
  const auto model = fit(*engine, data, options);
  const auto p = model.predict(*engine, data.features.view()).probabilities;
  Index zeros = 0;
  for (Index j = 0; j < 4; ++j) {
    double g = 0;
    for (Index i = 0; i < 100; ++i) {
      g += (p(i, 1) - data.target[static_cast<std::size_t>(i)] + 1) * data.features(i, j) / 100;
    }
    const double w = model.weights(0, j);
    if (w == 0) {
      ++zeros;
      EXPECT_LE(std::abs(g), 0.05 + 1e-9);
    } else {
      EXPECT_NEAR(g, -std::copysign(0.05, w), 1e-5) << j;
    }
  }
  EXPECT_GE(zeros, 1);
}

TEST(LogisticRegression, LbfgsNeverRaisesTheCost) {
  const auto engine = engine_on(Device::cpu);
  for (const char* name : {"breast_cancer.csv", "wine.csv", "iris.csv"}) {
    // In their own units, where columns differ by five orders of magnitude.
    const auto data = shipped<float>(name);
    LogisticRegressionOptions options;
    options.gradient_tolerance = 1e-3;
    const auto model = fit(*engine, data, options);
    const auto& cost = model.log.history.at("cost");
    EXPECT_NEAR(cost[0], std::log(static_cast<double>(model.class_names.size())), 1e-6);
    for (std::size_t i = 1; i < cost.size(); ++i) {
      EXPECT_LE(cost[i], cost[i - 1] * (1 + 1e-6)) << name << " " << i;
    }
    EXPECT_GE(accuracy(*engine, model, data), 0.93) << name << " " << model.log.stopped_because;
  }
}

template <class T>
class LogisticEngines : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(LogisticEngines, Reals);

TYPED_TEST(LogisticEngines, SameBitsForAllThreadsAndInstructionSets) {
  for (const Index classes : {Index{2}, Index{3}}) {
    const auto data = random_classes<TypeParam>(2501, 6, classes, true);
    std::vector<LogisticRegressionOptions> cases(2);
    cases[0].max_iterations = 5;
    cases[1].solver = LogisticSolver::gradient;
    cases[1].gradient.epochs = 2;
    cases[1].gradient.batch_size = 1100;
    for (const auto& options : cases) {
      cpu::limit_simd("baseline");
      const auto one = engine_on(Device::cpu, 1);
      const auto expected = fit(*one, data, options);
      const auto probabilities = expected.predict(*one, data.features.view()).probabilities;
      for (const char* simd : {"avx512", "avx2", "baseline"}) {
        try {
          cpu::limit_simd(simd);
        } catch (const InputError&) {
          continue;
        }
        for (const int threads : {1, 2, 7}) {
          const auto engine = engine_on(Device::cpu, threads);
          const auto got = fit(*engine, data, options);
          EXPECT_TRUE(test::same_bits(got.weights.values(), expected.weights.values()))
              << simd << " " << threads;
          EXPECT_TRUE(test::same_bits(got.intercepts, expected.intercepts));
          EXPECT_EQ(got.log, expected.log);
          EXPECT_TRUE(
              test::same_bits(got.predict(*engine, data.features.view()).probabilities.values(),
                              probabilities.values()));
        }
      }
    }
  }
}

// At the minimum an error e in the gradient moves the solution by at most ‖e‖₂ / μ, μ >= l2 = 0.1
// the smallest curvature, ‖e‖₂ at most √21 times the largest of 21 elements. Each element of the
// gradient is a mean of 500 products of residuals with features of magnitude up to 1.4, whose
// relative errors are a few roundings of T and, through z, a chain of 7 more.
TYPED_TEST(LogisticEngines, AgreesWithTheReference) {
  const auto data = random_classes<TypeParam>(500, 6, 3);
  LogisticRegressionOptions options;
  options.l2 = 0.1;
  options.gradient_tolerance = sizeof(TypeParam) == 4 ? 1e-7 : 1e-12;
  const auto expected = fit(*engine_on(Device::reference), data, options);
  const auto got = fit(*engine_on(Device::cpu), data, options);
  EXPECT_TRUE(expected.log.converged) << expected.log.stopped_because;
  EXPECT_TRUE(got.log.converged) << got.log.stopped_because;
  const double error = 1.4 * gamma_bound<TypeParam>(20) + 2 * options.gradient_tolerance;
  EXPECT_TRUE(test::within(got.weights.values(), expected.weights.values(),
                           [&](std::size_t) { return std::sqrt(21.0) * error / 0.1; }));
}

// --- awkward data --------------------------------------------------------------------------------

TEST(LogisticRegression, SeparableClassesWithoutAPenaltySayWhyTheyStop) {
  const auto engine = engine_on(Device::cpu);
  Dataset<float> data;
  data.source = "separable";
  data.features = Matrix<float>(4, 1, std::vector<float>{-2, -1, 1, 2});
  data.columns = numbered_columns(1);
  data.target = {0, 0, 1, 1};
  LogisticRegressionOptions options;
  options.c = 0;
  options.gradient_tolerance = 0;
  const auto model = fit(*engine, data, options);
  EXPECT_FALSE(model.log.converged);
  EXPECT_NE(model.log.stopped_because.find("separate the classes"), std::string::npos)
      << model.log.stopped_because;
  EXPECT_TRUE(std::isfinite(model.weights(0, 0)));
  options.c = 1;
  EXPECT_EQ(fit(*engine, data, options).log.stopped_because.find("separate"), std::string::npos);
}

TEST(LogisticRegression, MoreFeaturesThanRowsConstantAndDuplicateColumns) {
  const auto engine = engine_on(Device::cpu);
  EXPECT_TRUE(fit(*engine, random_classes<double>(6, 20, 2), tight()).log.converged);
  auto data = random_classes<double>(300, 4, 2);
  for (Index i = 0; i < 300; ++i) {
    data.features(i, 1) = 5;
    data.features(i, 2) = 0;
    data.features(i, 3) = data.features(i, 0);
  }
  const auto model = fit(*engine, data, tight());
  EXPECT_TRUE(model.log.converged) << model.log.stopped_because;
  EXPECT_NEAR(model.weights(0, 1), 0.0, 1e-6);
  EXPECT_EQ(model.weights(0, 2), 0.0);
  EXPECT_NEAR(model.weights(0, 3), model.weights(0, 0), 1e-9);
}

// So many features that L-BFGS starts from the diagonal; half of them in units a thousand times
// larger, a few always zero.
TEST(LogisticRegression, ManyFeatures) {
  const auto engine = engine_on(Device::cpu);
  auto data = random_classes<float>(400, 300, 3);
  for (Index i = 0; i < 400; ++i) {
    for (Index j = 0; j < 150; ++j) data.features(i, j) *= 1000;
    for (Index j = 290; j < 300; ++j) data.features(i, j) = 0;
  }
  LogisticRegressionOptions options;
  options.l2 = 0.01;
  options.gradient_tolerance = 1e-2;
  const auto model = fit(*engine, data, options);
  EXPECT_TRUE(model.log.converged) << model.log.stopped_because;
  EXPECT_LT(model.log.iterations, 200);
}

TEST(LogisticRegression, RefusesWhatItCannotBeTrainedOn) {
  const auto engine = engine_on(Device::cpu);
  const auto refuses = [&](auto change, const std::string& word) {
    for (const LogisticSolver solver : {LogisticSolver::lbfgs, LogisticSolver::gradient}) {
      auto data = random_classes<float>(60, 3, 2);
      change(data);
      LogisticRegressionOptions options;
      options.solver = solver;
      const auto message = test::message_of<Error>([&] { (void)fit(*engine, data, options); });
      EXPECT_NE(message.find(word), std::string::npos) << message;
    }
  };
  refuses([](auto& data) { std::fill(data.target.begin(), data.target.end(), 1.0F); },
          "two classes");
  refuses([](auto& data) { data.features(17, 1) = std::nanf(""); }, "row 18, column x1");
  refuses([](auto& data) { data.features(3, 0) = std::numeric_limits<float>::infinity(); },
          "infinite");
  refuses([](auto& data) { data.target[4] = std::nanf(""); }, "row 5");
  refuses([](auto& data) { data.target.clear(); }, "name one with target");
  refuses([](auto& data) { data = random_classes<float>(0, 3, 2); }, "no rows");

  LogisticRegressionOptions lasso;
  lasso.l1 = 1;
  EXPECT_NE(test::message_of<Error>([&] { lasso.check(); }).find("add solver gradient"),
            std::string::npos);
}

TEST(LogisticRegression, AClassThatOnlyTheValidationPartHasIsLeftOut) {
  const auto engine = engine_on(Device::cpu);
  const auto train = random_classes<float>(200, 3, 2);
  const auto validation = random_classes<float>(90, 3, 3);
  LogisticRegressionOptions options;
  options.solver = LogisticSolver::gradient;
  options.gradient.epochs = 20;
  const auto model = fit(*engine, train, options, {.validation = validation.view()});
  EXPECT_EQ(model.class_names.size(), 2U);
  EXPECT_EQ(model.log.history.at("validation_cost").size(), 20U);
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

TEST(LogisticRegression, ResumesWithTheSameBits) {
  const auto data = random_classes<float>(800, 7, 3);
  const auto engine = engine_on(Device::cpu, 2);
  auto options = tight();
  options.gradient_tolerance = 1e-6;
  const auto whole = fit(*engine, data, options);
  ASSERT_GT(whole.log.iterations, 6);
  for (const Index at : {Index{1}, Index{5}}) {
    StopAfter stop(at);
    EXPECT_THROW((void)fit(*engine, data, options, {.control = &stop}), Interrupted);
    const auto state = decode_archive(encode_archive(stop.saved, "checkpoint"), "checkpoint", "x");
    StopAfter resume(state);
    const auto resumed = fit(*engine, data, options, {.control = &resume});
    EXPECT_TRUE(test::same_bits(resumed.weights.values(), whole.weights.values()));
    EXPECT_EQ(resumed.log, whole.log);
  }
}

TEST(LogisticRegression, SavesAndLoads) {
  const auto engine = engine_on(Device::cpu);
  for (const Index classes : {Index{2}, Index{4}}) {
    const auto data = random_classes<float>(200, 3, classes);
    const auto model = fit(*engine, data, LogisticRegressionOptions{});
    Archive archive;
    model.save(archive);
    const auto loaded = LogisticRegressionModel<float>::load(archive);
    EXPECT_EQ(loaded.class_names, model.class_names);
    EXPECT_EQ(loaded.log, model.log);
    EXPECT_TRUE(
        test::same_bits(loaded.predict(*engine, data.features.view()).probabilities.values(),
                        model.predict(*engine, data.features.view()).probabilities.values()));
    EXPECT_NE(model.to_text({"a", "b", "c"}).find("(intercept)"), std::string::npos);
    Archive broken = archive;
    broken.set("classes", std::vector<std::string>{"0", "1", "2"});
    EXPECT_THROW((void)LogisticRegressionModel<float>::load(broken), InputError);
    broken.set("classes", std::vector<std::string>{"0"});
    EXPECT_THROW((void)LogisticRegressionModel<float>::load(broken), InputError);
    broken = archive;
    broken.set_tensor("intercepts", std::vector<double>{1});
    if (classes > 2) {
      EXPECT_THROW((void)LogisticRegressionModel<float>::load(broken), InputError);
    }
  }
}

// Probabilities of every row sum to 1 and stay finite for outputs far beyond exp's range.
TEST(LogisticRegression, LargeOutputsDoNotOverflow) {
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto engine = engine_on(device);
    LogisticRegressionModel<float> model;
    model.class_names = {"a", "b", "c"};
    model.weights = Matrix<double>(3, 1, std::vector<double>{1e4, 0, -1e4});
    model.intercepts = {0, 0, 0};
    const Matrix<float> x(3, 1, std::vector<float>{1, -1, 0});
    const auto p = model.predict(*engine, x.view()).probabilities;
    EXPECT_EQ(p(0, 0), 1.0F);
    EXPECT_EQ(p(1, 2), 1.0F);
    EXPECT_EQ(p(0, 2), 0.0F);
    EXPECT_FLOAT_EQ(p(2, 1), 1.0F / 3);
    LogisticRegressionModel<float> two;
    two.class_names = {"a", "b"};
    two.weights = Matrix<double>(1, 1, std::vector<double>{1e4});
    two.intercepts = {0};
    const auto q = two.predict(*engine, x.view()).probabilities;
    EXPECT_EQ(q(0, 1), 1.0F);
    EXPECT_EQ(q(1, 1), 0.0F);
    EXPECT_EQ(q(2, 0), 0.5F);
    EXPECT_EQ(two.predict(*engine, x.view()).labels, (std::vector<std::int32_t>{1, 0, 0}));
  }
}

}  // namespace
}  // namespace tandem
