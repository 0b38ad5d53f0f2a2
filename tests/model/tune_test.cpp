// Search spaces, and the search: what is tried, in which order, what is chosen, and that it can be
// stopped and gone on with.
#include "tandem/model/tune.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/data/read.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> values(const std::string& text) {
  return SearchSpace::parse(text).axes().front().values;
}

std::string message_of(const std::string& text) {
  try {
    (void)SearchSpace::parse(text).grid();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

std::string joined(const std::vector<SearchSpace::Setting>& settings) {
  std::string text;
  for (const auto& [name, value] : settings) text += name + "=" + value + " ";
  return text;
}

TEST(SearchSpace, ReadsValuesRangesStepsAndFactors) {
  EXPECT_THAT(values("criterion=entropy|gini"), ElementsAre("entropy", "gini"));
  EXPECT_THAT(values("--max-depth = 2..5"), ElementsAre("2", "3", "4", "5"));
  EXPECT_THAT(values("a=-3..3+3"), ElementsAre("-3", "0", "3"));
  EXPECT_THAT(values("a=2..9+3"), ElementsAre("2", "5", "8"));
  EXPECT_THAT(values("c=0.01..100*10"), ElementsAre("0.01", "0.1", "1", "10", "100"));
  EXPECT_THAT(values("c=1..100*10"), ElementsAre("1", "10", "100"));
  EXPECT_THAT(values("c=1e-4..1e+0*100"), ElementsAre("0.0001", "0.01", "1"));
  EXPECT_THAT(values("a=0..0.3+0.1"), ElementsAre("0", "0.1", "0.2", "0.3"));
  EXPECT_THAT(values("scale=none"), ElementsAre("none"));
  EXPECT_THAT(values("k=2..4|10|20..40*2"), ElementsAre("2", "3", "4", "10", "20", "40"));
  EXPECT_THAT(values("hidden=64,32|128;activation=relu"), ElementsAre("64,32", "128"));
  const auto interval = SearchSpace::parse("rate=0.001..0.1*").axes().front();
  EXPECT_TRUE(interval.values.empty());
  EXPECT_TRUE(interval.logarithmic);
  EXPECT_EQ(interval.lowest, 0.001);
  EXPECT_EQ(interval.highest, 0.1);
}

TEST(SearchSpace, SaysWhatItDoesNotUnderstand) {
  EXPECT_THAT(message_of(""), HasSubstr("nothing to search"));
  EXPECT_THAT(message_of("max_depth"), HasSubstr("'max_depth'"));
  EXPECT_THAT(message_of("max_depth="), HasSubstr("an option and its values"));
  EXPECT_THAT(message_of("hidden=64,32"), HasSubstr("semicolons"));
  EXPECT_THAT(message_of("a=5..2"), HasSubstr("begins after its end"));
  EXPECT_THAT(message_of("a=2..5+0"), HasSubstr("step"));
  EXPECT_THAT(message_of("a=1..5*1"), HasSubstr("factor"));
  EXPECT_THAT(message_of("a=0..5*2"), HasSubstr("above 0"));
  EXPECT_THAT(message_of("a=0.5..2"), HasSubstr("a range such as"));
  EXPECT_THAT(message_of("a=1|2,a=3"), HasSubstr("twice"));
  EXPECT_THAT(message_of("a=1||2"), HasSubstr("between the |"));
  EXPECT_THAT(message_of("a=0.1..1+|2"), HasSubstr("stands alone"));
  EXPECT_THAT(message_of("a=0.1..1+"), HasSubstr("random draws"));
  EXPECT_THAT(message_of("a=1..2000,b=1..2000"), HasSubstr("more than a million"));
  EXPECT_THAT(message_of("a=1..9000000000000000000"), HasSubstr("more than a million"));
}

TEST(SearchSpace, TheGridHasEveryCombinationOnce) {
  std::vector<std::string> all;
  for (const auto& one : SearchSpace::parse("a=1..2,b=x|y|z").grid()) all.push_back(joined(one));
  EXPECT_THAT(all,
              ElementsAre("a=1 b=x ", "a=1 b=y ", "a=1 b=z ", "a=2 b=x ", "a=2 b=y ", "a=2 b=z "));
}

TEST(SearchSpace, DrawsAreDifferentOnesAndAFunctionOfTheSeed) {
  const auto space = SearchSpace::parse("a=1..10,b=1..10");
  const auto some = space.draw(30, 7);
  EXPECT_EQ(some.size(), 30U);
  for (std::size_t i = 1; i < some.size(); ++i) EXPECT_NE(some[i], some[i - 1]);
  EXPECT_EQ(some, space.draw(30, 7));
  EXPECT_NE(some, space.draw(30, 8));
  EXPECT_EQ(space.draw(1000, 7).size(), 100U);

  const auto wide = SearchSpace::parse("c=0.001..1000*,b=x|y").draw(400, 1);
  int below_one = 0;
  int x = 0;
  for (const auto& settings : wide) {
    const double value = std::stod(settings[0].second);
    EXPECT_GE(value, 0.001);
    EXPECT_LE(value, 1000);
    below_one += value < 1 ? 1 : 0;
    x += settings[1].second == "x" ? 1 : 0;
  }
  // In 400 fair throws, a count over five deviations away from half is seen once in 10^6 runs.
  EXPECT_NEAR(below_one, 200, 50);
  EXPECT_NEAR(x, 200, 50);
}

class Tune : public ::testing::Test {
 protected:
  static Dataset<double> wine() {
    ReadOptions options;
    options.target = "last";
    return read_dataset<double>(std::string(TANDEM_DATA_DIR) + "/wine.csv", options);
  }

  Dataset<double> wine_ = wine();
  std::unique_ptr<Engine> engine_ = Engine::create({.threads = 2});
  RunControl control_;
};

TEST_F(Tune, ChoosesTheCandidateThatCrossValidationPutsFirst) {
  const PipelineOptions pipeline("decision-tree");
  const auto space = SearchSpace::parse("max_depth=1..4,criterion=entropy|gini");
  const Tuning tuning = tune(pipeline, space, wine_, {}, *engine_, control_);
  ASSERT_EQ(tuning.candidates.size(), 8U);
  EXPECT_EQ(tuning.metric, "accuracy");
  double best = 0;
  std::size_t at = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    // Each candidate is judged as cross_validate() judges it by itself.
    const CrossValidation alone = cross_validate(
        with_settings(pipeline, tuning.candidates[i].settings), wine_, {}, *engine_, control_);
    const double mean = alone.summary.at("accuracy").mean;
    EXPECT_EQ(tuning.candidates[i].scores.at("accuracy").mean, mean);
    if (mean > best) {
      best = mean;
      at = i;
    }
  }
  EXPECT_EQ(tuning.ranking.front(), static_cast<Index>(at));
  EXPECT_EQ(&tuning.best(), &tuning.candidates[at]);
  EXPECT_GT(best, 0.85);
}

TEST_F(Tune, LowerIsBetterWhereTheMetricSaysSo) {
  const Tuning tuning =
      tune(PipelineOptions("logistic-regression"), SearchSpace::parse("c=0.00001|1"), wine_,
           {.metric = "log_loss"}, *engine_, control_);
  EXPECT_EQ(tuning.best().settings.front().second, "1");
  EXPECT_LT(tuning.candidates[1].scores.at("log_loss").mean,
            tuning.candidates[0].scores.at("log_loss").mean);
  EXPECT_THROW((void)tune(PipelineOptions("logistic-regression"), SearchSpace::parse("c=1"), wine_,
                          {.metric = "rmse"}, *engine_, control_),
               InputError);
}

TEST_F(Tune, TheSearchItselfIsJudgedOnRowsThatItHasNotSeen) {
  const Tuning tuning = tune(PipelineOptions("decision-tree"), SearchSpace::parse("max_depth=1|3"),
                             wine_, {.outer_folds = 4}, *engine_, control_);
  ASSERT_EQ(tuning.outer.size(), 4U);
  double sum = 0;
  for (const auto& fold : tuning.outer) {
    EXPECT_EQ(fold.chosen.front().second, "3");  // one split cannot tell three classes apart
    sum += fold.scores.at("accuracy");
  }
  EXPECT_DOUBLE_EQ(tuning.nested.at("accuracy").mean, sum / 4);
  EXPECT_EQ(tuning.nested.at("accuracy").count, 4);
}

TEST_F(Tune, WhatCannotBeFittedIsKeptWithTheReason) {
  GenerateOptions few;
  few.rows = 30;
  const Dataset<double> blobs = generate<double>("blobs", few);
  const Tuning tuning = tune(PipelineOptions("kmeans"), SearchSpace::parse("k=2|3|1000"), blobs,
                             {.metric = "silhouette"}, *engine_, control_);
  EXPECT_THAT(tuning.candidates[2].failed, HasSubstr("1000"));
  EXPECT_EQ(tuning.ranking.back(), 2);
  EXPECT_THAT(to_json(tuning), HasSubstr("\"failed\""));
  try {
    (void)tune(PipelineOptions("kmeans"), SearchSpace::parse("k=1000|2000"), blobs,
               {.metric = "silhouette"}, *engine_, control_);
    FAIL() << "nothing could be fitted";
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no candidate could be fitted"));
  }
}

TEST_F(Tune, AnOptionThatThereIsNotIsSaidBeforeAnythingIsFitted) {
  const PipelineOptions pipeline("decision-tree");
  for (const char* space : {"depth_of_the_sea=1..3", "max_depth=-5", "criterion=rmse"}) {
    EXPECT_THROW((void)tune(pipeline, SearchSpace::parse(space), wine_, {}, *engine_, control_),
                 InputError)
        << space;
  }
}

// Stops the search after some candidates and keeps its state.
class StopAfter final : public RunControl {
 public:
  StopAfter(Index candidates, std::optional<Archive> from)
      : left_(candidates), state_(std::move(from)) {
    resumed_ = state_;
  }
  void report(const Progress& /*progress*/) override { --left_; }
  [[nodiscard]] bool stop_requested() const noexcept override { return left_ <= 0; }
  [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { state_ = state; }
  [[nodiscard]] const Archive* resume_state() const noexcept override {
    return resumed_ ? &*resumed_ : nullptr;
  }
  [[nodiscard]] const std::optional<Archive>& state() const { return state_; }

 private:
  Index left_;
  std::optional<Archive> state_;
  std::optional<Archive> resumed_;
};

// The scores alone: seconds differ from run to run.
std::string scores_of(const Tuning& tuning) {
  std::string text;
  for (const auto& candidate : tuning.candidates) {
    text += joined(candidate.settings);
    for (const auto& [name, one] : candidate.scores) text += name + to_json(one);
  }
  for (const auto& [name, one] : tuning.nested) text += name + to_json(one);
  return text;
}

TEST_F(Tune, AStoppedSearchGoesOnToTheSameBits) {
  const PipelineOptions pipeline("decision-tree");
  const auto space = SearchSpace::parse("max_depth=1..3,criterion=entropy|gini");
  const TuneOptions options{.outer_folds = 2};
  const std::string whole = scores_of(tune(pipeline, space, wine_, options, *engine_, control_));
  std::optional<Archive> state;
  std::string end;
  int stops = 0;
  while (end.empty()) {
    StopAfter control(4, state);
    try {
      end = scores_of(tune(pipeline, space, wine_, options, *engine_, control));
    } catch (const Interrupted&) {
      ++stops;
      ASSERT_LT(stops, 10);
    }
    state = control.state();
  }
  EXPECT_EQ(end, whole);
  EXPECT_EQ(stops, 4);  // 18 candidates in all, four at a time
  // The checkpoint of another search is refused.
  StopAfter control(100, state);
  EXPECT_THROW(
      (void)tune(pipeline, SearchSpace::parse("max_depth=1..3"), wine_, options, *engine_, control),
      InputError);
}

TEST_F(Tune, TheNumberOfThreadsChangesNothing) {
  const auto space = SearchSpace::parse("hidden=4|8;learning_rate=0.001..0.1*");
  PipelineOptions pipeline("mlp");
  pipeline.set("epochs", 3);
  const auto one = Engine::create({.threads = 1});
  const TuneOptions options{.validation = {.folds = 3}, .random = 3};
  EXPECT_EQ(scores_of(tune(pipeline, space, wine_, options, *one, control_)),
            scores_of(tune(pipeline, space, wine_, options, *engine_, control_)));
}

}  // namespace
}  // namespace tandem
