// Raw rows that become far wider: they are predicted and evaluated a part at a time, and trained on
// as sparse rows where the algorithm takes them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/core/memory_limit.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/model/sparse_training.hpp"
#include "tandem/model/validation.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

constexpr Index categories = 1000;
constexpr Index rows_of_three_blocks = 20'000;  // of 8 KiB each, 64 MiB at a time

// A number and a category of a thousand in each row.
Dataset<double> table(Index rows) {
  Dataset<double> data;
  data.source = "wide";
  Column shop{"shop", {}};
  for (Index c = 0; c < categories; ++c) shop.categories.push_back("s" + std::to_string(1000 + c));
  data.columns = {{"size", {}}, shop};
  data.target_column = {"y", {}};
  data.features = Matrix<double>(rows, 2);
  for (Index i = 0; i < rows; ++i) {
    data.features(i, 0) = static_cast<double>(i * 7919 % 101) / 16;
    data.features(i, 1) = static_cast<double>(i * 31 % categories);
    data.target.push_back(static_cast<double>(i * i % 17));
  }
  return data;
}

Pipeline<double> trained(Engine& engine, const std::string& name) {
  PipelineOptions options(name);
  if (name == "linear-regression") options.set("solver", "gradient").set("epochs", 3);
  if (name == "decision-tree") options.set("max_depth", 4).set("task", "classification");
  if (name == "kmeans") options.set("clusters", 3);
  return fit_pipeline(engine, table(2000), options);
}

TEST(WidePredictions, HaveTheBitsOfRowsPreparedAtOnce) {
  const auto engine = Engine::create({.threads = 2});
  const Dataset<double> raw = table(rows_of_three_blocks);
  for (const std::string name : {"linear-regression", "decision-tree", "kmeans"}) {
    const Pipeline<double> model = trained(*engine, name);
    ASSERT_GT(model.features().size(), 1000U) << name;
    const Predictions<double> in_blocks = model.predict(*engine, raw);
    const Predictions<double> at_once =
        model.predict_prepared(*engine, model.prepare(raw, 2).features.view());
    EXPECT_EQ(in_blocks.values, at_once.values) << name;
    EXPECT_EQ(in_blocks.labels, at_once.labels) << name;
    EXPECT_EQ(in_blocks.probabilities.values(), at_once.probabilities.values()) << name;
    const Predictions<double> by_many = model.on(*engine).predict(raw);
    EXPECT_EQ(by_many.values, at_once.values) << name;
    EXPECT_EQ(by_many.labels, at_once.labels) << name;
  }
}

// Evaluations are of the same predictions, and rank by the same margins.
TEST(WidePredictions, EvaluationsAreThoseOfRowsPreparedAtOnce) {
  const auto engine = Engine::create({.threads = 2});
  Dataset<double> raw = table(rows_of_three_blocks);
  for (Index i = 0; i < raw.rows(); i += 3) raw.weights.push_back(1);
  raw.weights.resize(static_cast<std::size_t>(raw.rows()), 0.5);
  for (const std::string name : {"linear-regression", "decision-tree", "multinomial-nb"}) {
    PipelineOptions options(name);
    if (name == "linear-regression") options.set("solver", "gradient").set("epochs", 3);
    if (name == "decision-tree") options.set("max_depth", 4).set("task", "classification");
    const Pipeline<double> model = fit_pipeline(*engine, table(2000), options);
    const Evaluation in_blocks = model.evaluate(*engine, raw);
    const Evaluation at_once = model.evaluate_prepared(*engine, model.prepare(raw, 2));
    EXPECT_FALSE(at_once.metrics.empty()) << name;
    EXPECT_EQ(in_blocks.metrics, at_once.metrics) << name;
    EXPECT_EQ(in_blocks.confusion.counts.values(), at_once.confusion.counts.values()) << name;
    EXPECT_EQ(in_blocks.rows, raw.rows());
  }
}

