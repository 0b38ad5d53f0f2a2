// Transforms and chains of them, against values computed by hand.
#include "tandem/transform/transform.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/random.hpp"
#include "support/agreement.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/transform/categories.hpp"
#include "tandem/transform/chain.hpp"
#include "tandem/transform/encode.hpp"
#include "tandem/transform/impute.hpp"
#include "tandem/transform/outliers.hpp"
#include "tandem/transform/scale.hpp"
#include "tandem/transform/scale_target.hpp"

namespace tandem {
namespace {

constexpr double missing = std::numeric_limits<double>::quiet_NaN();

// "scale.method", "standard"
using Settings = std::vector<std::pair<std::string, OptionValue>>;

std::vector<std::unique_ptr<TransformStep>> steps_with(const Settings& settings) {
  auto steps = standard_steps();
  for (const auto& [name, value] : settings) {
    const auto dot = name.find('.');
    bool found = false;
    for (const auto& step : steps) {
      if (step->name() != name.substr(0, dot)) continue;
      step->set(name.substr(dot + 1), value);
      found = true;
    }
    EXPECT_TRUE(found) << name;
  }
  return steps;
}

template <Real T>
struct Fitted {
  TransformChain<T> chain;
  Dataset<T> data;

  template <template <class> class XTransform>
  const XTransform<T>& get(std::string_view name) const {
    return dynamic_cast<const XTransform<T>&>(*chain.find(name));
  }
  double shift(std::size_t j) const { return get<ScaleTransform>("scale").shift()[j]; }
  double divisor(std::size_t j) const { return get<ScaleTransform>("scale").divisor()[j]; }
};

template <Real T>
Fitted<T> fit(Dataset<T> data, const Settings& settings, int threads = 1,
              Task task = Task::regression) {
  auto chain = TransformChain<T>::fit(data, steps_with(settings), task, threads);
  return {std::move(chain), std::move(data)};
}

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
  const auto fitted = fit(data, {{"scale.method", Scale::standard}});
  EXPECT_EQ(fitted.shift(0), 5.0);
  EXPECT_EQ(fitted.divisor(0), 2.0);
  EXPECT_EQ(column(fitted.data, 0), (std::vector<T>{-1.5, -0.5, -0.5, -0.5, 0, 0, 1, 2}));
  // A constant column becomes 0, by a divisor of 1.
  EXPECT_EQ(fitted.divisor(1), 1.0);
  EXPECT_EQ(column(fitted.data, 1), std::vector<T>(8, T{0}));
  const auto other = fitted.chain.transform(table<T>(2, {6, 9}));
  EXPECT_EQ(other.features(0, 0), T{0.5});
  EXPECT_EQ(other.features(0, 1), T{2});
  EXPECT_EQ(fitted.chain.unscale(0, 0.5), 6.0);
}

TYPED_TEST(Typed, AConstantThatNoMeanHitsBecomesZero) {
  using T = TypeParam;
  const auto data = table<T>(1, std::vector<double>(4099, 0.1));
  const auto fitted = fit(data, {{"scale.method", Scale::standard}});
  EXPECT_EQ(column(fitted.data, 0), std::vector<T>(4099, T{0}));
}

TYPED_TEST(Typed, MinmaxByHand) {
  using T = TypeParam;
  const auto data = table<T>(2, {1, 3, 3, 3, 5, 3});
  const auto fitted = fit(data, {{"scale.method", Scale::minmax}});
  EXPECT_EQ(column(fitted.data, 0), (std::vector<T>{0, T{0.5}, 1}));
  EXPECT_EQ(column(fitted.data, 1), (std::vector<T>{0, 0, 0}));
  EXPECT_EQ(fitted.chain.transform(table<T>(2, {7, 4})).features(0, 0), T{1.5});
}

// from sklearn.preprocessing import StandardScaler; import numpy as np
// x = 1e6 + np.sin(np.arange(5000.0)); s = StandardScaler().fit(x[:, None]); s.mean_, s.scale_
TEST(Transforms, VarianceOfALargeMean) {
  std::vector<double> values;
  for (int i = 0; i < 5000; ++i) values.push_back(1e6 + std::sin(static_cast<double>(i)));
  const auto p = fit(table<double>(1, values), {{"scale.method", Scale::standard}});
  EXPECT_NEAR(p.shift(0), 1000000.0002535336, 1e-9);
  EXPECT_NEAR(p.divisor(0), 0.70704465176501, 1e-11);
}

TYPED_TEST(Typed, Imputation) {
  using T = TypeParam;
  const auto data = table<T>(1, {1, missing, 2, 2, 8, missing, 7, 7});
  const auto fill_of = [&](const Settings& options) {
    const auto fitted = fit(data, options);
    if (!options.empty()) {
      EXPECT_EQ(fitted.template get<ImputeTransform>("impute").missing()[0], 2);
    }
    EXPECT_EQ(fitted.data.features(0, 0), T{1});
    EXPECT_EQ(test::bits_of(fitted.data.features(1, 0)), test::bits_of(fitted.data.features(5, 0)));
    return fitted.data.features(1, 0);
  };
  EXPECT_EQ(fill_of({{"impute.method", Impute::mean}}), T{4.5});         // 27 / 6
  EXPECT_EQ(fill_of({{"impute.method", Impute::median}}), T{4.5});       // between 2 and 7
  EXPECT_EQ(fill_of({{"impute.method", Impute::most_frequent}}), T{2});  // 2 and 7 twice: the least
  EXPECT_EQ(fill_of({{"impute.method", Impute::constant}, {"impute.constant", -1}}), T{-1});
  EXPECT_TRUE(std::isnan(fill_of({})));
}

TEST(Transforms, MissingValuesWithoutImputationStayAndDoNotCount) {
  const auto data = table<double>(1, {1, missing, 3});
  const auto fitted = fit(data, {{"scale.method", Scale::standard}});
  EXPECT_EQ(fitted.shift(0), 2.0);
  EXPECT_EQ(fitted.divisor(0), 1.0);
  EXPECT_EQ(fitted.data.features(0, 0), -1.0);
  EXPECT_TRUE(std::isnan(fitted.data.features(1, 0)));
}

TEST(Transforms, ScalingSeesImputedValues) {
  // 0, 4 and a missing value filled with -1 beyond both: minmax spans the filled values as well.
  const auto data = table<double>(1, {0, 4, missing});
  const auto fitted = fit(data, {{"scale.method", Scale::minmax},
                                 {"impute.method", Impute::constant},
                                 {"impute.constant", -1}});
  EXPECT_EQ(column(fitted.data, 0), (std::vector<double>{0.2, 1.0, 0.0}));
  const auto standard = fit(data, {{"scale.method", Scale::standard},
                                   {"impute.method", Impute::constant},
                                   {"impute.constant", -1}});
  EXPECT_EQ(standard.shift(0), 1.0);                           // (0 + 4 − 1) / 3
  EXPECT_DOUBLE_EQ(standard.divisor(0), std::sqrt(14.0 / 3));  // 1 + 9 + 4
}

TEST(Transforms, OneHot) {
  const auto train = colours({"red", "green", "blue"}, {2, 0, 2, missing});
  const auto fitted = fit(train, {{"scale.method", Scale::standard}});
  const auto& p = fitted.chain;
  // "green" does not occur in the training part: no indicator. Indicators are not scaled.
  ASSERT_EQ(p.outputs().size(), 2U);
  EXPECT_EQ(p.outputs()[0].name, "colour=red");
  EXPECT_EQ(p.outputs()[1].name, "colour=blue");
  EXPECT_EQ(column(fitted.data, 0), (std::vector<double>{0, 1, 0, 0}));
  EXPECT_EQ(column(fitted.data, 1), (std::vector<double>{1, 0, 1, 0}));
  // Another file lists its categories in another order, and has one that is unknown.
  const auto other = p.transform(colours({"blue", "mauve", "red"}, {0, 1, 2, missing}));
  EXPECT_EQ(column(other, 0), (std::vector<double>{0, 0, 1, 0}));
  EXPECT_EQ(column(other, 1), (std::vector<double>{1, 0, 0, 0}));
}

TEST(Transforms, OneHotBetweenNumbers) {
  Dataset<float> data = table<float>(3, {1, 0, 10, 3, 1, 20});
  data.columns[1].categories = {"a", "b"};
  const auto fitted = fit(data, {{"scale.method", Scale::minmax}});
  ASSERT_EQ(fitted.data.cols(), 4);
  EXPECT_EQ(fitted.data.features.values(), (std::vector<float>{0, 1, 0, 0, 1, 0, 1, 1}));
  EXPECT_EQ(fitted.data.columns[3].name, "x2");
  EXPECT_EQ(fitted.chain.unscale(3, 0.5), 15.0);
  EXPECT_EQ(fitted.chain.unscale(1, 1), 1.0);
}

TEST(Transforms, OneHotImputed) {
  const auto train = colours({"red", "green"}, {0, 1, 1, missing});
  const auto frequent = fit(train, {{"impute.method", Impute::mean}});
  EXPECT_EQ(column(frequent.chain.transform(train), 1), (std::vector<double>{0, 1, 1, 1}));
  const auto own = fit(train, {{"impute.method", Impute::constant}});
  ASSERT_EQ(own.chain.outputs().size(), 3U);
  EXPECT_EQ(own.chain.outputs()[2].name, "colour=missing");
  EXPECT_EQ(column(own.chain.transform(train), 2), (std::vector<double>{0, 0, 0, 1}));
  // A category that was not seen in training is not a missing value.
  const auto unseen = frequent.chain.transform(colours({"mauve"}, {0}));
  EXPECT_EQ(unseen.features.values(), (std::vector<double>{0, 0}));
}

TEST(Transforms, Ordinal) {
  const auto train = colours({"low", "unused", "high"}, {0, 2, 2, missing});
  const auto fitted = fit(train, {{"encode.method", Encode::ordinal}});
  EXPECT_FALSE(fitted.chain.outputs()[0].categorical());
  const auto out = fitted.chain.transform(colours({"high", "low", "unused"}, {0, 1, 2}));
  EXPECT_EQ(out.features(0, 0), 1.0);
  EXPECT_EQ(out.features(1, 0), 0.0);
  EXPECT_TRUE(std::isnan(out.features(2, 0)));  // not in the training part: missing
  const auto imputed =
      fit(train, {{"impute.method", Impute::most_frequent}, {"encode.method", Encode::ordinal}});
  EXPECT_EQ(imputed.chain.transform(colours({"mauve"}, {0})).features(0, 0), 1.0);
  // Codes are scaled: 0, 1, 1 and the filled 1.
  const auto scaled = fit(train, {{"scale.method", Scale::standard},
                                  {"impute.method", Impute::most_frequent},
                                  {"encode.method", Encode::ordinal}});
  EXPECT_EQ(scaled.shift(0), 0.75);
  EXPECT_DOUBLE_EQ(scaled.divisor(0), std::sqrt(3.0) / 4);
}

TEST(Transforms, CategoriesKept) {
  const auto train = colours({"low", "unused", "high"}, {0, 2});
  const auto fitted =
      fit(train, {{"scale.method", Scale::standard}, {"encode.method", Encode::none}});
  EXPECT_EQ(fitted.chain.outputs()[0].categories.size(), 3U);
  EXPECT_EQ(fitted.chain.transform(colours({"high", "unused"}, {0, 1})).features.values(),
            (std::vector<double>{2, 1}));
}

TEST(Transforms, NumbersThatNameCategories) {
  const auto fitted = fit(colours({"2.5", "x"}, {0, 1}), {});
  // A file whose column has only numbers is read as numeric.
  auto numbers = table<double>(1, {2.5, 3, missing});
  numbers.columns[0].name = "colour";
  EXPECT_EQ(column(fitted.chain.transform(numbers), 0), (std::vector<double>{1, 0, 0}));
}

TYPED_TEST(Typed, OutliersByZscore) {
  using T = TypeParam;
  // 19 zeros and 20: mean 1, variance (19 + 361) / 20 = 19; 20 is 4.36 deviations away.
  std::vector<double> values(19, 0.0);
  values.push_back(20);
  const auto data = table<T>(1, values);
  const auto report = fit(data, {{"outliers.method", Outliers::zscore}});
  EXPECT_EQ(report.template get<OutlierTransform>("outliers").counts()[0], 1);
  EXPECT_EQ(report.data.features(19, 0), T{20});
  EXPECT_DOUBLE_EQ(report.template get<OutlierTransform>("outliers").high()[0],
                   1 + 3 * std::sqrt(19.0));
  const auto wide = fit(data, {{"outliers.method", Outliers::zscore}, {"outliers.threshold", 4.5}});
  EXPECT_EQ(wide.template get<OutlierTransform>("outliers").counts()[0], 0);
}

TYPED_TEST(Typed, OutliersByIqr) {
  using T = TypeParam;
  // 1 .. 9 and 100: quartiles at 3.25 and 7.75 (position 2.25 and 6.75), bounds −3.5 and 14.5.
  const std::vector<double> values{1, 2, 3, 4, 5, 6, 7, 8, 9, 100};
  auto data = table<T>(1, values);
  for (int i = 0; i < 10; ++i) data.target.push_back(static_cast<T>(i));
  data.weights.assign(10, T{1});
  const auto options = [](OutlierAction action) -> Settings {
    return {{"scale.method", Scale::minmax},
            {"outliers.method", Outliers::iqr},
            {"outliers.action", action}};
  };
  const auto report = fit(data, options(OutlierAction::report));
  EXPECT_EQ(report.template get<OutlierTransform>("outliers").low()[0], -3.5);
  EXPECT_EQ(report.template get<OutlierTransform>("outliers").high()[0], 14.5);
  EXPECT_EQ(report.template get<OutlierTransform>("outliers").counts()[0], 1);
  EXPECT_EQ(report.divisor(0), 99.0);

  const auto clip = fit(data, options(OutlierAction::clip));
  EXPECT_EQ(clip.data.rows(), 10);
  EXPECT_EQ(clip.divisor(0), 13.5);
  EXPECT_EQ(clip.data.features(9, 0), T{1});
  EXPECT_EQ(clip.chain.transform(table<T>(1, {1000})).features(0, 0), T{1});

  const auto drop = fit(data, options(OutlierAction::drop));
  EXPECT_EQ(drop.chain.dropped_rows(), 1);
  EXPECT_EQ(drop.data.rows(), 9);
  EXPECT_EQ(drop.data.target.back(), T{8});
  EXPECT_EQ(drop.data.weights.size(), 9U);
  EXPECT_EQ(drop.divisor(0), 8.0);
  // No row is dropped from what is predicted.
  EXPECT_EQ(drop.chain.transform(table<T>(1, {1000, 1})).rows(), 2);
}

TEST(Transforms, ConstantColumnsHaveNoOutliers) {
  const auto data = table<double>(1, {3, 3, 3});
  for (const Outliers rule : {Outliers::zscore, Outliers::iqr}) {
    const auto p = fit(data, {{"outliers.method", rule}, {"outliers.action", OutlierAction::clip}});
    EXPECT_EQ(p.chain.transform(table<double>(1, {9})).features(0, 0), 9.0);
  }
}

TEST(Transforms, LearnsFromTheTrainingPartOnly) {
  const auto train = table<double>(1, {0, 2});
  const auto p = fit(train, {{"scale.method", Scale::standard}, {"impute.method", Impute::mean}});
  const auto test = p.chain.transform(table<double>(1, {101, missing}));
  EXPECT_EQ(test.features.values(), (std::vector<double>{100, 0}));
}

TEST(Transforms, RefusesWhatItCannotUse) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THROW((void)fit(table<double>(1, {}), {}), InputError);
  // A step that needs no statistic of the values leaves infinite ones to who trains on them.
  const auto scaled = std::pair{"scale.method", Scale::standard};
  EXPECT_THROW((void)fit(table<double>(1, {1, infinity}), {scaled}), InputError);
  EXPECT_THROW((void)fit(table<double>(1, {-infinity, -infinity}), {scaled}), InputError);
  Dataset<double> infinite = table<double>(1, {1, infinity});
  infinite.target = {1, 2};
  EXPECT_THROW((void)fit_pipeline(*Engine::create(), infinite,
                                  PipelineOptions("decision-tree").set("scale", "none")),
               InputError);
  EXPECT_THROW((void)fit(table<double>(1, {missing, missing}), {{"impute.method", Impute::mean}}),
               InputError);
  EXPECT_THROW((void)fit(colours({"a"}, {missing}), {{"impute.method", Impute::mean}}), InputError);
  EXPECT_THROW((void)fit(table<double>(1, {1}), {{"outliers.threshold", -1}}), InputError);
  EXPECT_THROW((void)fit(table<double>(1, {1}),
                         {{"impute.method", Impute::constant}, {"impute.constant", missing}}),
               InputError);
  EXPECT_THROW((void)fit(colours({"a"}, {1}), {}), InputError);  // no such code
  EXPECT_THROW((void)fit(colours({"a", "b"}, {0.5}), {}), InputError);
  EXPECT_THROW((void)fit(table<double>(1, {1e308, -1e308}), {{"scale.method", Scale::standard}}),
               InputError);

