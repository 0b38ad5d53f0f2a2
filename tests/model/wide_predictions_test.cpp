// Predictions of raw rows that become far wider: they are prepared a part at a time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <utility>

#include "tandem/core/error.hpp"
#include "tandem/model/pipeline.hpp"

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

}  // namespace
}  // namespace tandem
