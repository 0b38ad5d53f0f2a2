// Models with their preprocessing: keeping, loading, and refusing what was not written by save().
#include "tandem/model/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>
#include <type_traits>

#include "core/random.hpp"
#include "support/agreement.hpp"
#include "tandem/core/error.hpp"
#include "tandem/data/generate.hpp"
#include "tandem/model/feature_values.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

// Two numeric columns, one with a missing value, and a categorical one; the target is a class.
template <Real T>
Dataset<T> mixed_data() {
  Dataset<T> data;
  data.source = "mixed";
  data.columns = {{"size", {}}, {"weight", {}}, {"colour", {"blue", "green", "red"}}};
  data.target_column = {"kind", {"a", "b"}};
  data.features = Matrix<T>(24, 3);
  data.target.resize(24);
  const Random random(11, Purpose::test);
  for (Index i = 0; i < 24; ++i) {
    const auto at = static_cast<std::uint64_t>(3 * i);
    data.features(i, 0) = static_cast<T>(random.uniform(at) * 10);
    data.features(i, 1) = static_cast<T>(random.uniform(at + 1));
    data.features(i, 2) = static_cast<T>(i % 3);
    data.target[static_cast<std::size_t>(i)] = static_cast<T>(i % 2);
  }
  data.features(5, 1) = std::numeric_limits<T>::quiet_NaN();
  return data;
}

template <Real T>
Pipeline<T> fit(const std::string& name, Dataset<T> data) {
  const auto engine = Engine::create({.threads = 1});
  PipelineOptions options(name);
  // A regression wants a target of numbers.
  if (options.algorithm().task(data) == Task::regression) data.target_column.categories.clear();
  const FeatureValues values = feature_values(options.algorithm());
  options.set("impute", "mean").set("seed", 3);
  options.set("scale", values == FeatureValues::any ? "standard" : "minmax");
  if (values == FeatureValues::codes) {
    // Categories alone are imputed and not scaled.
    options.set("impute", "most-frequent").set("scale", "none");
    for (T& value : data.features.values()) value = std::floor(value);
  }
  return fit_pipeline(*engine, std::move(data), options);
}

// Everything that a program does with a model. Errors are fine, crashes are not.
template <Real T>
void use(const Pipeline<T>& model, Engine& engine) {
  (void)model.model->to_text(model.feature_names());
  (void)model.model->to_json(model.feature_names());
  Dataset<T> data = mixed_data<T>();
  if (data.columns != model.schema.columns) return;
  try {
    const auto predictions = model.predict(engine, data);
    const auto classes = static_cast<std::int32_t>(model.model->classes().size());
    for (const auto label : predictions.labels) {
      EXPECT_GE(label, 0);
      EXPECT_TRUE(classes == 0 || label < classes);
    }
  } catch (const Error&) {
  }
}