  const auto p = fit(table<double>(2, {1, 2, 3, 4}), {{"scale.method", Scale::standard}});
  EXPECT_THROW((void)p.chain.transform(table<double>(1, {1})), InputError);
  auto text = table<double>(2, {0, 0});
  text.columns[1].categories = {"a"};
  EXPECT_THROW((void)p.chain.transform(text), InputError);
  auto train = table<double>(2, {1, 2, 3, 4});
  train.columns[0].name = "age";
  train.columns[1].name = "height";
  auto swapped = train;
  std::swap(swapped.columns[0], swapped.columns[1]);
  EXPECT_THROW((void)fit(train, {}).chain.transform(swapped), InputError);
  EXPECT_NO_THROW((void)fit(train, {}).chain.transform(table<double>(2, {1, 2})));
}

TEST(Transforms, EveryRowAnOutlier) {
  // Each row is far out in a column of its own.
  std::vector<double> values(400, 0.0);
  for (std::size_t i = 0; i < 20; ++i) values[i * 20 + i] = 100;
  EXPECT_THROW((void)fit(table<double>(20, values), {{"outliers.method", Outliers::zscore},
                                                     {"outliers.action", OutlierAction::drop}}),
               InputError);
}

TEST(Transforms, NothingToDo) {
  const TransformChain<double> none;
  EXPECT_EQ(none.transform(table<double>(2, {1, 2})).features.values(),
            (std::vector<double>{1, 2}));
  EXPECT_TRUE(fit(table<double>(1, {1}), {}).chain.transforms().empty());
  EXPECT_FALSE(fit(colours({"a"}, {0}), {}).chain.transforms().empty());
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

const std::vector<Settings>& all_kinds() {
  static const std::vector<Settings> kinds{
      {{"scale.method", Scale::standard}, {"impute.method", Impute::mean}},
      {{"scale.method", Scale::minmax},
       {"impute.method", Impute::median},
       {"encode.method", Encode::ordinal},
       {"outliers.method", Outliers::iqr},
       {"outliers.action", OutlierAction::clip}},
      {{"scale.method", Scale::standard},
       {"impute.method", Impute::constant},
       {"impute.constant", 7},
       {"encode.method", Encode::none},
       {"outliers.method", Outliers::zscore},
       {"outliers.action", OutlierAction::drop}},
      {{"impute.method", Impute::most_frequent}, {"outliers.method", Outliers::zscore}},
  };
  return kinds;
}

TEST(Transforms, ThreadsDoNotMatter) {
  for (const auto& options : all_kinds()) {
    const auto one = fit(mixed(), options, 1);
    for (const int threads : {2, 7}) {
      const auto many = fit(mixed(), options, threads);
      EXPECT_TRUE(test::same_bits(one.data.features.values(), many.data.features.values()));
      EXPECT_EQ(one.chain.to_json(), many.chain.to_json());
    }
  }
}

TEST(Transforms, TheTrainingPartIsTransformedAsAnyOther) {
  for (const auto& options : all_kinds()) {
    const auto fitted = fit(mixed(), options);
    if (fitted.chain.dropped_rows() > 0) {
      EXPECT_EQ(fitted.data.rows(), 5000 - fitted.chain.dropped_rows());
    } else {
      EXPECT_TRUE(test::same_bits(fitted.chain.transform(mixed()).features.values(),
                                  fitted.data.features.values()));
    }
  }
}

TEST(Transforms, SavedAndLoaded) {
  for (const auto& options : all_kinds()) {
    const auto saved = fit(mixed(), options).chain;
    Archive archive;
    saved.save(archive);
    const auto loaded = TransformChain<double>::load(archive, saved.inputs());
    EXPECT_EQ(loaded.inputs(), saved.inputs());
    EXPECT_EQ(loaded.outputs(), saved.outputs());
    EXPECT_EQ(loaded.dropped_rows(), saved.dropped_rows());
    EXPECT_EQ(loaded.to_json(), saved.to_json());
    EXPECT_TRUE(test::same_bits(loaded.transform(mixed()).features.values(),
                                saved.transform(mixed()).features.values()));
    Archive again;
    loaded.save(again);
    // NaN fills compare unequal as numbers; the texts do not.
    EXPECT_EQ(archive.entries().size(), again.entries().size());
  }
}

TEST(Transforms, HostileArchives) {
  // outliers, categories, impute, encode, scale
  const auto saved =
      fit(mixed(),
          {{"outliers.method", "iqr"}, {"impute.method", "mean"}, {"scale.method", "standard"}})
          .chain;
  Archive good;
  saved.save(good);
  (void)TransformChain<double>::load(good, saved.inputs());
  const auto refused = [&](auto&& damage) {
    Archive bad = good;
    damage(bad);
    EXPECT_THROW((void)TransformChain<double>::load(bad, saved.inputs()), InputError);
  };
  constexpr double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> ones(6, 1.0);
  refused([](Archive& a) { a.set("dropped_rows", -1); });
  refused([](Archive& a) { a.set("names", std::vector<std::string>{"outliers", "sorcery"}); });
  refused([](Archive& a) { a.set("names", std::vector<std::string>{"outliers"}); });
  refused([](Archive& a) { a.set("names", std::vector<std::string>{"impute", "categories"}); });
  refused([](Archive& a) { a.set("0/threshold", missing); });
  refused([](Archive& a) { a.set("0/low", std::vector<double>{missing, 0, 0, 0}); });
  refused([](Archive& a) { a.set("0/low", std::vector<double>{0, 0}); });
  refused([](Archive& a) { a.set("0/high", std::vector<double>{-1, 5, 0, 0}); });
  refused([](Archive& a) { a.set_tensor("0/count", std::vector<std::int64_t>{0, 0, -5, 0}); });
  refused([](Archive& a) { a.set("1/names", std::vector<std::string>{"a", "b", "b"}); });
  for (const std::vector<std::int64_t>& counts :
       {std::vector<std::int64_t>{0, 1LL << 62, 0, 0}, {0, -1, 4, 0}, {0, 2, 0, 0}, {3, 0, 0, 0}}) {
    refused([&](Archive& a) { a.set_tensor("1/count", counts); });
  }
  refused([](Archive& a) { a.set("2/method", "guess"); });
  refused([](Archive& a) { a.set("2/fill", std::vector<double>{0, 3, 0, 0}); });
  refused([](Archive& a) { a.set("2/fill", std::vector<double>{0, 0.5, 0, 0}); });
  refused([&](Archive& a) { a.set("2/fill", std::vector<double>{infinity, 0, 0, 0}); });
  refused([](Archive& a) { a.set_tensor("2/missing", std::vector<std::int64_t>{0, 0, -5, 0}); });
  refused([](Archive& a) { a.set("3/method", "two-hot"); });
  refused([](Archive& a) { a.set("4/method", "huge"); });
  refused([&](Archive& a) { a.set("4/divisor", std::vector<double>{1, 1, 1, 1, 0, 1}); });
  refused([&](Archive& a) { a.set("4/divisor", std::vector<double>{1, 1, 1}); });
  refused([&](Archive& a) { a.set("4/shift", std::vector<double>{1, 0, 0, 0, missing, 1}); });
  refused([&](Archive& a) { a.set("4/shift", ones); });  // an indicator is never scaled
}

// Compares what two chains have learned by the rows that they make of `probe`.
template <Real T>
void expect_close(const Fitted<T>& a, const Fitted<T>& b, const Dataset<T>& probe) {
  ASSERT_EQ(a.chain.outputs(), b.chain.outputs());
  const auto x = a.chain.transform(probe).features.values();
  const auto y = b.chain.transform(probe).features.values();
  ASSERT_EQ(x.size(), y.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) {
      EXPECT_TRUE(std::isnan(y[i])) << i;
    } else {
      EXPECT_NEAR(x[i], y[i], 1e-12 * (1 + std::abs(x[i]))) << i;
    }
  }
}

