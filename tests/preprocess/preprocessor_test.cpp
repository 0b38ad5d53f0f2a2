#include "tandem/preprocess/preprocessor.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/random.hpp"

namespace tandem {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// rows given one after the other; all columns numeric unless categories are given.
template <Real T>
Dataset<T> table(Index cols, const std::vector<double>& values) {
  Dataset<T> data;
  data.source = "test.csv";
  data.columns = numbered_columns(cols);
  std::vector<T> cells;
  for (const double value : values) cells.push_back(static_cast<T>(value));
  data.features = Matrix<T>(static_cast<Index>(values.size()) / cols, cols, std::move(cells));
  return data;
}

Dataset<double> colours(const std::vector<std::string>& categories,
                        const std::vector<double>& codes) {
  Dataset<double> data = table<double>(1, codes);
  data.columns[0] = {"colour", categories};
  return data;
}

template <Real T>
std::vector<T> column(const Dataset<T>& data, Index j) {
  std::vector<T> values;
  for (Index i = 0; i < data.rows(); ++i) values.push_back(data.features(i, j));
  return values;
}

template <class T>
class Typed : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Typed, Reals);

TYPED_TEST(Typed, StandardiseByHand) {
  using T = TypeParam;
  // 2, 4, 4, 4, 5, 5, 7, 9: mean 5, population standard deviation 2.
  const auto data = table<T>(2, {2, 7, 4, 7, 4, 7, 4, 7, 5, 7, 5, 7, 7, 7, 9, 7});
  const auto fitted = Preprocessor<T>::fit_transform(data, {.scale = Scale::standard});
  EXPECT_EQ(fitted.preprocessor.fits()[0].shift, 5.0);
  EXPECT_EQ(fitted.preprocessor.fits()[0].divisor, 2.0);
  EXPECT_EQ(column(fitted.data, 0), (std::vector<T>{-1.5, -0.5, -0.5, -0.5, 0, 0, 1, 2}));
  // A constant column becomes 0, by a divisor of 1.
  EXPECT_EQ(fitted.preprocessor.fits()[1].divisor, 1.0);
  EXPECT_EQ(column(fitted.data, 1), std::vector<T>(8, T{0}));
  const auto other = fitted.preprocessor.transform(table<T>(2, {6, 9}));
  EXPECT_EQ(other.features(0, 0), T{0.5});
  EXPECT_EQ(other.features(0, 1), T{2});
  EXPECT_EQ(fitted.preprocessor.unscale(0, 0.5), 6.0);
}

TYPED_TEST(Typed, AConstantThatNoMeanHitsBecomesZero) {
  using T = TypeParam;
  const auto data = table<T>(1, std::vector<double>(4099, 0.1));
  const auto fitted = Preprocessor<T>::fit_transform(data, {.scale = Scale::standard});
  EXPECT_EQ(column(fitted.data, 0), std::vector<T>(4099, T{0}));
}

TYPED_TEST(Typed, MinmaxByHand) {
  using T = TypeParam;
  const auto data = table<T>(2, {1, 3, 3, 3, 5, 3});
  const auto fitted = Preprocessor<T>::fit_transform(data, {.scale = Scale::minmax});
  EXPECT_EQ(column(fitted.data, 0), (std::vector<T>{0, T{0.5}, 1}));
  EXPECT_EQ(column(fitted.data, 1), (std::vector<T>{0, 0, 0}));
  EXPECT_EQ(fitted.preprocessor.transform(table<T>(2, {7, 4})).features(0, 0), T{1.5});
}

// from sklearn.preprocessing import StandardScaler; import numpy as np
// x = 1e6 + np.sin(np.arange(5000.0)); s = StandardScaler().fit(x[:, None]); s.mean_, s.scale_
TEST(Preprocessor, VarianceOfALargeMean) {
  std::vector<double> values;
  for (int i = 0; i < 5000; ++i) values.push_back(1e6 + std::sin(static_cast<double>(i)));
  const auto p = Preprocessor<double>::fit(table<double>(1, values), {.scale = Scale::standard});
  EXPECT_NEAR(p.fits()[0].shift, 1000000.0002535336, 1e-9);
  EXPECT_NEAR(p.fits()[0].divisor, 0.70704465176501, 1e-11);
}

