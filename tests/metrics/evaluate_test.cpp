#include "tandem/metrics/evaluate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tandem/core/error.hpp"
#include "tandem/metrics/clustering.hpp"

namespace tandem {
namespace {

// A model that says what it was told to.
class Oracle final : public Model<double> {
 public:
  Oracle(Task task, Predictions<double> predictions, std::vector<std::string> classes = {})
      : task_(task), predictions_(std::move(predictions)), classes_(std::move(classes)) {}
  std::unique_ptr<Model<double>> clone() const override { return std::make_unique<Oracle>(*this); }
  std::string_view algorithm() const override { return "oracle"; }
  Task task() const override { return task_; }
  Index features() const override { return 1; }
  const std::vector<std::string>& classes() const override { return classes_; }
  Predictions<double> predict(Engine&, MatrixView<const double>) const override {
    return predictions_;
  }
  const TrainingLog& training() const override { return log_; }
  std::map<std::string, double> own_metrics(Engine&, MatrixView<const double> x) const override {
    if (task_ != Task::clustering) return {};
    return {{"inertia", static_cast<double>(x.rows)}, {"undefined", std::nan("")}};
  }
  void save(Archive&) const override {}
  std::string to_json(const std::vector<std::string>&) const override { return "{}"; }
  std::string to_text(const std::vector<std::string>&) const override { return {}; }

 private:
  Task task_;
  Predictions<double> predictions_;
  std::vector<std::string> classes_;
  TrainingLog log_;
};

Dataset<double> column(std::vector<double> x, std::vector<double> target) {
  Dataset<double> data;
  data.source = "test.csv";
  data.columns = numbered_columns(1);
  const auto rows = static_cast<Index>(x.size());
  data.features = Matrix<double>(rows, 1, std::move(x));
  data.target = std::move(target);
  return data;
}

std::vector<std::string> names(const Evaluation& evaluation) {
  std::vector<std::string> all;
  for (const auto& [name, value] : evaluation.metrics) all.push_back(name);
  return all;
}

TEST(Evaluate, Classification) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Oracle model(Task::classification,
                     {{}, {0, 1, 1, 1}, Matrix<double>(4, 2, {.9, .1, .3, .7, .4, .6, .2, .8})},
                     {"no", "yes"});
  Dataset<double> data = column({1, 2, 3, 4}, {0, 1, 0, 1});
  data.target_column = {"answer", {"no", "yes"}};
  const Evaluation e = evaluate(model, *engine, data);
  EXPECT_EQ(names(e), (std::vector<std::string>{
                          "accuracy", "average_precision", "balanced_accuracy", "brier", "f1_macro",
                          "f1_micro", "f1_weighted", "log_loss", "precision_macro",
                          "precision_micro", "precision_weighted", "recall_macro", "recall_micro",
                          "recall_weighted", "roc_auc"}));
  EXPECT_EQ(e.metrics.at("accuracy"), 0.75);
  EXPECT_EQ(e.metrics.at("roc_auc"), 1);
  EXPECT_NEAR(e.metrics.at("log_loss"),
              -(std::log(.9) + std::log(.7) + std::log(.4) + std::log(.8)) / 4, 1e-15);
  EXPECT_EQ(e.confusion.counts.values(), (std::vector<double>{1, 1, 0, 2}));
  ASSERT_EQ(e.curves.size(), 1U);
  EXPECT_EQ(e.curves[0].label, 1);
  const auto json = nlohmann::json::parse(to_json(e, true));
  EXPECT_EQ(json["confusion"]["counts"], (nlohmann::json{{1.0, 1.0}, {0.0, 2.0}}));
  EXPECT_EQ(json["classes"][1]["name"], "yes");
  EXPECT_EQ(json["curves"][0]["class"], "yes");
  EXPECT_FALSE(json["confusion"].contains("unknown"));
  EXPECT_FALSE(nlohmann::json::parse(to_json(e)).contains("curves"));
}

TEST(Evaluate, WeightsCount) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Oracle model(Task::classification, {{}, {0, 1}, {}}, {"0", "1"});
  Dataset<double> data = column({1, 2}, {0, 0});
  data.weights = {3, 1};
  const Evaluation e = evaluate(model, *engine, data);
  EXPECT_EQ(e.metrics.at("accuracy"), 0.75);
  EXPECT_EQ(e.metrics.count("log_loss"), 0U);  // the model gives no probabilities
}

TEST(Evaluate, ClassesThatTheModelDoesNotKnow) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Oracle model(Task::classification,
                     {{}, {0, 1, 0}, Matrix<double>(3, 2, {1, 0, 0, 1, 1, 0})}, {"1", "2"});
  const Evaluation e = evaluate(model, *engine, column({1, 2, 3}, {1, 2, 7}));
  EXPECT_DOUBLE_EQ(e.metrics.at("accuracy"), 2.0 / 3);
  EXPECT_EQ(nlohmann::json::parse(to_json(e))["confusion"]["unknown"], (nlohmann::json{1.0, 0.0}));
}

TEST(Evaluate, UndefinedMetricsAreNaN) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Oracle model(Task::classification, {{}, {0, 0}, Matrix<double>(2, 2, {1, 0, .5, .5})},
                     {"0", "1"});
  const Evaluation e = evaluate(model, *engine, column({1, 2}, {0, 0}));
  EXPECT_TRUE(std::isnan(e.metrics.at("roc_auc")));
  EXPECT_EQ(e.metrics.count("log_loss"), 1U);
  EXPECT_TRUE(std::isnan(e.classes[1].recall));
  EXPECT_EQ(to_json(e).find("nan"), std::string::npos);
  EXPECT_TRUE(e.curves.empty());
}

