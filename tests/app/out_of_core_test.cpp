// Training from more rows than fit into the memory that is allowed: the same model, byte for byte.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "app/program.hpp"

namespace tandem::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class OutOfCore : public Program {
 protected:
  // Numbers, missing values and texts; the classes are far from parted.
  void write_rows(int rows) const {
    std::ofstream file(path("rows.csv"), std::ios::binary);
    for (int j = 0; j < 20; ++j) file << "x" << j << ",";
    file << "colour,y,kind\n";
    std::uint64_t state = 1;
    std::string line;
    for (int i = 0; i < rows; ++i) {
      line.clear();
      std::int64_t sum = 0;
      for (int j = 0; j < 20; ++j) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        const auto number = static_cast<std::int64_t>(state >> 50) - 8192;
        sum += j % 3 == 0 ? number : 0;
        if (j != 7 || i % 50 != 3) line += std::to_string(number) + "e-3";
        line += ",";
      }
      line += i % 3 == 0 ? "red," : i % 7 == 0 ? "green," : "blue,";
      line += std::to_string(sum / 5 + static_cast<std::int64_t>(state >> 54)) + "," +
              (sum > static_cast<std::int64_t>(state >> 55) ? "yes" : "no") + "\n";
      file << line;
    }
  }

  // A training of these options in memory and one on disk; the models are the same bytes.
  void compare(const std::string& algorithm, const std::vector<std::string>& options) const {
    SCOPED_TRACE(algorithm);
    std::vector<std::string> words{"train", algorithm, "--data", path("rows.csv"), "--force"};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<std::string> there = words;
    there.insert(there.end(), {"--model", path("memory.model"), "--threads", "1"});
    const auto expected = result(there);
    words.insert(words.end(), {"--model", path("disk.model"), "--threads", "2", "--memory-limit",
                               "64M", "--cache", path("cache")});
    const auto found = result(words);
    EXPECT_EQ(found["metrics"], expected["metrics"]);
    EXPECT_TRUE(read_text(path("disk.model")) == read_text(path("memory.model")))
        << "the models differ";
    EXPECT_TRUE(std::filesystem::is_empty(path("cache"))) << "something is left of the rows";
    // The rows were there, and not in ordinary memory.
    EXPECT_GT(found["disk"]["most_bytes"], 10'000'000);
    EXPECT_FALSE(expected.contains("disk"));
  }
};