TYPED_TEST(Typed, Imputation) {
  using T = TypeParam;
  const auto data = table<T>(1, {1, missing, 2, 2, 8, missing, 7, 7});
  const auto fill_of = [&](const PreprocessOptions& options) {
    const auto fitted = Preprocessor<T>::fit_transform(data, options);
    EXPECT_EQ(fitted.preprocessor.fits()[0].missing, 2);
    EXPECT_EQ(fitted.data.features(0, 0), T{1});
    EXPECT_EQ(test::bits_of(fitted.data.features(1, 0)), test::bits_of(fitted.data.features(5, 0)));
    return fitted.data.features(1, 0);
  };
  EXPECT_EQ(fill_of({.impute = Impute::mean}), T{4.5});         // 27 / 6
  EXPECT_EQ(fill_of({.impute = Impute::median}), T{4.5});       // between 2 and 7
  EXPECT_EQ(fill_of({.impute = Impute::most_frequent}), T{2});  // 2 and 7 twice: the least
  EXPECT_EQ(fill_of({.impute = Impute::constant, .impute_constant = -1}), T{-1});
  EXPECT_TRUE(std::isnan(fill_of({})));
}

TEST(Preprocessor, MissingValuesWithoutImputationStayAndDoNotCount) {
  const auto data = table<double>(1, {1, missing, 3});
  const auto fitted = Preprocessor<double>::fit_transform(data, {.scale = Scale::standard});
  EXPECT_EQ(fitted.preprocessor.fits()[0].shift, 2.0);
  EXPECT_EQ(fitted.preprocessor.fits()[0].divisor, 1.0);
  EXPECT_EQ(fitted.data.features(0, 0), -1.0);
  EXPECT_TRUE(std::isnan(fitted.data.features(1, 0)));
}

TEST(Preprocessor, ScalingSeesImputedValues) {
  // 0, 4 and a missing value filled with -1 beyond both: minmax spans the filled values as well.
  const auto data = table<double>(1, {0, 4, missing});
  const auto fitted = Preprocessor<double>::fit_transform(
      data, {.scale = Scale::minmax, .impute = Impute::constant, .impute_constant = -1});
  EXPECT_EQ(column(fitted.data, 0), (std::vector<double>{0.2, 1.0, 0.0}));
  const auto standard = Preprocessor<double>::fit(
      data, {.scale = Scale::standard, .impute = Impute::constant, .impute_constant = -1});
  EXPECT_EQ(standard.fits()[0].shift, 1.0);                           // (0 + 4 − 1) / 3
  EXPECT_DOUBLE_EQ(standard.fits()[0].divisor, std::sqrt(14.0 / 3));  // 1 + 9 + 4
}

TEST(Preprocessor, OneHot) {
  const auto train = colours({"red", "green", "blue"}, {2, 0, 2, missing});
  const auto fitted = Preprocessor<double>::fit_transform(train, {.scale = Scale::standard});
  const auto& p = fitted.preprocessor;
  // "green" does not occur in the training part: no indicator. Indicators are not scaled.
  ASSERT_EQ(p.output_columns().size(), 2U);
  EXPECT_EQ(p.output_columns()[0].name, "colour=red");
  EXPECT_EQ(p.output_columns()[1].name, "colour=blue");
  EXPECT_EQ(column(fitted.data, 0), (std::vector<double>{0, 1, 0, 0}));
  EXPECT_EQ(column(fitted.data, 1), (std::vector<double>{1, 0, 1, 0}));
  // Another file lists its categories in another order, and has one that is unknown.
  const auto other = p.transform(colours({"blue", "mauve", "red"}, {0, 1, 2, missing}));
  EXPECT_EQ(column(other, 0), (std::vector<double>{0, 0, 1, 0}));
  EXPECT_EQ(column(other, 1), (std::vector<double>{1, 0, 0, 0}));
}

