// tandem experiment.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class ExperimentCommand : public Program {
 protected:
  // 2,000 users, each with what he spent before and after; the new arm spends 0.5 more.
  void write_files() const {
    std::string exposures = "unit,arm,time\n";
    std::string outcomes = "unit,metric,value,time\n";
    for (int i = 0; i < 2000; ++i) {
      const std::string unit = std::to_string(i);
      const bool arm = i * 7919 % 10007 % 2 == 1;
      exposures += unit + (arm ? ",new" : ",control") + ",2026-11-01T08:00:00Z\n";
      const double habit = i * 6997 % 1009 / 100.0;
      outcomes += unit + ",spent," + std::to_string(habit) + ",2026-10-01\n";
      outcomes += unit + ",spent," +
                  std::to_string(habit + i * 5323 % 503 / 251.0 + (arm ? 0.5 : 0)) +
                  ",2026-11-02\n";
      if (i % 10 == 0) outcomes += unit + ",bought,1,2026-11-02\n";
    }
    outcomes += "stranger,spent,1000,2026-11-02\n";
    write_text(path("exposures.csv"), exposures);
    write_text(path("outcomes.csv"), outcomes);
  }
  [[nodiscard]] std::vector<std::string> analyse(std::vector<std::string> more = {}) const {
    std::vector<std::string> words{"experiment",          "analyse",    "--exposures",
                                   path("exposures.csv"), "--outcomes", path("outcomes.csv")};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  [[nodiscard]] std::string refusal(const std::vector<std::string>& words) const {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.status, 2) << outcome.out << outcome.err;
    return outcome.err;
  }
};

TEST_F(ExperimentCommand, JoinsTwoFilesAndAdjusts) {
  write_files();
  const json found = result(analyse());
  EXPECT_EQ(found["control"], "control");
  EXPECT_EQ(found["units"]["control"].get<double>() + found["units"]["new"].get<double>(), 2000);
  EXPECT_EQ(found["outcomes_of_nobody"], 1);
  EXPECT_FALSE(found["sample_ratio"]["alarm"]);
  ASSERT_EQ(found["metrics"].size(), 2U);
  EXPECT_EQ(found["metrics"][0]["name"], "bought");
  EXPECT_FALSE(found["metrics"][0]["cuped"]);
  EXPECT_NEAR(found["metrics"][0]["arms"][0]["mean"], 0.1, 0.01);
  const json& spent = found["metrics"][1];
  EXPECT_TRUE(spent["cuped"]);
  EXPECT_LT(spent["variance_left"], 0.1);
  const json& arm = spent["arms"][1];
  EXPECT_EQ(arm["finding"], "better");
  EXPECT_NEAR(arm["adjusted"]["difference"], 0.5, 0.06);
  EXPECT_LT(arm["adjusted"]["standard_error"].get<double>(),
            arm["unadjusted"]["standard_error"].get<double>() / 3);
  const Outcome text = run(analyse({"--metrics", "spent:sum:decrease"}));
  EXPECT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("less is better; CUPED leaves"));
  EXPECT_THAT(text.out, HasSubstr("worse"));
}

TEST_F(ExperimentCommand, LeavesOutUnitsOfSeveralArmsAndFindsMismatches) {
  write_files();
  std::string exposures = read_text(path("exposures.csv"));
  exposures += "3,control,2026-11-01\n3,new,2026-11-01\n";
  for (int i = 0; i < 400; ++i) exposures += "x" + std::to_string(i) + ",new,2026-11-01\n";
  write_text(path("exposures.csv"), exposures);
  const json found = result(analyse());
  EXPECT_EQ(found["in_several_arms"], 1);
  EXPECT_TRUE(found["sample_ratio"]["alarm"]);
  EXPECT_THAT(run(analyse()).out, HasSubstr("Sample ratio mismatch"));
  EXPECT_FALSE(result(analyse({"--weights", "control=0.415,new=0.585"}))["sample_ratio"]["alarm"]);
}

TEST_F(ExperimentCommand, CountsWithinAWindow) {
  write_text(path("exposures.csv"),
             "unit,arm,time\na,control,2026-11-01\nb,new,2026-11-01\nc,new,2026-11-05\n");
  write_text(path("outcomes.csv"),
             "unit,value,time\na,1,2026-11-01T10:00:00Z\nb,2,2026-11-01T23:59:59Z\n"
             "b,4,2026-11-02\nc,9,2026-11-05T01:00:00Z\n");
  const json found =
      result(analyse({"--window-hours", "24", "--metrics", "value:sum"}))["metrics"][0]["arms"];
  EXPECT_EQ(found[0]["mean"], 1);
  EXPECT_EQ(found[1]["units"], 1);  // c's day is not over
  EXPECT_EQ(found[1]["mean"], 2);
}

TEST_F(ExperimentCommand, RefusesWhatItCannotRead) {
  write_files();
  EXPECT_THAT(refusal({"experiment", "guess"}), HasSubstr("guess"));
  EXPECT_THAT(refusal({"experiment", "analyse"}), HasSubstr("--exposures"));
  EXPECT_THAT(refusal(analyse({"--unit", "user"})), HasSubstr("has no column 'user' (--unit"));
  EXPECT_THAT(refusal(analyse({"--control", "old"})), HasSubstr("has no arm 'old'"));
  EXPECT_THAT(refusal(analyse({"--weights", "new=1"})), HasSubstr("arm control"));
  EXPECT_THAT(refusal(analyse({"--weights", "new"})), HasSubstr("ARM=WEIGHT"));
  EXPECT_THAT(refusal(analyse({"--metrics", "spent:median"})), HasSubstr("median"));
  EXPECT_THAT(refusal(analyse({"--runs", "500"})), HasSubstr("--runs"));
  EXPECT_THAT(refusal({"experiment", "simulate", "--weights", "a=1"}), HasSubstr("--weights"));
  write_text(path("outcomes.csv"), "unit,metric,value\n1,spent,\n");
  EXPECT_THAT(refusal(analyse()), HasSubstr("row 1, column value"));
  write_text(path("exposures.csv"), "unit,arm\n1,control\n,new\n");
  EXPECT_THAT(refusal(analyse()), HasSubstr("row 2, column unit"));
  write_text(path("exposures.csv"), "unit,arm\n1,control\n2,control\n");
  EXPECT_THAT(refusal(analyse()), HasSubstr("one arm only"));
}

}  // namespace
}  // namespace tandem::test
