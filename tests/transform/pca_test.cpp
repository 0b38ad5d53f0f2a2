// Principal components as a step of a pipeline.
//
// Compiled by itself, so that the files after it keep their places among six.
#include "tandem/transform/pca.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "support/agreement.hpp"
#include "support/messages.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

template <Real T>
Dataset<T> regression_data() {
  GenerateOptions generate;
  generate.rows = 300;
  generate.features = 6;
  generate.seed = 8;
  return generate_regression<T>(generate);
}

template <class T>
class PcaStepOf : public ::testing::Test {};
using Reals = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PcaStepOf, Reals);

TYPED_TEST(PcaStepOf, StandsBetweenTheStepsBeforeItAndTheModel) {
  using T = TypeParam;
  const auto engine = Engine::create({.threads = 2});
  const Dataset<T> data = regression_data<T>();
  PipelineOptions scaled("linear-regression");
  scaled.set("scale", "standard");
  Dataset<T> before;
  (void)fit_pipeline(*engine, data, scaled, {.prepared = &before});
  scaled.set("pca", 3);
  Dataset<T> prepared;
  const Pipeline<T> pipeline = fit_pipeline(*engine, data, scaled, {.prepared = &prepared});

  // The axes of the rows as scaling leaves them, though that was not carried out when they were
  // found.
  const PrincipalAxes axes = principal_axes(*engine, before.view(), {.components = 3});
  const auto& step = dynamic_cast<const PcaTransform<T>&>(*pipeline.transforms.find("pca"));
  EXPECT_EQ(step.axes(), axes);
  EXPECT_EQ(pipeline.feature_names(), (std::vector<std::string>{"pc1", "pc2", "pc3"}));
  const Matrix<T> expected = project(*engine, axes, std::as_const(before.features).view());
  EXPECT_TRUE(test::same_bits(prepared.features.values(), expected.values()));
  EXPECT_EQ(pipeline.transforms.unscale(1, 0.5), 0.5);

  // Raw rows, in one call or by a predictor, and from a file.
  const auto values = pipeline.predict(*engine, data).values;
  EXPECT_TRUE(test::same_bits(
      pipeline.predict_prepared(*engine, std::as_const(prepared.features).view()).values, values));
  EXPECT_TRUE(test::same_bits(pipeline.on(*engine).predict(data).values, values));
  Archive archive;
  pipeline.save(archive);
  const auto read = std::get<Pipeline<T>>(model_from_archive(archive));
  EXPECT_TRUE(test::same_bits(read.predict(*engine, data).values, values));

  EXPECT_THAT(pipeline.transforms.to_json(), HasSubstr("\"transform\":\"pca\""));
  EXPECT_THAT(pipeline.transforms.to_json(), HasSubstr("\"name\":\"pc3\""));
  EXPECT_THAT(step.to_text(), HasSubstr("3 components, "));
}

TEST(PcaStep, IsFoundAnewInEachFoldAndForAnyAlgorithm) {
  const auto engine = Engine::create({.threads = 1});
  GenerateOptions generate;
  generate.rows = 90;
  generate.features = 5;
  const Dataset<double> blobs = generate_blobs<double>(generate);
  for (const char* algorithm : {"logistic-regression", "random-forest", "kmeans"}) {
    PipelineOptions options(algorithm);
    options.set("pca", 2).set("pca_whiten", true);
    const auto pipeline = fit_pipeline(*engine, blobs, options);
    EXPECT_EQ(pipeline.model->features(), 2) << algorithm;
    EXPECT_EQ(pipeline.predict(*engine, blobs).labels.size(), 90U) << algorithm;
  }
}

TEST(PcaStep, RefusesWhatHasNoComponents) {
  const auto engine = Engine::create({.threads = 1});
  const auto refused = [&](Dataset<double> data, Index dimensions,
                           const char* algorithm = "linear-regression") {
    PipelineOptions options(algorithm);
    options.set("pca", dimensions);
    return test::message_of([&] { (void)fit_pipeline(*engine, std::move(data), options); });
  };
  EXPECT_THAT(refused(regression_data<double>(), 7), HasSubstr("have at most 6"));
  auto gaps = regression_data<double>();
  gaps.features(4, 2) = NAN;
  EXPECT_THAT(refused(gaps, 2), HasSubstr("x2: has missing values"));
  EXPECT_THAT(refused(gaps, 2), HasSubstr("impute"));
  auto texts = regression_data<double>();
  texts.columns[1].categories = {"a", "b"};
  for (Index i = 0; i < texts.rows(); ++i) texts.features(i, 1) = static_cast<double>(i % 2);
  EXPECT_THAT(refused(texts, 2, "gradient-boosting"), HasSubstr("x1 holds categories"));
  // Encoded, they are indicators, of which there are components.
  EXPECT_EQ(refused(texts, 2), "nothing was thrown");

  // A row to predict that lacks a value has no coordinates, even where the model takes missing
  // ones.
  PipelineOptions options("gradient-boosting");
  options.set("pca", 2).set("predictor.rounds", 3);
  const auto pipeline = fit_pipeline(*engine, regression_data<double>(), options);
  EXPECT_THAT(test::message_of([&] { (void)pipeline.predict(*engine, gaps); }),
              HasSubstr("column x2: row 5 has no value"));
}

TEST(PcaStep, RefusesArchivesThatItHasNotWritten) {
  const auto engine = Engine::create({.threads = 1});
  PipelineOptions options("linear-regression");
  options.set("pca", 2).set("scale", "none");
  const auto pipeline = fit_pipeline(*engine, regression_data<double>(), options);
  Archive good;
  pipeline.transforms.save(good);
  const auto inputs = pipeline.schema.columns;
  (void)TransformChain<double>::load(good, inputs);
  Archive bad = good;
  bad.set_matrix("0/components", Matrix<double>(1, 2, {1, 0}));
  EXPECT_THROW((void)TransformChain<double>::load(bad, inputs), InputError);
  auto fewer = inputs;
  fewer.pop_back();
  EXPECT_THROW((void)TransformChain<double>::load(good, fewer), InputError);
}

}  // namespace
}  // namespace tandem
