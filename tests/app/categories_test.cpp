// Columns of texts that boosting splits by sets: what the program says, keeps and exports.
#include <gmock/gmock.h>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Categories : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    std::string table = "size,colour,price\n";
    for (int i = 0; i < 60; ++i) {
      const char* colour = i % 3 == 0 ? "red" : i % 3 == 1 ? "green" : "blue";
      table += std::to_string(i % 7) + "," + colour + "," +
               std::to_string(i % 3 == 1 ? 5.5 : 1.25 + i % 7) + "\n";
    }
    write_text(path("t.csv"), table);
  }
};

TEST_F(Categories, AreSplitBySetsUnlessThatIsOverruled) {
  const Outcome trained = run({"train", "gradient-boosting", "--data", path("t.csv"), "--task",
                               "regression", "--rounds", "5", "--model", path("m")});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_THAT(trained.err, HasSubstr("splits by sets of categories: colour (3); --encode one-hot"));
  const Outcome kept = run({"inspect", path("m"), "--json"});
  EXPECT_EQ(kept.json()["features"], 2);
  EXPECT_THAT(run({"inspect", path("m")}).out, HasSubstr("colour in {green}"));
  const Outcome encoded =
      run({"train", "gradient-boosting", "--data", path("t.csv"), "--task", "regression",
           "--rounds", "5", "--encode", "one-hot", "--model", path("other")});
  ASSERT_EQ(encoded.status, 0) << encoded.err;
  EXPECT_THAT(encoded.err, Not(HasSubstr("splits by sets")));
  EXPECT_EQ(run({"inspect", path("other"), "--json"}).json()["features"], 4);
  // Other algorithms make indicators, as before.
  const Outcome forest = run({"train", "random-forest", "--data", path("t.csv"), "--task",
                              "regression", "--trees", "3", "--model", path("forest")});
  ASSERT_EQ(forest.status, 0) << forest.err;
  EXPECT_EQ(run({"inspect", path("forest"), "--json"}).json()["features"], 4);
}

TEST_F(Categories, AreExportedByTheirCodes) {
  ASSERT_EQ(run({"train", "gradient-boosting", "--data", path("t.csv"), "--task", "regression",
                 "--rounds", "5", "--model", path("m")})
                .status,
            0);
  ASSERT_EQ(run({"export", path("m"), "--out", path("m.txt")}).status, 0);
  EXPECT_THAT(read_text(path("m.txt")),
              HasSubstr("pandas_categorical:[[\"blue\",\"green\",\"red\"]]"));
  const Outcome back = run({"import", path("m.txt"), "--model", path("back"), "--json"});
  ASSERT_EQ(back.status, 0) << back.err;
  EXPECT_EQ(back.json()["trees"], 5);
}

TEST_F(Categories, AMetricEndsTheTrainingEarly) {
  const Outcome trained =
      run({"train", "gradient-boosting", "--data", data_file("breast_cancer.csv"), "--rounds",
           "200", "--validation-fraction", "0.25", "--eval-metric", "roc_auc", "--patience", "5",
           "--model", path("m")});
  ASSERT_EQ(trained.status, 0) << trained.err;
  const auto json = run({"inspect", path("m"), "--json"}).json();
  EXPECT_THAT(json.dump(), HasSubstr("the validation roc_auc has not improved for 5 rounds"));
  const Outcome wrong =
      run({"train", "gradient-boosting", "--data", path("t.csv"), "--task", "regression",
           "--validation-fraction", "0.25", "--eval-metric", "auc"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--eval-metric: 'auc' is no metric of regression"));
}

}  // namespace
}  // namespace tandem::test
