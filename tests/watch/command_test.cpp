// tandem drift, and the summary that tandem train leaves in a model file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class DriftCommand : public Program {
 protected:
  void train(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"train",   "logistic-regression", "--data", path("before.csv"),
                                   "--model", path("model")};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome outcome = run(words);
    ASSERT_EQ(outcome.status, 0) << outcome.err;
  }
  // Rows of a number, a text and a class; the number is moved by `shift`, and every `strange`-th
  // city is one that only later rows have.
  void write_rows(const std::string& name, int from, int rows, double shift, int strange) const {
    std::string text = "age,city,class\n";
    for (int i = from; i < from + rows; ++i) {
      const double age = i * 7919 % 1009 / 10.0 + shift;
      const char* const cities[] = {"Oslo", "Bergen", "Tromso"};
      const std::string city =
          strange > 0 && i % strange == 0 ? "Narvik" : cities[i * 31 % 101 % 3];
      text += std::to_string(age) + "," + city + "," +
              ((i * 4421 % 997 > 500) != (age > 50) ? "yes" : "no") + "\n";
    }
    write_text(path(name), text);
  }
  [[nodiscard]] std::vector<std::string> drift(const std::string& name) const {
    return {"drift", "--model", path("model"), "--data", path(name)};
  }
};

TEST_F(DriftCommand, FindsWhatChangedAndNothingElse) {
  write_rows("before.csv", 0, 3000, 0, 0);
  write_rows("same.csv", 4000, 800, 0, 0);
  write_rows("later.csv", 5000, 800, 15, 20);
  train({"--test-fraction", "0.3"});
  const json same = result(drift("same.csv"));
  EXPECT_FALSE(same["alarm"]) << same;
  EXPECT_EQ(same["rows"], 800);
  EXPECT_TRUE(same["scores_held_out"]);
  ASSERT_EQ(same["columns"].size(), 4U);
  EXPECT_EQ(same["columns"][2]["name"], "probability of yes");
  EXPECT_EQ(same["columns"][3]["name"], "answer");
  const json later = result(drift("later.csv"));
  EXPECT_TRUE(later["alarm"]);
  EXPECT_TRUE(later["columns"][0]["alarm"]);
  EXPECT_THAT(later["columns"][1]["reason"].get<std::string>(), HasSubstr("unseen categories 5 %"));
  EXPECT_EQ(later["columns"][1]["missing_now"], 0);
  EXPECT_EQ(run(drift("later.csv")).status, 0);
  auto failing = drift("later.csv");
  failing.emplace_back("--fail");
  EXPECT_EQ(run(failing).status, 1);
}

TEST_F(DriftCommand, JudgesNoScoresByRowsThatTheModelWasTrainedOn) {
  write_rows("before.csv", 0, 1000, 0, 0);
  train();
  const json found = result(drift("before.csv"));
  EXPECT_FALSE(found["scores_held_out"]);
  EXPECT_FALSE(found["columns"][2]["judged"]);
  EXPECT_THAT(run(drift("before.csv")).out, HasSubstr("trained on"));
}

TEST_F(DriftCommand, LeavesOutWhatIsNotToBeKept) {
  write_rows("before.csv", 0, 500, 0, 0);
  train({"--leave-out-of-summary", "age"});
  EXPECT_EQ(result(drift("before.csv"))["columns"][0]["name"], "city");
  train({"--leave-out-of-summary", "all"});
  const Outcome none = run(drift("before.csv"));
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("has no summary"));
  const Outcome unknown = run({"train", "logistic-regression", "--data", path("before.csv"),
                               "--model", path("other"), "--leave-out-of-summary", "weight"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("'weight'"));
}

TEST_F(DriftCommand, RefusesWhatIsNoModel) {
  write_rows("before.csv", 0, 500, 0, 0);
  const Outcome missing = run({"drift", "--data", path("before.csv")});
  EXPECT_EQ(missing.status, 2);
  EXPECT_THAT(missing.err, HasSubstr("--model"));
  EXPECT_EQ(run({"drift", "--model", path("before.csv"), "--data", path("before.csv")}).status, 2);
  train();
  write_text(path("other.csv"), "height,class\n1,yes\n2,no\n");
  EXPECT_EQ(run(drift("other.csv")).status, 2);
}

}  // namespace
}  // namespace tandem::test
