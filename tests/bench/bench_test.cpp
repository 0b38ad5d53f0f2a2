// tandem bench: cases, formulas, statistics; and the program itself, on small cases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tandem/bench/case.hpp"
#include "tandem/bench/comparison.hpp"
#include "tandem/bench/counted_work.hpp"
#include "tandem/bench/formula.hpp"
#include "tandem/bench/paired.hpp"
#include "tandem/bench/quality.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/write.hpp"
#include "tests/app/program.hpp"

namespace tandem::program {
namespace {

using test::Program;
using ::testing::HasSubstr;

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

TEST(BenchFormula, IsArithmetic) {
  const Numbers numbers{{"rows", 10}, {"features", 4}, {"k", 3}};
  EXPECT_EQ(value_of("rows", numbers), 10);
  EXPECT_EQ(value_of("2 * rows * features * k + rows * features", numbers), 280);
  EXPECT_EQ(value_of("(rows - 2) / (features + 4)", numbers), 1);
  EXPECT_EQ(value_of("1e3 - 2 - 3", numbers), 995);
  EXPECT_EQ(value_of("12 / 2 / 3", numbers), 2);
}

TEST(BenchFormula, MistakesAreNamedWithTheirPlace) {
  const Numbers numbers{{"rows", 10}, {"features", 4}};
  const auto message = [&](const std::string& text) {
    return message_of([&] { (void)value_of(text, numbers); });
  };
  EXPECT_THAT(message("rows * colums"), HasSubstr("one of features, rows in place of 'colums'"));
  EXPECT_THAT(message("rows *"), HasSubstr("a number, a name or '(' at character 7"));
  EXPECT_THAT(message("(rows"), HasSubstr("')' at character 6"));
  EXPECT_THAT(message("rows rows"), HasSubstr("an operator or the end at character 6"));
  EXPECT_THAT(message(""), HasSubstr("at character 1"));
  EXPECT_THAT(message(std::string(100000, '(')), HasSubstr("fewer parentheses"));
}

TEST(BenchStatistics, TheIntervalOfPairedRatiosIsThatOfTheSignTest) {
  const std::vector<double> ours{1, 1, 1, 1, 1, 1, 1, 1, 1};
  const std::vector<double> theirs{9, 2, 4, 6, 8, 1, 3, 5, 7};
  const PairedRatio ratio = paired_ratio(ours, theirs);
  EXPECT_EQ(ratio.median, 5);
  // Of 9: the second smallest and the second largest; 1 − 2·(1 + 9)/512.
  EXPECT_EQ(ratio.low, 2);
  EXPECT_EQ(ratio.high, 8);
  EXPECT_NEAR(ratio.confidence, 1 - 20.0 / 512, 1e-12);
  // Of 3 only the whole range is left, and its confidence is said to be 75 %.
  const PairedRatio few = paired_ratio({1, 2, 4}, {2, 2, 2});
  EXPECT_EQ(few.low, 0.5);
  EXPECT_EQ(few.high, 2);
  EXPECT_NEAR(few.confidence, 0.75, 1e-12);
}

TEST(BenchStatistics, ProbabilitiesOfRanksAreThoseOfTheTable) {
  // Complete separation of 3 and 3: 2 of 20 ways. Of 5 and 5: 2 of 252.
  EXPECT_NEAR(rank_probability({1, 2, 3}, {4, 5, 6}), 0.1, 1e-12);
  EXPECT_NEAR(rank_probability({6, 7, 8, 9, 10}, {1, 2, 3, 4, 5}), 2.0 / 252, 1e-12);
  EXPECT_NEAR(rank_probability({1, 4}, {2, 3}), 1, 1e-12);
  EXPECT_NEAR(rank_probability({5, 5, 5}, {5, 5, 5}), 1, 1e-12);
}

// Two runs of the same program: not more false alarms than the error rate allows, counted over
// 2,000 comparisons of 16 rows whose times are noise.
TEST(BenchStatistics, NoiseRaisesNoMoreAlarmsThanStated) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> noise(0, 0.05);
  constexpr int comparisons = 2000;
  constexpr double error_rate = 0.05;
  int alarms = 0;
  for (int c = 0; c < comparisons; ++c) {
    std::vector<double> probabilities;
    for (int row = 0; row < 16; ++row) {
      std::vector<double> a(9);
      std::vector<double> b(9);
      for (double& time : a) time = noise(random);
      for (double& time : b) time = noise(random);
      probabilities.push_back(rank_probability(a, b));
    }
    // Holm's first step decides whether there is any alarm.
    alarms += *std::min_element(probabilities.begin(), probabilities.end()) <= error_rate / 16;
  }
  // 99.9 % of runs of a right method stay below this: 100 and 3.1 standard deviations.
  EXPECT_LE(alarms, 130);
  EXPECT_GT(alarms, 0);
}

TEST(BenchStatistics, GrowthIsTheSlopeOfLogarithms) {
  const Growth exact = growth_of({10, 100, 1000, 10000}, {3, 300, 30000, 3000000});
  EXPECT_NEAR(exact.exponent, 2, 1e-12);
  EXPECT_NEAR(exact.high - exact.low, 0, 1e-9);
  // By hand: log10 of the costs 0, 1.1, 1.9, 3.1 at 0, 1, 2, 3: slope 1.01, residual sum of squares
  // 0.027, and t(0.975, 2) = 4.302653.
  const Growth noisy =
      growth_of({1, 10, 100, 1000}, {1, std::pow(10, 1.1), std::pow(10, 1.9), std::pow(10, 3.1)});
  EXPECT_NEAR(noisy.exponent, 1.01, 1e-12);
  EXPECT_NEAR(noisy.high - noisy.exponent, 4.302653 * std::sqrt(0.027 / 2 / 5), 1e-6);
  // Five and thirty degrees of freedom, from the table: 2.570582 and 2.042272.
  std::vector<double> sizes;
  std::vector<double> costs;
  for (int i = 0; i < 7; ++i) {
    sizes.push_back(std::exp(i));
    costs.push_back(std::exp(i + (i % 2 == 0 ? 0.1 : -0.1)));
  }
  const Growth seven = growth_of(sizes, costs);
  double residuals = 0;
  double mean = 0;
  for (int i = 0; i < 7; ++i) mean += std::log(costs[static_cast<std::size_t>(i)]) / 7;
  for (int i = 0; i < 7; ++i) {
    const double off =
        std::log(costs[static_cast<std::size_t>(i)]) - mean - seven.exponent * (i - 3);
    residuals += off * off;
  }
  EXPECT_NEAR(seven.high - seven.exponent, 2.570582 * std::sqrt(residuals / 5 / 28), 1e-5);
  EXPECT_THROW((void)growth_of({1, 2}, {1, 2}), InputError);
}

TEST(BenchQuality, OfAllMetricsByHand) {
  const std::string file = ::testing::TempDir() + "/predictions.npy";
  Truth truth;
  truth.rows = Matrix<double>(4, 1, std::vector<double>{0, 2, 10, 12});
  const std::vector<std::int32_t> labels{0, 0, 1, 1};
  write_npy<std::int32_t>(file, std::span<const std::int32_t>(labels));
  EXPECT_EQ(quality_of("inertia", file, "labels", truth), 4);
  EXPECT_THAT(message_of([&] { (void)quality_of("inertia", file, "values", truth); }),
              HasSubstr("inertia is that of labels"));
  truth.target = {0, 1, 1, 1};
  EXPECT_EQ(quality_of("accuracy", file, "labels", truth), 0.75);
  Matrix<double> probabilities(4, 2, std::vector<double>{3, 1, 1, 1, 0, 2, 1, 3});
  write_npy<double>(file, std::as_const(probabilities).view());
  // Rows are brought to a sum of one: 3/4, 1/2, 1, 3/4 for the true classes.
  EXPECT_NEAR(quality_of("log_loss", file, "probabilities", truth),
              -(2 * std::log(0.75) + std::log(0.5)) / 4, 1e-9);
  const std::vector<double> values{1, 1, 1, 3};
  write_npy<double>(file, std::span<const double>(values));
  truth.target = {1, 1, 1, 1};
  EXPECT_EQ(quality_of("rmse", file, "values", truth), 1);
  truth.rows = Matrix<double>(5, 1, 0.0);
  EXPECT_THAT(message_of([&] { (void)quality_of("rmse", file, "values", truth); }),
              HasSubstr("predictions of 4 rows, expected 5"));
}

// --- the program
// ----------------------------------------------------------------------------------

class BenchProgram : public Program {
 protected:
  // A case of one's own, of few rows.
  void write_case(const std::string& changes = "{}") {
    nlohmann::json one = nlohmann::json::parse(R"({
      "name": "small", "about": "two clusters", "rows": {"quick": 400},
      "data": {"generate": "blobs", "features": 3, "classes": 2, "seed": 1},
      "algorithm": "kmeans",
      "options": {"n_clusters": 2, "init": "given", "max_iterations": 3, "scale": "none"},
      "given_centres": 2, "quality": {"metric": "inertia", "relative": 0.01},
      "numbers": {"iterations": 3, "clusters": 2},
      "flops": "iterations * 2 * rows * features * clusters",
      "bytes": "iterations * rows * features * element"})");
    one.merge_patch(nlohmann::json::parse(changes));
    std::filesystem::create_directories(path("cases"));
    test::write_text(path("cases/small.json"), one.dump());
  }
};