TEST(Preprocessor, OneHotBetweenNumbers) {
  Dataset<float> data = table<float>(3, {1, 0, 10, 3, 1, 20});
  data.columns[1].categories = {"a", "b"};
  const auto fitted = Preprocessor<float>::fit_transform(data, {.scale = Scale::minmax});
  ASSERT_EQ(fitted.data.cols(), 4);
  EXPECT_EQ(fitted.data.features.values(), (std::vector<float>{0, 1, 0, 0, 1, 0, 1, 1}));
  EXPECT_EQ(fitted.data.columns[3].name, "x2");
  EXPECT_EQ(fitted.preprocessor.unscale(3, 0.5), 15.0);
  EXPECT_EQ(fitted.preprocessor.unscale(1, 1), 1.0);
}

TEST(Preprocessor, OneHotImputed) {
  const auto train = colours({"red", "green"}, {0, 1, 1, missing});
  const auto frequent = Preprocessor<double>::fit(train, {.impute = Impute::mean});
  EXPECT_EQ(column(frequent.transform(train), 1), (std::vector<double>{0, 1, 1, 1}));
  const auto own = Preprocessor<double>::fit(train, {.impute = Impute::constant});
  ASSERT_EQ(own.output_columns().size(), 3U);
  EXPECT_EQ(own.output_columns()[2].name, "colour=missing");
  EXPECT_EQ(column(own.transform(train), 2), (std::vector<double>{0, 0, 0, 1}));
  // What is unseen is not missing.
  const auto unseen = frequent.transform(colours({"mauve"}, {0}));
  EXPECT_EQ(unseen.features.values(), (std::vector<double>{0, 0}));
}

TEST(Preprocessor, Ordinal) {
  const auto train = colours({"low", "unused", "high"}, {0, 2, 2, missing});
  const auto fitted = Preprocessor<double>::fit(train, {.encode = Encode::ordinal});
  EXPECT_FALSE(fitted.output_columns()[0].categorical());
  const auto out = fitted.transform(colours({"high", "low", "unused"}, {0, 1, 2}));
  EXPECT_EQ(out.features(0, 0), 1.0);
  EXPECT_EQ(out.features(1, 0), 0.0);
  EXPECT_TRUE(std::isnan(out.features(2, 0)));  // not in the training part: missing
  const auto imputed = Preprocessor<double>::fit(
      train, {.impute = Impute::most_frequent, .encode = Encode::ordinal});
  EXPECT_EQ(imputed.transform(colours({"mauve"}, {0})).features(0, 0), 1.0);
  // Codes are scaled: 0, 1, 1 and the filled 1.
  const auto scaled = Preprocessor<double>::fit_transform(
      train,
      {.scale = Scale::standard, .impute = Impute::most_frequent, .encode = Encode::ordinal});
  EXPECT_EQ(scaled.preprocessor.fits()[0].shift, 0.75);
  EXPECT_DOUBLE_EQ(scaled.preprocessor.fits()[0].divisor, std::sqrt(3.0) / 4);
}

TEST(Preprocessor, CategoriesKept) {
  const auto train = colours({"low", "unused", "high"}, {0, 2});
  const auto fitted =
      Preprocessor<double>::fit(train, {.scale = Scale::standard, .encode = Encode::none});
  EXPECT_EQ(fitted.output_columns()[0].categories.size(), 3U);
  EXPECT_EQ(fitted.transform(colours({"high", "unused"}, {0, 1})).features.values(),
            (std::vector<double>{2, 1}));
}

TEST(Preprocessor, NumbersThatNameCategories) {
  const auto fitted = Preprocessor<double>::fit(colours({"2.5", "x"}, {0, 1}), {});
  // A file whose column has only numbers is read as numeric.
  auto numbers = table<double>(1, {2.5, 3, missing});
  numbers.columns[0].name = "colour";
  EXPECT_EQ(column(fitted.transform(numbers), 0), (std::vector<double>{1, 0, 0}));
}

