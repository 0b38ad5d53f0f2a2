#include "tandem/data/dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tandem/core/error.hpp"

namespace tandem {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

template <Real T>
Dataset<T> with_target(std::vector<T> target, std::vector<std::string> categories = {}) {
  Dataset<T> data;
  data.source = "set";
  const auto rows = static_cast<Index>(target.size());
  data.features = Matrix<T>(rows, 2);
  for (Index i = 0; i < rows; ++i) {
    data.features(i, 0) = static_cast<T>(i);
    data.features(i, 1) = static_cast<T>(10 * i);
  }
  data.columns = {{"a", {}}, {"b", {}}};
  data.target = std::move(target);
  data.target_column = {"y", std::move(categories)};
  return data;
}

template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no InputError";
}

TEST(EncodeClasses, NumbersAreNamedAsTheyReadAndSorted) {
  const auto classes = encode_classes(with_target<double>({3, -1, 2.5, 3, 0.0, -0.0}));
  EXPECT_THAT(classes.names, ElementsAre("-1", "0", "2.5", "3"));
  EXPECT_THAT(classes.labels, ElementsAre(3, 0, 2, 3, 1, 1));
  EXPECT_THAT(encode_classes(with_target<double>({-0.0, 1})).names, ElementsAre("0", "1"));
}

TEST(EncodeClasses, ManyWholeNumbersTakeTheOtherPath) {
  // 0, -0 and every number from -700 to 700, backwards: more than are found by insertion.
  std::vector<float> target{-0.0F};
  for (int v = 700; v >= -700; --v) target.push_back(static_cast<float>(v));
  const auto classes = encode_classes(with_target<float>(target));
  ASSERT_EQ(classes.names.size(), 1401U);
  EXPECT_EQ(classes.names[700], "0");
  EXPECT_EQ(classes.labels[0], 700);
  for (int i = 0; i <= 1400; ++i)
    EXPECT_EQ(classes.labels[static_cast<std::size_t>(i + 1)], 1400 - i);
}

TEST(EncodeClasses, CategoriesThatNoRowHasAreLeftOut) {
  const auto classes = encode_classes(with_target<double>({2, 0, 2}, {"ant", "bee", "cat"}));
  EXPECT_THAT(classes.names, ElementsAre("ant", "cat"));
  EXPECT_THAT(classes.labels, ElementsAre(1, 0, 1));
}

TEST(EncodeClasses, NamesOfTheModelDecide) {
  const auto data = with_target<double>({0, 1, 2}, {"ant", "bee", "cat"});
  const auto classes = encode_classes(data, {"cat", "ant"});
  EXPECT_THAT(classes.labels, ElementsAre(1, -1, 0));
  EXPECT_THAT(classes.names, ElementsAre("cat", "ant"));
}

TEST(EncodeClasses, RefusesMissingAndRegressionTargets) {
  EXPECT_THAT(message_of([] {
                (void)encode_classes(with_target<double>({1, std::nan("")}));
              }),
              HasSubstr("set: row 2: the target y is missing"));
  EXPECT_THAT(message_of([] { (void)encode_classes(with_target<float>({})); }),
              HasSubstr("has no target"));
  std::vector<double> fractions;
  for (int i = 0; i < 101; ++i) fractions.push_back(i + 0.5);
  EXPECT_THAT(message_of([&] { (void)encode_classes(with_target<double>(fractions)); }),
              HasSubstr("regression target"));
  fractions.pop_back();
  EXPECT_EQ(encode_classes(with_target<double>(fractions)).names.size(), 100U);
  EXPECT_THAT(message_of([] {
                (void)encode_classes(with_target<double>({0, 3}, {"a", "b"}));
              }),
              HasSubstr("row 2: the target y has a code that stands for no category"));
}

