// tandem inspect: what the coefficients of linear models are per, and what training has counted.
#include <gmock/gmock.h>

#include <cmath>
#include <string>
#include <vector>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class InspectProgram : public Program {
 protected:
  // age 0, 2, 0, 2, ...: mean 1, deviation 1; size 0, 10, 20, 0, ...; price = 3 age + 5 where red.
  void SetUp() override {
    Program::SetUp();
    if (IsSkipped()) return;
    std::string text = "age,size,colour,price\n";
    for (int i = 0; i < 60; ++i) {
      const int age = 2 * (i % 2);
      text += std::to_string(age) + "," + std::to_string(i % 3 * 10) + "," +
              (i % 5 == 0 ? "red" : "blue") + "," + std::to_string(3 * age + (i % 5 == 0 ? 5 : 0)) +
              "\n";
    }
    write_text(path("rows.csv"), text);
  }
  void train(std::vector<std::string> words) const {
    words.insert(words.begin(), "train");
    words.insert(words.end(), {"--model", path("m"), "--force", "--quiet"});
    const Outcome outcome = run(words);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
};

TEST_F(InspectProgram, CoefficientsArePerUnitOfColumnsAsTheyAre) {
  train({"linear-regression", "--data", path("rows.csv"), "--solver", "qr"});
  const std::string text = run({"inspect", path("m")}).out;
  EXPECT_THAT(text, HasSubstr("per unit of the column"));
  EXPECT_THAT(text, Not(HasSubstr(", per ")));
  EXPECT_THAT(text, HasSubstr("colour=blue"));
  const auto json = result({"inspect", path("m")});
  const auto& steps = json["coefficient_steps"];
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_EQ(steps[0], (nlohmann::json{
                          {"feature", "age"}, {"column", "age"}, {"per", "unit"}, {"size", 1.0}}));
  EXPECT_EQ(steps[3], (nlohmann::json{{"feature", "colour=red"},
                                      {"column", "colour"},
                                      {"per", "category"},
                                      {"category", "red"},
                                      {"size", 1.0}}));
  const auto& weights = json["model"]["coefficients"];
  EXPECT_NEAR(weights["age"].get<double>(), 3, 1e-9);
  EXPECT_NEAR(weights["colour=red"].get<double>() - weights["colour=blue"].get<double>(), 5, 1e-9);
}

TEST_F(InspectProgram, CoefficientsOfScaledColumnsArePerDeviationOrRange) {
  train({"linear-regression", "--data", path("rows.csv"), "--solver", "qr", "--scale", "standard",
         "--scale-target", "standard"});
  const std::string text = run({"inspect", path("m")}).out;
  EXPECT_THAT(text, HasSubstr("age, per 1 "));
  EXPECT_THAT(text, HasSubstr("size, per 8.165"));
  EXPECT_THAT(text, HasSubstr("standard deviation of the column"));
  EXPECT_THAT(text, HasSubstr("times 3.606 they are in its units"));
  const auto json = result({"inspect", path("m")});
  EXPECT_EQ(json["coefficient_steps"][1]["per"], "standard deviation");
  EXPECT_NEAR(json["coefficient_steps"][1]["size"].get<double>(), std::sqrt(200.0 / 3), 1e-12);
  // In units of the columns they are what they were.
  const double target = json["transforms"].back()["divisor"];
  EXPECT_NEAR(json["model"]["coefficients"]["age"].get<double>() * target, 3, 1e-9);

  train({"linear-regression", "--data", path("rows.csv"), "--solver", "qr", "--scale", "minmax"});
  const auto ranges = result({"inspect", path("m")});
  EXPECT_EQ(ranges["coefficient_steps"][1]["per"], "range");
  EXPECT_EQ(ranges["coefficient_steps"][1]["size"], 20);
}

TEST_F(InspectProgram, CountsWhatTrainingHasCounted) {
  const auto stopped = [&](const std::vector<std::string>& words) {
    train(words);
    return run({"inspect", path("m")}).out;
  };
  const std::string iris = data_file("iris.csv");
  EXPECT_THAT(stopped({"mlp", "--data", iris, "--epochs", "3"}), HasSubstr("(3 epochs)"));
  EXPECT_THAT(stopped({"gradient-boosting", "--data", iris, "--rounds", "4"}),
              HasSubstr("(4 rounds)"));
  EXPECT_THAT(stopped({"random-forest", "--data", iris, "--trees", "5"}), HasSubstr("(5 trees)"));
  EXPECT_THAT(stopped({"decision-tree", "--data", iris, "--max-depth", "2"}),
              HasSubstr("(2 levels)"));
  EXPECT_THAT(stopped({"logistic-regression", "--data", iris}), HasSubstr(" iterations)"));
  EXPECT_THAT(stopped({"linear-regression", "--data", data_file("diabetes.csv")}),
              Not(HasSubstr("iteration")));
}

TEST_F(InspectProgram, TrainShowsTheOutOfBagScoreThatItWasAskedFor) {
  const std::vector<std::string> words{
      "train", "random-forest", "--data", data_file("wine.csv"), "--trees", "30", "--oob-score"};
  const Outcome text = run(words);
  EXPECT_THAT(text.out, HasSubstr("out of bag"));
  const auto json = result(words);
  EXPECT_GT(json["oob_score"].get<double>(), 0.9);
  EXPECT_LT(json["oob_score"].get<double>(), 1);
}

}  // namespace
}  // namespace tandem::test