TYPED_TEST(Typed, OutliersByZscore) {
  using T = TypeParam;
  // 19 zeros and 20: mean 1, variance (19 + 361) / 20 = 19; 20 is 4.36 deviations away.
  std::vector<double> values(19, 0.0);
  values.push_back(20);
  const auto data = table<T>(1, values);
  const auto report = Preprocessor<T>::fit_transform(data, {.outliers = Outliers::zscore});
  EXPECT_EQ(report.preprocessor.fits()[0].outliers, 1);
  EXPECT_EQ(report.data.features(19, 0), T{20});
  EXPECT_DOUBLE_EQ(report.preprocessor.fits()[0].high, 1 + 3 * std::sqrt(19.0));
  const auto wide =
      Preprocessor<T>::fit(data, {.outliers = Outliers::zscore, .outlier_threshold = 4.5});
  EXPECT_EQ(wide.fits()[0].outliers, 0);
}

TYPED_TEST(Typed, OutliersByIqr) {
  using T = TypeParam;
  // 1 .. 9 and 100: quartiles at 3.25 and 7.75 (position 2.25 and 6.75), bounds −3.5 and 14.5.
  const std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 100};
  auto data = table<T>(1, values);
  for (int i = 0; i < 10; ++i) data.target.push_back(static_cast<T>(i));
  data.weights.assign(10, T{1});
  data.weights[8] = T{3};
  PreprocessOptions options{.scale = Scale::minmax, .outliers = Outliers::iqr};
  const auto report = Preprocessor<T>::fit(data, options);
  EXPECT_EQ(report.fits()[0].low, -3.5);
  EXPECT_EQ(report.fits()[0].high, 14.5);
  EXPECT_EQ(report.fits()[0].outliers, 1);
  EXPECT_EQ(report.fits()[0].divisor, 99.0);

  options.outlier_action = OutlierAction::clip;
  const auto clip = Preprocessor<T>::fit_transform(data, options);
  EXPECT_EQ(clip.data.rows(), 10);
  EXPECT_EQ(clip.preprocessor.fits()[0].divisor, 13.5);
  EXPECT_EQ(clip.data.features(9, 0), T{1});
  EXPECT_EQ(clip.preprocessor.transform(table<T>(1, {1000})).features(0, 0), T{1});

  options.outlier_action = OutlierAction::drop;
  const auto drop = Preprocessor<T>::fit_transform(data, options);
  EXPECT_EQ(drop.preprocessor.dropped_rows(), 1);
  EXPECT_EQ(drop.data.rows(), 9);
  EXPECT_EQ(drop.data.target.back(), T{8});
  EXPECT_EQ(drop.data.weights.back(), T{3});
  EXPECT_EQ(drop.preprocessor.fits()[0].divisor, 8.0);
  // No row is dropped from what is predicted.
  EXPECT_EQ(drop.preprocessor.transform(table<T>(1, {1000, 1})).rows(), 2);
}

TEST(Preprocessor, ConstantColumnsHaveNoOutliers) {
  const auto data = table<double>(1, {3, 3, 3});
  for (const Outliers rule : {Outliers::zscore, Outliers::iqr}) {
    const auto p =
        Preprocessor<double>::fit(data, {.outliers = rule, .outlier_action = OutlierAction::clip});
    EXPECT_EQ(p.transform(table<double>(1, {9})).features(0, 0), 9.0);
  }
}

TEST(Preprocessor, LearnsFromTheTrainingPartOnly) {
  const auto train = table<double>(1, {0, 2});
  const auto p =
      Preprocessor<double>::fit(train, {.scale = Scale::standard, .impute = Impute::mean});
  const auto test = p.transform(table<double>(1, {101, missing}));
  EXPECT_EQ(test.features.values(), (std::vector<double>{100, 0}));
}