// Settings in which every step learns something.
std::vector<Settings> weighted_kinds() {
  std::vector<Settings> kinds;
  for (const char* scale : {"standard", "minmax"}) {
    for (const char* impute : {"mean", "median", "most-frequent", "constant"}) {
      for (const char* outliers : {"zscore", "iqr"}) {
        for (const char* action : {"clip", "drop", "report"}) {
          for (const char* encode : {"one-hot", "ordinal"}) {
            kinds.push_back({{"scale.method", scale},
                             {"impute.method", impute},
                             {"outliers.method", outliers},
                             {"outliers.action", action},
                             {"encode.method", encode}});
          }
        }
      }
    }
  }
  return kinds;
}

Dataset<double> some_rows(Index first, Index count) {
  Dataset<double> all = mixed();
  std::vector<Index> rows;
  for (Index i = 0; i < count; ++i) rows.push_back(first + i);
  Dataset<double> data = select_rows(all, rows);
  // Coarse, so that values repeat.
  for (Index i = 0; i < data.rows(); ++i) data.features(i, 2) = std::floor(data.features(i, 2) * 7);
  return data;
}

TEST(WeightedTransforms, RowsOfWeightZeroCountForNothing) {
  const Dataset<double> probe = some_rows(4000, 500);
  for (const Settings& settings : weighted_kinds()) {
    const Dataset<double> alone = some_rows(0, 300);
    Dataset<double> more = some_rows(0, 340);
    more.columns[1].categories.emplace_back("only here");
    more.weights.assign(340, 1.0);
    for (Index i = 300; i < 340; ++i) {
      more.weights[static_cast<std::size_t>(i)] = 0;
      more.features(i, 0) = 1e9 * static_cast<double>(i % 3 - 1);
      more.features(i, 1) = i % 2 == 0 ? 3 : 1;
      more.features(i, 2) = missing;
    }
    expect_close(fit(alone, settings), fit(more, settings), probe);
  }
}

