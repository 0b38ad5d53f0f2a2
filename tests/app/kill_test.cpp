// Training that is killed (SIGKILL) at whatever moment goes on from its checkpoint to the model
// file that it would have written.
#include <gmock/gmock.h>

#include <chrono>
#include <set>
#include <thread>

#include "app/program.hpp"
#include "core/random.hpp"

namespace tandem::test {
namespace {

class Killed : public Program {
 protected:
  // Trains, is killed `kills` times at a moment that the seed draws once there is a checkpoint, and
  // resumes each time.
  void expect_the_same_model(std::vector<std::string> words, std::uint64_t seed) {
    words.insert(words.end(), {"--quiet", "--threads", "2", "--model"});
    auto whole = words;
    whole.push_back(path("whole.model"));
    ASSERT_EQ(run(whole).status, 0);
    words.insert(words.end(), {path("m"), "--checkpoint-every", "0"});
    const std::string checkpoint = path("m.checkpoint");
    const Random random(seed, Purpose::test);
    int killed = 0;
    for (std::uint64_t k = 0; k < 3; ++k) {
      auto now = words;
      if (std::filesystem::exists(checkpoint)) {
        now.insert(now.end(), {"--resume", checkpoint});
      }
      const auto before = time_of(checkpoint);
      const Outcome outcome = run(now, [&](pid_t child) {
        // A checkpoint of this run, or the end of the run.
        for (int wait = 0; wait < 20000 && time_of(checkpoint) == before; ++wait) {
          siginfo_t ended{};
          ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT);
          if (ended.si_pid == child) return;
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        std::this_thread::sleep_for(
            std::chrono::microseconds(static_cast<int>(30000 * random.uniform(k))));
        ::kill(child, SIGKILL);
      });
      if (outcome.status == 0) break;  // it was faster
      ASSERT_EQ(outcome.status, 128 + SIGKILL) << outcome.err;
      EXPECT_FALSE(std::filesystem::exists(path("m")));
      ++killed;
    }
    EXPECT_GT(killed, 0);
    if (!std::filesystem::exists(path("m"))) {
      words.insert(words.end(), {"--resume", checkpoint});
      const Outcome outcome = run(words);
      ASSERT_EQ(outcome.status, 0) << outcome.err;
    }
    EXPECT_EQ(read_text(path("m")), read_text(path("whole.model")));
    // Neither the checkpoint nor a file that was being written is left.
    std::set<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      left.insert(entry.path().filename().string());
    }
    for (const char* known :
         {"m", "whole.model", "rows.bins", "rows.csv", "stdout.txt", "stderr.txt"}) {
      left.erase(known);
    }
    EXPECT_THAT(left, ::testing::IsEmpty());
  }

  // When the file was last written; 0 where there is none.
  static std::int64_t time_of(const std::string& file) {
    std::error_code none;
    const auto time = std::filesystem::last_write_time(file, none);
    return none ? 0 : time.time_since_epoch().count();
  }
};

TEST_F(Killed, BoostingGoesOn) {
  expect_the_same_model(
      {"train", "gradient-boosting", "--data", data_file("digits.csv"), "--rounds", "12",
       "--subsample", "0.7", "--validation-fraction", "0.2", "--patience", "50"},
      1);
}

TEST_F(Killed, BoostingFromBinsGoesOn) {
  ASSERT_EQ(run({"bin", "--data", data_file("digits.csv"), "--out", path("rows.bins")}).status, 0);
  expect_the_same_model(
      {"train", "gradient-boosting", "--data", path("rows.bins"), "--rounds", "12"}, 2);
}

TEST_F(Killed, ForestsGoOn) {
  expect_the_same_model(
      {"train", "random-forest", "--data", data_file("digits.csv"), "--trees", "150"}, 3);
  std::filesystem::remove(path("m"));
  expect_the_same_model({"train", "extra-trees", "--data", data_file("digits.csv"), "--trees",
                         "150", "--bootstrap", "--oob-score"},
                        4);
}

}  // namespace
}  // namespace tandem::test
