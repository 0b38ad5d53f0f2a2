// What a person reads at the terminal: which metrics are shown and beside what, what is said of
// choices that nobody made, and predictions as JSON.
#include <gmock/gmock.h>

#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Terminal : public Program {};

TEST_F(Terminal, PredictPrintsAnObjectWithThePredictions) {
  ASSERT_EQ(run({"train", "logistic-regression", "--data", data_file("iris.csv"), "--precision",
                 "float32", "--model", path("iris")})
                .status,
            0);
  const nlohmann::json json =
      result({"predict", path("iris"), "--data", data_file("iris.csv"), "--probabilities"});
  EXPECT_EQ(json.at("rows"), 150);
  EXPECT_EQ(json.at("target"), "species");
  EXPECT_EQ(json.at("classes"), nlohmann::json({"setosa", "versicolor", "virginica"}));
  ASSERT_EQ(json.at("predictions").size(), 150U);
  EXPECT_EQ(json.at("predictions")[0], "setosa");
  ASSERT_EQ(json.at("probabilities").size(), 150U);

  // The same numbers as in the table, written as short.
  const Outcome table =
      run({"predict", path("iris"), "--data", data_file("iris.csv"), "--probabilities"});
  const std::size_t line = table.out.find('\n') + 1;
  const std::string first = table.out.substr(line, table.out.find('\n', line) - line);
  std::string of_json = json.at("predictions")[0];
  for (const auto& share : json.at("probabilities")[0]) of_json += "," + share.dump();
  EXPECT_EQ(of_json, first);

  const nlohmann::json short_one =
      result({"predict", path("iris"), "--data", data_file("iris.csv")});
  EXPECT_FALSE(short_one.contains("probabilities"));
  const nlohmann::json to_file = result(
      {"predict", path("iris"), "--data", data_file("iris.csv"), "--out", path("predicted.csv")});
  EXPECT_FALSE(to_file.contains("predictions"));
  EXPECT_EQ(to_file.at("out"), path("predicted.csv"));
}

TEST_F(Terminal, PredictPrintsValuesAndClustersAsNumbers) {
  ASSERT_EQ(run({"train", "linear-regression", "--data", data_file("diabetes.csv"), "--model",
                 path("values")})
                .status,
            0);
  const nlohmann::json values =
      result({"predict", path("values"), "--data", data_file("diabetes.csv")});
  EXPECT_TRUE(values.at("predictions")[0].is_number_float());
  EXPECT_TRUE(values.at("classes").empty());
  ASSERT_EQ(run({"train", "kmeans", "--data", data_file("iris.csv"), "--k", "3", "--model",
                 path("clusters")})
                .status,
            0);
  const nlohmann::json clusters =
      result({"predict", path("clusters"), "--data", data_file("iris.csv")});
  EXPECT_TRUE(clusters.at("predictions")[0].is_number_integer());
  EXPECT_EQ(clusters.at("target"), "cluster");
}