TEST(WeightedTransforms, WholeWeightsAreRepeatedRows) {
  const Dataset<double> probe = some_rows(4000, 500);
  for (const Settings& settings : weighted_kinds()) {
    Dataset<double> weighted = some_rows(0, 200);
    std::vector<Index> repeated;
    for (Index i = 0; i < 200; ++i) {
      const Index times = i * 7 % 5;
      weighted.weights.push_back(static_cast<double>(times));
      for (Index k = 0; k < times; ++k) repeated.push_back(i);
    }
    const Dataset<double> rows = select_rows(some_rows(0, 200), repeated);
    expect_close(fit(rows, settings), fit(weighted, settings), probe);
  }
}

TEST(WeightedTransforms, EqualFractionsChangeNothing) {
  const Dataset<double> probe = some_rows(4000, 500);
  for (const Settings& settings : weighted_kinds()) {
    Dataset<double> weighted = some_rows(0, 200);
    weighted.weights.assign(200, 0.37);
    expect_close(fit(some_rows(0, 200), settings), fit(weighted, settings), probe);
  }
}

TEST(WeightedTransforms, ByHand) {
  // 1, 1, 5, 5, 5: mean 17/5, of values whose weights sum to 5 over four rows.
  auto data = table<double>(1, {1, 5, missing, 5, 9});
  data.weights = {2, 1, 7, 2, 0};
  const auto mean = fit(data, {{"impute.method", "mean"}});
  EXPECT_EQ(mean.get<ImputeTransform>("impute").fill()[0], 17.0 / 5);
  const auto most = fit(data, {{"impute.method", "most-frequent"}});
  EXPECT_EQ(most.get<ImputeTransform>("impute").fill()[0], 5.0);
  const auto span = fit(data, {{"scale.method", "minmax"}});
  EXPECT_EQ(span.shift(0), 1.0);
  EXPECT_EQ(span.divisor(0), 4.0);
  // 1, 1, 5, 5: the median of an even count lies between.
  data.weights = {2, 1, 7, 1, 0};
  EXPECT_EQ(fit(data, {{"impute.method", "median"}}).get<ImputeTransform>("impute").fill()[0], 3.0);
}

