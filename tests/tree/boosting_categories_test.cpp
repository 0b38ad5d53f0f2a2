// Splits by sets of categories: in training, prediction, model files and pipelines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/tree/category_bins.hpp"
#include "cpu/simd.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/tree/foreign_trees.hpp"
#include "tandem/tree/tree_shap.hpp"
#include "tree/boosting_cases.hpp"

namespace tandem {
namespace {

using test::dataset;
using test::engine_of;
using test::expect_same;
using test::train;
using ::testing::HasSubstr;

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> names_of(Index count) {
  std::vector<std::string> names;
  for (Index c = 0; c < count; ++c) names.push_back("c" + std::to_string(c));
  return names;
}

// The codes of one column of `count` categories, and targets.
template <Real T>
Dataset<T> column(Index count, const std::vector<double>& codes,
                  const std::vector<double>& target) {
  auto data = dataset<T>(1, codes, target);
  data.columns[0].categories = names_of(count);
  return data;
}

// One tree of one split, whose leaves are means.
GradientBoostingOptions one_split() {
  GradientBoostingOptions options;
  options.task = TaskChoice::regression;
  options.rounds = 1;
  options.max_depth = 1;
  options.learning_rate = 1;
  options.reg_lambda = 0;
  options.cat_l2 = 0;
  options.cat_smooth = 0;
  return options;
}

// Numbers and columns of few and of many categories, some of them rare; the target is a sum of what
// each category stands for.
template <Real T>
Dataset<T> mixed(Index rows, std::uint64_t seed, double missing = 0) {
  const Random random(seed, Purpose::test);
  std::uint64_t next = 0;
  Dataset<T> data;
  data.source = "mixed";
  data.features = Matrix<T>(rows, 4);
  data.columns = numbered_columns(4);
  const std::vector<Index> counts{0, 3, 40, 600};
  for (std::size_t j = 1; j < 4; ++j) data.columns[j].categories = names_of(counts[j]);
  data.target_column.name = "y";
  for (Index i = 0; i < rows; ++i) {
    double y = random.uniform(next++);
    data.features(i, 0) = static_cast<T>(y);
    for (std::size_t j = 1; j < 4; ++j) {
      const double u = random.uniform(next++);
      const auto code = static_cast<Index>(u * u * static_cast<double>(counts[j]));
      data.features(i, static_cast<Index>(j)) = static_cast<T>(code);
      y += std::sin(static_cast<double>(7 * code + static_cast<Index>(j)));
    }
    data.target.push_back(static_cast<T>(y + 0.1 * random.uniform(next++)));
  }
  for (T& value : data.features.values()) {
    if (random.uniform(next++) < missing) value = static_cast<T>(nan);
  }
  return data;
}

template <class T>
class BoostingCategories : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(BoostingCategories, Precisions);

// Of three categories the middle one is apart, which no threshold could say.
TYPED_TEST(BoostingCategories, OneAgainstTheOthersByHand) {
  using T = TypeParam;
  const auto data = column<T>(3, {0, 1, 2, 0, 1, 2}, {1, 7, 1, 1, 7, 1});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto model = train(data, one_split(), device);
    const auto& tree = model.trees.trees.at(0);
    ASSERT_EQ(tree.size(), 3);
    EXPECT_EQ(tree.flags[0], tree_categorical);
    EXPECT_EQ(tree.categories, (std::vector<std::uint32_t>{1U << 1}));
    EXPECT_EQ(tree.value[1], T{4});
    EXPECT_EQ(tree.value[2], T{-2});
    EXPECT_EQ(tree.gain[0], 48);  // 8²/2 + 8²/4 − 0
    EXPECT_EQ(model.predict(*engine_of(device), data.features.view()).values, data.target);
  }
}

// Six categories in one split: the odd ones apart from the even ones. Missing values, a category
// that no row has and one that there is not go right.
TYPED_TEST(BoostingCategories, SeveralAgainstSeveralByHand) {
  using T = TypeParam;
  const auto data = column<T>(7, {0, 1, 2, 3, 4, 5, nan, nan}, {1, 5, 2, 6, 1, 7, 1, 1});
  const auto others = column<T>(7, {nan, 6, 7, 1e6, 1}, {0, 0, 0, 0, 0});
  for (const Device device : {Device::reference, Device::cpu}) {
    const auto model = train(data, one_split(), device);
    const auto& tree = model.trees.trees.at(0);
    ASSERT_EQ(tree.size(), 3);
    EXPECT_EQ(tree.categories, (std::vector<std::uint32_t>{0b101010}));
    const auto values = model.predict(*engine_of(device), others.features.view()).values;
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(values[i], 6.0 / 5, 1e-5);
    EXPECT_NEAR(values[4], 6, 1e-5);
  }
  // Where only missing values differ, all categories are split from them.
  const auto apart = column<T>(7, {0, 1, 2, 3, 4, 5, nan, nan}, {1, 1, 1, 1, 1, 1, 9, 9});
  const auto model = train(apart, one_split());
  EXPECT_EQ(model.predict(*engine_of(Device::cpu), apart.features.view()).values, apart.target);
}

// The best of all partitions, by trying each.
TYPED_TEST(BoostingCategories, FindTheBestPartition) {
  using T = TypeParam;
  constexpr int count = 9;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const Random random(seed, Purpose::test);
    std::vector<double> codes;
    std::vector<double> target;
    for (std::uint64_t i = 0; i < 60; ++i) {
      codes.push_back(std::floor(random.uniform(2 * i) * count));
      target.push_back(std::floor(random.uniform(2 * i + 1) * 64) / 8);
    }
    const auto data = column<T>(count, codes, target);
    const auto model = train(data, one_split());
    double mean = 0;
    for (const double y : target) mean += y / 60;
    double best = 0;
    for (int set = 1; set < (1 << count) - 1; ++set) {
      double g[2] = {0, 0};
      double n[2] = {0, 0};
      for (std::size_t i = 0; i < 60; ++i) {
        const int side = (set >> static_cast<int>(codes[i])) & 1;
        g[side] += mean - target[i];
        n[side] += 1;
      }
      if (n[0] > 0 && n[1] > 0) best = std::max(best, g[0] * g[0] / n[0] + g[1] * g[1] / n[1]);
    }
    EXPECT_NEAR(model.trees.trees[0].gain[0], best, 1e-4 * best);
  }
}