TEST(Preprocessor, RefusesWhatItCannotUse) {
  using P = Preprocessor<double>;
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW((void)P::fit(table<double>(1, {}), {}), InputError);
  EXPECT_THROW((void)P::fit(table<double>(1, {1, infinity}), {}), InputError);
  EXPECT_THROW((void)P::fit(table<double>(1, {-infinity, -infinity}), {}), InputError);
  EXPECT_THROW((void)P::fit(table<double>(1, {missing, missing}), {.impute = Impute::mean}),
               InputError);
  EXPECT_THROW((void)P::fit(colours({"a"}, {missing}), {.impute = Impute::mean}), InputError);
  EXPECT_THROW((void)P::fit(table<double>(1, {1}), {.outlier_threshold = -1}), InputError);
  EXPECT_THROW(
      (void)P::fit(table<double>(1, {1}), {.impute = Impute::constant, .impute_constant = missing}),
      InputError);
  EXPECT_THROW((void)P::fit(colours({"a"}, {1}), {}), InputError);  // no such code
  EXPECT_THROW((void)P::fit(colours({"a", "b"}, {0.5}), {}), InputError);
  EXPECT_THROW((void)P::fit(table<double>(1, {1e308, -1e308}), {.scale = Scale::standard}),
               InputError);

  const auto p = P::fit(table<double>(2, {1, 2, 3, 4}), {.scale = Scale::standard});
  EXPECT_THROW((void)p.transform(table<double>(1, {1})), InputError);
  auto text = table<double>(2, {0, 0});
  text.columns[1].categories = {"a"};
  EXPECT_THROW((void)p.transform(text), InputError);
  auto train = table<double>(2, {1, 2, 3, 4});
  train.columns[0].name = "age";
  train.columns[1].name = "height";
  auto swapped = train;
  std::swap(swapped.columns[0], swapped.columns[1]);
  EXPECT_THROW((void)P::fit(train, {}).transform(swapped), InputError);
  EXPECT_NO_THROW((void)P::fit(train, {}).transform(table<double>(2, {1, 2})));
}

TEST(Preprocessor, EveryRowAnOutlier) {
  // Each row is far out in a column of its own.
  std::vector<double> values(400, 0.0);
  for (std::size_t i = 0; i < 20; ++i) values[i * 20 + i] = 100;
  EXPECT_THROW((void)Preprocessor<double>::fit(
                   table<double>(20, values),
                   {.outliers = Outliers::zscore, .outlier_action = OutlierAction::drop}),
               InputError);
}

TEST(Preprocessor, NothingToDo) {
  const Preprocessor<double> none;
  EXPECT_TRUE(none.changes_nothing());
  EXPECT_EQ(none.transform(table<double>(2, {1, 2})).features.values(),
            (std::vector<double>{1, 2}));
  EXPECT_TRUE(Preprocessor<double>::fit(table<double>(1, {1}), {}).changes_nothing());
  EXPECT_FALSE(Preprocessor<double>::fit(colours({"a"}, {0}), {}).changes_nothing());
}

Dataset<double> mixed() {
  Dataset<double> data = table<double>(4, {});
  data.columns[1] = {"kind", {"a", "b", "c"}};
  const Random random(3, Purpose::test);
  const Index rows = 5000;
  data.features = Matrix<double>(rows, 4);
  for (Index i = 0; i < rows; ++i) {
    const auto at = static_cast<std::uint64_t>(i) * 8;
    data.features(i, 0) = random.uniform(at) * 1e3;
    data.features(i, 1) = static_cast<double>(random.below(3, at + 1));
    data.features(i, 2) = random.uniform(at + 2) < 0.1 ? missing : random.uniform(at + 3);
    data.features(i, 3) = random.uniform(at + 4) < 0.01 ? 50 : random.uniform(at + 5);
  }
  return data;
}

const std::vector<PreprocessOptions>& all_kinds() {
  static const std::vector<PreprocessOptions> kinds{
      {.scale = Scale::standard, .impute = Impute::mean},
      {.scale = Scale::minmax,
       .impute = Impute::median,
       .encode = Encode::ordinal,
       .outliers = Outliers::iqr,
       .outlier_action = OutlierAction::clip},
      {.scale = Scale::standard,
       .impute = Impute::constant,
       .impute_constant = 7,
       .encode = Encode::none,
       .outliers = Outliers::zscore,
       .outlier_action = OutlierAction::drop},
      {.impute = Impute::most_frequent, .outliers = Outliers::zscore},
  };
  return kinds;
}

TEST(Preprocessor, ThreadsDoNotMatter) {
  for (const auto& options : all_kinds()) {
    const auto one = Preprocessor<double>::fit_transform(mixed(), options, 1);
    for (const int threads : {2, 7}) {
      const auto many = Preprocessor<double>::fit_transform(mixed(), options, threads);
      EXPECT_TRUE(test::same_bits(one.data.features.values(), many.data.features.values()));
      EXPECT_EQ(one.preprocessor.to_json(), many.preprocessor.to_json());
    }
  }
}

