#include "systems/serving/served_model.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <span>

#include "tandem/core/error.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/linear/logistic_regression.hpp"
#include "tandem/tree/tree_model.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem::serving {
namespace {

std::size_t at(Index index) { return static_cast<std::size_t>(index); }

void sort_by_magnitude(std::vector<Reason>& reasons) {
  std::stable_sort(reasons.begin(), reasons.end(), [](const Reason& a, const Reason& b) {
    return std::abs(a.contribution) > std::abs(b.contribution);
  });
}

template <Real T>
class ServedModelOf final : public ServedModel {
 public:
  ServedModelOf(Pipeline<T> pipeline, TrainingSummary summary, std::string name,
                std::int64_t version, const EngineOptions& options)
      : pipeline_(std::move(pipeline)),
        options_(options),
        predictor_(pipeline_.on(*Engine::create(options))),
        trees_(tree_ensemble_of(*pipeline_.model)) {
    describe(std::move(name), version, pipeline_.provenance.algorithm, signature_of(pipeline_),
             pipeline_.schema, std::move(summary));
    if (trees_ && !knows_covers(*trees_)) trees_.reset();
  }

  [[nodiscard]] Answers predict(const Rows& rows) const override {
    return predictor_.predict(dataset_of(rows));
  }

  [[nodiscard]] Dataset<double> scores(const Answers& answers) const override {
    return score_columns(*pipeline_.model, std::get<Predictions<T>>(answers));
  }

  [[nodiscard]] bool explains() const override { return trees_ || is_linear(); }

  [[nodiscard]] std::vector<Reasons> explain(const Rows& rows, const Answers& answers,
                                             Index first) const override {
    const auto& predictions = std::get<Predictions<T>>(answers);
    const Dataset<T> prepared = pipeline_.prepare(dataset_of(rows), 1);
    std::vector<Reasons> all;
    if (trees_) {
      const auto engine = Engine::create(options_);
      const ShapValues shap = shap_values(*engine, *trees_, prepared.features.view());
      for (Index i = 0; i < rows.count; ++i) {
        const Index output = explained_output(shap.outputs(), predictions, first + i);
        Reasons one = begin_reasons(shap.outputs(), output);
        one.expected = shap.expected[at(output)];
        for (Index j = 0; j < shap.features; ++j) {
          one.reasons.push_back({pipeline_.features()[at(j)].name,
                                 static_cast<double>(prepared.features(i, j)), shap(i, output, j)});
        }
        sort_by_magnitude(one.reasons);
        all.push_back(std::move(one));
      }
      return all;
    }
    for (Index i = 0; i < rows.count; ++i)
      all.push_back(linear_terms(prepared, predictions, i, first + i));
    return all;
  }

 private:
  [[nodiscard]] Dataset<T> dataset_of(const Rows& rows) const {
    Dataset<T> data;
    data.source = "the request";
    data.columns = pipeline_.schema.columns;
    const auto& values = rows.of<T>();
    data.features = Matrix<T>(rows.count, static_cast<Index>(data.columns.size()));
    std::copy(values.begin(), values.end(), data.features.values().begin());
    return data;
  }

  [[nodiscard]] bool is_linear() const {
    return dynamic_cast<const LinearRegressionModel<T>*>(pipeline_.model.get()) != nullptr ||
           dynamic_cast<const LogisticRegressionModel<T>*>(pipeline_.model.get()) != nullptr;
  }

  // Shapley values need to know how many training rows went each way.
  static bool knows_covers(const TreeEnsemble<T>& trees) {
    try {
      const auto engine = Engine::create({.device = Device::cpu, .threads = 1});
      const Matrix<T> row(1, trees.features);
      (void)shap_values(*engine, trees, row.view());
      return true;
    } catch (const InputError&) {
      return false;
    }
  }

  // A single score of two classes is that of the second.
  [[nodiscard]] Reasons begin_reasons(Index outputs, Index output) const {
    Reasons reasons;
    const auto& classes = pipeline_.model->classes();
    if (pipeline_.model->task() != Task::classification) return reasons;
    const Index named = outputs == 1 ? static_cast<Index>(classes.size()) - 1 : output;
    if (named < static_cast<Index>(classes.size())) reasons.output = classes[at(named)];
    return reasons;
  }

  [[nodiscard]] static Index explained_output(Index outputs, const Predictions<T>& predictions,
                                              Index row) {
    if (outputs == 1 || predictions.labels.empty()) return 0;
    return std::min<Index>(predictions.labels[at(row)], outputs - 1);
  }