TYPED_TEST(BoostingCategories, RespectTheLimitOfASet) {
  using T = TypeParam;
  const auto data = mixed<T>(3000, 1);
  GradientBoostingOptions options;
  options.rounds = 5;
  options.max_cat_threshold = 2;
  Index several = 0;
  for (const auto& tree : train(data, options).trees.trees) {
    for (Index node = 0; node < tree.size(); ++node) {
      const auto i = static_cast<std::size_t>(node);
      if ((tree.flags[i] & tree_categorical) == 0) continue;
      EXPECT_NE(tree.feature[i], 0);
      EXPECT_EQ(tree.flags[i], tree_categorical);
      int members = 0;
      for (std::int32_t w = 0; w < tree.category_words[i]; ++w) {
        members +=
            std::popcount(tree.categories[static_cast<std::size_t>(tree.first_category[i] + w)]);
      }
      EXPECT_GE(members, 1);
      EXPECT_LE(members, 2);
      several += members == 2 ? 1 : 0;
    }
  }
  EXPECT_GT(several, 0);
}

// 600 categories are more than there may be bins: rare ones share one, and the model, which knows
// codes, still says of each row what training said.
TYPED_TEST(BoostingCategories, GoOnFromAModel) {
  using T = TypeParam;
  const auto data = mixed<T>(4000, 2, 0.05);
  GradientBoostingOptions options;
  options.rounds = 12;
  options.subsample = 0.8;
  options.max_cat_bins = 255;
  const auto whole = train(data, options);
  options.rounds = 5;
  const auto first = train(data, options);
  options.rounds = 7;
  const auto further = fit_further(*engine_of(Device::cpu), first, data.view(), options);
  EXPECT_EQ(further.trees, whole.trees);
}

