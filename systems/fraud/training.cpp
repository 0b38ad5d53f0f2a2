#include "systems/fraud/training.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "systems/fraud/window.hpp"
#include "tandem/core/error.hpp"
#include "tandem/model/pipeline.hpp"
#include "tandem/model/pipeline_options.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem::fraud {
namespace {

std::string days_text(double days) {
  const double rounded = std::round(days * 10) / 10;
  std::string text = std::to_string(rounded);
  text.erase(text.find('.') + 2);
  return text + " days";
}

Time share_of(Time span, double share) {
  return static_cast<Time>(static_cast<double>(span) * share);
}

// The features of rows that a model takes, with their labels as known.
Dataset<float> dataset_of(const Past& past, const Matrix<float>& features,
                          std::span<const std::size_t> rows, const TimeSplit& split,
                          std::span<const std::size_t> columns) {
  Dataset<float> data;
  data.source = past.source;
  data.features =
      Matrix<float>(static_cast<Index>(rows.size()), static_cast<Index>(columns.size()));
  data.target.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto from = features.row(static_cast<Index>(rows[i]));
    const auto to = data.features.row(static_cast<Index>(i));
    for (std::size_t j = 0; j < columns.size(); ++j) to[j] = from[columns[j]];
    data.target[i] = split.known[rows[i]] != 0 ? 1.0F : 0.0F;
  }
  for (const std::size_t column : columns) {
    Column one;
    one.name = feature_table()[column].name;
    data.columns.push_back(one);
  }
  data.target_column.name = "is_fraud";
  return data;
}

std::vector<std::size_t> columns_of(const std::vector<Layer>& layers) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < feature_count; ++i) {
    if (layers.empty() ||
        std::find(layers.begin(), layers.end(), feature_table()[i].layer) != layers.end()) {
      columns.push_back(i);
    }
  }
  return columns;
}

// The score that `budget` transactions a day reach: between the last of them and the next one.
double threshold_for(std::vector<double> scores, double days, double budget) {
  std::sort(scores.begin(), scores.end(), std::greater<>());
  const auto count = std::min(scores.size() - 1,
                              static_cast<std::size_t>(std::max(1.0, std::round(budget * days))));
  const double threshold = (scores[count - 1] + scores[count]) / 2;
  return std::clamp(threshold, 1e-6, 1 - 1e-6);
}

FraudQuality quality_of(const Past& past, const Matrix<float>& features, const FraudModel& model,
                        std::span<const std::size_t> rows, double budget,
                        const TrainingOptions& options) {
  const RowScores scores = score_rows(model, features, rows);
  EvaluationOptions evaluation;
  evaluation.budget = budget;
  evaluation.threshold = model.settings().threshold;
  evaluation.review_cost = options.review_cost;
  return evaluate(past, rows, scores.raw, scores.probability, features, evaluation);
}

}  // namespace

TimeSplit split_by_time(const Past& past, const TrainingOptions& options) {
  const auto& all = past.transactions;
  TimeSplit split;
  split.begin = all.front().event.time;
  split.end = all.back().event.time;
  const Time span = split.end - split.begin + 1;
  const auto delay = static_cast<Time>(options.label_delay_days * static_cast<double>(day_ms));
  split.test_begin = split.begin + share_of(span, 1 - options.test_share);
  split.validation_end = split.test_begin - delay;
  split.train_begin = split.begin + share_of(span, options.warm_up_share);
  split.validation_begin =
      split.train_begin + share_of(std::max<Time>(split.validation_end - split.train_begin, 0),
                                   1 - options.validation_share);
  split.known.resize(all.size());
  std::int64_t known_train = 0;
  std::int64_t known_validation = 0;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const Time time = all[i].event.time;
    split.known[i] = all[i].fraud && all[i].known_at <= split.test_begin ? 1 : 0;
    if (time >= split.test_begin) {
      split.test.push_back(i);
    } else if (time >= split.train_begin && time < split.validation_begin) {
      split.train.push_back(i);
      known_train += split.known[i];
    } else if (time >= split.validation_begin && time < split.validation_end) {
      split.validation.push_back(i);
      known_validation += split.known[i];
    }
  }
  if (split.train.empty() || split.validation.size() < 2 || split.test.empty() ||
      known_train == 0 || known_validation == 0) {
    throw InputError(past.source + ": its " +
                     days_text(static_cast<double>(span) / static_cast<double>(day_ms)) +
                     " leave " + std::to_string(split.train.size()) + " transactions with " +
                     std::to_string(known_train) + " known frauds to train on, " +
                     std::to_string(split.validation.size()) + " with " +
                     std::to_string(known_validation) + " to validate on, and " +
                     std::to_string(split.test.size()) +
                     " to test on; every part needs some: give more days, or a smaller " +
                     option("label_delay_days"));
  }
  return split;
}