TEST(TaskOfTarget, TextsAndFewWholeNumbersAreClasses) {
  Dataset<double> data;
  data.source = "t";
  data.target_column.name = "y";
  for (int i = 0; i < 20; ++i) data.target.push_back(i % 20);
  data.target.push_back(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(task_of_target(data), Task::classification);
  data.target.push_back(20);
  EXPECT_EQ(task_of_target(data), Task::regression);
  data.target = {0, 1, 0.5};
  EXPECT_EQ(task_of_target(data), Task::regression);
  data.target_column.categories = {"a", "b"};
  EXPECT_EQ(task_of_target(data), Task::classification);
}

TEST(RequireNumericTarget, RefusesTextsAndNone) {
  Dataset<double> data;
  data.source = "t";
  data.target_column.name = "y";
  EXPECT_THROW(require_numeric_target(data), InputError);
  data.target = {0, 1};
  EXPECT_NO_THROW(require_numeric_target(data));
  data.target_column.categories = {"a", "b"};
  EXPECT_THROW(require_numeric_target(data), InputError);
}

TEST(SelectRows, KeepsOrderRepetitionsAndNames) {
  auto data = with_target<double>({5, 6, 7});
  data.weights = {0.5, 1, 2};
  const auto part = select_rows(data, {2, 0, 2});
  EXPECT_EQ(part.features.values(), (std::vector<double>{2, 20, 0, 0, 2, 20}));
  EXPECT_EQ(part.target, (std::vector<double>{7, 5, 7}));
  EXPECT_EQ(part.weights, (std::vector<double>{2, 0.5, 2}));
  EXPECT_EQ(part.columns, data.columns);
  EXPECT_EQ(part.source, "set");
  EXPECT_EQ(select_rows(data, {}).rows(), 0);
}

TEST(SelectRows, CarriesWeightsGroupsAndMargins) {
  Dataset<double> data = with_target<double>({0, 1, 2, 3});
  data.weights = {1, 2, 3, 4};
  data.groups = {7, 7, 5, 5};
  data.base_margin = {0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5};  // two outputs
  const auto part = select_rows(data, {3, 1});
  EXPECT_THAT(part.weights, ElementsAre(4, 2));
  EXPECT_THAT(part.groups, ElementsAre(5, 7));
  EXPECT_THAT(part.base_margin, ElementsAre(3, 3.5, 1, 1.5));
  const DatasetView<double> view = data;
  EXPECT_TRUE(view.has_groups());
  const auto dense = to_dense(view);
  EXPECT_EQ(dense.groups, data.groups);
  EXPECT_EQ(dense.base_margin, data.base_margin);

  const auto refused = [&](auto&& spoil) {
    Dataset<double> bad = data;
    spoil(bad);
    return message_of([&] { (void)select_rows(bad, {0}); });
  };
  EXPECT_THAT(refused([](auto& bad) { bad.groups.pop_back(); }),
              HasSubstr("set: has 3 groups for 4 rows"));
  EXPECT_THAT(refused([](auto& bad) { bad.weights.pop_back(); }),
              HasSubstr("set: has 3 weights for 4 rows"));
  EXPECT_THAT(refused([](auto& bad) { bad.base_margin.pop_back(); }),
              HasSubstr("set: has 7 base margins for 4 rows"));
}

TEST(SelectRows, WritesSparseRowsOut) {
  const std::vector<Index> offsets{0, 1, 1, 3};
  const std::vector<std::int32_t> columns{1, 0, 2};
  const std::vector<float> values{5, 6, 7};
  DatasetView<float> view;
  view.sparse = {3, 3, offsets, columns, values};
  const auto part = select_rows(view, {2, 1, 0});
  EXPECT_THAT(part.features.row(0), ElementsAre(6, 0, 7));
  EXPECT_THAT(part.features.row(1), ElementsAre(0, 0, 0));
  EXPECT_THAT(part.features.row(2), ElementsAre(0, 5, 0));
  EXPECT_EQ(part.columns.size(), 3U);
}

TEST(GroupStarts, FirstRowsOfQueries) {
  Dataset<float> data = with_target<float>({0, 0, 0, 0, 0});
  EXPECT_THAT(message_of([&] { (void)group_starts(data); }), HasSubstr("ranking needs that"));
  data.groups = {9, 9, -1, 3, 3};
  EXPECT_THAT(group_starts(data), ElementsAre(0, 2, 3, 5));
  data.groups = {9, 3, 9, 3, 3};
  EXPECT_THAT(message_of([&] { (void)group_starts(data); }),
              HasSubstr("set: row 3 belongs to query 9"));
  data.groups = {9};
  EXPECT_THAT(message_of([&] { (void)group_starts(data); }), HasSubstr("1 groups for 5 rows"));
}

TEST(RequireFinite, NamesTheFirstPlace) {
  auto data = with_target<float>({1, 2, 3});
  EXPECT_NO_THROW(require_finite(data, true));
  data.features(1, 1) = std::numeric_limits<float>::quiet_NaN();
  data.features(2, 0) = std::numeric_limits<float>::infinity();
  EXPECT_THAT(message_of([&] { require_finite(data, true); }),
              HasSubstr("set: row 2, column b: the value is missing"));
  EXPECT_THAT(message_of([&] { require_finite(data, true, true); }),
              HasSubstr("row 3, column a: the value is infinite"));
  data.features(2, 0) = 0;
  EXPECT_NO_THROW(require_finite(data, true, true));
  data.target[0] = -std::numeric_limits<float>::infinity();
  EXPECT_NO_THROW(require_finite(data, false, true));
  EXPECT_THAT(message_of([&] { require_finite(data, true, true); }),
              HasSubstr("the target y is infinite"));
}

TEST(NumberedColumns, CountFromZero) {
  const auto columns = numbered_columns(11);
  EXPECT_EQ(columns[0].name, "x0");
  EXPECT_EQ(columns[10].name, "x10");
  EXPECT_FALSE(columns[10].categorical());
}

}  // namespace
}  // namespace tandem