TEST_F(Terminal, AccuracyIsOneLineAndStandsBesideTheMostFrequentClass) {
  // Three of four rows are of class b: the baseline answers b.
  write_text(path("rows.csv"), "x,class\n1,a\n2,b\n3,b\n4,b\n");
  const Outcome outcome = run({"train", "decision-tree", "--data", path("rows.csv")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(std::regex_search(outcome.out, std::regex("accuracy +1 +0\\.75\n"))) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("always b, the most frequent class (75 %)"));
  // Answers on the rows that it learned from are called that, and only those.
  EXPECT_TRUE(std::regex_search(outcome.out, std::regex(" train +baseline\n"))) << outcome.out;
  EXPECT_THAT(outcome.out, HasSubstr("train: the rows it was trained on; --test-fraction"));
  EXPECT_THAT(
      run({"train", "decision-tree", "--data", path("rows.csv"), "--test", path("rows.csv")}).out,
      Not(HasSubstr("--test-fraction")));
  for (const char* copy : {"f1_micro", "precision_micro", "recall_micro", "recall_weighted"}) {
    EXPECT_THAT(outcome.out, Not(HasSubstr(copy)));
  }
  EXPECT_THAT(run({"train", "decision-tree", "--data", path("rows.csv"), "--metric", "all"}).out,
              HasSubstr("f1_micro"));
  const nlohmann::json json = result({"train", "decision-tree", "--data", path("rows.csv")});
  EXPECT_EQ(json.at("baseline").at("metrics").at("accuracy"), 0.75);
  EXPECT_TRUE(json.at("metrics").contains("f1_micro"));
}

TEST_F(Terminal, AMeanStandsBesideARegression) {
  write_text(path("rows.csv"), "x,y\n1,1.5\n2,2.5\n3,3.5\n4,6.5\n");
  const nlohmann::json json = result({"train", "linear-regression", "--data", path("rows.csv")});
  // The mean is 3.5; the errors are 2, 1, 0 and −3.
  EXPECT_EQ(json.at("baseline").at("answer"), "always 3.5, the mean");
  EXPECT_EQ(json.at("baseline").at("metrics").at("mae"), 1.5);
  EXPECT_EQ(json.at("baseline").at("metrics").at("mse"), 3.5);
  EXPECT_EQ(json.at("baseline").at("metrics").at("r2"), 0.0);
}

TEST_F(Terminal, TheMetricsAskedForAreTheOnesShown) {
  const std::vector<std::string> command{
      "train", "decision-tree", "--data", data_file("wine.csv"), "--metric", "log_loss,f1_micro"};
  const Outcome outcome = run(command);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("f1_micro"));
  EXPECT_THAT(outcome.out, Not(HasSubstr("accuracy")));
  EXPECT_EQ(result(command).at("metrics").size(), 2U);
  const Outcome unknown =
      run({"train", "decision-tree", "--data", data_file("wine.csv"), "--metric", "rmse"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("log_loss"));
  // One that is work is done where it is asked for.
  EXPECT_TRUE(result({"train", "kmeans", "--k", "3", "--data", data_file("iris.csv"), "--metric",
                      "silhouette"})
                  .at("metrics")
                  .contains("silhouette"));
}

TEST_F(Terminal, EveryFoldHasItsBaseline) {
  const nlohmann::json folds = result(
      {"cross-validate", "decision-tree", "--data", data_file("iris.csv"), "--metric", "accuracy"});
  // Stratified folds of three equal classes.
  EXPECT_DOUBLE_EQ(folds.at("baseline").at("accuracy"), 1.0 / 3);
  EXPECT_EQ(folds.at("summary").size(), 1U);
  EXPECT_EQ(folds.at("folds_detail")[0].at("test").size(), 1U);
  const Outcome curve = run({"learning-curve", "decision-tree", "--data", data_file("iris.csv")});
  EXPECT_THAT(curve.out, HasSubstr("baseline"));
}

TEST_F(Terminal, SaysWhatNobodyChose) {
  const Outcome kmeans = run({"train", "kmeans", "--data", data_file("iris.csv")});
  EXPECT_THAT(kmeans.err, HasSubstr("the number of clusters was left out and is 8"));
  EXPECT_THAT(kmeans.err, HasSubstr("tandem select kmeans --data"));
  EXPECT_THAT(kmeans.out, HasSubstr("clusters  8"));
  EXPECT_EQ(run({"train", "kmeans", "--data", data_file("iris.csv"), "--k", "3"}).err, "");
  EXPECT_EQ(run({"train", "kmeans", "--data", data_file("iris.csv"), "--quiet"}).err, "");

  const Outcome digits = run({"train", "kmeans", "--data", data_file("digits.csv"), "--k", "10"});
  EXPECT_THAT(digits.err, HasSubstr("digit, holds 10 different whole numbers"));
  EXPECT_THAT(digits.err, HasSubstr("--target digit"));
  EXPECT_EQ(
      run({"train", "kmeans", "--data", data_file("digits.csv"), "--k", "10", "--target", "digit"})
          .err,
      "");

  const Outcome classes =
      run({"train", "logistic-regression", "--data", data_file("diabetes.csv")});
  EXPECT_THAT(classes.err, HasSubstr("214 distinct values, and each of them becomes a class"));
  const nlohmann::json warned =
      result({"train", "logistic-regression", "--data", data_file("diabetes.csv")});
  EXPECT_THAT(std::string(warned.at("warnings")[0]), HasSubstr("214 distinct values"));

  // The objective says that four grades of relevance are not classes.
  std::string rows;
  for (int i = 0; i < 40; ++i) {
    rows +=
        std::to_string(i % 4) + " qid:" + std::to_string(i / 10) + " 1:" + std::to_string(i) + "\n";
  }
  write_text(path("ranking.svm"), rows);
  EXPECT_EQ(run({"train", "gradient-boosting", "--data", path("ranking.svm"), "--objective",
                 "rank-ndcg", "--rounds", "2"})
                .err,
            "");
}

TEST_F(Terminal, ThresholdsAreAsShortAsTheyAreTheSameFloat) {
  ASSERT_EQ(run({"train", "decision-tree", "--data", data_file("iris.csv"), "--precision",
                 "float32", "--model", path("tree")})
                .status,
            0);
  const nlohmann::json model = result({"inspect", path("tree")});
  int thresholds = 0;
  for (const auto& node : model.at("model").at("nodes")) {
    if (!node.contains("threshold")) continue;
    ++thresholds;
    // Midpoints of numbers with one decimal have two.
    EXPECT_LE(node.at("threshold").dump().size(), 9U) << node.at("threshold");
  }
  EXPECT_GT(thresholds, 2);
}

TEST_F(Terminal, WhatCountsIsCalledByItsName) {
  const std::string data = data_file("diabetes.csv");
  EXPECT_THAT(run({"train", "mlp", "--data", data, "--epochs", "3"}).out, HasSubstr("(3 epochs)"));
  EXPECT_THAT(run({"train", "gradient-boosting", "--data", data, "--rounds", "4"}).out,
              HasSubstr("(4 rounds)"));
  // A closed form counts nothing.
  const Outcome closed = run({"train", "linear-regression", "--data", data});
  EXPECT_THAT(closed.out, HasSubstr("closed form"));
  EXPECT_THAT(closed.out, Not(HasSubstr("iteration")));
}

TEST_F(Terminal, TheExampleOfASearchCanBeGiven) {
  for (const std::string algorithm : {"decision-tree", "gradient-boosting", "kmeans",
                                      "linear-regression", "logistic-regression"}) {
    const std::string data =
        data_file(algorithm == "linear-regression" ? "diabetes.csv" : "iris.csv");
    const Outcome outcome = run({"tune", algorithm, "--data", data});
    EXPECT_EQ(outcome.status, 2);
    std::smatch found;
    ASSERT_TRUE(std::regex_search(outcome.err, found, std::regex("--grid '([^']+)'")))
        << outcome.err;
    const Outcome tuned =
        run({"tune", algorithm, "--data", data, "--grid", found[1], "--folds", "2"});
    EXPECT_EQ(tuned.status, 0) << tuned.err;
  }
}

TEST_F(Terminal, HintsAreCommandsThatRun) {
  for (const std::vector<std::string>& wrong :
       {std::vector<std::string>{"train", "mlp", "--xyzzy", "1"},
        {"predict", "--data", data_file("iris.csv")},
        {"evaluate", "a", "b", "c"},
        {"select", "kmeans", "--data"},
        {"devices", "--xyzzy"}}) {
    const Outcome outcome = run(wrong);
    EXPECT_EQ(outcome.status, 2);
    std::smatch found;
    ASSERT_TRUE(std::regex_search(outcome.err, found, std::regex("tandem (help( [a-z-]+)+) lists")))
        << outcome.err;
    std::vector<std::string> words;
    std::istringstream text(found[1].str());
    for (std::string word; text >> word;) words.push_back(word);
    const Outcome help = run(words);
    EXPECT_EQ(help.status, 0) << help.err;
    EXPECT_THAT(help.out, HasSubstr("Usage: tandem " + wrong[0]));
  }
}

}  // namespace
}  // namespace tandem::test