TYPED_TEST(BoostingCategories, HeavyOnesHaveBinsOfTheirOwn) {
  using T = TypeParam;
  const Index count = 1000;
  std::vector<double> codes;
  for (Index c = 0; c < count; ++c) {
    const bool heavy = c % 4 == 3;  // 250 of them
    for (int k = 0; k < (heavy ? 3 : 1); ++k) codes.push_back(static_cast<double>(c));
  }
  const auto data = column<T>(count, codes, std::vector<double>(codes.size(), 0));
  const auto bins = tree::category_bins<T>(data.features.view(), data.columns, {}, {}, 255, "test");
  ASSERT_EQ(bins.kinds[0], tree::BinKind::categories_and_rest);
  EXPECT_EQ(bins.codes[0].size(), 254U);
  for (Index c = 3; c < count; c += 4) {
    EXPECT_TRUE(std::binary_search(bins.codes[0].begin(), bins.codes[0].end(),
                                   static_cast<std::int32_t>(c)));
  }
  const auto recoded = bins.template recoded<T>(data.features.view());
  EXPECT_EQ(recoded(0, 0), T{0});  // the lowest of the light ones has the last places
  EXPECT_EQ(recoded(recoded.rows() - 4, 0), T{254});
}

TYPED_TEST(BoostingCategories, GiveTheSameBitsForAnyThreadsAndInstructions) {
  using T = TypeParam;
  for (const double missing : {0.0, 0.1}) {
    const auto data = mixed<T>(9000, 3, missing);
    GradientBoostingOptions options;
    options.rounds = 4;
    options.colsample_bynode = missing > 0 ? 0.7 : 1;
    std::optional<GradientBoostingModel<T>> expected;
    for (const char* set : {"baseline", "avx2", "avx512"}) {
      try {
        cpu::limit_simd(set);
      } catch (const InputError&) {
        continue;
      }
      for (const int threads : {1, 2, 7}) {
        auto model = train(data, options, Device::cpu, threads);
        if (expected) expect_same(model, *expected);
        if (!expected) expected.emplace(std::move(model));
      }
    }
    cpu::limit_simd("avx512");
  }
}

TYPED_TEST(BoostingCategories, LearnWhatIndicatorsNeedManySplitsFor) {
  using T = TypeParam;
  const auto data = mixed<T>(6000, 4);
  const auto fresh = mixed<T>(2000, 5);
  const auto engine = engine_of(Device::cpu, 2);
  const auto error = [&](const char* encode) {
    PipelineOptions options("gradient-boosting");
    options.set("task", "regression").set("rounds", 30).set("max_depth", 4);
    options.set("encode", encode);
    return fit_pipeline<T>(*engine, data, options).evaluate(*engine, fresh).metrics.at("rmse");
  };
  EXPECT_LT(error("none"), 0.8 * error("one-hot"));
}

// With a bin for each of 600 categories more is learned than where the rarest of them share one;
// the sets name categories that would have been among those.
TYPED_TEST(BoostingCategories, HaveABinEachBeyond255) {
  using T = TypeParam;
  const auto data = mixed<T>(20000, 9);
  const auto fresh = mixed<T>(4000, 10);
  const auto engine = engine_of(Device::cpu, 2);
  const auto error = [&](Index most) {
    PipelineOptions options("gradient-boosting");
    options.set("task", "regression").set("rounds", 60).set("max_cat_bins", most);
    return fit_pipeline<T>(*engine, data, options).evaluate(*engine, fresh).metrics.at("rmse");
  };
  EXPECT_LT(error(65535), 0.85 * error(255));
  const auto bins =
      tree::category_bins<T>(data.features.view(), data.columns, {}, {}, 65535, "test");
  EXPECT_EQ(bins.kinds[3], tree::BinKind::categories);
  EXPECT_EQ(bins.codes[3].size(), 600U);
}