TEST_F(BenchProgram, MeasuresACaseOfOnesOwn) {
  write_case();
  const auto outcome = run({"bench", "--cases", path("cases"), "--suite", "quick", "--peers",
                            "none", "--runs", "3", "--json", "--report", path("page")});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = outcome.json();
  ASSERT_EQ(json["rows"].size(), 2U);
  const auto& fit = json["rows"][0];
  EXPECT_EQ(fit["measured"], "fit");
  EXPECT_EQ(fit["arms"][0]["seconds"].size(), 3U);
  EXPECT_GT(fit["floor_seconds"].get<double>(), 0);
  EXPECT_GT(json["machine"]["limits"][0]["memory_bytes_per_second"].get<double>(), 1e8);
  EXPECT_THAT(test::read_text(path("page/report.html")), HasSubstr("Beside the fastest"));
  // More memory than the case allows is a doubt, like unequal quality.
  EXPECT_FALSE(fit.contains("memory_allowed"));
  write_case(R"({"memory": "0 - rows"})");
  const auto greedy = run(
      {"bench", "--cases", path("cases"), "--suite", "quick", "--peers", "none", "--runs", "1"});
  EXPECT_EQ(greedy.status, 1) << greedy.err;
  EXPECT_THAT(greedy.out, HasSubstr("to the memory of its rows"));
}