TEST_F(OutOfCore, GivesTheModelOfTrainingInMemory) {
  write_rows(70'000);
  compare("kmeans", {"--k", "5", "--ignore", "y", "--impute", "mean", "--scale", "standard",
                     "--max-iterations", "8"});
  compare("linear-regression", {"--target", "y", "--ignore", "kind", "--impute", "mean"});
}

TEST_F(OutOfCore, GivesTheModelOfClassifiersAndPerceptrons) {
  write_rows(70'000);
  compare("logistic-regression",
          {"--target", "kind", "--ignore", "y", "--impute", "mean", "--max-iterations", "8"});
  compare("mlp", {"--target", "kind", "--ignore", "y", "--impute", "mean", "--hidden", "8",
                  "--epochs", "2"});
  compare("mlp", {"--target", "y", "--ignore", "kind", "--impute", "mean", "--hidden", "8",
                  "--epochs", "1", "--batch-norm"});
}

TEST_F(OutOfCore, GivesTheModelOfBoosting) {
  write_rows(70'000);
  compare("gradient-boosting", {"--target", "kind", "--ignore", "y", "--rounds", "4"});
  compare("gradient-boosting",
          {"--target", "y", "--rounds", "4", "--subsample", "0.5", "--max-leaves", "20"});
}

TEST_F(OutOfCore, GivesTheModelOfAnotherSolverAndOfFloats) {
  write_rows(140'000);
  compare("linear-regression", {"--target", "y", "--ignore", "kind", "--impute", "median",
                                "--solver", "qr", "--precision", "float32"});
}

// The table that a run keeps is what the next one reads, as long as it is of the same file.
TEST_F(OutOfCore, KeepsTheTableWhereThatIsAskedFor) {
  write_rows(2'000);
  const std::vector<std::string> words{
      "train",   "linear-regression", "--data", path("rows.csv"), "--target",
      "y",       "--ignore",          "kind",   "--impute",       "mean",
      "--force", "--memory-limit",    "64M",    "--cache",        path("cache")};
  const auto train = [&](const std::string& model, bool keeps) {
    std::vector<std::string> all = words;
    all.insert(all.end(), {"--model", path(model)});
    if (keeps) all.emplace_back("--keep-cache");
    const Outcome outcome = run(all);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(train("first.model", true), Not(HasSubstr("an earlier run")));
  std::vector<std::filesystem::path> kept;
  for (const auto& entry : std::filesystem::directory_iterator(path("cache"))) {
    kept.push_back(entry.path());
  }
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_THAT(kept[0].filename().string(), ::testing::StartsWith("rows.csv-"));
  EXPECT_THAT(train("second.model", false), HasSubstr("an earlier run"));
  EXPECT_EQ(read_text(path("second.model")), read_text(path("first.model")));

  // A byte of the numbers is another one.
  std::string bytes = read_text(kept[0]);
  bytes[bytes.size() - 100] ^= 1;
  write_text(kept[0], bytes);
  std::vector<std::string> all = words;
  const Outcome damaged = run(all);
  EXPECT_EQ(damaged.status, 2);
  EXPECT_THAT(damaged.err, HasSubstr("is damaged"));
  EXPECT_THAT(damaged.err, HasSubstr(kept[0].filename().string()));
  write_text(kept[0], bytes.substr(0, bytes.size() - 5000));
  EXPECT_EQ(run(all).status, 2);

  // Of another version of the file it is none.
  write_rows(2'001);
  EXPECT_THAT(train("third.model", false), Not(HasSubstr("an earlier run")));
}

TEST_F(OutOfCore, NamesTheAlgorithmsThatCan) {
  write_text(path("rows.csv"), "x,y\n1,a\n2,b\n3,a\n");
  const Outcome outcome = run({"train", "decision-tree", "--data", path("rows.csv"), "--cache",
                               path("cache"), "--memory-limit", "1G"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--cache"));
  EXPECT_THAT(outcome.err,
              HasSubstr("gradient-boosting, kmeans, linear-regression, logistic-regression, mlp"));
}

TEST_F(OutOfCore, RefusesWhatCannotBe) {
  write_text(path("rows.csv"), "x,y\n1,2\n2,3\n3,5\n");
  const std::vector<std::string> words{"train", "linear-regression", "--data", path("rows.csv")};
  const auto said = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    const Outcome outcome = run(more);
    EXPECT_EQ(outcome.status, 2);
    return outcome.err;
  };
  EXPECT_THAT(said({"--cache", path("cache"), "--memory-limit", "10M"}), HasSubstr("at least 64M"));
  EXPECT_THAT(said({"--cache", path("rows.csv")}), HasSubstr("folder"));
  EXPECT_THAT(said({"--keep-cache"}), HasSubstr("--cache DIR"));
}

// A run that is killed leaves nothing behind.
TEST_F(OutOfCore, LeavesNothingWhenItIsKilled) {
  write_rows(70'000);
  const Outcome outcome =
      run({"train",
           "kmeans",
           "--k",
           "8",
           "--ignore",
           "y",
           "--impute",
           "mean",
           "--data",
           path("rows.csv"),
           "--memory-limit",
           "64M",
           "--cache",
           path("cache"),
           "--max-iterations",
           "100000",
           "--tolerance",
           "0",
           "--starts",
           "1000"},
          [&](pid_t child) {
            // Until it has made its folder and more than that.
            for (int waits = 0; waits < 1000 && !std::filesystem::exists(path("cache")); ++waits) {
              std::this_thread::sleep_for(std::chrono::milliseconds(10));
            }
            std::this_thread::sleep_for(std::chrono::milliseconds(500));
            ::kill(child, SIGKILL);
          });
  EXPECT_EQ(outcome.status, 128 + SIGKILL);
  EXPECT_TRUE(std::filesystem::is_empty(path("cache")));
}

}  // namespace
}  // namespace tandem::test
