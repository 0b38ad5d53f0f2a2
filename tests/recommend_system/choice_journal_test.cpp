// Choices are kept for as long as is asked, and what they add up to for good.
#include "systems/recommend/choice_journal.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tandem/core/error.hpp"

namespace tandem::recommend {
namespace {

namespace fs = std::filesystem;

constexpr Time day = 86'400'000;

class ChoiceJournalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::path(::testing::TempDir()) / "choices-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    std::vector<Item> items(20);
    for (std::size_t i = 0; i < items.size(); ++i) items[i].id = "i" + std::to_string(i);
    catalogue_ = std::make_shared<const Catalogue>(std::move(items));
  }
  void TearDown() override { fs::remove_all(folder_); }

  struct Opened {
    Tallies tallies;
    std::unique_ptr<ChoiceJournal> journal;
    // A choice among three items, of which the second is taken.
    void choose(int number, Time time) const {
      Choice choice;
      choice.answer = "answer-" + std::to_string(number);
      choice.time = time;
      choice.configuration = "v";
      choice.pool = {"i1", "i" + std::to_string(number % 20), "i2"};
      choice.chosen = 1;
      choice.propensity = 0.1;
      EXPECT_TRUE(journal->add(choice, static_cast<ItemNumber>(number % 20)));
    }
  };
  std::unique_ptr<Opened> open(double keep_days, std::uint64_t keep_bytes) {
    auto made = std::make_unique<Opened>();
    ChoiceJournalOptions options;
    options.folder = folder_ + "/choices";
    options.keep_days = keep_days;
    options.keep_bytes = keep_bytes;
    made->journal = std::make_unique<ChoiceJournal>(
        options, made->tallies, [this] { return catalogue_; }, quiet_);
    return made;
  }
  [[nodiscard]] std::uint64_t bytes_of_segments() const {
    std::uint64_t sum = 0;
    for (const auto& entry : fs::directory_iterator(folder_ + "/choices")) {
      if (entry.path().extension() == ".journal") sum += entry.file_size();
    }
    return sum;
  }

  std::string folder_;
  std::shared_ptr<const Catalogue> catalogue_;
  http::Log quiet_{"/dev/null"};
};

TEST_F(ChoiceJournalTest, ChoicesAndTheirRewardsCanBeJudged) {
  {
    const auto opened = open(0, 0);
    EXPECT_TRUE(opened->journal->add({"a1", 5, "v", {"i1", "i2"}, 1, 0.1}, 2));
    EXPECT_TRUE(opened->journal->add({"a2", 6, "v", {"i1", "i3"}, 0, 0.9}, 1));
    EXPECT_TRUE(opened->journal->add_reward("a1", 2));
  }
  const LoggedChoices log = read_choices(folder_);
  ASSERT_EQ(log.choices.size(), 2U);
  EXPECT_EQ(log.rewards, (std::vector<double>{1, 0}));
  EXPECT_EQ(log.items, (std::vector<std::string>{"i1", "i2", "i3"}));
  const auto again = open(0, 0);
  EXPECT_EQ(again->tallies.of(2).clicks, 1);
  EXPECT_EQ(again->tallies.of(1).shown, 1);
  // An answer from before the restart can still be clicked.
  ASSERT_EQ(again->journal->found().size(), 2U);
  EXPECT_EQ(again->journal->found()[1].answer, "a2");
  EXPECT_TRUE(again->journal->found()[0].rewarded);
  EXPECT_FALSE(again->journal->found()[1].rewarded);
}

TEST_F(ChoiceJournalTest, BeyondItsBytesTheOldestGoAndTalliesStay) {
  constexpr std::uint64_t keep = 64 << 10;
  int number = 0;
  for (int life = 0; life < 3; ++life) {
    const auto opened = open(0, keep);
    double shown = 0;
    for (ItemNumber i = 0; i < 20; ++i) shown += opened->tallies.of(i).shown;
    EXPECT_EQ(shown, number) << life;
    for (int i = 0; i < 3000; ++i) {
      opened->choose(number, Time{number});
      ++number;
      // Journals write in groups, of which a segment is not made smaller.
      if (i % 50 == 0) opened->journal->shorten(Time{number});
    }
    opened->journal->shorten(Time{number});
    EXPECT_LE(opened->journal->bytes(), keep * 5 / 4);
    EXPECT_GE(opened->journal->bytes(), keep * 3 / 4);
    EXPECT_LT(bytes_of_segments(), keep * 2);
  }
  const LoggedChoices log = read_choices(folder_);
  EXPECT_LT(log.choices.size(), 2000U);
  EXPECT_GT(log.choices.size(), 400U);
  EXPECT_EQ(log.choices.back().answer, "answer-" + std::to_string(number - 1));
  const auto again = open(0, keep);
  for (ItemNumber i = 0; i < 20; ++i) EXPECT_EQ(again->tallies.of(i).shown, number / 20) << i;
}

TEST_F(ChoiceJournalTest, WhatIsTooOldGoes) {
  const auto opened = open(10, 64 << 10);
  int number = 0;
  // 40 days, some of each.
  for (int i = 0; i < 2000; ++i) {
    opened->choose(number, number * day / 50);
    ++number;
    if (i % 20 == 0) opened->journal->shorten(number * day / 50);
  }
  const Time now = 40 * day;
  opened->journal->shorten(now);
  const LoggedChoices log = read_choices(folder_);
  ASSERT_FALSE(log.choices.empty());
  // Whole segments go: what is a little older than it should be is of one that is young in part.
  EXPECT_GT(log.choices.front().time, now - 14 * day);
  EXPECT_LT(log.choices.front().time, now - 8 * day);
  // All of it too old: what is being written to stays.
  opened->journal->shorten(now + 100 * day);
  EXPECT_LT(read_choices(folder_).choices.size(), log.choices.size());
}

TEST_F(ChoiceJournalTest, TalliesAreThoseOfASnapshotAndTheChoicesBehindIt) {
  {
    const auto opened = open(0, 16 << 10);
    for (int i = 0; i < 400; ++i) opened->choose(i, i);
    EXPECT_TRUE(opened->journal->add_reward("answer-399", 19));
    opened->journal->shorten(400);
    for (int i = 400; i < 420; ++i) opened->choose(i, i);
    // Of an answer from before the snapshot.
    EXPECT_TRUE(opened->journal->add_reward("answer-398", 18));
  }
  const auto again = open(0, 16 << 10);
  for (ItemNumber i = 0; i < 20; ++i) EXPECT_EQ(again->tallies.of(i).shown, 21) << i;
  EXPECT_EQ(again->tallies.of(19).clicks, 1);
  EXPECT_EQ(again->tallies.of(18).clicks, 1);
  EXPECT_EQ(again->journal->found().back().answer, "answer-419");
}

}  // namespace
}  // namespace tandem::recommend