// A build of the program beside itself: an arm like any other, and equal in quality.
TEST_F(BenchProgram, ASweepSaysHowTimeAndMemoryGrow) {
  write_case();
  const std::vector<std::string> words{"bench",   "--cases", path("cases"), "--suite", "quick",
                                       "--peers", "none",    "--runs",      "1",       "--json"};
  auto swept = words;
  swept.insert(swept.end(), {"--sweep", "1000,4000,16000"});
  const auto outcome = run(swept);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto growth = outcome.json()["growth"];
  ASSERT_EQ(growth.size(), 2U);  // of fits and predictions
  EXPECT_EQ(growth[0]["swept"], "rows");
  EXPECT_EQ(growth[0]["values"], nlohmann::json({1000, 4000, 16000}));
  EXPECT_LT(growth[0]["low"].get<double>(), growth[0]["high"].get<double>());
  auto descending = words;
  descending.insert(descending.end(), {"--sweep", "3,2,1"});
  EXPECT_EQ(run(descending).status, 2);
}

// A number of the case's own, wherever the file writes it; one that stands in a formula alone, or
// nowhere, is not swept in silence.
TEST_F(BenchProgram, ASweepChangesANumberOfTheCase) {
  write_case(R"({"options": {"n_clusters": "$clusters"}, "given_centres": "$clusters"})");
  const auto sweep = [&](const std::string& what) {
    return run({"bench", "--cases", path("cases"), "--suite", "quick", "--peers", "none", "--runs",
                "1", "--json", "--sweep", what});
  };
  const auto outcome = sweep("clusters=2,4,8");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = outcome.json();
  EXPECT_EQ(json["growth"][0]["swept"], "clusters");
  EXPECT_EQ(json["growth"][0]["values"], nlohmann::json({2, 4, 8}));
  ASSERT_EQ(json["rows"].size(), 6U);
  const auto inertia = [&](std::size_t row) {
    return json["rows"][row]["arms"][0]["quality"].get<double>();
  };
  EXPECT_GT(inertia(0), inertia(2));
  EXPECT_GT(inertia(2), inertia(4));
  EXPECT_EQ(json["rows"][4]["swept"], nlohmann::json({{"name", "clusters"}, {"value", 8}}));
  EXPECT_GT(json["rows"][4]["floor_seconds"].get<double>(), 0);
  EXPECT_EQ(sweep("features=2,4,8").status, 0);
  EXPECT_EQ(sweep("threads=1,2,3").status, 0);
  for (const char* wrong : {"iterations=1,2,3", "depth=1,2,3", "clusters=4,2,1", "clusters=1,2",
                            "=1,2,3", "clusters=1,2,x", "rows=0,1,2"}) {
    EXPECT_EQ(sweep(wrong).status, 2) << wrong;
  }
  EXPECT_THAT(sweep("depth=1,2,3").err, HasSubstr("small has no number 'depth'"));
}

