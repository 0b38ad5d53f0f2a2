// Principal components as a step that every algorithm of the program has.
//
// Compiled by itself, so that the files after it keep their places among six.
#include <gmock/gmock.h>

#include <cstdlib>
#include <string>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PcaProgram : public Program {};

TEST_F(PcaProgram, IrisHasTheComponentsThatItIsKnownFor) {
  const auto json = result({"train", "logistic-regression", "--data", data_file("iris.csv"),
                            "--scale", "standard", "--pca", "2", "--model", path("m"), "--quiet"});
  EXPECT_EQ(json["columns"], 4);
  EXPECT_EQ(json["features"], 2);
  // Of the correlations of the four columns, by numpy.linalg.eigh.
  const auto& pca = json["transforms"].back();
  EXPECT_EQ(pca["transform"], "pca");
  EXPECT_EQ(pca["features"].size(), 4U);
  const auto& first = pca["components"][0];
  EXPECT_EQ(first["name"], "pc1");
  EXPECT_NEAR(first["explained_variance_ratio"].get<double>(), 0.72962445, 1e-8);
  EXPECT_NEAR(pca["components"][1]["cumulative_ratio"].get<double>(), 0.95813207, 1e-8);
  EXPECT_NEAR(first["weights"][0].get<double>(), 0.52106591, 1e-8);
  EXPECT_NEAR(first["weights"][1].get<double>(), -0.26934744, 1e-8);
  // 4 columns of variance 1, less what the two explain.
  EXPECT_NEAR(pca["reconstruction_error"].get<double>(), 4 * (1 - 0.95813207), 1e-7);
  EXPECT_EQ(result({"inspect", path("m")})["transforms"], json["transforms"]);
  const std::string text = run({"inspect", path("m")}).out;
  EXPECT_THAT(text, HasSubstr("2 components, 95.81 % of the variance"));
  EXPECT_THAT(text, HasSubstr("share of variance"));
  EXPECT_THAT(text, HasSubstr("petal_length"));

  const auto predictions = result({"predict", path("m"), "--data", data_file("iris.csv")});
  EXPECT_EQ(predictions["predictions"].size(), 150U);
}

TEST_F(PcaProgram, RefusesMoreThanThereAre) {
  const Outcome outcome = run({"train", "kmeans", "--data", data_file("iris.csv"), "--pca", "5"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--pca asks for 5 principal components"));
  EXPECT_THAT(outcome.err, HasSubstr("at most 4"));
}

TEST_F(PcaProgram, AReportHasTheVarianceAndABiplot) {
  if (std::system("gnuplot --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot";
  const std::vector<std::string> train{
      "train", "logistic-regression", "--data", data_file("iris.csv"), "--report", path("page")};
  ASSERT_EQ(run(train).status, 0);
  EXPECT_THAT(read_text(path("page/report.html")), Not(HasSubstr("Principal components")));
  auto with_step = train;
  with_step.insert(with_step.end(), {"--pca", "2", "--force"});
  ASSERT_EQ(run(with_step).status, 0);
  const std::string page = read_text(path("page/report.html"));
  EXPECT_THAT(page, HasSubstr("Principal components"));
  EXPECT_THAT(page, HasSubstr("share of the variance"));
  EXPECT_THAT(page, HasSubstr("pc2, "));
  // Lines for the columns, in the units of the components.
  EXPECT_THAT(page, HasSubstr("weights of the columns"));
  // Along one component there is no plane.
  with_step[with_step.size() - 2] = "1";
  ASSERT_EQ(run(with_step).status, 0);
  EXPECT_THAT(read_text(path("page/report.html")), Not(HasSubstr("weights of the columns")));
}

}  // namespace
}  // namespace tandem::test
