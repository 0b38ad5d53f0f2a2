// Models of other programs in ONNX files: the files of tests/model/onnx, which make.py there has
// had written by scikit-learn's, XGBoost's and LightGBM's converters, with onnxruntime's answers;
// Tandem's own files, read back; and files that are damaged.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tandem/core/error.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/data/read.hpp"
#include "tandem/model/onnx.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

const std::filesystem::path folder =
    std::filesystem::path(TANDEM_DATA_DIR) / ".." / "tests" / "model" / "onnx";

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".onnx") all.push_back(entry.path().stem().string());
  }
  std::sort(all.begin(), all.end());
  return all;
}

// rows × columns of what predictions are: probabilities, or values.
template <Real T>
std::vector<double> answers(const Pipeline<T>& pipeline, Dataset<T> rows) {
  const auto engine = Engine::create({.threads = 1});
  const Predictions<T> made = pipeline.predict(*engine, std::move(rows));
  const auto& values = made.probabilities.empty() ? made.values : made.probabilities.values();
  return {values.begin(), values.end()};
}

class OnnxFile : public ::testing::TestWithParam<std::string> {};

TEST_P(OnnxFile, PredictsWhatOnnxruntimeDoes) {
  const AnyModel any = import_onnx((folder / (GetParam() + ".onnx")).string());
  const auto& pipeline = std::get<Pipeline<float>>(any);  // such operators compute in float
  const Dataset<float> table = read_dataset<float>((folder / (GetParam() + ".csv")).string());
  const Index features = pipeline.model->features();
  ASSERT_EQ(features, 3);
  Dataset<float> rows;
  rows.columns = numbered_columns(features);
  rows.features = Matrix<float>(table.features.rows(), features);
  std::vector<double> expected;
  for (Index i = 0; i < table.features.rows(); ++i) {
    for (Index j = 0; j < table.features.cols(); ++j) {
      if (j < features) {
        rows.features(i, j) = table.features(i, j);
      } else {
        expected.push_back(table.features(i, j));
      }
    }
  }
  const std::vector<double> got = answers(pipeline, std::move(rows));
  ASSERT_EQ(got.size(), expected.size());
  ASSERT_GE(got.size(), 40U);
  double largest = 1;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], expected[i], 2e-6 * largest) << i;
  }
}

// Every beginning of a file, and files with a few wrong bytes, are read or refused.
TEST_P(OnnxFile, DamageIsRefused) {
  const std::string whole = bytes_of(folder / (GetParam() + ".onnx"));
  int read = 0;
  const auto attempt = [&](const std::string& bytes) {
    try {
      std::visit([&](const auto& pipeline) { read += pipeline.model->features() > 0 ? 1 : 0; },
                 parse_onnx(bytes, "file"));
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("file"));
    }
  };
  for (std::size_t size = 0; size < whole.size(); size += 1 + size / 64) {
    attempt(whole.substr(0, size));
  }
  EXPECT_LE(read, 1);    // what is cut off behind the graph may be nothing that is needed
  std::mt19937 draw(5);  // NOLINT(cert-msc51-cpp): the same bytes each time
  for (int round = 0; round < 400; ++round) {
    std::string bytes = whole;
    for (int k = 0; k < 3; ++k) bytes[draw() % bytes.size()] = static_cast<char>(draw());
    attempt(bytes);
  }
}

INSTANTIATE_TEST_SUITE_P(Files, OnnxFile, ::testing::ValuesIn(names()),
                         [](const auto& one) { return one.param; });

// What Tandem writes it reads, in either precision; scalings are steps of the pipeline again.
template <Real T>
void expect_round_trip(const std::string& algorithm, const std::string& data,
                       const std::vector<std::pair<std::string, OptionValue>>& options,
                       double tolerance) {
  GenerateOptions generated;
  generated.rows = 300;
  generated.features = 4;
  generated.classes = 3;
  Dataset<T> rows = generate<T>(data, generated);
  PipelineOptions chosen(algorithm);
  for (const auto& [name, value] : options) chosen.set(name, value);
  const auto engine = Engine::create({.threads = 1});
  const Pipeline<T> model = fit_pipeline(*engine, rows.view(), chosen);
  const AnyModel any = parse_onnx(to_onnx(model), "written");
  const auto* back = std::get_if<Pipeline<T>>(&any);
  ASSERT_NE(back, nullptr) << algorithm << " came back in another precision";
  EXPECT_EQ(back->model->classes(), model.model->classes());
  Dataset<T> asked;
  asked.columns = numbered_columns(4);
  asked.features = rows.features;
  const std::vector<double> expected = answers(model, asked);
  const std::vector<double> got = answers(*back, asked);
  ASSERT_EQ(got.size(), expected.size());
  double largest = 1;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < got.size(); ++i) {
    ASSERT_NEAR(got[i], expected[i], tolerance * largest) << algorithm << ", " << i;
  }
}

TEST(OnnxImport, ReadsWhatTandemWrites) {
  const OptionValue standard = std::string("standard");
  const auto both = [&](const std::string& algorithm, const std::string& data,
                        const std::vector<std::pair<std::string, OptionValue>>& options) {
    expect_round_trip<float>(algorithm, data, options, 1e-5);
    expect_round_trip<double>(algorithm, data, options, 1e-12);
  };
  both("linear-regression", "regression", {{"scale", standard}});
  both("logistic-regression", "blobs", {{"scale", standard}});
  both("mlp", "blobs",
       {{"hidden", std::vector<std::int64_t>{6, 5}},
        {"activation", std::string("tanh")},
        {"epochs", std::int64_t{3}},
        {"scale", standard}});
  both("mlp", "blobs",
       {{"hidden", std::vector<std::int64_t>{6}},
        {"batch_norm", true},
        {"epochs", std::int64_t{3}}});
  both("decision-tree", "blobs", {});
  both("random-forest", "blobs", {{"trees", std::int64_t{7}}});
  both("random-forest", "regression", {{"trees", std::int64_t{7}}});
  both("gradient-boosting", "blobs", {{"rounds", std::int64_t{6}}});
  both("gradient-boosting", "regression", {{"rounds", std::int64_t{6}}});
}

TEST(OnnxImport, WhatIsNoSuchModelIsRefusedByName) {
  GenerateOptions generated;
  generated.rows = 60;
  generated.features = 2;
  generated.classes = 2;
  const Dataset<double> rows = generate<double>("blobs", generated);
  const auto engine = Engine::create({.threads = 1});
  const auto refusal = [&](const std::string& algorithm,
                           const std::vector<std::pair<std::string, OptionValue>>& options) {
    PipelineOptions chosen(algorithm);
    for (const auto& [name, value] : options) chosen.set(name, value);
    try {
      (void)parse_onnx(to_onnx(fit_pipeline(*engine, rows.view(), chosen)), "file.onnx");
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("nothing is refused");
  };
  EXPECT_THAT(refusal("kmeans", {{"clusters", std::int64_t{2}}}), HasSubstr("file.onnx: node"));
  EXPECT_THAT(refusal("mlp", {{"hidden", std::vector<std::int64_t>{4}},
                              {"epochs", std::int64_t{1}},
                              {"activation", std::string("gelu")}}),
              HasSubstr("file.onnx: node"));
  EXPECT_FALSE(is_onnx("{\"learner\""));
  EXPECT_FALSE(is_onnx(""));
  try {
    (void)parse_onnx("tree\nversion=v4", "lightgbm.txt");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("lightgbm.txt: is no ONNX model"));
  }
}

}  // namespace
}  // namespace tandem
