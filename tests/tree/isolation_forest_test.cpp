#include "tandem/tree/isolation_forest.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/random.hpp"
#include "support/agree.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/algorithm.hpp"
#include "tandem/model/tune.hpp"
#include "tandem/model/validation.hpp"

namespace tandem {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<Engine> engine_of(Device device, int threads = 1) {
  return Engine::create({.device = device, .threads = threads});
}

// A cloud around the origin; of the rows, the last `far` lie far outside it.
template <Real T>
Dataset<T> cloud(Index rows, Index cols, Index far, std::uint64_t seed) {
  const Random random(seed, Purpose::test);
  std::uint64_t next = 0;
  Dataset<T> data;
  data.source = "generated";
  data.features = Matrix<T>(rows, cols);
  data.columns = numbered_columns(cols);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) {
      const double side = random.uniform(next++) < 0.5 ? -6 : 6;
      data.features(i, j) = static_cast<T>(random.normal(next++) + (i >= rows - far ? side : 0.0));
    }
  }
  return data;
}

template <Real T>
IsolationForestModel<T> train(const Dataset<T>& data, const IsolationForestOptions& options = {},
                              Device device = Device::cpu, int threads = 1,
                              const FitContext<T>& context = {}) {
  return fit(*engine_of(device, threads), data, options, context);
}

template <class T>
class Isolation : public ::testing::Test {};
using Precisions = ::testing::Types<float, double>;
TYPED_TEST_SUITE(Isolation, Precisions);

TEST(IsolationDepth, IsThatOfThePaper) {
  EXPECT_EQ(mean_isolation_depth(1), 0);
  EXPECT_EQ(mean_isolation_depth(2), 1);
  // c(256) = 2·(ln 255 + 0.5772156649) − 510/256
  EXPECT_NEAR(mean_isolation_depth(256), 10.244770920116851, 1e-9);
}

TYPED_TEST(Isolation, ScoresWhatIsFarHigher) {
  using T = TypeParam;
  const auto data = cloud<T>(2000, 4, 20, 1);
  IsolationForestOptions options;
  options.contamination = 0.01;
  for (const Device device : {Device::reference, Device::cpu}) {
    if (device == Device::reference) options.trees = 30;
    const auto model = train(data, options, device);
    EXPECT_EQ(model.draws, 256);
    const auto found = model.predict(*engine_of(device), data.features.view());
    const auto near = std::max_element(found.values.begin(), found.values.end() - 20);
    const auto far = std::min_element(found.values.end() - 20, found.values.end());
    EXPECT_GT(*far, T(0.6F));
    EXPECT_LT(*std::min_element(found.values.begin(), found.values.end()), T(0.45F));
    EXPECT_GT(*far, *near - T(0.05F));
    EXPECT_NEAR(static_cast<double>(std::count(found.labels.begin(), found.labels.end(), 1)), 20,
                1);
    options.trees = 100;
  }
}

// Trees isolate: no leaf above the greatest depth holds two rows that differ.
TYPED_TEST(Isolation, TreesAreGrownUntilRowsAreAlone) {
  using T = TypeParam;
  const auto data = cloud<T>(100, 3, 0, 2);
  IsolationForestOptions options;
  options.trees = 10;
  options.max_samples = MaxSamples::parse("64");
  const auto model = train(data, options);
  for (const auto& tree : model.trees.trees) {
    EXPECT_LE(tree.depth(), 6);
    EXPECT_EQ(tree.cover[0], 64);
    std::vector<Index> depth(tree.feature.size(), 0);
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] < 0) {
        EXPECT_TRUE(depth[i] == 6 || tree.cover[i] == 1);
        const double length = static_cast<double>(depth[i]) + mean_isolation_depth(tree.cover[i]);
        EXPECT_NEAR(static_cast<double>(tree.value[i]) * 10, length, 1e-5);
        continue;
      }
      depth[static_cast<std::size_t>(tree.left[i])] = depth[i] + 1;
      depth[static_cast<std::size_t>(tree.right[i])] = depth[i] + 1;
    }
  }
  // Equal rows cannot be told apart.
  auto equal = data;
  for (T& value : equal.features.values()) value = 3;
  const auto flat = train(equal, options);
  EXPECT_EQ(flat.trees.trees.at(0).size(), 1);
  const auto scores = flat.predict(*engine_of(Device::cpu), equal.features.view());
  EXPECT_NEAR(static_cast<double>(scores.values.at(0)), 0.5, 1e-6);
}

TYPED_TEST(Isolation, IsTheSameForAnyThreads) {
  using T = TypeParam;
  auto data = cloud<T>(500, 5, 10, 3);
  data.features(7, 2) = std::numeric_limits<T>::quiet_NaN();
  IsolationForestOptions options;
  options.contamination = 0.05;
  const auto one = train(data, options);
  for (const int threads : {2, 7}) EXPECT_EQ(train(data, options, Device::cpu, threads), one);
  Archive archive;
  one.save(archive);
  EXPECT_EQ(IsolationForestModel<T>::load(archive), one);
  EXPECT_THAT(one.to_text({"a", "b", "c", "d", "e"}), HasSubstr("100 trees of 256 rows"));
  EXPECT_EQ(nlohmann::json::parse(one.to_json({"a", "b", "c", "d", "e"})).at("draws"), 256);
  archive.set("threshold", 1.5);
  EXPECT_THROW((void)IsolationForestModel<T>::load(archive), InputError);
  // Rows of weight 0 are as if they were not there.
  auto weighted = data;
  weighted.weights.assign(500, T{1});
  for (std::size_t i = 250; i < 500; ++i) weighted.weights[i] = 0;
  auto half = data;
  half.features = Matrix<T>(
      250, 5,
      std::vector<T>(data.features.values().begin(), data.features.values().begin() + 1250));
  EXPECT_EQ(train(weighted, options), train(half, options));
}