class Pipelines : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Algorithms, Pipelines, ::testing::ValuesIn(algorithm_names()),
                         [](const auto& one) {
                           std::string name = one.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

template <Real T>
void expect_round_trip(const std::string& name) {
  Dataset<T> data = mixed_data<T>();
  const Pipeline<T> model = fit(name, data);
  Archive archive;
  model.save(archive);
  const AnyModel any =
      model_from_archive(decode_archive(encode_archive(archive, "model"), "model", "m"));
  ASSERT_TRUE(std::holds_alternative<Pipeline<T>>(any));
  const auto& read = std::get<Pipeline<T>>(any);
  EXPECT_EQ(read.provenance.algorithm, name);
  EXPECT_EQ(read.provenance.seed, 3U);
  EXPECT_EQ(read.provenance.rows, 24);
  EXPECT_EQ(read.provenance.source, "mixed");
  EXPECT_EQ(read.provenance.options, model.provenance.options);
  EXPECT_EQ(read.schema, model.schema);
  EXPECT_EQ(read.feature_names(), model.feature_names());
  Archive again;
  read.save(again);
  EXPECT_EQ(encode_archive(again, "model"), encode_archive(archive, "model"));
  const auto engine = Engine::create({.threads = 1});
  const auto before = model.predict(*engine, data);
  const auto after = read.predict(*engine, data);
  EXPECT_TRUE(test::same_bits(before.values, after.values));
  EXPECT_EQ(before.labels, after.labels);
  EXPECT_TRUE(test::same_bits(before.probabilities.values(), after.probabilities.values()));
}

TEST_P(Pipelines, SurvivesItsFile) {
  expect_round_trip<float>(GetParam());
  expect_round_trip<double>(GetParam());
}

// Copies of `value` that a hostile file might hold in its place.
std::vector<Archive::Value> spoiled(const Archive::Value& value) {
  std::vector<Archive::Value> all{true,
                                  std::int64_t{-1},
                                  std::int64_t{0},
                                  std::numeric_limits<std::int64_t>::max(),
                                  std::numeric_limits<double>::quiet_NaN(),
                                  std::numeric_limits<double>::infinity(),
                                  -1.0,
                                  std::string("x"),
                                  std::vector<std::string>{},
                                  std::vector<std::string>{"x", "x"},
                                  std::vector<double>{}};
  if (const auto* text = std::get_if<std::string>(&value)) {
    for (const char* other : {"", "kmeans", "float32", "softmax", "sigmoid", "identity", "entropy",
                              "squared-error", "regression", "classification", "one-hot"}) {
      if (*text != other) all.emplace_back(std::string(other));
    }
  }
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    auto longer = *texts;
    longer.emplace_back("more");
    all.emplace_back(longer);
    if (!texts->empty())
      all.emplace_back(std::vector<std::string>(texts->begin() + 1, texts->end()));
  }
  if (const auto* tensor = std::get_if<Archive::Tensor>(&value)) {
    std::visit(
        [&](const auto& data) {
          using Values = std::decay_t<decltype(data)>;
          using T = typename Values::value_type;
          all.emplace_back(Archive::Tensor{{0}, Values{}});
          Values longer = data;
          longer.push_back(T{});
          all.emplace_back(Archive::Tensor{{static_cast<Index>(longer.size())}, longer});
          auto turned = *tensor;
          std::reverse(turned.shape.begin(), turned.shape.end());
          all.emplace_back(turned);
          std::vector<T> values{T{0}, T{1}, std::numeric_limits<T>::max(),
                                std::numeric_limits<T>::lowest()};
          if constexpr (std::is_floating_point_v<T>) {
            values.push_back(std::numeric_limits<T>::quiet_NaN());
            values.push_back(std::numeric_limits<T>::infinity());
          } else if constexpr (std::is_signed_v<T>) {
            values.push_back(T{-1});
            values.push_back(static_cast<T>(data.size()));
          }
          for (const T wrong : values) {
            for (const std::size_t i : {std::size_t{0}, data.size() / 2, data.size() - 1}) {
              if (i >= data.size()) continue;
              Values altered = data;
              altered[i] = wrong;
              all.emplace_back(Archive::Tensor{tensor->shape, altered});
            }
          }
        },
        tensor->data);
  }
  return all;
}

void put(Archive& archive, const std::string& name, const Archive::Value& value) {
  std::visit(
      [&](const auto& held) {
        if constexpr (std::is_same_v<std::decay_t<decltype(held)>, Archive::Tensor>) {
          std::visit([&](const auto& data) { archive.set_tensor(name, data, held.shape); },
                     held.data);
        } else {
          archive.set(name, held);
        }
      },
      value);
}

TEST_P(Pipelines, AHostileModelIsRefusedOrHarmless) {
  const auto engine = Engine::create({.threads = 1});
  Archive archive;
  fit(GetParam(), mixed_data<double>()).save(archive);
  const auto attempt = [&](const Archive& altered) {
    try {
      const AnyModel any = model_from_archive(altered);
      std::visit([&](const auto& model) { use(model, *engine); }, any);
    } catch (const InputError&) {
    }
  };
  for (const auto& [name, value] : archive.entries()) {
    SCOPED_TRACE(name);
    Archive without;
    for (const auto& [other, kept] : archive.entries()) {
      if (other != name) put(without, other, kept);
    }
    attempt(without);
    for (const auto& wrong : spoiled(value)) {
      Archive altered = archive;
      put(altered, name, wrong);
      attempt(altered);
    }
  }
}

