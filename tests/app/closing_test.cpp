// The numbers that everyone gets who tries Tandem on its own data sets. Those of scikit-learn 1.7
// (KMeans, DecisionTreeClassifier, LinearRegression with the same settings) are the same.
#include <gmock/gmock.h>

#include "app/program.hpp"

namespace tandem::test {
namespace {

class Closing : public Program {};

TEST_F(Closing, KMeansOnIris) {
  const auto json =
      result({"train", "kmeans", "--data", data_file("iris.csv"), "--k", "3", "--silhouette"});
  EXPECT_NEAR(json["metrics"]["inertia"].get<double>(), 78.8514, 1e-4);
  EXPECT_NEAR(json["metrics"]["silhouette"].get<double>(), 0.5528, 1e-4);
  EXPECT_GE(json["metrics"]["iterations"].get<double>(), 1);
  EXPECT_EQ(json["algorithm"], "kmeans");
  EXPECT_EQ(json["rows"], 150);
  EXPECT_EQ(json["features"], 4);
  EXPECT_EQ(json["target"], "species");
  EXPECT_NE(json["stopped_because"], "");
}

TEST_F(Closing, SilhouettesOfIris) {
  const auto json =
      result({"select", "kmeans", "--data", data_file("iris.csv"), "--k", "2..5", "--no-gap"});
  const std::vector<double> expected{0.6810, 0.5528, 0.4981, 0.4887};
  ASSERT_EQ(json["candidates"].size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(json["candidates"][i]["k"], i + 2);
    EXPECT_NEAR(json["candidates"][i]["silhouette"].get<double>(), expected[i], 1e-4);
  }
  EXPECT_EQ(json["by_silhouette"], 2);
}

TEST_F(Closing, EntropyTreeOnBreastCancer) {
  const std::vector<std::string> base{
      "train", "decision-tree", "--data", data_file("breast_cancer.csv"), "--criterion", "entropy"};
  auto shallow = base;
  shallow.insert(shallow.end(), {"--max-depth", "3"});
  EXPECT_NEAR(result(shallow)["metrics"]["accuracy"].get<double>(), 0.96837, 5e-6);
  EXPECT_EQ(result(base)["metrics"]["accuracy"].get<double>(), 1.0);
}

TEST_F(Closing, LinearRegressionOnDiabetesByEitherSolver) {
  const std::vector<std::string> base{"train", "linear-regression", "--data",
                                      data_file("diabetes.csv"), "--solver"};
  for (const std::vector<std::string>& solver :
       {std::vector<std::string>{"qr"},
        {"gradient", "--optimizer", "adam", "--learning-rate", "0.1", "--epochs", "3000"}}) {
    auto arguments = base;
    arguments.insert(arguments.end(), solver.begin(), solver.end());
    EXPECT_NEAR(result(arguments)["metrics"]["r2"].get<double>(), 0.517748, 1e-6) << solver[0];
  }
}

// One thread: the networks are small, and the machine may be busy.
TEST_F(Closing, MlpOnDigits) {
  const auto json = result({"train", "mlp", "--data", data_file("digits.csv"), "--test-fraction",
                            "0.25", "--epochs", "60", "--precision", "float32", "--threads", "1"});
  EXPECT_GE(json["metrics"]["test"]["accuracy"].get<double>(), 0.97);
  EXPECT_TRUE(json["metrics"]["train"].contains("accuracy"));
  EXPECT_EQ(json["rows"].get<int>() + json["test_rows"].get<int>(), 1797);
}

// By the defaults, over 20 test quarters: one of 450 rows is off by 0.008 (one standard error), so
// that a single seed says little. docs/algorithms/linear-models.md has the spread.
TEST_F(Closing, LogisticRegressionOnDigits) {
  const auto json = result({"cross-validate", "logistic-regression", "--data",
                            data_file("digits.csv"), "--folds", "4", "--repeats", "5"});
  EXPECT_EQ(json["summary"]["accuracy"]["count"], 20);
  EXPECT_GE(json["summary"]["accuracy"]["mean"].get<double>(), 0.96);
  EXPECT_GE(json["summary"]["accuracy"]["low"].get<double>(), 0.95);
}

struct Case {
  const char* name;
  std::vector<std::string> arguments;
};

class SameBytes : public Program, public ::testing::WithParamInterface<Case> {};

TEST_P(SameBytes, ForOneThreadAndTwo) {
  std::vector<std::string> models;
  for (const char* threads : {"1", "2"}) {
    const std::string model = path(std::string("model-") + threads);
    auto arguments = GetParam().arguments;
    arguments[3] = data_file(arguments[3]);
    arguments.insert(arguments.end(), {"--threads", threads, "--model", model});
    const Outcome outcome = run(arguments);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    models.push_back(read_text(model));
  }
  EXPECT_FALSE(models[0].empty());
  EXPECT_TRUE(models[0] == models[1]);
}

TEST_P(SameBytes, ForOneSeedTwice) {
  std::vector<std::string> models;
  for (const char* name : {"a", "b"}) {
    auto arguments = GetParam().arguments;
    arguments[3] = data_file(arguments[3]);
    arguments.insert(arguments.end(), {"--seed", "7", "--model", path(name)});
    ASSERT_EQ(run(arguments).status, 0);
    models.push_back(read_text(path(name)));
  }
  EXPECT_TRUE(models[0] == models[1]);
}

// Evaluating a saved model on the same data prints the numbers that training printed.
TEST_P(SameBytes, EvaluateRepeatsWhatTrainingSaid) {
  auto arguments = GetParam().arguments;
  arguments[3] = data_file(arguments[3]);
  arguments.insert(arguments.end(), {"--model", path("m")});
  const auto trained = result(arguments);
  const auto evaluated = result({"evaluate", path("m"), "--data", arguments[3]});
  for (const auto& [name, value] : evaluated["metrics"].items()) {
    EXPECT_EQ(value, trained["metrics"][name]) << name;
  }
  EXPECT_FALSE(evaluated["metrics"].empty());
  EXPECT_EQ(evaluated["algorithm"], trained["algorithm"]);
}

INSTANTIATE_TEST_SUITE_P(
    Algorithms, SameBytes,
    ::testing::Values(
        Case{"Kmeans", {"train", "kmeans", "--data", "digits.csv", "--k", "10", "--starts", "2"}},
        Case{"Tree", {"train", "decision-tree", "--data", "breast_cancer.csv"}},
        Case{"TreeRegression", {"train", "decision-tree", "--data", "diabetes.csv"}},
        Case{"Linear", {"train", "linear-regression", "--data", "diabetes.csv"}},
        Case{"LinearGradient",
             {"train", "linear-regression", "--data", "diabetes.csv", "--solver", "gradient",
              "--batch-size", "64", "--epochs", "20"}},
        Case{"Logistic", {"train", "logistic-regression", "--data", "wine.csv"}},
        Case{"Mlp", {"train", "mlp", "--data", "wine.csv", "--epochs", "3", "--hidden", "8"}}),
    [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace tandem::test
