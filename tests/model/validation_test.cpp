#include "tandem/model/validation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "support/agreement.hpp"
#include "tandem/core/error.hpp"

namespace tandem {
namespace {

// Predicts the mean of the training target, or its most frequent class; remembers what it saw.
struct Seen {
  Dataset<double> train;
};

class ConstantModel final : public Model<double> {
 public:
  ConstantModel(Task task, double value, std::vector<std::string> classes)
      : task_(task), value_(value), classes_(std::move(classes)) {}
  std::unique_ptr<Model<double>> clone() const override {
    return std::make_unique<ConstantModel>(*this);
  }
  std::string_view algorithm() const override { return "constant"; }
  Task task() const override { return task_; }
  Index features() const override { return 1; }
  const std::vector<std::string>& classes() const override { return classes_; }
  Predictions<double> predict(Engine&, MatrixView<const double> x) const override {
    const auto rows = static_cast<std::size_t>(x.rows);
    if (task_ == Task::regression) return {std::vector<double>(rows, value_), {}, {}};
    return {{}, std::vector<std::int32_t>(rows, static_cast<std::int32_t>(value_)), {}};
  }
  const TrainingLog& training() const override { return log_; }
  void save(Archive&) const override {}
  std::string to_json(const std::vector<std::string>&) const override { return "{}"; }
  std::string to_text(const std::vector<std::string>&) const override { return {}; }

 private:
  Task task_;
  double value_;
  std::vector<std::string> classes_;
  TrainingLog log_;
};

class Constant final : public Algorithm {
 public:
  Constant(Task task, std::vector<Seen>* seen) : task_(task), seen_(seen) {}
  std::string_view name() const override { return "constant"; }
  std::string class_name() const override { return "Constant"; }
  std::string_view summary() const override { return "Predicts a constant"; }
  ModelKind kind() const override {
    return task_ == Task::clustering ? ModelKind::clusterer : ModelKind::predictor;
  }
  Task task(const DatasetView<float>&) const override { return task_; }
  Task task(const DatasetView<double>&) const override { return task_; }
  bool accepts_missing() const override { return false; }
  bool prefers_scaled_features() const override { return false; }
  std::unique_ptr<Algorithm> clone() const override { return std::make_unique<Constant>(*this); }
  void visit_options(OptionVisitor&) override {}
  void check_options() const override {}
  std::unique_ptr<Model<float>> fit(Engine&, const DatasetView<float>&,
                                    const FitContext<float>&) const override {
    return nullptr;
  }
  std::unique_ptr<Model<double>> fit(Engine&, const DatasetView<double>& train,
                                     const FitContext<double>& context) const override {
    // A fit of one iteration.
    end_iteration(*context.control, {"iteration", 1, 1, "", 0}, [] { return Archive{}; });
    std::vector<Index> all(static_cast<std::size_t>(train.rows()));
    std::iota(all.begin(), all.end(), Index{0});
    seen_->push_back({select_rows(train, all)});
    if (task_ == Task::regression) {
      double sum = 0;
      for (const double y : train.target) sum += y;
      return std::make_unique<ConstantModel>(task_, sum / static_cast<double>(train.rows()),
                                             std::vector<std::string>{});
    }
    const Classes classes = encode_classes(train);
    std::vector<int> counts(classes.names.size(), 0);
    for (const std::int32_t label : classes.labels) ++counts[static_cast<std::size_t>(label)];
    const auto most = std::max_element(counts.begin(), counts.end()) - counts.begin();
    return std::make_unique<ConstantModel>(task_, static_cast<double>(most), classes.names);
  }
  std::unique_ptr<Model<float>> load(const Archive&, std::type_identity<float>) const override {
    return nullptr;
  }
  std::unique_ptr<Model<double>> load(const Archive&, std::type_identity<double>) const override {
    return nullptr;
  }

