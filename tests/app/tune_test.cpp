// tandem tune: what it prints is a command that trains the same model.
#include <gmock/gmock.h>

#include <array>
#include <string>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class TuneProgram : public Program {};

TEST_F(TuneProgram, TheCommandThatItPrintsTrainsTheModelThatItKeeps) {
  const std::string data = path("wine and more.csv");
  write_text(data, read_text(data_file("wine.csv")));
  const Outcome outcome =
      run({"tune", "decision-tree", "--data", data, "--target", "class", "--ignore=ash", "--grid",
           "predictor.max_depth=1|3,impute.method=mean|median", "--folds", "3", "--seed", "5",
           "--no-stratified", "--json", "--model", path("best")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  std::string command = outcome.json().at("train_command");
  EXPECT_THAT(command, HasSubstr("--target class --ignore=ash --seed 5 --max-depth 3"));
  for (const char* of_search : {"--grid", "--folds", "--model", "--json", "stratified"}) {
    EXPECT_THAT(command, Not(HasSubstr(of_search)));
  }
  ASSERT_TRUE(command.starts_with("tandem "));
  command = "'" + std::string(TANDEM_PROGRAM) + "'" + command.substr(6) + " --model '" +
            path("again") + "' 2>&1";
  FILE* shell = ::popen(command.c_str(), "r");
  ASSERT_NE(shell, nullptr);
  std::string said;
  std::array<char, 200> line{};
  while (std::fgets(line.data(), line.size(), shell) != nullptr) said += line.data();
  EXPECT_EQ(::pclose(shell), 0) << command << "\n" << said;
  const Outcome best = run({"inspect", path("best"), "--json"});
  const Outcome again = run({"inspect", path("again"), "--json"});
  EXPECT_EQ(best.json().at("model"), again.json().at("model"));
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
