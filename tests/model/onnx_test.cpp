// What has no form in ONNX is refused by name. What a runtime makes of the files that are written
// is tested from Python (python/tests/test_onnx.py).
#include "tandem/model/onnx.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
