// Summaries of training data, and what is concluded from them.
#include "systems/serving/watch/drift.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/random.hpp"
#include "systems/serving/watch/kolmogorov.hpp"
#include "tandem/core/error.hpp"

namespace tandem::watch {
namespace {

using ::testing::HasSubstr;

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

Dataset<double> table_of(std::vector<double> values, std::vector<std::string> categories = {}) {
  Dataset<double> data;
  data.source = "test";
  data.columns = {{"x", std::move(categories)}};
  const auto rows = static_cast<Index>(values.size());
  data.features = Matrix<double>(rows, 1);
  for (Index i = 0; i < rows; ++i) data.features(i, 0) = values[static_cast<std::size_t>(i)];
  return data;
}

std::vector<double> normals(std::uint32_t stream, int count, double shift = 0) {
  const Random random(1, Purpose::test, stream);
  std::vector<double> values;
  for (int i = 0; i < count; ++i) {
    values.push_back(random.normal(static_cast<std::uint64_t>(i)) + shift);
  }
  return values;
}

ColumnSummary summary_of_values(const std::vector<double>& values,
                                const std::vector<std::string>& categories = {}) {
  return summarise_columns(table_of(values, categories).view())[0];
}

ColumnDrift drift_of(const ColumnSummary& before, const std::vector<double>& later) {
  TrainingSummary summary;
  summary.features = {before};
  std::vector<ColumnSummary> now{before.without_rows()};
  for (const double value : later) now[0].count(value);
  return compare(summary, now, {}).columns[0];
}

TEST(TrainingSummary, CountsEveryRowOnce) {
  std::vector<double> values = normals(1, 1000);
  values[3] = missing;
  values[5] = missing;
  const ColumnSummary column = summary_of_values(values);
  EXPECT_EQ(column.rows(), 1000);
  EXPECT_EQ(column.missing, 2);
  EXPECT_EQ(column.edges.size(), 63U);
  for (std::size_t k = 0; k < column.counts.size(); ++k) {
    Index here = 0;
    for (const double value : values) {
      here += (k == 0 || value > column.edges[k - 1]) &&
                      (k == column.edges.size() || value <= column.edges[k])
                  ? 1
                  : 0;
    }
    EXPECT_EQ(column.counts[k], here) << k;
    EXPECT_NEAR(static_cast<double>(here), 1000.0 / 64, 3);
  }
}

TEST(TrainingSummary, GivesEveryValueOfAFewAnInterval) {
  const ColumnSummary column = summary_of_values({3, 1, 1, 7, 3, 1, missing});
  EXPECT_EQ(column.edges, (std::vector<double>{std::nextafter(1.0, 0.0), 1, 3, 7}));
  EXPECT_EQ(column.counts, (std::vector<Index>{0, 3, 2, 1, 0}));
  EXPECT_TRUE(summary_of_values({missing, missing}).edges.empty());
  EXPECT_EQ(summary_of_values({5, 5, 5}).counts, (std::vector<Index>{0, 3, 0}));
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(summary_of_values({1, 2, infinity, -infinity}).counts,
            (std::vector<Index>{1, 1, 1, 1}));
}

TEST(TrainingSummary, CountsCategoriesByCode) {
  const ColumnSummary column = summary_of_values({0, 1, 1, missing}, {"a", "b", "c"});
  EXPECT_EQ(column.counts, (std::vector<Index>{1, 2, 0}));
  ColumnSummary now = column.without_rows();
  for (const double code : {2.0, 7.0, -1.0, missing}) now.count(code);
  EXPECT_EQ(now.counts, (std::vector<Index>{0, 0, 1}));
  EXPECT_EQ(now.unseen, 2);
  EXPECT_EQ(now.missing, 1);
}

TEST(TrainingSummary, LeavesColumnsOut) {
  EXPECT_TRUE(summarise_columns(table_of({1, 2}).view(), {{"x"}}).empty());
  EXPECT_THROW((void)summarise_columns(table_of({1, 2}).view(), {{"y"}}), InputError);
}

TEST(TrainingSummary, ComesBackFromAnArchive) {
  TrainingSummary summary;
  summary.features = {summary_of_values(normals(2, 500)),
                      summary_of_values({0, 1, 1, missing}, {"a", "b"}),
                      summary_of_values({missing})};
  summary.scores = {summary_of_values({0.5, 0.25})};
  summary.scores_held_out = true;
  Archive model;
  set_summary(model, summary);
  EXPECT_EQ(summary_of(model), summary);
  EXPECT_TRUE(summary_of(Archive()).empty());
  // Of a later version nothing is taken, and it says so.
  model.set("summary/version", 2);
  EXPECT_FALSE(summary_of(model).empty());
  EXPECT_TRUE(summary_of(model).features.empty());
}

TEST(TrainingSummary, RefusesWhatCannotHaveBeenSaved) {
  TrainingSummary summary;
  summary.features = {summary_of_values({1, 2, 3, 4}), summary_of_values({0, 1}, {"a", "b"})};
  const auto refused = [&](const auto& change) {
    Archive model;
    set_summary(model, summary);
    change(model);
    try {
      (void)summary_of(model);
    } catch (const InputError&) {
      return true;
    }
    return false;
  };
  EXPECT_FALSE(refused([](Archive&) {}));
  const std::string part = "summary/features/";
  EXPECT_TRUE(refused([&](Archive& a) {
    a.set(part + "edges", std::vector<double>{0, 1, 1, 3, 4});
  }));
  EXPECT_TRUE(refused([&](Archive& a) { a.set(part + "edges", std::vector<double>{0, 1, 2, 3}); }));
  EXPECT_TRUE(refused([&](Archive& a) {
    a.set(part + "edges", std::vector<double>{0, 1, 2, 3, missing});
  }));
  EXPECT_TRUE(refused([&](Archive& a) {
    a.set(part + "edges", std::vector<double>{0, 1, 2, 3, 4, 5});
  }));
  EXPECT_TRUE(refused([&](Archive& a) {
    a.set_tensor(part + "counts", std::vector<std::int64_t>{0, 1, 1, -1, 1, 0, 1, 1});
  }));
  EXPECT_TRUE(refused([&](Archive& a) {
    a.set_tensor(part + "counts", std::vector<std::int64_t>{0, 1, 1, 1, 1, 0, 1});
  }));
  EXPECT_TRUE(refused([&](Archive& a) {
    a.set_tensor(part + "intervals", std::vector<std::int64_t>{0, 8});
  }));
  EXPECT_TRUE(refused([&](Archive& a) {
    a.set_tensor(part + "intervals", std::vector<std::int64_t>{6, INT64_MAX});
  }));
  EXPECT_TRUE(
      refused([&](Archive& a) { a.set(part + "categories", std::vector<std::string>{"a"}); }));
  EXPECT_TRUE(refused([&](Archive& a) { a.set("summary/version", "one"); }));
}

TEST(Kolmogorov, OfOnePlaceIsTheNormalTail) {
  for (const double x : {0.3, 0.7, 1.2, 2.0}) {
    for (const double t : {0.1, 0.5, 0.8}) {
      EXPECT_NEAR(kolmogorov_tail(x, {t}), std::erfc(x / std::sqrt(2 * t * (1 - t))), 1e-6);
    }
  }
}

TEST(Kolmogorov, OfTwoPlacesIsThatOfSimulation) {
  const Random random(5, Purpose::test, 0);
  const double x = 0.8;
  int beyond = 0;
  constexpr int runs = 40'000;
  for (std::uint64_t i = 0; i < runs; ++i) {
    // B(0.3), and from there B(0.7).
    const double first = std::sqrt(0.3 * 0.7) * random.normal(2 * i);
    const double shrink = 0.3 / 0.7;
    const double second = shrink * first + std::sqrt(0.4 * shrink) * random.normal(2 * i + 1);
    beyond += std::max(std::abs(first), std::abs(second)) >= x ? 1 : 0;
  }
  const double p = kolmogorov_tail(x, {0.3, 0.7});
  EXPECT_NEAR(static_cast<double>(beyond) / runs, p, 3.5 * std::sqrt(p * (1 - p) / runs));
}

TEST(Kolmogorov, OfMorePlacesTendsToTheLimit) {
  double before = 0;
  for (const int places : {7, 31, 127}) {
    std::vector<double> t;
    for (int k = 1; k <= places; ++k) t.push_back(k / (places + 1.0));
    const double p = kolmogorov_tail(1.3581, t);
    EXPECT_GT(p, before);
    EXPECT_LT(p, 0.05);  // over all t (Smirnov, 1948)
    before = p;
  }
  EXPECT_GT(before, 0.037);
  EXPECT_EQ(kolmogorov_tail(1, {}), 1);
  EXPECT_EQ(kolmogorov_tail(0, {0.5}), 1);
  EXPECT_EQ(kolmogorov_tail(50, {0.5}), 0);
}

TEST(Kolmogorov, LeavesOutPlacesThatAreTooNear) {
  EXPECT_EQ(spread_places({0.001, 0.2, 0.2001, 0.5, 0.999}), (std::vector<std::size_t>{1, 3}));
  EXPECT_TRUE(spread_places({}).empty());
}

TEST(Drift, IsNotFoundInTheSameRowsAndInOthersOfTheirKind) {
  const ColumnSummary before = summary_of_values(normals(3, 4000));
  const ColumnDrift same = drift_of(before, normals(3, 4000));
  EXPECT_EQ(same.psi, 0);
  EXPECT_EQ(same.ks, 0);
  EXPECT_EQ(same.p_ks, 1);
  const ColumnDrift others = drift_of(before, normals(4, 1000));
  EXPECT_GT(others.p, 0.01);
  EXPECT_FALSE(others.alarm);
  EXPECT_LT(others.psi, others.psi_limit);
}

TEST(Drift, IsFoundInMovedValuesMissingOnesAndUnseenCategories) {
  const ColumnSummary before = summary_of_values(normals(3, 4000));
  const ColumnDrift moved = drift_of(before, normals(5, 1000, 0.3));
  EXPECT_TRUE(moved.alarm);
  EXPECT_THAT(moved.reason, HasSubstr("other values"));
  EXPECT_NEAR(moved.ks, 0.119, 0.04);  // 2Φ(0.15) − 1
  EXPECT_NEAR(moved.psi, 0.09, 0.05);  // the square of the shift

  std::vector<double> gaps = normals(6, 1000);
  for (std::size_t i = 0; i < gaps.size(); i += 20) gaps[i] = missing;
  const ColumnDrift absent = drift_of(before, gaps);
  EXPECT_TRUE(absent.alarm);
  EXPECT_THAT(absent.reason, HasSubstr("missing 5 %, was 0 %"));

  std::vector<double> codes;
  for (int i = 0; i < 2000; ++i) codes.push_back(i % 4);
  std::vector<double> later(codes.begin(), codes.begin() + 1000);
  for (std::size_t i = 0; i < later.size(); i += 50) later[i] = 9;
  const ColumnDrift unseen = drift_of(summary_of_values(codes, {"a", "b", "c", "d"}), later);
  EXPECT_TRUE(unseen.alarm);
  EXPECT_THAT(unseen.reason, HasSubstr("unseen categories 2 %"));
  EXPECT_EQ(unseen.unseen_expected, 0);
}

TEST(Drift, SaysWhatItCannotJudge) {
  const ColumnSummary before = summary_of_values(normals(3, 4000));
  const ColumnDrift few = drift_of(before, normals(5, 50, 3));
  EXPECT_FALSE(few.judged);
  EXPECT_FALSE(few.alarm);
  EXPECT_THAT(few.why_not, HasSubstr("fewer than 100 rows"));
  EXPECT_FALSE(drift_of(before, {}).alarm);

  TrainingSummary summary;
  summary.scores = {before};
  std::vector<ColumnSummary> scores{before.without_rows()};
  for (const double value : normals(5, 1000, 3)) scores[0].count(value);
  DriftReport report = compare(summary, {}, scores);
  EXPECT_FALSE(report.alarm);
  EXPECT_THAT(report.columns[0].why_not, HasSubstr("trained on"));
  summary.scores_held_out = true;
  report = compare(summary, {}, scores);
  EXPECT_TRUE(report.alarm);
  EXPECT_EQ(to_json(report)["columns"][0]["of"], "model");
  EXPECT_THROW((void)compare(summary, {before}, {}), InputError);
  scores[0].name = "other";
  EXPECT_THROW((void)compare(summary, {}, scores), InputError);
}

TEST(Drift, TakesColumnsWithoutAnyValue) {
  const ColumnSummary empty = summary_of_values(std::vector<double>(500, missing));
  EXPECT_FALSE(drift_of(empty, std::vector<double>(500, missing)).alarm);
  EXPECT_TRUE(drift_of(empty, std::vector<double>(500, 1.0)).alarm);
  const ColumnSummary constant = summary_of_values(std::vector<double>(500, 2.0));
  EXPECT_FALSE(drift_of(constant, std::vector<double>(500, 2.0)).alarm);
  EXPECT_TRUE(drift_of(constant, std::vector<double>(500, 2.5)).alarm);
  EXPECT_TRUE(drift_of(constant, std::vector<double>(500, 1.5)).alarm);
}

}  // namespace
}  // namespace tandem::watch