RowScores score_rows(const FraudModel& model, const Matrix<float>& features,
                     std::span<const std::size_t> rows) {
  RowScores scores;
  FeatureVector vector;
  for (const std::size_t row : rows) {
    const auto from = features.row(static_cast<Index>(row));
    std::copy(from.begin(), from.end(), vector.begin());
    const ModelScore score = model.score(vector);
    scores.raw.push_back(score.raw);
    scores.probability.push_back(score.probability);
  }
  return scores;
}

TrainingResult train_model(const Past& past, const Matrix<float>& features,
                           const TrainingOptions& options, RunControl& control) {
  TimeSplit split = split_by_time(past, options);
  const std::vector<std::size_t> columns = columns_of(options.layers);
  EngineOptions engine_options;
  engine_options.threads = options.threads;
  const std::unique_ptr<Engine> engine = Engine::create(engine_options);
  PipelineOptions pipeline("gradient-boosting");
  pipeline.set("task", "classification")
      .set("rounds", options.rounds)
      .set("learning_rate", options.learning_rate)
      .set("max_depth", options.max_depth)
      .set("subsample", 0.8)
      .set("colsample_bytree", 0.6)
      .set("min_child_weight", 2.0)
      .set("patience", std::int64_t{30});
  pipeline.set_seed(options.seed);
  Dataset<float> validation = dataset_of(past, features, split.validation, split, columns);
  PipelineContext<float> context;
  context.validation = &validation;
  context.control = &control;
  Pipeline<float> fitted = fit_pipeline(
      *engine, dataset_of(past, features, split.train, split, columns), pipeline, context);
  const auto* const boosted = dynamic_cast<const GradientBoostingModel<float>*>(fitted.model.get());
  std::vector<std::pair<std::string, double>> importances;
  const std::vector<double> shares = boosted->importances();
  for (std::size_t i = 0; i < columns.size(); ++i) {
    importances.emplace_back(feature_table()[columns[i]].name, shares[i]);
  }
  std::stable_sort(importances.begin(), importances.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  const auto trees = static_cast<std::int64_t>(boosted->trees.trees.size());

  FraudModel plain(std::move(fitted), {});
  const RowScores scores = score_rows(plain, features, split.validation);
  std::vector<std::uint8_t> known(split.validation.size());
  for (std::size_t i = 0; i < known.size(); ++i) known[i] = split.known[split.validation[i]];
  const double days = static_cast<double>(split.validation_end - split.validation_begin) /
                      static_cast<double>(day_ms);
  const double budget =
      options.reviews_per_day > 0
          ? options.reviews_per_day
          : std::max(1.0, static_cast<double>(split.validation.size()) / days / 200);
  FraudModel::Settings settings;
  settings.threshold = threshold_for(scores.raw, days, budget);
  settings.reviews_per_day = budget;
  settings.calibration = Calibration::fit(scores.raw, known);
  TrainingResult result{std::move(plain).with(std::move(settings)),
                        std::move(split),
                        {},
                        budget,
                        trees,
                        std::move(importances)};
  result.quality = quality_of(past, features, result.model, result.split.test, budget, options);
  FraudModel::Settings with_card = result.model.settings();
  with_card.card = model_card(past, result, options);
  with_card.trained_until = result.split.test_begin;
  result.model = std::move(result.model).with(std::move(with_card));
  return result;
}

nlohmann::json to_json(const TrainingResult& result) {
  const auto time = [](Time at) { return timestamp_text(at, 0); };
  const TimeSplit& split = result.split;
  nlohmann::json json{{"trees", result.trees},
                      {"threshold", result.model.settings().threshold},
                      {"budget", result.reviews_per_day},
                      {"split",
                       {{"begin", time(split.begin)},
                        {"train_begin", time(split.train_begin)},
                        {"validation_begin", time(split.validation_begin)},
                        {"validation_end", time(split.validation_end)},
                        {"test_begin", time(split.test_begin)},
                        {"end", time(split.end)},
                        {"train", split.train.size()},
                        {"validation", split.validation.size()},
                        {"test", split.test.size()}}},
                      {"quality", to_json(result.quality)}};
  json["importances"] = nlohmann::json::array();
  for (std::size_t i = 0; i < std::min<std::size_t>(20, result.importances.size()); ++i) {
    json["importances"].push_back(
        {{"feature", result.importances[i].first}, {"share", result.importances[i].second}});
  }
  return json;
}

Contest compare_models(const Past& past, const Matrix<float>& features,
                       const TrainingResult& challenger, const FraudModel& champion,
                       const TrainingOptions& options, RunControl& control) {
  const std::vector<std::size_t>& rows = challenger.split.test;
  Contest contest;
  contest.challenger = challenger.quality;
  contest.champion =
      quality_of(past, features, champion, rows, challenger.reviews_per_day, options);
  const RowScores first = score_rows(champion, features, rows);
  const RowScores second = score_rows(challenger.model, features, rows);
  contest.difference =
      compare_scores(past, rows, first.raw, second.raw, 400, options.seed, control);
  return contest;
}

}  // namespace tandem::fraud