TYPED_TEST(Isolation, ResumesToTheSameBits) {
  using T = TypeParam;
  const auto data = cloud<T>(300, 3, 5, 4);
  const auto whole = train(data);
  class Control final : public RunControl {
   public:
    explicit Control(bool stops) : stops_(stops) {}
    [[nodiscard]] bool stop_requested() const noexcept override { return stops_; }
    [[nodiscard]] bool keeps_checkpoints() const noexcept override { return true; }
    void save_checkpoint(const Archive& state) override { state_ = state; }
    [[nodiscard]] const Archive* resume_state() const noexcept override {
      return state_ ? &*state_ : nullptr;
    }
    bool stops_;
    std::optional<Archive> state_;
  } control(true);
  FitContext<T> context;
  context.control = &control;
  EXPECT_THROW((void)train(data, {}, Device::cpu, 1, context), Interrupted);
  ASSERT_TRUE(control.state_.has_value());
  control.stops_ = false;
  EXPECT_EQ(train(data, {}, Device::cpu, 2, context), whole);
  EXPECT_THROW((void)train(cloud<T>(301, 3, 5, 4), {}, Device::cpu, 1, context), InputError);
}

TEST(IsolationErrors, SayWhatToDo) {
  using Data = Dataset<double>;
  const auto message = [](const std::function<void(IsolationForestOptions&, Data&)>& change) {
    IsolationForestOptions options;
    Data data = cloud<double>(20, 3, 0, 5);
    change(options, data);
    try {
      (void)train(data, options);
    } catch (const InputError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message([](auto& o, Data&) { o.trees = 0; }), HasSubstr("trees"));
  EXPECT_THAT(message([](auto& o, Data&) { o.contamination = 0.7; }), HasSubstr("contamination"));
  EXPECT_THAT(message([](auto& o, Data&) { o.max_samples = MaxSamples::parse("1"); }),
              HasSubstr("at least 2"));
  EXPECT_THAT(message([](auto& o, Data&) { o.max_samples = MaxSamples::parse("21"); }),
              HasSubstr("max_samples"));
  EXPECT_THAT(message([](auto&, Data& d) { d.weights.assign(20, 0.0); }), HasSubstr("at least 2"));
  EXPECT_THAT(message([](auto&, Data& d) { d.weights.assign(20, 0.5); }), HasSubstr("0 or 1"));
  EXPECT_THAT(message([](auto&, Data& d) { d.features(3, 1) = INFINITY; }), HasSubstr("row 4"));
}

TEST(IsolationByName, DetectsByName) {
  const auto algorithm = make_algorithm("isolation-forest");
  EXPECT_EQ(algorithm->kind(), ModelKind::detector);
  EXPECT_EQ(algorithm->task(cloud<double>(20, 3, 2, 6).view()), Task::detection);
  algorithm->set("n_estimators", 7);
  algorithm->set("max_samples", "auto");
  const auto data = cloud<double>(80, 3, 2, 6);
  const auto engine = engine_of(Device::cpu);
  const auto model = algorithm->fit(*engine, data.view(), {});
  EXPECT_EQ(model->training().iterations, 7);
  EXPECT_EQ(model->task(), Task::detection);
  EXPECT_EQ(model->classes(), (std::vector<std::string>{"inlier", "outlier"}));
  EXPECT_EQ(model->ready_on(*engine)->predict(data.features.view()).values,
            model->predict(*engine, data.features.view()).values);
}

// By cross-validation, and in the search that uses it: the folds share the outliers out.
TEST(IsolationByName, IsValidatedByATargetOfTwoClasses) {
  auto data = cloud<double>(300, 3, 12, 8);
  data.target.assign(300, 0.0);
  std::fill(data.target.end() - 12, data.target.end(), 1.0);
  data.target_column = {"kind", {"near", "far"}};
  const auto engine = engine_of(Device::cpu);
  auto algorithm = make_algorithm("isolation-forest");
  algorithm->set("trees", 20);
  RunControl control;
  const PipelineOptions pipeline(std::move(algorithm));
  const auto found = cross_validate(pipeline, data, {.folds = 4}, *engine, control);
  EXPECT_EQ(found.task, Task::detection);
  EXPECT_TRUE(found.stratified);
  ASSERT_TRUE(found.summary.contains("roc_auc"));
  EXPECT_GT(found.summary.at("roc_auc").mean, 0.98);
  EXPECT_GT(found.summary.at("average_precision").mean, 0.8);
  const auto tuned = tune(pipeline, SearchSpace::parse("trees=1|30"), data,
                          {.validation = {.folds = 3}}, *engine, control);
  EXPECT_EQ(tuned.metric, "roc_auc");
  EXPECT_EQ(tuned.ranking.front(), 1);
  data.target.clear();
  EXPECT_THROW((void)tune(pipeline, SearchSpace::parse("trees=1|30"), data,
                          {.validation = {.folds = 3}}, *engine, control),
               InputError);
}

TEST(IsolationAgreement, Agrees) { test::expect_agreement("isolation-forest", Device::reference); }

}  // namespace
}  // namespace tandem
