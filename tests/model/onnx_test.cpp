// What has no form in ONNX is refused by name. What a runtime makes of the files that are written
// is tested from Python (python/tests/test_onnx.py).
#include "tandem/model/onnx.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <variant>

#include "tandem/core/error.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// One tree of one split of the first of two columns, with these flags.
Pipeline<double> stump(std::uint8_t flags) {
  auto model = std::make_unique<GradientBoostingModel<double>>();
  model->trees.features = 2;
  model->trees.base = {0.5};
  EnsembleTree<double> tree;
  tree.add_leaf(0);
  tree.add_leaf(1);
  tree.add_leaf(2);
  tree.split(0, 0, 0.25, 1, 2, false);
  tree.flags[0] |= flags;
  model->trees.trees.push_back(tree);
  Pipeline<double> pipeline;
  pipeline.model = std::move(model);
  return pipeline;
}

// A message that is thrown, or nothing.
std::string refusal(const Pipeline<double>& pipeline) {
  try {
    (void)to_onnx(pipeline);
    return "";
  } catch (const InputError& error) {
    return error.what();
  }
}

TEST(Onnx, BeginsWithTheVersionOfTheFormat) {
  // Field 1, a number: 10.
  EXPECT_THAT(to_onnx(stump(0)), StartsWith("\x08\x0a"));
}

// The threshold of a stump as a file for old runtimes has it.
double written_threshold(double threshold, OnnxInput input) {
  Pipeline<double> pipeline = stump(0);
  auto& trees = dynamic_cast<GradientBoostingModel<double>&>(*pipeline.model).trees;
  trees.trees.front().threshold[0] = threshold;
  pipeline.schema.columns = numbered_columns(2);
  const AnyModel read =
      parse_onnx(to_onnx(pipeline, {OnnxOperators::ml3, input}), "written", Precision::float64);
  const Model<double>& model = *std::get<Pipeline<double>>(read).model;
  return dynamic_cast<const GradientBoostingModel<double>&>(model).trees.trees.front().threshold[0];
}

// A float x is at most t exactly where it is at most what stands there.
TEST(Onnx, ThresholdsForFloatRowsAreRoundedDown) {
  EXPECT_EQ(written_threshold(0.25, OnnxInput::float32), 0.25);
  // The float nearest to 0.1 lies above it, that to 0.7 below.
  EXPECT_EQ(written_threshold(0.1, OnnxInput::float32),
            static_cast<double>(std::nextafter(0.1F, 0.0F)));
  EXPECT_EQ(written_threshold(0.7, OnnxInput::float32), static_cast<double>(0.7F));
  EXPECT_EQ(written_threshold(-0.1, OnnxInput::float32), static_cast<double>(-0.1F));
  EXPECT_EQ(written_threshold(1e300, OnnxInput::float32),
            static_cast<double>(std::numeric_limits<float>::max()));
  EXPECT_EQ(written_threshold(1e-300, OnnxInput::float32), 0.0);
  EXPECT_EQ(written_threshold(-1e-300, OnnxInput::float32),
            static_cast<double>(-std::numeric_limits<float>::denorm_min()));
  // Rows of the model's own type are compared with the very thresholds.
  EXPECT_EQ(written_threshold(0.1, OnnxInput::model), 0.1);
}

TEST(Onnx, ZerosThatAreMissingAreRefused) {
  EXPECT_EQ(refusal(stump(0)), "");
  EXPECT_THAT(refusal(stump(tree_zero_is_missing)), HasSubstr("zeros"));
}

TEST(Onnx, ColumnsOfOneNameAreRefusedWhereInputsAreNamed) {
  Dataset<double> data;
  data.source = "twins";
  data.columns = {{"a", {"x", "y"}}, {"a", {}}};
  data.features = Matrix<double>(4, 2);
  data.target = {0, 1, 2, 3};
  for (Index i = 0; i < 4; ++i) data.features(i, 0) = static_cast<double>(i % 2);
  const auto engine = Engine::create({.threads = 1});
  PipelineOptions options("decision-tree");
  options.set("task", "regression");
  EXPECT_THAT(refusal(fit_pipeline(*engine, data.view(), options)), HasSubstr("'a'"));
  data.columns[1].name = "b";
  EXPECT_EQ(refusal(fit_pipeline(*engine, data.view(), options)), "");
}

}  // namespace
}  // namespace tandem