TEST(Evaluate, Regression) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Oracle model(Task::regression, {{1, 2, 5, 5}, {}, {}});
  const Evaluation e = evaluate(model, *engine, column({0, 0, 0, 0}, {1, 2, 3, 6}));
  EXPECT_EQ(names(e), (std::vector<std::string>{"mae", "mse", "r2", "rmse"}));
  EXPECT_EQ(e.metrics.at("mse"), 1.25);
}

TEST(Evaluate, Clustering) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Oracle model(Task::clustering, {{}, {0, 0, 1, 1}, {}});
  const Dataset<double> data = column({0, 1, 9, 10}, {5, 5, 6, 6});
  Evaluation e = evaluate(model, *engine, data);
  EXPECT_EQ(names(e), (std::vector<std::string>{"adjusted_rand", "calinski_harabasz",
                                                "davies_bouldin", "inertia", "nmi"}));
  EXPECT_EQ(e.metrics.at("adjusted_rand"), 1);
  EXPECT_EQ(e.metrics.at("inertia"), 4);
  e = evaluate(model, *engine, data, {.silhouette = true});
  EXPECT_EQ(e.metrics.at("silhouette"), silhouette<double>(*engine, data.features.view(),
                                                           std::vector<std::int32_t>{0, 0, 1, 1}));
  // One cluster: only what is defined. No target: no comparison.
  const Oracle lumped(Task::clustering, {{}, {0, 0, 0, 0}, {}});
  e = evaluate(lumped, *engine, column({0, 1, 9, 10}, {}), {.silhouette = true});
  EXPECT_EQ(names(e), (std::vector<std::string>{"inertia"}));
}

TEST(Evaluate, Detection) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  // Scores and what is called an outlier: rows 1 and 4.
  const Oracle model(Task::detection, {{.7, .4, .3, .6, .5}, {1, 0, 0, 1, 0}, {}},
                     {"inlier", "outlier"});
  Dataset<double> data = column({1, 2, 3, 4, 5}, {1, 0, 0, 0, 1});
  data.target_column = {"kind", {"fine", "odd"}};
  EXPECT_TRUE(tells_outliers(data));
  Evaluation e = evaluate(model, *engine, data);
  EXPECT_EQ(names(e), (std::vector<std::string>{"average_precision", "f1", "outlier_share",
                                                "precision", "recall", "roc_auc"}));
  // The rarer class: rows 1 and 5 stand before 3 and 2 of the other three rows.
  EXPECT_EQ(e.outlier_class, "odd");
  EXPECT_EQ(e.metrics.at("outlier_share"), 0.4);
  EXPECT_EQ(e.metrics.at("precision"), 0.5);
  EXPECT_EQ(e.metrics.at("recall"), 0.5);
  EXPECT_NEAR(e.metrics.at("roc_auc"), 5.0 / 6, 1e-15);
  EXPECT_NEAR(e.metrics.at("average_precision"), (1 + 2.0 / 3) / 2, 1e-15);
  EXPECT_THAT(to_json(e), ::testing::HasSubstr(R"("outlier_class":"odd")"));
  // Overruled: the other side of every pair.
  e = evaluate(model, *engine, data, {.outlier_class = "fine"});
  EXPECT_EQ(e.outlier_class, "fine");
  EXPECT_NEAR(e.metrics.at("roc_auc"), 1.0 / 6, 1e-15);
  EXPECT_THROW((void)evaluate(model, *engine, data, {.outlier_class = "strange"}), InputError);
  // The name counts before the number of rows; weights count.
  data.target_column = {"kind", {"outlier", "fine"}};
  data.weights = {1, 1, 2, 1, 1};
  e = evaluate(model, *engine, data);
  EXPECT_EQ(e.outlier_class, "outlier");
  EXPECT_EQ(e.metrics.at("recall"), 0.25);  // of rows 2, 3 (twice) and 4
  // Three classes: one that is named against the rest, else nothing to compare with.
  data.weights.clear();
  data.target = {1, 0, 0, 2, 1};
  data.target_column = {"kind", {"a", "b", "c"}};
  EXPECT_FALSE(tells_outliers(data));
  EXPECT_EQ(names(evaluate(model, *engine, data)), (std::vector<std::string>{"outlier_share"}));
  e = evaluate(model, *engine, data, {.outlier_class = "b"});
  EXPECT_NEAR(e.metrics.at("roc_auc"), 5.0 / 6, 1e-15);
  e = evaluate(model, *engine, column({0, 1, 2, 3, 4}, {}));
  EXPECT_EQ(names(e), (std::vector<std::string>{"outlier_share"}));
  EXPECT_EQ(e.outlier_class, "");
}

TEST(Evaluate, RefusesMissingTargets) {
  const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
  const Oracle model(Task::regression, {{1}, {}, {}});
  EXPECT_THROW((void)evaluate(model, *engine, column({0}, {})), InputError);
  EXPECT_THROW((void)evaluate(model, *engine, column({0}, {std::nan("")})), InputError);
  EXPECT_THROW((void)evaluate(model, *engine, column({}, {})), InputError);
  const Oracle classifier(Task::classification, {{}, {0}, {}}, {"0"});
  EXPECT_THROW((void)evaluate(classifier, *engine, column({0}, {})), InputError);
}

}  // namespace
}  // namespace tandem
