// Training on Tandem's own data sets with the CUDA half gives the parameters that the CPU finds,
// byte for byte.
#include <gmock/gmock.h>

#include <map>

#include "app/program.hpp"
#include "support/cuda.hpp"
#include "tandem/core/archive.hpp"

namespace tandem::test {
namespace {

class ClosingCuda : public Program {
 protected:
  // All of the model file but the name of the device that made it, entry by entry.
  [[nodiscard]] std::map<std::string, std::vector<std::uint8_t>> model_of(
      const std::vector<std::string>& arguments, const std::string& device) const {
    const std::string file = path(device + ".tandem");
    std::vector<std::string> words{"train"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    words.insert(words.end(), {"--device", device, "--model", file, "--quiet"});
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    std::map<std::string, std::vector<std::uint8_t>> entries;
    if (outcome.status != 0) return entries;
    const Archive archive = read_archive(file, "model");
    for (const auto& [name, value] : archive.entries()) {
      if (name.ends_with("/device") || name == "device") continue;
      Archive one;
      std::visit(
          [&, &key = name](const auto& content) {
            if constexpr (std::is_same_v<std::decay_t<decltype(content)>, Archive::Tensor>) {
              std::visit([&](const auto& data) { one.set_tensor(key, data, content.shape); },
                         content.data);
            } else {
              one.set(key, content);
            }
          },
          value);
      entries[name] = encode_archive(one, "model");
    }
    return entries;
  }

  void expect_same_model(std::vector<std::string> arguments) const {
    for (const char* precision : {"float64", "float32"}) {
      auto words = arguments;
      words.insert(words.end(), {"--precision", precision});
      const auto cpu = model_of(words, "cpu");
      const auto gpu = model_of(words, std::string(to_string(cuda_device())));
      EXPECT_FALSE(cpu.empty());
      EXPECT_EQ(cpu.size(), gpu.size());
      for (const auto& [name, bytes] : cpu) {
        const auto found = gpu.find(name);
        ASSERT_NE(found, gpu.end()) << name;
        EXPECT_EQ(bytes, found->second) << arguments[0] << ", " << precision << ", entry " << name;
      }
    }
  }
};

TEST_F(ClosingCuda, KMeansOnIris) {
  expect_same_model({"kmeans", "--data", data_file("iris.csv"), "--k", "3"});
  expect_same_model({"kmeans", "--data", data_file("iris.csv"), "--k", "8", "--init", "k-means||"});
}

TEST_F(ClosingCuda, KMeansOnDigits) {
  expect_same_model({"kmeans", "--data", data_file("digits.csv"), "--target", "last", "--k", "10"});
}

TEST_F(ClosingCuda, DecisionTreeOnBreastCancer) {
  expect_same_model(
      {"decision-tree", "--data", data_file("breast_cancer.csv"), "--criterion", "entropy"});
}

TEST_F(ClosingCuda, DecisionTreeOnDiabetes) {
  expect_same_model({"decision-tree", "--data", data_file("diabetes.csv"), "--max-depth", "6"});
}

TEST_F(ClosingCuda, LinearRegressionOnDiabetesByEitherSolver) {
  expect_same_model({"linear-regression", "--data", data_file("diabetes.csv"), "--solver", "qr"});
  expect_same_model({"linear-regression", "--data", data_file("diabetes.csv"), "--solver",
                     "gradient", "--optimizer", "adam", "--learning-rate", "0.1", "--epochs",
                     "50"});
}

TEST_F(ClosingCuda, LogisticRegressionOnBreastCancerAndWine) {
  expect_same_model({"logistic-regression", "--data", data_file("breast_cancer.csv")});
  expect_same_model({"logistic-regression", "--data", data_file("wine.csv")});
}

TEST_F(ClosingCuda, MlpOnDigits) {
  expect_same_model({"mlp", "--data", data_file("digits.csv"), "--hidden", "64", "--epochs", "3"});
}

TEST_F(ClosingCuda, TheDemosStoriesAreTheSameOnTheSoftwareGpu) {
  if (cuda_device() != Device::softgpu) GTEST_SKIP() << "the demo uses the software GPU";
  const auto json = result({"demo", "--report", path("demo")});
  int stories = 0;
  for (const auto& [name, story] : json.items()) {
    if (!story.is_object() || !story.contains("gpu")) continue;
    ++stories;
    EXPECT_EQ(story["gpu"]["differing_bits"], 0) << name;
    EXPECT_GT(story["gpu"]["launches"], 0) << name;
    EXPECT_EQ(story["gpu"]["software"], true) << name;
  }
  EXPECT_EQ(stories, 8);
  EXPECT_EQ(json["8 explanation"]["gpu"]["differing_bits_of_shapley_values"], 0);
  EXPECT_THAT(read_text(path("demo") + "/report.html"), ::testing::HasSubstr("The same on a GPU"));
}

}  // namespace
}  // namespace tandem::test