// The predictor from on() agrees with the pipeline, on several threads, after the pipeline is gone.
TEST_P(Pipelines, PredictsFromRawRowsOnSeveralThreads) {
  const Dataset<double> data = mixed_data<double>();
  const auto engine = Engine::create({.threads = 1});
  auto model = std::make_unique<Pipeline<double>>(fit(GetParam(), data));
  const Predictions<double> expected = model->predict(*engine, data);
  const PipelinePredictor<double> predictor = model->on(*engine);
  EXPECT_EQ(predictor.schema(), model->schema);
  model.reset();
  std::atomic<int> same{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const Predictions<double> got =
          t % 2 == 0 ? predictor.predict(data) : predictor.predict(data.view());
      if (test::same_bits(got.values, expected.values) && got.labels == expected.labels &&
          test::same_bits(got.probabilities.values(), expected.probabilities.values())) {
        ++same;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(same, 4);
  EXPECT_EQ(predictor.model().algorithm(), GetParam());
  // An error reaches the call that caused it, and the next one works.
  Dataset<double> narrow = data;
  narrow.columns[0].name = "length";
  EXPECT_THROW((void)predictor.predict(narrow), InputError);
  EXPECT_EQ(predictor.predict(data).labels, expected.labels);
}

// An algorithm that does not start from scores refuses them, instead of leaving them out of
// account.
TEST(BaseMargins, AreRefusedByNameWhereTheyWouldChangeNothing) {
  const auto engine = Engine::create({.threads = 1});
  Dataset<double> data = mixed_data<double>();
  data.features(5, 1) = 0;
  data.base_margin.assign(24, 0.5);
  for (const char* name :
       {"decision-tree", "kmeans", "linear-regression", "logistic-regression", "mlp"}) {
    data.target_column.categories.clear();
    try {
      (void)make_algorithm(name)->fit(*engine, data);
      ADD_FAILURE() << name << " took base margins";
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("mixed: has base margins"));
    }
  }
}

TEST(PipelineErrors, NameTheFileAndTheEntry) {
  Archive archive;
  GenerateOptions options;
  options.rows = 20;
  fit("linear-regression", generate_regression<double>(options)).save(archive);
  archive.set_origin("a.model");
  archive.set("algorithm", "perceptron");
  try {
    (void)model_from_archive(archive);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("a.model: unknown algorithm 'perceptron'"));
  }
  archive.set("precision", "float16");
  EXPECT_THROW((void)model_from_archive(archive), InputError);
}

TEST(PipelineErrors, MissingValuesAreNamed) {
  const auto engine = Engine::create({.threads = 1});
  Dataset<double> data = mixed_data<double>();
  data.target_column = {"kind", {}};
  try {
    (void)fit_pipeline(*engine, data, PipelineOptions("linear-regression"));
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("row 6, column weight"));
    EXPECT_THAT(error.what(), HasSubstr("impute"));
  }
}

TEST(PipelineOptionNames, NestedAndUnprefixed) {
  PipelineOptions options("decision-tree");
  options.set("predictor.max_depth", 3)
      .set("min-samples-leaf", 2)
      .set("scale.method", "minmax")
      .set("impute", "constant")
      .set("impute_constant", 4.5)
      .set("outlier-action", "clip")
      .set("seed", 9);
  EXPECT_EQ(options.algorithm().options().get_int("max_depth"), 3);
  const Archive steps = options.record_steps();
  EXPECT_EQ(steps.get_string("scale.method"), "minmax");
  EXPECT_EQ(steps.get_string("impute.method"), "constant");
  EXPECT_EQ(steps.get_double("impute.constant"), 4.5);
  EXPECT_EQ(steps.get_string("outliers.action"), "clip");
  EXPECT_EQ(options.seed(), 9U);
  const PipelineOptions copy = options;
  options.set("scale", "none");
  EXPECT_EQ(copy.record_steps().get_string("scale.method"), "minmax");

  EXPECT_THROW(options.set("method", "mean"), InputError);  // of which step?
  EXPECT_THROW(options.set("scale.size", 1), InputError);
  EXPECT_THROW(options.set("pca.components", 1), InputError);
  EXPECT_THROW(options.set("scael", "none"), InputError);
  EXPECT_THROW(options.set("scale", "huge"), InputError);
  try {
    options.set("max_dept", 2);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean max_depth"));
  }
}

TEST(PipelineOptionNames, StepsInAnotherOrder) {
  PipelineOptions options("logistic-regression");
  EXPECT_EQ(options.record_steps().get_string("scale.method"), "standard");  // it prefers that
  options.set("scale", "minmax").set_steps({"scale", "impute"});
  EXPECT_EQ(options.steps().size(), 2U);
  EXPECT_EQ(options.steps()[0]->name(), "scale");
  EXPECT_EQ(options.record_steps().get_string("scale.method"), "minmax");
  EXPECT_THROW(options.set("outliers", "iqr"), InputError);
  EXPECT_THROW(options.set_steps({"scale", "scale"}), InputError);
  EXPECT_THROW(options.set_steps({"sorcery"}), InputError);
}

// Rows that somebody else keeps make the model that owned rows make, whether a step changes them
// (and copies them for it) or not.
template <class T>
class PipelineOfAView : public ::testing::Test {};
using BothPrecisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(PipelineOfAView, BothPrecisions);