// As many categories as a column may have, and nearly as many rows; the last ones share a bin.
TYPED_TEST(BoostingCategories, MayBeAsManyAsBinsHaveNumbers) {
  using T = TypeParam;
  const Index count = tree::most_categories;
  std::vector<double> codes;
  std::vector<double> target;
  for (Index c = 0; c < count; ++c) {
    codes.push_back(static_cast<double>(c));
    target.push_back(c % 2 == 0 ? 1 : 3);
  }
  codes.push_back(nan);
  target.push_back(2);
  const auto data = column<T>(count, codes, target);
  auto options = one_split();
  options.max_cat_threshold = 65535;
  const auto model = train(data, options, Device::cpu, 2);
  const auto values = model.predict(*engine_of(Device::cpu), data.features.view()).values;
  Index right = 0;
  for (std::size_t i = 0; i < values.size(); ++i) right += values[i] == data.target[i] ? 1 : 0;
  // Each category of its own is on its side; all that is not known is on the other.
  EXPECT_GE(right, count / 2 - 1);
  expect_same(train(data, options, Device::cpu, 1), model);
}

// Shapley values add up to what the trees say, and importances name the columns.
TYPED_TEST(BoostingCategories, AreExplained) {
  using T = TypeParam;
  const auto data = mixed<T>(800, 6, 0.05);
  GradientBoostingOptions options;
  options.rounds = 5;
  const auto model = train(data, options);
  const auto engine = engine_of(Device::cpu);
  const auto rows = data.features.view().rows_from(0, 50);
  const auto scores = model.trees.raw_scores(*engine, rows);
  const auto values = shap_values(*engine, model.trees, rows);
  for (Index i = 0; i < 50; ++i) {
    double sum = values.expected[0];
    for (Index j = 0; j < 4; ++j) sum += values(i, 0, j);
    EXPECT_NEAR(sum, static_cast<double>(scores(i, 0)), 1e-5);
  }
  for (const double share : model.importances()) EXPECT_GT(share, 0);
}

TYPED_TEST(BoostingCategories, AreKeptAndPrinted) {
  using T = TypeParam;
  auto data = column<T>(3, {0, 1, 2, 0, 1, 2}, {1, 7, 1, 1, 7, 1});
  data.columns[0].categories = {"red", "green", "blue"};
  const auto model = train(data, one_split());
  Archive archive;
  model.save(archive);
  const auto loaded = GradientBoostingModel<T>::load(archive);
  expect_same(loaded, model);
  EXPECT_THAT(loaded.to_text({"colour"}), HasSubstr("colour in {green} ? 1 : 2, missing 2"));
  const auto json = nlohmann::json::parse(loaded.to_json({"colour"}));
  EXPECT_EQ(json["trees"][0]["nodes"][0]["categories"], (std::vector<int>{1}));
  EXPECT_EQ(json["trees"][0]["nodes"][0]["category_names"], (std::vector<std::string>{"green"}));
  Archive part = archive.part("trees");
  part.set_tensor("category_counts", std::vector<std::int64_t>{4});
  archive.set_part("trees", part);
  EXPECT_THROW((void)GradientBoostingModel<T>::load(archive), InputError);
}

// What is written for the other programs says the same of rows when it is read back, categories
// that training did not see and missing ones among them.
TYPED_TEST(BoostingCategories, AreWrittenForOthersAndReadBack) {
  using T = TypeParam;
  const auto data = mixed<T>(2000, 7, 0.05);
  auto rows = mixed<T>(300, 8, 0.1);
  for (Index i = 0; i < rows.rows(); i += 10) rows.features(i, 3) = T{777};
  GradientBoostingOptions options;
  options.rounds = 10;
  const auto model = train(data, options);
  const auto engine = engine_of(Device::cpu);
  const std::vector<std::string> names{"a", "b", "c", "d"};
  const auto expected = model.trees.raw_scores(*engine, rows.features.view());
  const auto compare = [&](const GradientBoostingModel<T>& read) {
    const auto scores = read.trees.raw_scores(*engine, rows.features.view());
    for (Index i = 0; i < rows.rows(); ++i) EXPECT_NEAR(scores(i, 0), expected(i, 0), 1e-5) << i;
  };
  const std::string text = to_lightgbm_text(model, names);
  EXPECT_THAT(text, HasSubstr("pandas_categorical:[[\"c0\",\"c1\",\"c2\"],[\"c0\""));
  compare(parse_lightgbm<T>(text, "text").model);
  // XGBoost's thresholds are floats.
  if constexpr (sizeof(T) == sizeof(float)) {
    compare(parse_xgboost<T>(to_xgboost_json(model, names), "json").model);
    compare(parse_xgboost<T>(to_xgboost_ubjson(model, names), "ubjson").model);
  }
}

