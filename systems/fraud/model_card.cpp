#include <cmath>
#include <string>

#include "core/file.hpp"
#include "systems/fraud/training.hpp"
#include "systems/fraud/window.hpp"
#include "tandem/core/text.hpp"

namespace tandem::fraud {
namespace {

std::string percent(double share) { return significant(share * 100, 3) + " %"; }

std::string when(Time time) { return timestamp_text(time, 0).substr(0, 16) + " UTC"; }

}  // namespace

std::string model_card(const Past& past, const TrainingResult& result,
                       const TrainingOptions& options) {
  const TimeSplit& split = result.split;
  const FraudQuality& quality = result.quality;
  std::string card = "# Model card: transaction fraud\n\n";
  card += "Gradient boosting of " + std::to_string(result.trees) + " trees of depth " +
          std::to_string(options.max_depth) + " on " +
          std::to_string(result.model.pipeline().schema.columns.size()) + " features, seed " +
          std::to_string(options.seed) + ".\n\n";
  card +=
      "## Use\n\nScores one transaction for review by people. It is no evidence against a "
      "person, it is not to decide alone about accounts, and it knows nothing of transactions "
      "unlike those below. The features hold no name, address, sex, age or origin; place, hour, "
      "device and address of the network can stand in for some of these, so that quality is to "
      "be watched by segment.\n\n";
  card += "## Data\n\n" + past.source + ", from " + when(split.begin) + " to " + when(split.end) +
          ": " + std::to_string(past.transactions.size()) + " transactions. Trained on " +
          std::to_string(split.train.size()) + " from " + when(split.train_begin) + " to " +
          when(split.validation_begin) + "; stopped, calibrated and thresholded on " +
          std::to_string(split.validation.size()) + " until " + when(split.validation_end) +
          "; tested on " + std::to_string(split.test.size()) + " from " + when(split.test_begin) +
          ". Labels are those known at the beginning of the test. Each feature is as of its "
          "transaction's time.\n\n";
  card += "## Quality on the test days\n\n| measure | value |\n| --- | --- |\n";
  const auto row = [&](const std::string& name, const std::string& value) {
    card += "| " + name + " | " + value + " |\n";
  };
  row("transactions, frauds",
      std::to_string(quality.transactions) + ", " + std::to_string(quality.frauds));
  row("average precision", significant(quality.average_precision, 4));
  row("ROC AUC", significant(quality.roc_auc, 4));
  row("precision, recall of the " + significant(result.reviews_per_day, 4) +
          " highest scores of each day",
      percent(quality.precision_at_budget) + ", " + percent(quality.recall_at_budget));
  row("at the threshold " + significant(result.model.settings().threshold, 4) +
          ": reviews a day, precision, recall",
      significant(quality.reviews_per_day, 4) + ", " + percent(quality.precision_at_threshold) +
          ", " + percent(quality.recall_at_threshold));
  row("Brier score, calibration error",
      significant(quality.brier, 3) + ", " + significant(quality.calibration_error, 3));
  row("money saved, money lost", significant(std::round(quality.money_saved), 9) + ", " +
                                     significant(std::round(quality.money_lost), 9) + " " +
                                     options.currencies.base);
  card +=
      "\n| segment | transactions | frauds | within the budget | average precision |\n"
      "| --- | --- | --- | --- | --- |\n";
  for (const SegmentQuality& segment : quality.segments) {
    card +=
        "| " + segment.segment + " | " + std::to_string(segment.transactions) + " | " +
        std::to_string(segment.frauds) + " | " + std::to_string(segment.caught) + " | " +
        (std::isnan(segment.average_precision) ? "-" : significant(segment.average_precision, 3)) +
        " |\n";
  }
  card += "\n## What it goes by\n\n";
  for (std::size_t i = 0; i < result.importances.size() && i < 10; ++i) {
    const auto& [name, share] = result.importances[i];
    if (share == 0) break;
    const auto at = static_cast<std::size_t>(feature_index(name));
    card += "- " + name + " (" + percent(share) + " of the gain): " + feature_table()[at].meaning +
            "\n";
  }
  return card;
}

void write_model_card(const std::string& path, const std::string& card) { write_file(path, card); }

}  // namespace tandem::fraud