TEST(WidePredictions, NameTheRowOfTheWholeTable) {
  const auto engine = Engine::create({.threads = 2});
  const Pipeline<double> model = trained(*engine, "linear-regression");
  Dataset<double> raw = table(rows_of_three_blocks);
  raw.features(15'000, 0) = std::numeric_limits<double>::quiet_NaN();
  const auto message = [&](Dataset<double> rows) -> std::string {
    try {
      (void)model.predict(*engine, std::move(rows));
    } catch (const InputError& error) {
      return error.what();
    }
    return "no InputError";
  };
  EXPECT_THAT(message(raw), HasSubstr("row 15001, column size"));
  raw = table(rows_of_three_blocks);
  raw.features(18'000, 1) = categories;
  EXPECT_THAT(message(raw), HasSubstr("row 18001, column shop"));
}

// --- training on sparse rows
// -----------------------------------------------------------------------

constexpr Index shops = 2000;
constexpr Index sales = 6000;  // of 16 KB each when they are written out, 96 MB

// Two numbers, one of them missing now and then, and a category of two thousand in each row.
Dataset<double> rows_of_shops(bool with_missing) {
  Dataset<double> data;
  data.source = "wide";
  Column shop{"shop", {}};
  for (Index c = 0; c < shops; ++c) shop.categories.push_back("s" + std::to_string(10000 + c));
  data.columns = {{"size", {}}, {"age", {}}, shop};
  data.target_column = {"y", {"no", "yes"}};
  data.features = Matrix<double>(sales, 3);
  for (Index i = 0; i < sales; ++i) {
    data.features(i, 0) = static_cast<double>(i * 7919 % 101) / 16;
    data.features(i, 1) = static_cast<double>(i * 31 % 7);
    if (with_missing && i % 50 == 3) data.features(i, 1) = std::numeric_limits<double>::quiet_NaN();
    data.features(i, 2) = static_cast<double>(i * 37 % shops);
    data.target.push_back(static_cast<double>(i * 37 % shops % 3 == 0 || i % 11 == 0));
    data.weights.push_back(1 + static_cast<double>(i % 4) / 4);
  }
  return data;
}

PipelineOptions one_hot_options(const std::string& algorithm) {
  PipelineOptions options(algorithm);
  options.set("encode", "one-hot");
  if (algorithm == "gradient-boosting") options.set("rounds", 3).set("max_depth", 3);
  return options;
}

template <Real T>
std::string text_of_model(const Pipeline<T>& model) {
  return model.model->to_json(model.feature_names());
}

TEST(SparseTraining, GivesTheModelOfRowsWrittenOut) {
  const auto engine = Engine::create({.threads = 2});
  for (const std::string name : {"gradient-boosting", "multinomial-nb", "bernoulli-nb"}) {
    const PipelineOptions options = one_hot_options(name);
    const Dataset<double> data = rows_of_shops(name == "gradient-boosting");
    ASSERT_TRUE(trains_on_sparse_rows(options, data.view())) << name;
    const Pipeline<double> sparse = fit_pipeline(*engine, data, options);
    Dataset<double> prepared;
    const Pipeline<double> dense = fit_pipeline(*engine, data, options, {.prepared = &prepared});
    ASSERT_GT(prepared.cols(), shops) << name;
    EXPECT_EQ(text_of_model(sparse), text_of_model(dense)) << name;
    EXPECT_EQ(sparse.feature_names(), dense.feature_names()) << name;
    EXPECT_EQ(sparse.predict(*engine, data).probabilities.values(),
              dense.predict(*engine, data).probabilities.values())
        << name;
    EXPECT_EQ(sparse.evaluate(*engine, data).metrics,
              dense.evaluate_prepared(*engine, prepared).metrics)
        << name;
  }
}

class LimitedMemory {
 public:
  explicit LimitedMemory(Index bytes) { set_memory_limit(bytes); }
  LimitedMemory(const LimitedMemory&) = delete;
  LimitedMemory& operator=(const LimitedMemory&) = delete;
  ~LimitedMemory() { set_memory_limit(0); }
};

// What would be written out would not fit.
TEST(SparseTraining, NeedsNoDenseTable) {
  const auto engine = Engine::create({.threads = 2});
  const PipelineOptions options = one_hot_options("multinomial-nb");
  const Dataset<double> data = rows_of_shops(false);
  const LimitedMemory limit(Index{90} << 20);
  Dataset<double> prepared;
  EXPECT_THROW((void)fit_pipeline(*engine, data, options, {.prepared = &prepared}), Error);
  const Pipeline<double> model = fit_pipeline(*engine, data, options);
  EXPECT_GT(model.evaluate(*engine, data).metrics.at("accuracy"), 0.9);
  RunControl control;
  const CrossValidation folds = cross_validate(options, data, {.folds = 2}, *engine, control);
  EXPECT_GT(folds.summary.at("accuracy").mean, 0.5);
}

// The list of those that take sparse rows says what their fits do.
TEST(SparseTraining, TheAlgorithmsAreThoseWhoseFitsTakeSparseRows) {
  const auto engine = Engine::create({.threads = 1});
  const std::vector<Index> offsets{0, 1, 2, 3, 4};
  const std::vector<std::int32_t> columns{0, 1, 0, 1};
  const std::vector<double> values{1, 1, 1, 1};
  const std::vector<double> target{0, 1, 0, 1};
  DatasetView<double> data;
  data.sparse = {4, 2, offsets, columns, values};
  data.target = target;
  for (const std::string& name : algorithm_names()) {
    const auto algorithm = make_algorithm(name);
    if (algorithm->has_option("clusters")) algorithm->set("clusters", 2);
    if (algorithm->has_option("epochs")) algorithm->set("epochs", 1);
    if (algorithm->has_option("neighbours")) algorithm->set("neighbours", 1);
    bool takes = true;
    try {
      (void)algorithm->fit(*engine, data);
    } catch (const InputError& error) {
      takes = false;
      EXPECT_THAT(error.what(), HasSubstr("takes dense ones")) << name;
    }
    EXPECT_EQ(takes_sparse_rows(*algorithm), takes) << name;
  }
}

TEST(SparseTraining, IsForRowsThatBecomeWide) {
  const Dataset<double> data = rows_of_shops(false);
  const PipelineOptions boosting("gradient-boosting");  // takes categories as they are
  EXPECT_FALSE(trains_on_sparse_rows(boosting, data.view()));
  EXPECT_TRUE(trains_on_sparse_rows(one_hot_options("gradient-boosting"), data.view()));
  EXPECT_FALSE(trains_on_sparse_rows(one_hot_options("logistic-regression"), data.view()));
  PipelineOptions dropping = one_hot_options("multinomial-nb");
  dropping.set("outliers", "zscore").set("outlier_action", "drop");
  EXPECT_FALSE(trains_on_sparse_rows(dropping, data.view()));
  std::vector<Index> some(100);
  for (Index i = 0; i < 100; ++i) some[static_cast<std::size_t>(i)] = i;
  EXPECT_FALSE(
      trains_on_sparse_rows(one_hot_options("multinomial-nb"), select_rows(data, some).view()));
}

}  // namespace
}  // namespace tandem