 private:
  Task task_;
  std::vector<Seen>* seen_;
};

Dataset<double> numbered(Index rows, std::vector<double> target) {
  Dataset<double> data;
  data.source = "test.csv";
  data.columns = numbered_columns(1);
  data.features = Matrix<double>(rows, 1);
  for (Index i = 0; i < rows; ++i) data.features(i, 0) = static_cast<double>(i * i);
  data.target = std::move(target);
  return data;
}

// The algorithm with the standard steps, one of which may be given an option.
PipelineOptions pipeline_of(Task task, std::vector<Seen>* seen, std::string_view option = {},
                            const OptionValue& value = false) {
  PipelineOptions options(std::make_unique<Constant>(task, seen));
  if (!option.empty()) options.set(option, value);
  return options;
}

struct Fixture {
  std::vector<Seen> seen;
  std::unique_ptr<Engine> engine = Engine::create({.device = Device::cpu, .threads = 1});
  RunControl control;
};

TEST(StudentT, AgainstScipy) {
  // from scipy.stats import t; t.ppf((1 + p) / 2, v), scipy 1.17.1
  const std::vector<Index> degrees{1, 2, 3, 4, 5, 9, 10, 49, 1000};
  const std::vector<std::pair<double, std::vector<double>>> expected{
      {0.5,
       {1.0000000000000002, 0.8164965809277261, 0.7648923284043444, 0.7406970841126829,
        0.7266868438004226, 0.7027221467513264, 0.6998120613124317, 0.6795296452626508,
        0.6747351646070093}},
      {0.9,
       {6.313751514675037, 2.9199855803537242, 2.3533634348018233, 2.1318467863266495,
        2.0150483733330233, 1.833112932656237, 1.8124611228116756, 1.6765508926168535,
        1.6463788172854643}},
      {0.95,
       {12.706204736174694, 4.302652729749462, 3.1824463052837078, 2.7764451051977934,
        2.5705818356363146, 2.262157162798205, 2.228138851986274, 2.0095752371292392,
        1.9623390808264083}},
      {0.99,
       {63.656741162871526, 9.924843200918287, 5.840909309733355, 4.604094871349992,
        4.032142983555228, 3.249835541592126, 3.16927267261695, 2.679951973631552,
        2.580754698065951}},
      {0.9999,
       {6366.197671316637, 99.99249984375004, 28.000130010950002, 15.544100581546113,
        11.17771007027887, 6.593682583944882, 6.211050891290746, 4.235725936988712,
        3.9063437367014084}}};
  for (const auto& [probability, values] : expected) {
    for (std::size_t i = 0; i < degrees.size(); ++i) {
      // A rounding of the probability near 1 moves t by (1 − p) times less of it.
      EXPECT_NEAR(student_t_interval(probability, degrees[i]) / values[i], 1,
                  1e-14 / (1 - probability))
          << probability << " " << degrees[i];
    }
  }
  EXPECT_EQ(student_t_interval(0, 7), 0);
  EXPECT_THROW((void)student_t_interval(1, 7), InputError);
  EXPECT_THROW((void)student_t_interval(0.95, 0), InputError);
}

TEST(Estimate, CorrectedInterval) {
  // v = [.9, .95, .85, .8, 1.]; h = t.ppf(.975, 4) * np.std(v, ddof=1) * np.sqrt(1 / 5 + 1 / 4)
  const Estimate e = estimate({.9, .95, .85, .8, 1.}, 0.95, 0.25);
  EXPECT_DOUBLE_EQ(e.mean, 0.9);
  EXPECT_NEAR(e.deviation, 0.07905694150420946, 1e-15);
  EXPECT_NEAR(e.low, 0.7527567628891834, 1e-13);
  EXPECT_NEAR(e.high, 1.0472432371108167, 1e-13);
  EXPECT_EQ(e.count, 5);
  // Undefined folds do not count.
  const Estimate partial = estimate({1, std::nan(""), 3}, 0.95, 0.5);
  EXPECT_EQ(partial.mean, 2);
  EXPECT_EQ(partial.count, 2);
  const Estimate one = estimate({1}, 0.95, 0.5);
  EXPECT_EQ(one.high, std::numeric_limits<double>::infinity());
  EXPECT_TRUE(nlohmann::json::parse(to_json(one))["high"].is_null());
}

TEST(CrossValidation, RegressionByHand) {
  Fixture f;
  const PipelineOptions pipeline = pipeline_of(Task::regression, &f.seen);
  const Dataset<double> data = numbered(7, {1, 2, 3, 4, 5, 6, 20});
  const CrossValidation result =
      cross_validate(pipeline, data, {.folds = 7, .seed = 3}, *f.engine, f.control);
  // Leave-one-out: the prediction is the mean of the others.
  ASSERT_EQ(result.test.size(), 7U);
  EXPECT_FALSE(result.stratified);
  std::multiset<double> errors;
  for (const auto& metrics : result.test) errors.insert(std::round(metrics.at("mae") * 1e9) / 1e9);
  std::multiset<double> expected;
  for (const double y : data.target) {
    expected.insert(std::round(std::abs(y - (41 - y) / 6) * 1e9) / 1e9);
  }
  EXPECT_EQ(errors, expected);
  EXPECT_EQ(result.summary.at("mae").count, 7);
  EXPECT_EQ(result.seconds.size(), 7U);
  const auto json = nlohmann::json::parse(to_json(result));
  EXPECT_EQ(json["folds"], 7);
  EXPECT_EQ(json["folds_detail"].size(), 7U);
  EXPECT_EQ(json["summary"]["mae"]["mean"], result.summary.at("mae").mean);
}

TEST(CrossValidation, PreprocessingIsFittedInsideTheFold) {
  Fixture f;
  (void)cross_validate(pipeline_of(Task::regression, &f.seen, "scale", "standard"),
                       numbered(30, std::vector<double>(30, 1)), {.folds = 3}, *f.engine,
                       f.control);
  ASSERT_EQ(f.seen.size(), 3U);
  for (const Seen& seen : f.seen) {
    ASSERT_EQ(seen.train.rows(), 20);
    double sum = 0;
    double squares = 0;
    for (const double x : seen.train.features.values()) {
      sum += x;
      squares += x * x;
    }
    EXPECT_NEAR(sum, 0, 1e-13);  // the mean is that of the training part alone
    EXPECT_NEAR(squares, 20, 1e-13);
  }
}

TEST(CrossValidation, ClassificationIsStratifiedAndRepeated) {
  Fixture f;
  const PipelineOptions pipeline = pipeline_of(Task::classification, &f.seen);
  std::vector<double> target;
  for (int i = 0; i < 40; ++i) target.push_back(i % 4 == 0 ? 1 : 0);
  const CrossValidation result = cross_validate(
      pipeline, numbered(40, target), {.folds = 5, .repeats = 3, .seed = 1}, *f.engine, f.control);
  EXPECT_TRUE(result.stratified);
  ASSERT_EQ(result.test.size(), 15U);
  for (const auto& metrics : result.test) EXPECT_EQ(metrics.at("accuracy"), 0.75);
  const Estimate& accuracy = result.summary.at("accuracy");
  EXPECT_EQ(accuracy.mean, 0.75);
  EXPECT_EQ(accuracy.deviation, 0);
  EXPECT_EQ(accuracy.count, 15);
}

TEST(CrossValidation, GroupsStayWhole) {
  Fixture f;
  Dataset<double> data = numbered(40, std::vector<double>(40, 1));
  for (Index i = 0; i < 40; ++i) data.groups.push_back(i / 4);
  const CrossValidation result = cross_validate(pipeline_of(Task::regression, &f.seen), data,
                                                {.folds = 5}, *f.engine, f.control);
  EXPECT_FALSE(result.stratified);
  ASSERT_EQ(f.seen.size(), 5U);
  for (const Seen& seen : f.seen) {
    ASSERT_EQ(seen.train.rows(), 32);
    const std::vector<Index> starts = group_starts(seen.train);
    EXPECT_EQ(starts.size(), 9U);
    for (std::size_t g = 0; g + 1 < starts.size(); ++g) EXPECT_EQ(starts[g + 1] - starts[g], 4);
  }
}

TEST(LearningCurve, GroupsStayWholeButForOne) {
  Fixture f;
  Dataset<double> data = numbered(40, std::vector<double>(40, 1));
  for (Index i = 0; i < 40; ++i) data.groups.push_back(i / 4);
  (void)learning_curve(pipeline_of(Task::regression, &f.seen), data, {6, 20}, {.folds = 5},
                       *f.engine, f.control);
  ASSERT_EQ(f.seen.size(), 10U);
  for (std::size_t i = 0; i < f.seen.size(); ++i) {
    const Dataset<double>& train = f.seen[i].train;
    EXPECT_EQ(train.rows(), i % 2 == 0 ? 6 : 20);
    EXPECT_EQ(group_starts(train).size(), i % 2 == 0 ? 3U : 6U);
  }
}

TEST(CrossValidation, AClassThatTheTrainingPartLacksIsWrong) {
  Fixture f;
  const PipelineOptions pipeline = pipeline_of(Task::classification, &f.seen);
  std::vector<double> target(12, 0);
  target[5] = 9;  // when its row is tested, no other has its class
  const CrossValidation result =
      cross_validate(pipeline, numbered(12, target), {.folds = 3}, *f.engine, f.control);
  std::multiset<double> accuracies;
  for (const auto& metrics : result.test) accuracies.insert(metrics.at("accuracy"));
  EXPECT_EQ(accuracies, (std::multiset<double>{0.75, 1, 1}));
}

// Wants to stop once some folds are reported: at the end of the last of them or, where `inside`,
// not until the next one has begun. Keeps the state.
class Stopping final : public RunControl {
 public:
  Stopping(int folds, bool inside) : left_(folds), passes_(inside && folds > 0) {}
  void report(const Progress&) override { --left_; }
  bool stop_requested() const noexcept override {
    if (left_ > 0) return false;
    // The first question is that at the fold's end.
    return !std::exchange(passes_, false);
  }
  bool keeps_checkpoints() const noexcept override { return true; }
  void save_checkpoint(const Archive& state) override { state_ = state; }
  const Archive& state() const { return state_; }