TEST(WeightedTransforms, Refused) {
  auto data = table<double>(1, {1, 2});
  data.weights = {0, 0};
  EXPECT_THROW((void)fit(data, {{"scale.method", "standard"}}), InputError);
  data.weights = {1, -1};
  EXPECT_THROW((void)fit(data, {}), InputError);
  data.weights = {1};
  EXPECT_THROW((void)fit(data, {}), InputError);
}

TEST(TransformOrder, AnyOrderIsOneTransformAfterTheOther) {
  // Steps in every order of four; each chain against its transforms applied one by one.
  std::vector<std::string> names{"categories", "encode", "impute", "outliers", "scale"};
  const auto standard = steps_with({{"outliers.method", "zscore"},
                                    {"outliers.action", "clip"},
                                    {"outliers.threshold", 1.0},
                                    {"impute.method", "median"},
                                    {"scale.method", "minmax"}});
  do {
    std::vector<std::unique_ptr<TransformStep>> steps;
    for (const std::string& name : names) {
      for (const auto& step : standard) {
        if (step->name() == name) steps.push_back(step->clone());
      }
    }
    Dataset<double> together = some_rows(0, 600);
    const auto chain = TransformChain<double>::fit(together, steps, Task::regression, 1);
    Dataset<double> data = some_rows(0, 600);
    for (const auto& transform : chain.transforms()) {
      // A chain of this one alone, from what the one before has made.
      Archive archive;
      Archive part;
      transform->save(part);
      archive.set_part("0", part);
      archive.set("names", std::vector<std::string>{std::string(transform->name())});
      archive.set("dropped_rows", 0);
      const auto loaded = make_transform(transform->name())
                              ->load(part, transform->inputs(), std::type_identity<double>{});
      EXPECT_EQ(loaded->outputs(), transform->outputs());
      EXPECT_EQ(loaded->to_json(), transform->to_json());
    }
    EXPECT_TRUE(
        test::same_bits(chain.transform(data).features.values(), together.features.values()));
  } while (std::next_permutation(names.begin(), names.end()));
}