TEST_F(BenchProgram, ResultsAreKeptInARow) {
  write_case();
  const auto keep = [&](const std::string& folder) {
    return run({"bench", "--cases", path("cases"), "--suite", "quick", "--peers", "none", "--runs",
                "1", "--history", folder});
  };
  for (int i = 0; i < 2; ++i) ASSERT_EQ(keep(path("history")).status, 0);
  const auto shown = run({"bench", "history", path("history"), "--json", "--report", path("page")});
  ASSERT_EQ(shown.status, 0) << shown.err;
  const auto history = shown.json()["histories"];
  ASSERT_EQ(history.size(), 1U);
  EXPECT_EQ(history[0]["files"].size(), 2U);
  ASSERT_EQ(history[0]["rows"].size(), 2U);
  EXPECT_EQ(history[0]["rows"][0]["median_seconds"].size(), 2U);
  EXPECT_FALSE(history[0]["rows"][0]["last"]["changed"].get<bool>());  // one run tells nothing
  EXPECT_THAT(run({"bench", "history", path("history")}).out, HasSubstr("within noise"));
  EXPECT_THAT(test::read_text(path("page/report.html")), HasSubstr("History of benchmarks"));
  test::write_text(path("file"), "");
  EXPECT_EQ(keep(path("file")).status, 2);
  EXPECT_EQ(run({"bench", "history", path("nothing")}).status, 2);
  EXPECT_EQ(run({"bench", "history", path("cases")}).status, 2);
}

TEST(BenchCrossover, LiesBetweenWhatTheEstimateMayMean) {
  // Processor n, device 100 + n/10: equal at n = 111; the straight lines are between logarithms.
  const std::vector<double> sizes{10, 100, 1000, 10000};
  std::vector<double> measured;
  std::vector<double> estimated;
  for (const double n : sizes) {
    measured.push_back(n);
    estimated.push_back(100 + n / 10);
  }
  const Crossover exact = crossover_of(sizes, measured, estimated, 1);
  EXPECT_NEAR(exact.from, 111, 20);
  EXPECT_EQ(exact.from, exact.to);
  const Crossover range = crossover_of(sizes, measured, estimated, 2);
  EXPECT_LT(range.from, exact.from);
  EXPECT_GT(range.to, exact.to);
  EXPECT_EQ(crossover_of(sizes, estimated, measured, 1).from, INFINITY);
  EXPECT_EQ(crossover_of(sizes, {1, 1, 1, 1}, {2, 2, 2, 2}, 3).from, 0);
  EXPECT_EQ(crossover_of(sizes, {1, 1, 1, 1}, {2, 2, 2, 2}, 3).to, INFINITY);
}

