// tandem tune and tandem prune: what they print is a command that trains the same model.
#include <gmock/gmock.h>

#include <string>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TuneProgram : public Program {
 protected:
  // Runs the command that a search has printed, and compares its model with the one kept as "best".
  void expect_the_best(const std::string& command) const {
    ASSERT_TRUE(command.starts_with("tandem "));
    (void)output_of("'" + program_ + "'" + command.substr(6) + " --model '" + path("again") + "'");
    const Outcome best = run({"inspect", path("best"), "--json"});
    const Outcome again = run({"inspect", path("again"), "--json"});
    EXPECT_EQ(best.json().at("model"), again.json().at("model"));
  }
};

TEST_F(TuneProgram, TheCommandThatItPrintsTrainsTheModelThatItKeeps) {
  const std::string data = path("wine and more.csv");
  write_text(data, read_text(data_file("wine.csv")));
  const Outcome outcome =
      run({"tune", "decision-tree", "--data", data, "--target", "class", "--ignore=ash", "--grid",
           "predictor.max_depth=1|3,impute.method=mean|median", "--folds", "3", "--seed", "5",
           "--no-stratified", "--json", "--model", path("best")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const std::string command = outcome.json().at("train_command");
  EXPECT_THAT(command, HasSubstr("--target class --ignore=ash --seed 5 --max-depth 3"));
  for (const char* of_search : {"--grid", "--folds", "--model", "--json", "stratified"}) {
    EXPECT_THAT(command, Not(HasSubstr(of_search)));
  }
  expect_the_best(command);
}

TEST_F(TuneProgram, TheCommandThatPruningPrintsTrainsTheTreeThatItKeeps) {
  const std::string data = data_file("breast_cancer.csv");
  for (const std::string rule : {"one-error", "best"}) {
    const nlohmann::json json = result({"prune",
                                        "decision-tree",
                                        "--data",
                                        data,
                                        "--ignore=mean_area",
                                        "--criterion",
                                        "gini",
                                        "--rule",
                                        rule,
                                        "--metric",
                                        "log_loss",
                                        "--most",
                                        "12",
                                        "--folds",
                                        "3",
                                        "--repeats",
                                        "2",
                                        "--stratified",
                                        "--confidence",
                                        "0.9",
                                        "--seed",
                                        "5",
                                        "--model",
                                        path("best"),
                                        "--force"});
    const std::string command = json.at("train_command");
    EXPECT_THAT(command, HasSubstr("--ignore=mean_area --criterion gini --seed 5 --ccp-alpha "));
    EXPECT_EQ(json.at("target"), "diagnosis");
    expect_the_best(command);
  }
}

TEST_F(TuneProgram, SaysWhatIsMissingOrUnknown) {
  const std::string data = data_file("wine.csv");
  Outcome outcome = run({"tune", "decision-tree", "--data", data});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--grid"));
  outcome = run({"tune", "decision-tree", "--data", data, "--grid", "max-death=1..3"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("max-death"));
  outcome = run(
      {"tune", "decision-tree", "--data", data, "--grid", "max-depth=1..3", "--metric", "rmse"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("no metric of classification"));
  outcome =
      run({"tune", "decision-tree", "--data", data, "--grid", "max-depth=1..3", "--model", data});
  EXPECT_EQ(outcome.status, 2);
}

}  // namespace
}  // namespace tandem::test