TEST(TransformOrder, CategoriesAreMatchedByNameInAnyOrder) {
  const auto train = colours({"red", "green"}, {0, 1, 1});
  for (const auto& names : {std::vector<std::string>{},
                            {"scale"},
                            {"encode"},
                            {"encode", "categories"},
                            {"impute", "encode", "categories"}}) {
    std::vector<std::unique_ptr<TransformStep>> steps;
    for (const std::string& name : names) steps.push_back(make_transform(name));
    Dataset<double> data = train;
    const auto chain = TransformChain<double>::fit(data, steps, Task::regression, 1);
    ASSERT_NE(chain.find("categories"), nullptr);
    // Another file numbers them in another way.
    const auto other = chain.transform(colours({"green", "red"}, {1, 0, 0}));
    EXPECT_EQ(other.features.values(), data.features.values());
    Archive archive;
    chain.save(archive);
    EXPECT_EQ(TransformChain<double>::load(archive, chain.inputs()).outputs(), chain.outputs());
  }
}

TEST(ScaleTarget, TheTargetIsScaledAndPredictionsComeBack) {
  auto data = table<double>(1, {0, 1, 2, 3});
  data.target = {10, 20, 20, 30};
  data.target_column.name = "y";
  const auto fitted = fit(data, {{"scale-target.method", "minmax"}});
  EXPECT_EQ(fitted.data.target, data.target);  // only the fit sees the scaled one
  std::vector<double> target = data.target;
  ASSERT_TRUE(fitted.chain.changes_target());
  fitted.chain.transform_target(target);
  EXPECT_EQ(target, (std::vector<double>{0, 0.5, 0.5, 1}));
  fitted.chain.restore_target(target);
  EXPECT_EQ(target, data.target);
  const auto& standard = fit(data, {{"scale-target.method", "standard"}});
  EXPECT_EQ(standard.get<ScaleTargetTransform>("scale-target").shift(), 20.0);
  EXPECT_DOUBLE_EQ(standard.get<ScaleTargetTransform>("scale-target").divisor(), std::sqrt(50.0));
  data.weights = {1, 0, 0, 3};
  const auto weighted = fit(data, {{"scale-target.method", "standard"}});
  EXPECT_EQ(weighted.get<ScaleTargetTransform>("scale-target").shift(), 25.0);

  EXPECT_THROW((void)fit(data, {{"scale-target.method", "minmax"}}, 1, Task::classification),
               InputError);
  data.target.clear();
  EXPECT_THROW((void)fit(data, {{"scale-target.method", "minmax"}}), InputError);
}

TEST(TransformNames, StandardOrderAndMessages) {
  std::vector<std::string> names;
  for (const auto& step : standard_steps()) names.emplace_back(step->name());
  EXPECT_EQ(names, (std::vector<std::string>{"outliers", "categories", "impute", "encode", "scale",
                                             "pca", "scale-target"}));
  EXPECT_EQ(make_transform("scale_target")->name(), "scale-target");
  EXPECT_THROW((void)make_transform("pca2"), InputError);
}

}  // namespace
}  // namespace tandem