TEST_F(BenchProgram, AnotherBuildIsAnArm) {
  write_case();
  const auto outcome = run({"bench", "--cases", path("cases"), "--suite", "quick", "--peers",
                            "none", "--runs", "3", "--json", "--against", TANDEM_PROGRAM});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto row = outcome.json()["rows"][0];
  ASSERT_EQ(row["arms"].size(), 2U);
  EXPECT_EQ(row["arms"][0]["quality"], row["arms"][1]["quality"]);
  EXPECT_EQ(row["fastest_peer"], TANDEM_PROGRAM);
  EXPECT_GT(row["ratio"]["median"].get<double>(), 0);
}

TEST_F(BenchProgram, WhatIsMissingOrFailsIsSaidAndDoesNotStopTheOthers) {
  write_case(R"({"peers": {"other": {"class": "library.Model"}}})");
  const auto beside = [&](const std::string& python) {
    return run(
        {"bench", "--cases", path("cases"), "--suite", "quick", "--runs", "1", "--python", python});
  };
  const auto script = [&](const std::string& name, const std::string& text) {
    test::write_text(path(name), "#!/bin/sh\n" + text + "\n");
    std::filesystem::permissions(path(name), std::filesystem::perms::owner_all);
    return path(name);
  };
  const auto absent = beside(script(
      "absent", R"(while read line; do echo '{"error": "no library", "missing": true}'; done)"));
  EXPECT_EQ(absent.status, 0) << absent.err;
  EXPECT_THAT(absent.out, HasSubstr("left out: other: no library"));
  EXPECT_EQ(beside("/no/python3").status, 0);
  const auto failed =
      beside(script("failed", R"(while read line; do echo '{"error": "singular"}'; done)"));
  EXPECT_EQ(failed.status, 1);
  EXPECT_THAT(failed.out, HasSubstr("other: singular"));
  const auto ended = beside(script("ended", "echo out of memory >&2; exit 1"));
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.out, HasSubstr("other: has ended: out of memory"));
  const auto babbles = beside(script("babbles", "while read line; do echo hello; done"));
  EXPECT_EQ(babbles.status, 1);
  EXPECT_THAT(babbles.out, HasSubstr("has answered with 'hello'"));
  for (const auto& outcome : {failed, ended, babbles}) {
    EXPECT_THAT(outcome.out, HasSubstr("small, fit"));
  }
}

