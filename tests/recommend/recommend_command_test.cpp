// tandem recommend: what it prints, and what it refuses.
#include "app/program.hpp"

namespace tandem {
namespace {

class RecommendCommand : public test::Program {
 protected:
  void SetUp() override {
    test::Program::SetUp();
    if (folder_.empty()) return;
    before_ = std::filesystem::current_path();
    std::filesystem::current_path(folder_);
    std::string text = "user,item,rating,time\n";
    for (int u = 0; u < 40; ++u) {
      for (int k = 0; k < 8; ++k) {
        text += "u" + std::to_string(u) + ",i" + std::to_string(u % 3 * 10 + (u * 7 + k * 3) % 10) +
                "," + std::to_string(1 + k % 5) + "," + std::to_string(100 * k + u) + "\n";
      }
    }
    test::write_text(path("events.csv"), text);
    test::write_text(path("items.csv"),
                     "item,title,genre\ni1,The night,drama\ni2,Night train,drama\ni99,New,drama\n");
  }
  void TearDown() override {
    if (!before_.empty()) std::filesystem::current_path(before_);
    test::Program::TearDown();
  }
  std::filesystem::path before_;
};

TEST_F(RecommendCommand, TrainsAndEvaluates) {
  const auto trained = run({"recommend", "train", "als", "--data", "events.csv", "--factors", "8",
                            "--iterations", "3", "--model", "m.tandem", "--json"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(trained.json()["events"], 320);
  EXPECT_EQ(trained.json()["options"]["factors"], 8);
  const auto judged = run({"recommend", "evaluate", "item-knn", "--data", "events.csv", "--split",
                           "time", "--at", "3,5", "--json"});
  ASSERT_EQ(judged.status, 0) << judged.err;
  const auto metrics = judged.json()["metrics"];
  for (const char* name : {"recall@3", "ndcg@5", "map@3", "mrr@5", "hit_rate@3", "coverage@5",
                           "novelty@3", "diversity@5", "popularity_bias@3"}) {
    EXPECT_TRUE(metrics.contains(name)) << name;
  }
  EXPECT_LE(metrics["ndcg@3"]["low"], metrics["ndcg@3"]["value"]);
  const auto text = run({"recommend", "evaluate", "popularity", "--data", "events.csv"});
  EXPECT_NE(text.out.find("ndcg@10"), std::string::npos);
}

TEST_F(RecommendCommand, ContentKnowsItemsThatNobodyHas) {
  const auto trained = run({"recommend", "train", "content", "--data", "events.csv", "--items",
                            "items.csv", "--model", "m.tandem", "--json"});
  ASSERT_EQ(trained.status, 0) << trained.err;
  EXPECT_EQ(trained.json()["training"]["items"], trained.json()["items"]);
  const auto judged =
      run({"recommend", "evaluate", "content", "--data", "events.csv", "--items", "items.csv"});
  EXPECT_EQ(judged.status, 0) << judged.err;
  const auto without =
      run({"recommend", "train", "content", "--data", "events.csv", "--model", "n"});
  EXPECT_EQ(without.status, 2);
  EXPECT_NE(without.err.find("--items"), std::string::npos);
}

TEST_F(RecommendCommand, ModelsDoNotDependOnThreads) {
  for (const char* threads : {"1", "2"}) {
    const auto trained = run({"recommend", "train", "als", "--data", "events.csv", "--factors", "8",
                              "--threads", threads, "--model", std::string("m") + threads});
    ASSERT_EQ(trained.status, 0) << trained.err;
  }
  EXPECT_EQ(test::read_text(path("m1")), test::read_text(path("m2")));
}

TEST_F(RecommendCommand, MistakesEndWithTwoAndSayWhatToDo) {
  const auto refuses = [&](const std::vector<std::string>& words, const std::string& because) {
    std::vector<std::string> all{"recommend"};
    all.insert(all.end(), words.begin(), words.end());
    const auto outcome = run(all);
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    EXPECT_NE(outcome.err.find(because), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  };
  refuses({"trai"}, "did you mean train?");
  refuses({"train"}, "expected an algorithm");
  refuses({"train", "alss", "--data", "events.csv", "--model", "m"}, "did you mean als?");
  refuses({"train", "als", "--model", "m"}, "--data");
  refuses({"train", "als", "--data", "events.csv"}, "--model");
  refuses({"train", "als", "--data", "events.csv", "--model", "m", "--neighbours", "3"},
          "--neighbours is not an option of als");
  refuses({"train", "als", "--data", "events.csv", "--model", "m", "--factors", "0"},
          "out of range");
  refuses({"train", "als", "--data", "events.csv", "--model", "m", "--split", "time"},
          "--split is not for tandem recommend train");
  refuses({"evaluate", "als", "--data", "events.csv", "--split", "leave-last", "--test-fraction",
           "0.3"},
          "--test-fraction");
  refuses({"train", "als", "--data", "events.csv", "--model", "events.csv"}, "events.csv");
  refuses({"train", "als", "--data", "events.csv", "--user", "who", "--model", "m"}, "who");
  refuses({"train", "popularity", "--data", "events.csv", "--time", "none", "--half-life-days", "3",
           "--model", "m"},
          "--time");
  test::write_text(path("bad.csv"), "user,item,rating\na,,1\nb,x,1\n");
  refuses({"train", "als", "--data", "bad.csv", "--model", "m"}, "row 1, column item");
}

// Events of more than the memory that is allowed: the model is that of training in memory.
TEST_F(RecommendCommand, TrainsFromEventsThatDoNotFitIntoMemory) {
  std::string text = "user,item,rating,time\n";
  std::uint64_t state = 1;
  for (int e = 0; e < 700'000; ++e) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto user = (state >> 40) % 5000;
    const auto item = user % 7 * 40 + (state >> 33) % 60;
    text += "u" + std::to_string(user) + ",i" + std::to_string(item) + "," +
            std::to_string(1 + (state >> 60) % 5) + "," + std::to_string(state >> 34) + "\n";
  }
  test::write_text(path("many.csv"), text);
  for (const std::string algorithm : {"als", "item-knn"}) {
    SCOPED_TRACE(algorithm);
    std::vector<std::string> words{"recommend", "train",   algorithm, "--data",
                                   "many.csv",  "--force", "--json"};
    if (algorithm == "als") words.insert(words.end(), {"--factors", "8", "--iterations", "2"});
    std::vector<std::string> there = words;
    there.insert(there.end(), {"--model", "memory.model", "--threads", "1"});
    const auto expected = run(there);
    ASSERT_EQ(expected.status, 0) << expected.err;
    EXPECT_FALSE(expected.json().contains("disk"));
    words.insert(words.end(), {"--model", "disk.model", "--threads", "2", "--memory-limit", "64M",
                               "--events-cache", "cache"});
    const auto found = run(words);
    ASSERT_EQ(found.status, 0) << found.err;
    EXPECT_TRUE(test::read_text(path("disk.model")) == test::read_text(path("memory.model")))
        << "the models differ";
    // The events were there, and nothing is left of them.
    EXPECT_GT(found.json()["disk"]["most_bytes"], 10'000'000);
    EXPECT_TRUE(std::filesystem::is_empty(path("cache")));
  }
  const auto refused = run({"recommend", "train", "popularity", "--data", "many.csv", "--model",
                            "p.model", "--events-cache", "cache"});
  EXPECT_EQ(refused.status, 2);
  EXPECT_NE(refused.err.find("als, item-knn do"), std::string::npos) << refused.err;
}

}  // namespace
}  // namespace tandem
