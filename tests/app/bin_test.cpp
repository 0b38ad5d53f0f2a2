// tandem bin, and training from what it writes.
#include <gmock/gmock.h>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;

class Bins : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    if (IsSkipped()) return;
    // Texts, missing values, weights of which some are 0.
    std::string rows = "size,colour,zip,weight,kind\n";
    for (int i = 0; i < 400; ++i) {
      rows += i % 11 == 0 ? "" : std::to_string((i * 37) % 101);
      rows += ",c" + std::to_string((i * i) % 7) + ",z" + std::to_string((i * 13) % 300) + "," +
              std::to_string(i % 3) + "," + ((i * 37) % 101 > 40 + i % 20 ? "yes" : "no") + "\n";
    }
    write_text(path("rows.csv"), rows);
  }

  [[nodiscard]] std::vector<std::string> training(const std::string& data,
                                                  const std::string& model) const {
    return {"train", "gradient-boosting", "--data",   path(data), "--rounds",
            "12",    "--model",           path(model)};
  }
};

TEST_F(Bins, TrainTheModelOfTheRows) {
  auto raw = training("rows.csv", "raw.model");
  raw.insert(raw.end(), {"--target", "kind", "--weights", "weight", "--max-bins", "50",
                         "--leave-out-of-summary", "all"});
  const auto expected = result(raw);
  const auto made = result({"bin", "--data", path("rows.csv"), "--target", "kind", "--weights",
                            "weight", "--max-bins", "50", "--out", path("rows.bins")});
  EXPECT_EQ(made["rows"], 266);  // of weight above 0
  EXPECT_EQ(made["features"], 3);
  EXPECT_EQ(made["bits"], 16);  // 300 texts
  EXPECT_EQ(made["most_bins"], 300);
  EXPECT_EQ(made["bytes"], std::filesystem::file_size(path("rows.bins")));
  const auto found = result(training("rows.bins", "binned.model"));
  EXPECT_EQ(read_text(path("binned.model")), read_text(path("raw.model")));
  // Sums over rows begin anew where rows of weight 0 are left out, and round otherwise.
  for (const auto& [name, value] : expected["metrics"].items()) {
    EXPECT_NEAR(found["metrics"][name].get<double>(), value.get<double>(), 1e-12) << name;
  }
  EXPECT_EQ(found["columns"], expected["columns"]);
  EXPECT_EQ(found["options"], expected["options"]);
  EXPECT_EQ(run({"predict", path("binned.model"), "--data", path("rows.csv")}).status, 0);
}

TEST_F(Bins, AreJudgedByRawRows) {
  ASSERT_EQ(run({"bin", "--data", path("rows.csv"), "--target", "kind", "--ignore", "weight",
                 "--precision", "float32", "--out", path("rows.bins")})
                .status,
            0);
  auto words = training("rows.bins", "m");
  words.insert(words.end(),
               {"--test", path("rows.csv"), "--validation", path("rows.csv"), "--patience", "2"});
  const auto found = result(words);
  EXPECT_EQ(found["precision"], "float32");
  EXPECT_EQ(found["test_rows"], 400);
  EXPECT_EQ(found["metrics"]["test"], found["metrics"]["train"]);  // the same rows
}

TEST_F(Bins, AreRefusedWhereTheyDoNotFit) {
  ASSERT_EQ(run({"bin", "--data", path("rows.csv"), "--out", path("rows.bins")}).status, 0);
  struct Refusal {
    std::vector<std::string> words;
    std::string message;
  };
  const std::string bins = path("rows.bins");
  const std::vector<Refusal> refusals{
      {{"bin", "--data", path("rows.csv")}, "expected --out FILE"},
      {{"bin", "--data", path("rows.csv"), "--out", path("rows.csv")}, "rows.csv"},
      {{"bin", "--data", bins, "--out", path("b")}, "a model, checkpoint or binned table"},
      {{"bin", "--data", path("rows.csv"), "--max-bins", "1", "--out", path("b")}, "--max-bins"},
      {{"train", "random-forest", "--data", bins}, "needs the rows themselves"},
      {{"train", "gradient-boosting", "--data", bins, "--target", "kind"}, "--target"},
      {{"train", "gradient-boosting", "--data", bins, "--ignore", "zip"}, "--ignore"},
      {{"train", "gradient-boosting", "--data", bins, "--test-fraction", "0.2"}, "--test-fraction"},
      {{"train", "gradient-boosting", "--data", bins, "--max-bins", "20"},
       "made with --max-bins 255"},
      {{"train", "gradient-boosting", "--data", bins, "--precision", "float32"}, "--precision"},
      {{"train", "gradient-boosting", "--data", bins, "--scale", "standard"}, "leave it out"},
      {{"train", "gradient-boosting", "--data", bins, "--report", path("page")}, "--report"},
      {{"evaluate", bins, "--data", path("rows.csv")}, "is a binned table, expected a model"},
      {{"cross-validate", "gradient-boosting", "--data", bins},
       "a model, checkpoint or binned table"},
  };
  for (const Refusal& refusal : refusals) {
    const Outcome outcome = run(refusal.words);
    EXPECT_EQ(outcome.status, 2) << refusal.message << outcome.out;
    EXPECT_THAT(outcome.err, HasSubstr(refusal.message));
  }
  std::string damaged = read_text(bins);
  damaged[damaged.size() - 5] = static_cast<char>(damaged[damaged.size() - 5] ^ 4);
  write_text(path("damaged.bins"), damaged);
  const Outcome outcome = run({"train", "gradient-boosting", "--data", path("damaged.bins")});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("damaged.bins: is damaged"));
}

}  // namespace
}  // namespace tandem::test
