// tandem explain
#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

class ExplainProgram : public Program {};

TEST_F(ExplainProgram, ExplainsTreesAsTextAndJson) {
  ASSERT_EQ(run({"train", "gradient-boosting", "--data", data_file("diabetes.csv"), "--rounds",
                 "15", "--model", path("m")})
                .status,
            0);
  const Outcome text = run({"explain", path("m"), "--data", data_file("diabetes.csv")});
  EXPECT_EQ(text.status, 0) << text.err;
  for (const char* part : {"mean |SHAP|", "permutation", "splits", "bmi"}) {
    EXPECT_THAT(text.out, HasSubstr(part));
  }
  const Outcome outcome =
      run({"explain", path("m"), "--data", data_file("diabetes.csv"), "--json", "--sample", "50",
           "--interactions", "--out", path("values.csv"), "--dependence", "bmi"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = outcome.json();
  EXPECT_EQ(json["sample"], 50);
  EXPECT_EQ(json["features"].size(), 10U);
  EXPECT_EQ(json["permutation"]["metric"], "r2");
  EXPECT_EQ(json["permutation"]["columns"].size(), 10U);
  EXPECT_EQ(json["permutation"]["columns"][0]["drops"].size(), 5U);
  EXPECT_EQ(json["partial_dependence"][0]["name"], "bmi");
  EXPECT_GT(json["interactions"].size(), 5U);

  // The table's rows add up to the predictions.
  ASSERT_EQ(run({"predict", path("m"), "--data", data_file("diabetes.csv"), "--out", path("p.csv")})
                .status,
            0);
  std::istringstream values(read_text(path("values.csv")));
  std::istringstream predictions(read_text(path("p.csv")));
  std::string line;
  std::string predicted;
  std::getline(values, line);
  EXPECT_THAT(line, HasSubstr("expected,shap_"));
  std::getline(predictions, predicted);
  int rows = 0;
  while (std::getline(values, line) && std::getline(predictions, predicted)) {
    std::istringstream fields(line);
    double sum = 0;
    for (std::string field; std::getline(fields, field, ',');) sum += std::stod(field);
    EXPECT_NEAR(sum, std::stod(predicted), 1e-9 * std::abs(sum));
    ++rows;
  }
  EXPECT_EQ(rows, 442);
}

TEST_F(ExplainProgram, ExplainsOtherModelsByPermutation) {
  ASSERT_EQ(
      run({"train", "logistic-regression", "--data", data_file("iris.csv"), "--model", path("m")})
          .status,
      0);
  const auto json = run({"explain", path("m"), "--data", data_file("iris.csv"), "--json"}).json();
  EXPECT_FALSE(json.contains("features"));
  EXPECT_EQ(json["permutation"]["metric"], "accuracy");
  EXPECT_EQ(json["partial_dependence"][0]["mean"][0].size(), 3U);
  const Outcome refused =
      run({"explain", path("m"), "--data", data_file("iris.csv"), "--interactions"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("--interactions is for models made of trees"));
}

TEST_F(ExplainProgram, RefusesClassesAndColumnsThatThereAreNot) {
  ASSERT_EQ(
      run({"train", "decision-tree", "--data", data_file("iris.csv"), "--model", path("m")}).status,
      0);
  const Outcome no_class =
      run({"explain", path("m"), "--data", data_file("iris.csv"), "--class", "rose"});
  EXPECT_EQ(no_class.status, 2);
  EXPECT_THAT(no_class.err, HasSubstr("there is no class 'rose'"));
  const Outcome no_column =
      run({"explain", path("m"), "--data", data_file("iris.csv"), "--dependence", "height"});
  EXPECT_EQ(no_column.status, 2);
  EXPECT_THAT(no_column.err, HasSubstr("there is no column 'height'"));
}

TEST_F(ExplainProgram, DrawsAPage) {
  ASSERT_EQ(
      run({"train", "decision-tree", "--data", data_file("iris.csv"), "--model", path("m")}).status,
      0);
  const Outcome outcome =
      run({"explain", path("m"), "--data", data_file("iris.csv"), "--report", path("page")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string page = read_text(path("page/report.html"));
  for (const char* part : {"Which features matter", "Row by row", "Partial dependence", "<svg"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
}

}  // namespace
}  // namespace tandem::test