  [[nodiscard]] Reasons linear_terms(const Dataset<T>& prepared, const Predictions<T>& predictions,
                                     Index row, Index answer) const {
    std::vector<double> weights;
    double intercept = 0;
    Index outputs = 1;
    Index output = 0;
    if (const auto* line = dynamic_cast<const LinearRegressionModel<T>*>(pipeline_.model.get())) {
      weights = line->weights;
      intercept = line->intercept;
    } else {
      const auto& odds = dynamic_cast<const LogisticRegressionModel<T>&>(*pipeline_.model);
      outputs = odds.weights.rows();
      output = explained_output(outputs, predictions, answer);
      const auto terms = odds.weights.row(output);
      weights.assign(terms.begin(), terms.end());
      intercept = odds.intercepts[at(output)];
    }
    Reasons reasons = begin_reasons(outputs, output);
    reasons.expected = intercept;
    for (std::size_t j = 0; j < weights.size(); ++j) {
      const auto value = static_cast<double>(prepared.features(row, static_cast<Index>(j)));
      reasons.reasons.push_back({pipeline_.features()[j].name, value, weights[j] * value});
    }
    sort_by_magnitude(reasons.reasons);
    return reasons;
  }

  Pipeline<T> pipeline_;
  EngineOptions options_;
  PipelinePredictor<T> predictor_;
  std::optional<TreeEnsemble<T>> trees_;
};

}  // namespace

void ServedModel::describe(std::string name, std::int64_t version, std::string algorithm,
                           Signature signature, Schema schema, TrainingSummary summary) {
  name_ = std::move(name);
  version_ = version;
  version_text_ = std::to_string(version);
  algorithm_ = std::move(algorithm);
  signature_ = std::move(signature);
  schema_ = std::move(schema);
  summary_ = std::move(summary);
  for (std::size_t j = 0; j < schema_.columns.size(); ++j) {
    columns_.emplace(schema_.columns[j].name, static_cast<Index>(j));
    Positions& codes = categories_.emplace_back();
    const auto& names = schema_.columns[j].categories;
    for (std::size_t k = 0; k < names.size(); ++k) codes.emplace(names[k], static_cast<Index>(k));
  }
}

Index ServedModel::column(std::string_view name) const {
  const auto found = columns_.find(name);
  return found == columns_.end() ? -1 : found->second;
}

Index ServedModel::category(Index column, std::string_view text) const {
  const auto& codes = categories_[at(column)];
  const auto found = codes.find(text);
  return found == codes.end() ? -1 : found->second;
}

std::optional<double> ServedModel::read_text(Index column, std::string_view text) const {
  // A file of one column with one row, which the reader of the training file reads.
  Schema schema;
  schema.columns = {schema_.columns[at(column)]};
  schema.reading = schema_.reading;
  schema.reading.format = "csv";
  schema.reading.header = HeaderChoice::yes;
  schema.reading.skip_lines = 0;
  schema.reading.encoding = "UTF-8";
  const auto quoted = [](std::string_view field) {
    std::string in_quotes = "\"";
    for (const char c : field) in_quotes += c == '"' ? "\"\"" : std::string(1, c);
    return in_quotes + "\"\n";
  };
  const std::string csv = quoted(schema.columns[0].name) + quoted(text);
  ReadOptions options;
  options.schema = &schema;
  options.threads = 1;
  try {
    const auto data =
        read_dataset<double>(std::as_bytes(std::span(csv.data(), csv.size())), "text.csv", options);
    if (data.rows() != 1 || data.cols() != 1) return std::nullopt;
    return data.features(0, 0);
  } catch (const InputError&) {
    return std::nullopt;
  }
}

std::shared_ptr<const ServedModel> ServedModel::load(const std::string& path, std::string name,
                                                     std::int64_t version,
                                                     const EngineOptions& engine) {
  const Archive archive = read_archive(path, "model");
  AnyModel loaded = model_from_archive(archive);
  TrainingSummary summary = summary_of(archive);
  if (summary.version != 1) summary = {};
  return std::visit(
      [&]<Real T>(Pipeline<T>& pipeline) -> std::shared_ptr<const ServedModel> {
        return std::make_shared<ServedModelOf<T>>(std::move(pipeline), std::move(summary),
                                                  std::move(name), version, engine);
      },
      loaded);
}

}  // namespace tandem::serving