TEST(Preprocessor, FitAndFitTransformAgree) {
  for (const auto& options : all_kinds()) {
    const auto fitted = Preprocessor<double>::fit_transform(mixed(), options);
    EXPECT_EQ(fitted.preprocessor.to_json(), Preprocessor<double>::fit(mixed(), options).to_json());
    if (options.outlier_action == OutlierAction::drop) {
      EXPECT_LT(fitted.data.rows(), 5000);
    } else {
      EXPECT_TRUE(test::same_bits(fitted.preprocessor.transform(mixed()).features.values(),
                                  fitted.data.features.values()));
    }
  }
}

TEST(Preprocessor, SavedAndLoaded) {
  for (const auto& options : all_kinds()) {
    const auto saved = Preprocessor<double>::fit(mixed(), options);
    Archive archive;
    saved.save(archive);
    const auto loaded = Preprocessor<double>::load(archive);
    EXPECT_EQ(loaded.options(), saved.options());
    EXPECT_EQ(loaded.input_columns(), saved.input_columns());
    EXPECT_EQ(loaded.output_columns(), saved.output_columns());
    EXPECT_EQ(loaded.to_json(), saved.to_json());
    EXPECT_TRUE(test::same_bits(loaded.transform(mixed()).features.values(),
                                saved.transform(mixed()).features.values()));
    Archive again;
    loaded.save(again);
    // NaN fills compare unequal as numbers; the texts do not.
    EXPECT_EQ(archive.entries().size(), again.entries().size());
  }
}

TEST(Preprocessor, HostileArchives) {
  const auto saved = Preprocessor<double>::fit(mixed(), all_kinds()[0]);
  Archive good;
  saved.save(good);
  const auto refused = [&](auto&& damage) {
    Archive bad = good;
    damage(bad);
    EXPECT_THROW((void)Preprocessor<double>::load(bad), InputError);
  };
  refused([](Archive& a) { a.set("scale", "huge"); });
  refused([](Archive& a) { a.set("columns", std::vector<std::string>{"one"}); });
  refused([](Archive& a) { a.set("divisor", std::vector<double>{1, 1, 0, 1}); });
  refused([](Archive& a) { a.set("divisor", std::vector<double>{1, 1, 1}); });
  refused([](Archive& a) { a.set("shift", std::vector<double>{1, 1, missing, 1}); });
  refused([](Archive& a) { a.set("fill", std::vector<double>{0, 3, 0, 0}); });
  refused([](Archive& a) { a.set("fill", std::vector<double>{0, 0.5, 0, 0}); });
  refused([](Archive& a) { a.set("low", std::vector<double>{missing, 0, 0, 0}); });
  refused([](Archive& a) {
    a.set_tensor("category_count", std::vector<std::int64_t>{0, 1LL << 62, 0, 0});
  });
  refused([](Archive& a) {
    a.set_tensor("category_count", std::vector<std::int64_t>{0, -1, 4, 0});
  });
  refused([](Archive& a) {
    a.set_tensor("category_count", std::vector<std::int64_t>{0, 2, 0, 0});
  });
  refused([](Archive& a) {
    a.set_tensor("category_count", std::vector<std::int64_t>{3, 0, 0, 0});
  });
  refused([](Archive& a) { a.set_tensor("missing", std::vector<std::int64_t>{0, 0, -5, 0}); });
  refused([](Archive& a) { a.set("dropped_rows", -1); });
  refused([](Archive& a) { a.set("outlier_threshold", missing); });
}

TEST(PreprocessorNames, ParseAndPrint) {
  EXPECT_EQ(parse_enum<Impute>("impute", "most_frequent"), Impute::most_frequent);
  EXPECT_EQ(to_string(Encode::one_hot), "one-hot");
  try {
    (void)parse_enum<Scale>("scale", "big");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(), "unknown scale 'big': expected one of none, standard, minmax");
  }
}

}  // namespace
}  // namespace tandem