 private:
  int left_;
  mutable bool passes_;
  Archive state_;
};

class Resuming final : public RunControl {
 public:
  explicit Resuming(const Archive& state) : state_(state) {}
  const Archive* resume_state() const noexcept override { return &state_; }

 private:
  const Archive& state_;
};

TEST(CrossValidation, ResumesWhereItStopped) {
  std::vector<double> target;
  for (int i = 0; i < 25; ++i) target.push_back(i * 7 % 11);
  const Dataset<double> data = numbered(25, target);
  const ValidationOptions options{.folds = 5, .seed = 4};
  Fixture whole;
  const CrossValidation expected = cross_validate(pipeline_of(Task::regression, &whole.seen), data,
                                                  options, *whole.engine, whole.control);
  struct Stop {
    int folds;
    bool inside;
  };
  for (const Stop& at : {Stop{0, true}, {1, false}, {2, true}, {3, false}, {4, true}}) {
    Fixture f;
    const PipelineOptions pipeline = pipeline_of(Task::regression, &f.seen);
    Stopping stopping(at.folds, at.inside);
    EXPECT_THROW((void)cross_validate(pipeline, data, options, *f.engine, stopping), Interrupted);
    f.seen.clear();
    Resuming resuming(stopping.state());
    const CrossValidation resumed = cross_validate(pipeline, data, options, *f.engine, resuming);
    EXPECT_EQ(resumed.test, expected.test);
    EXPECT_EQ(resumed.train, expected.train);
    EXPECT_EQ(f.seen.size(), 5U - static_cast<std::size_t>(at.folds));
    EXPECT_THROW((void)cross_validate(pipeline, data, {.folds = 4, .seed = 4}, *f.engine, resuming),
                 InputError);
  }
}

TEST(CrossValidation, RefusesBadInput) {
  Fixture f;
  const PipelineOptions pipeline = pipeline_of(Task::regression, &f.seen);
  const auto run = [&](const Dataset<double>& data, const ValidationOptions& options) {
    (void)cross_validate(pipeline, data, options, *f.engine, f.control);
  };
  const Dataset<double> data = numbered(4, {1, 2, 3, 4});
  EXPECT_THROW(run(data, {.folds = 5}), InputError);
  EXPECT_THROW(run(data, {.folds = 1}), InputError);
  EXPECT_THROW(run(data, {.folds = 2, .repeats = 0}), InputError);
  EXPECT_THROW(run(data, {.folds = 2, .confidence = 1}), InputError);
  EXPECT_THROW(run(numbered(0, {}), {.folds = 2}), InputError);
  Dataset<double> holes = data;
  holes.features(2, 0) = std::nan("");
  EXPECT_THROW(run(holes, {.folds = 2}), InputError);
  EXPECT_NO_THROW((void)cross_validate(pipeline_of(Task::regression, &f.seen, "impute", "mean"),
                                       holes, {.folds = 2}, *f.engine, f.control));
}

TEST(LearningCurve, SubsetsAreNestedAndStratified) {
  Fixture f;
  const PipelineOptions pipeline = pipeline_of(Task::classification, &f.seen);
  std::vector<double> target;
  for (int i = 0; i < 60; ++i) target.push_back(i % 3 == 0 ? 1 : 0);
  const LearningCurve curve = learning_curve(pipeline, numbered(60, target), {6, 12, 40},
                                             {.folds = 3}, *f.engine, f.control);
  EXPECT_EQ(curve.sizes, (std::vector<Index>{6, 12, 40}));
  ASSERT_EQ(f.seen.size(), 9U);
  for (std::size_t fold = 0; fold < 3; ++fold) {
    std::set<double> smaller;
    for (std::size_t i = 0; i < 3; ++i) {
      const Dataset<double>& train = f.seen[fold * 3 + i].train;
      EXPECT_EQ(train.rows(), curve.sizes[i]);
      double ones = 0;
      for (const double y : train.target) ones += y;
      EXPECT_NEAR(ones, static_cast<double>(train.rows()) / 3, 1);
      const std::set<double> rows(train.features.values().begin(), train.features.values().end());
      EXPECT_TRUE(std::includes(rows.begin(), rows.end(), smaller.begin(), smaller.end()));
      smaller = rows;
    }
  }
  const LearningCurve::Series& accuracy = curve.metrics.at("accuracy");
  ASSERT_EQ(accuracy.validation_mean.size(), 3U);
  for (const double value : accuracy.validation_mean) EXPECT_NEAR(value, 2.0 / 3, 0.04);
  EXPECT_EQ(nlohmann::json::parse(to_json(curve))["metrics"]["accuracy"]["train_mean"].size(), 3U);
}

TEST(LearningCurve, SizesByDefaultAndWrongOnes) {
  Fixture f;
  const PipelineOptions pipeline = pipeline_of(Task::regression, &f.seen);
  std::vector<double> target;
  for (int i = 0; i < 50; ++i) target.push_back(i);
  const Dataset<double> data = numbered(50, target);
  const LearningCurve curve =
      learning_curve(pipeline, data, {}, {.folds = 5}, *f.engine, f.control);
  EXPECT_EQ(curve.sizes, (std::vector<Index>{4, 13, 22, 31, 40}));
  EXPECT_THROW((void)learning_curve(pipeline, data, {41}, {.folds = 5}, *f.engine, f.control),
               InputError);
  EXPECT_THROW((void)learning_curve(pipeline, data, {0}, {.folds = 5}, *f.engine, f.control),
               InputError);
}

// Inside the bounds for any values, around the mean, and where the mean is far from the bounds and
// the deviation small, the plain interval.
TEST(Estimate, IntervalsOfBoundedMetricsStayInsideTheirBounds) {
  const std::vector<std::vector<double>> samples{{0.9, 1, 1, 0.95},      {0, 0, 0.01, 0},
                                                 {0.5, 0.51, 0.49, 0.5}, {1, 0, 1, 0},
                                                 {1, 1, 1, 1},           {0, 0, 0}};
  for (const char* metric :
       {"accuracy", "roc_auc", "brier", "silhouette", "r2", "mae", "log_loss"}) {
    const MetricBounds bounds = metric_bounds(metric);
    for (const auto& values : samples) {
      for (const double confidence : {0.5, 0.95, 0.9999}) {
        const Estimate one = estimate(values, confidence, 0.25, bounds);
        EXPECT_GE(one.low, bounds.lowest) << metric;
        EXPECT_LE(one.high, bounds.highest) << metric;
        EXPECT_LE(one.low, one.mean) << metric;
        EXPECT_GE(one.high, one.mean) << metric;
      }
    }
  }
  const Estimate plain = estimate(samples[2], 0.95, 0.25);
  const Estimate bounded = estimate(samples[2], 0.95, 0.25, metric_bounds("accuracy"));
  EXPECT_NEAR(bounded.low, plain.low, 1e-5);
  EXPECT_NEAR(bounded.high, plain.high, 1e-5);
  const Estimate alone = estimate({0.7}, 0.95, 0.25, metric_bounds("accuracy"));
  EXPECT_EQ(alone.low, 0);
  EXPECT_EQ(alone.high, 1);
}

}  // namespace
}  // namespace tandem
