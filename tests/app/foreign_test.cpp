// tandem import and tandem export
#include <gmock/gmock.h>

#include <cmath>
#include <sstream>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

class ForeignModels : public Program {
 protected:
  static std::string foreign(const std::string& name) {
    return data_file("../tests/tree/foreign/" + name);
  }
};

TEST_F(ForeignModels, AreImportedAndPredict) {
  const Outcome imported =
      run({"import", foreign("lgb_squared.txt"), "--model", path("m"), "--json"});
  ASSERT_EQ(imported.status, 0) << imported.err;
  EXPECT_EQ(imported.json()["trees"], 4);
  EXPECT_EQ(imported.json()["precision"], "float64");
  // The table has the features x0 to x3 and the scores that LightGBM gave.
  const std::string table = foreign("lgb_squared.csv");
  ASSERT_EQ(run({"predict", path("m"), "--data", table, "--out", path("p.csv")}).status, 0);
  std::istringstream expected(read_text(table));
  std::istringstream found(read_text(path("p.csv")));
  std::string line;
  std::string value;
  std::getline(expected, line);
  std::getline(found, value);
  int rows = 0;
  while (std::getline(expected, line) && std::getline(found, value)) {
    EXPECT_EQ(std::stod(value), std::stod(line.substr(line.rfind(',') + 1)));
    ++rows;
  }
  EXPECT_EQ(rows, 30);
}

TEST_F(ForeignModels, AreExported) {
  ASSERT_EQ(run({"train", "gradient-boosting", "--data", data_file("iris.csv"), "--rounds", "5",
                 "--model", path("m")})
                .status,
            0);
  for (const char* name : {"e.json", "e.ubj", "e.txt"}) {
    const Outcome outcome = run({"export", path("m"), "--out", path(name)});
    ASSERT_EQ(outcome.status, 0) << outcome.err;
    const Outcome back = run({"import", path(name), "--model", path("back"), "--json"});
    ASSERT_EQ(back.status, 0) << back.err;
    EXPECT_EQ(back.json()["trees"], 15);
    EXPECT_EQ(back.json()["objective"], "softmax");
    // Nobody here has trained it.
    const std::string text = run({"inspect", path("back")}).out;
    EXPECT_THAT(text, HasSubstr("gradient-boosting, imported by Tandem"));
    EXPECT_THAT(text, HasSubstr("from      " + path(name)));
    EXPECT_THAT(text, ::testing::Not(HasSubstr("0 rows")));
  }
}

TEST_F(ForeignModels, AreRefusedByWhatTheyAre) {
  const Outcome table = run({"import", data_file("iris.csv"), "--model", path("m")});
  EXPECT_EQ(table.status, 2);
  EXPECT_THAT(table.err, HasSubstr("is neither a model of XGBoost"));
  const Outcome no_model = run({"import", foreign("lgb_squared.txt")});
  EXPECT_EQ(no_model.status, 2);
  EXPECT_THAT(no_model.err, HasSubstr("expected --model FILE"));
  ASSERT_EQ(
      run({"train", "decision-tree", "--data", data_file("iris.csv"), "--model", path("m")}).status,
      0);
  const Outcome tree = run({"export", path("m"), "--out", path("e.json")});
  EXPECT_EQ(tree.status, 2);
  EXPECT_THAT(tree.err, HasSubstr("decision-tree cannot be written for XGBoost or LightGBM"));
  const Outcome no_format = run({"export", path("m"), "--out", path("e")});
  EXPECT_EQ(no_format.status, 2);
  EXPECT_THAT(no_format.err, HasSubstr("says no format"));
  for (const auto& targets : std::vector<std::vector<std::string>>{
           {}, {"--out", path("e.json"), "--onnx", path("e.onnx")}}) {
    std::vector<std::string> arguments{"export", path("m")};
    arguments.insert(arguments.end(), targets.begin(), targets.end());
    const Outcome which = run(arguments);
    EXPECT_EQ(which.status, 2);
    EXPECT_THAT(which.err, HasSubstr("expected either --out FILE"));
  }
  EXPECT_EQ(run({"export", path("m"), "--onnx", path("e.onnx")}).status, 0);
  const Outcome kept = run({"export", data_file("iris.csv"), "--onnx", path("e.onnx")});
  EXPECT_EQ(kept.status, 2);
}

}  // namespace
}  // namespace tandem::test