TEST_F(BenchProgram, ACaseThatIsWrongIsNamedWithItsMember) {
  const auto message = [&](const std::string& changes) {
    write_case(changes);
    const auto outcome = run(
        {"bench", "--cases", path("cases"), "--suite", "quick", "--peers", "none", "--runs", "1"});
    EXPECT_EQ(outcome.status, 2) << outcome.err;
    return outcome.err;
  };
  EXPECT_THAT(message(R"({"name": null})"), HasSubstr("cases/small.json: the file: lacks 'name'"));
  EXPECT_THAT(message(R"({"ruws": {}})"), HasSubstr("has no member 'ruws'"));
  EXPECT_THAT(message(R"({"rows": {"quick": -1}})"), HasSubstr("whole number of 1 or more"));
  EXPECT_THAT(message(R"({"rows": {"quick": null}})"), HasSubstr("names no suite"));
  EXPECT_THAT(message(R"({"data": {"generate": "cats"}})"), HasSubstr("expected one of blobs"));
  EXPECT_THAT(message(R"({"quality": {"metric": "beauty"}})"), HasSubstr("expected accuracy"));
  EXPECT_THAT(message(R"({"flops": "rows * speed"})"), HasSubstr("in place of 'speed'"));
  test::write_text(path("cases/small.json"), "{");
  const auto outcome = run({"bench", "--cases", path("cases"), "--suite", "quick"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("is no JSON at byte"));
}

TEST_F(BenchProgram, TwoResultsAreCompared) {
  const auto results = [](double factor) {
    nlohmann::json json{{"suite", "quick"}, {"machine", {{"processor", "one"}}}};
    for (const char* name : {"changes", "stays"}) {
      nlohmann::json seconds = nlohmann::json::array();
      for (int i = 0; i < 9; ++i) {
        seconds.push_back((1 + 0.01 * ((i * 5) % 9)) * (name[0] == 'c' ? factor : 1.0));
      }
      json["rows"].push_back({{"case", name},
                              {"measured", "fit"},
                              {"threads", 1},
                              {"arms", {{{"name", "tandem"}, {"seconds", seconds}}}}});
    }
    return json;
  };
  test::write_text(path("before.json"), results(1).dump());
  test::write_text(path("after.json"), results(1.3).dump());
  const auto slower = run({"bench", "compare", path("before.json"), path("after.json")});
  EXPECT_EQ(slower.status, 1);
  EXPECT_THAT(slower.out, HasSubstr("slower"));
  EXPECT_THAT(slower.out, HasSubstr("within noise"));
  EXPECT_EQ(run({"bench", "compare", path("before.json"), path("before.json")}).status, 0);
  EXPECT_THAT(run({"bench", "compare", path("after.json"), path("before.json")}).out,
              HasSubstr("faster"));
  nlohmann::json elsewhere = results(1);
  elsewhere["machine"]["processor"] = "two";
  test::write_text(path("elsewhere.json"), elsewhere.dump());
  const auto other = run({"bench", "compare", path("before.json"), path("elsewhere.json")});
  EXPECT_EQ(other.status, 2);
  EXPECT_THAT(other.err, HasSubstr("different processors"));
  // Rows of a sweep are told apart, and work that was counted is compared exactly.
  nlohmann::json swept = results(1);
  swept["rows"][1] = swept["rows"][0];
  swept["rows"][0]["rows"] = 1000;
  swept["rows"][1]["rows"] = 2000;
  test::write_text(path("swept.json"), swept.dump());
  EXPECT_EQ(run({"bench", "compare", path("swept.json"), path("swept.json"), "--json"})
                .json()["rows"]
                .size(),
            2U);
  nlohmann::json work{{"case", "c"},
                      {"rows", 10},
                      {"device", "h100"},
                      {"estimate", {{"seconds", 1}, {"copy_seconds", 0.5}}}};
  for (const char* name :
       {"launches", "warp_instructions", "flops", "sectors", "to_device_bytes", "to_host_bytes"}) {
    work["counted"][name] = 7;
  }
  nlohmann::json counted = results(1);
  counted["device_work"] = {work};
  test::write_text(path("counted.json"), counted.dump());
  const auto equal = run({"bench", "compare", path("counted.json"), path("counted.json")});
  EXPECT_EQ(equal.status, 0) << equal.err;
  EXPECT_THAT(equal.out, HasSubstr("equal in all 1"));
  counted["device_work"][0]["counted"]["flops"] = 8;
  test::write_text(path("more.json"), counted.dump());
  const auto more = run({"bench", "compare", path("counted.json"), path("more.json")});
  EXPECT_EQ(more.status, 1);
  EXPECT_THAT(more.out, HasSubstr("c, 10 rows, h100: flops 7 to 8"));
  test::write_text(path("none.json"), "[1]");
  EXPECT_EQ(run({"bench", "compare", path("before.json"), path("none.json")}).status, 2);
  EXPECT_EQ(run({"bench", "compare", path("before.json")}).status, 2);
  EXPECT_EQ(run({"bench", "--peers", "torch7"}).status, 2);
  EXPECT_EQ(run({"bench", "--case", "nothing"}).status, 2);
}

}  // namespace
}  // namespace tandem::program