TYPED_TEST(PipelineOfAView, IsThatOfTheTable) {
  using T = TypeParam;
  const auto engine = Engine::create({.threads = 1});
  GenerateOptions generate;
  generate.rows = 150;
  const Dataset<T> numbers = generate_blobs<T>(generate);
  const Dataset<T> before = numbers;
  for (const Dataset<T>& data : {numbers, mixed_data<T>()}) {
    for (const char* scale : {"none", "standard"}) {
      PipelineOptions options("gradient-boosting");
      options.set("scale", scale).set("rounds", 3).set("seed", 4);
      Archive of_table;
      fit_pipeline(*engine, Dataset<T>(data), options).save(of_table);
      Archive of_view;
      const auto pipeline = fit_pipeline(*engine, data.view(), options);
      pipeline.save(of_view);
      EXPECT_EQ(of_table, of_view) << data.source << ", scale " << scale;
      // Predictions too, and without a copy where nothing is changed.
      const auto predictor = pipeline.on(*engine);
      EXPECT_EQ(predictor.predict(data.view()).probabilities,
                predictor.predict(Dataset<T>(data)).probabilities);
    }
  }
  EXPECT_EQ(numbers.features, before.features);
}

TEST(PipelineOfAnyView, RefusesWhatTheTableIsRefusedFor) {
  const auto engine = Engine::create({.threads = 1});
  Dataset<double> data = mixed_data<double>();
  data.weights.assign(24, 0.0);
  const PipelineOptions options("decision-tree");
  EXPECT_THROW((void)fit_pipeline(*engine, data.view(), options), InputError);
  data.weights.clear();
  const auto pipeline = fit_pipeline(*engine, data.view(), options);
  Dataset<double> narrow = data;
  narrow.features = Matrix<double>(24, 2);
  narrow.columns.pop_back();
  EXPECT_THROW((void)pipeline.on(*engine).predict(narrow.view()), InputError);
}

TEST(PipelineOfAScaledTarget, PredictsInTheUnitsOfTheTarget) {
  GenerateOptions generate;
  generate.rows = 200;
  generate.seed = 5;
  Dataset<double> data = generate_regression<double>(generate);
  for (double& y : data.target) y = 1e6 + 1e4 * y;
  const auto engine = Engine::create({.threads = 1});
  PipelineOptions options("linear-regression");
  Dataset<double> prepared;
  const auto plain = fit_pipeline(*engine, data, options, {.prepared = &prepared});
  EXPECT_EQ(prepared.target, data.target);
  options.set("scale_target", "standard");
  const auto scaled = fit_pipeline(*engine, data, options, {.prepared = &prepared});
  EXPECT_EQ(prepared.target, data.target);
  const auto a = plain.predict(*engine, data).values;
  const auto b = scaled.predict(*engine, data).values;
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-4);
  // The model itself is trained on a target of deviation 1.
  for (const double y : scaled.model->predict(*engine, prepared.features.view()).values) {
    EXPECT_LT(std::abs(y), 10);
  }
  EXPECT_NEAR(plain.evaluate(*engine, data).metrics.at("rmse"),
              scaled.evaluate(*engine, data).metrics.at("rmse"), 1e-4);
  EXPECT_EQ(scaled.evaluate(*engine, data).metrics,
            scaled.evaluate_prepared(*engine, prepared).metrics);

  Archive archive;
  scaled.save(archive);
  const auto read = std::get<Pipeline<double>>(model_from_archive(archive));
  EXPECT_TRUE(test::same_bits(read.predict(*engine, data).values, b));

  PipelineOptions classifier("logistic-regression");
  classifier.set("scale_target", "standard");
  EXPECT_THROW((void)fit_pipeline(*engine, mixed_data<double>(), classifier), InputError);
}

TEST(Fingerprint, SeesEveryBitAndTheShape) {
  GenerateOptions options;
  options.rows = 50;
  options.features = 3;
  const auto data = generate_blobs<double>(options);
  const std::uint64_t before = fingerprint(data);
  EXPECT_EQ(fingerprint(data), before);
  auto other = data;
  other.features(49, 2) = std::nextafter(other.features(49, 2), 1e9);
  EXPECT_NE(fingerprint(other), before);
  other = data;
  other.target[0] += 1;
  EXPECT_NE(fingerprint(other), before);
  other = data;
  other.weights.assign(50, 1);
  EXPECT_NE(fingerprint(other), before);
  other = data;
  other.groups.assign(50, 1);
  EXPECT_NE(fingerprint(other), before);
  other = data;
  other.base_margin.assign(50, 1);
  EXPECT_NE(fingerprint(other), before);
  other = data;
  other.features = Matrix<double>(75, 2, data.features.values());
  EXPECT_NE(fingerprint(other), before);
}

TEST(Options, AreRecordedWithTheirTypes) {
  const auto algorithm = make_algorithm("mlp");
  const auto json = nlohmann::json::parse(options_to_json(algorithm->options()));
  EXPECT_TRUE(json["hidden"].is_array());
  EXPECT_TRUE(json["epochs"].is_number_integer());
  EXPECT_TRUE(json["learning_rate"].is_number_float());
  EXPECT_TRUE(json["batch_norm"].is_boolean());
  EXPECT_TRUE(json["activation"].is_string());
}

}  // namespace
}  // namespace tandem