// A pipeline leaves categories to boosting; those that training did not see are missing.
TYPED_TEST(BoostingCategories, ComeThroughAPipeline) {
  using T = TypeParam;
  auto data = column<T>(3, {0, 1, 2, 0, 1, 2}, {1, 7, 1, 1, 7, 1});
  data.columns[0] = {"colour", {"red", "green", "blue"}};
  PipelineOptions options("gradient-boosting");
  options.set("task", "regression").set("rounds", 1).set("learning_rate", 1.0);
  options.set("reg_lambda", 0.0);
  const auto engine = engine_of(Device::cpu);
  const auto pipeline = fit_pipeline<T>(*engine, data, options);
  EXPECT_EQ(pipeline.model->features(), 1);
  EXPECT_THAT(pipeline.model->to_text(pipeline.feature_names()), HasSubstr("colour in {green}"));
  auto rows = column<T>(4, {0, 1, 2, 3}, {0, 0, 0, 0});
  rows.columns[0] = {"colour", {"violet", "green", "red", "blue"}};
  EXPECT_EQ(pipeline.predict(*engine, rows).values, (std::vector<T>{1, 7, 1, 1}));
  options.set("encode", "one-hot");
  EXPECT_EQ(fit_pipeline<T>(*engine, data, options).model->features(), 3);
}

TYPED_TEST(BoostingCategories, RefuseWhatIsNoCategory) {
  using T = TypeParam;
  using Data = Dataset<T>;
  using Options = GradientBoostingOptions;
  struct Refusal {
    std::function<void(Data&, Options&, std::optional<Data>&)> spoil;
    std::string message;
  };
  const std::vector<Refusal> refusals{
      {[](Data& d, Options&, auto&) { d.features(1, 0) = T{3}; },
       "row 2, column x0: 3 is not the code of one of its 3 categories"},
      {[](Data& d, Options&, auto&) { d.features(1, 0) = static_cast<T>(0.5); }, "0.5 is not"},
      {[](Data& d, Options&, auto&) { d.features(1, 0) = T{-1}; }, "-1 is not"},
      {[](Data&, Options& o, auto&) { o.monotone_constraints = {1}; },
       "column x0 has categories, which have no order"},
      {[](Data& d, Options&, auto&) { d.columns[0].categories = names_of(65537); },
       "column x0 has 65537 categories"},
      {[](Data& d, Options&, std::optional<Data>& v) {
         v = d;
         v->columns[0].categories = {"c0", "c2", "c1"};
       },
       "the categories of column x0 are not those of the training rows"},
      {[](Data& d, Options&, std::optional<Data>& v) {
         v = d;
         v->features(3, 0) = T{9};
       },
       "row 4, column x0: 9 is not the code"},
  };
  for (const Refusal& refusal : refusals) {
    auto data = column<T>(3, {0, 1, 2, 0}, {1, 7, 1, 1});
    Options options = one_split();
    std::optional<Data> validation;
    refusal.spoil(data, options, validation);
    FitContext<T> context;
    if (validation) context.validation.emplace(validation->view());
    try {
      (void)train(data, options, Device::cpu, 1, context);
      ADD_FAILURE() << "accepted: " << refusal.message;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(refusal.message));
    }
  }
}

}  // namespace
}  // namespace tandem
