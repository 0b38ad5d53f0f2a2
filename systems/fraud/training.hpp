// A fraud model from past transactions, and whether a new one is better than the one that there is.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "systems/fraud/evaluation.hpp"
#include "systems/fraud/feature_rows.hpp"
#include "systems/fraud/model.hpp"

namespace tandem::fraud {

struct TrainingOptions {
  double test_share = 0.25;        // of the days, the last ones
  double validation_share = 0.25;  // of the days before them whose labels are there, the last ones
  double warm_up_share = 0.1;      // of the days, the first ones: no model is trained on their rows
  // A fraud counts as unknown for so long before the test days begin: rows that are younger then
  // are neither trained nor validated on. And the delay of labels whose time the file lacks.
  double label_delay_days = 7;
  double reviews_per_day = 0;  // 0: one of 200 transactions
  double review_cost = 5;      // in the base currency
  std::int64_t rounds = 300;
  double learning_rate = 0.05;
  std::int64_t max_depth = 6;
  std::vector<Layer> layers;  // whose features are used; empty: all
  std::uint64_t seed = 0;
  int threads = 0;
  StateOptions state;
  Currencies currencies;
};

// The split by time. All is decided when the test days begin, by labels that are known by then.
struct TimeSplit {
  Time begin = 0;        // of the first transaction
  Time train_begin = 0;  // after the warm-up
  Time validation_begin = 0;
  Time validation_end = 0;  // label_delay_days before test_begin
  Time test_begin = 0;
  Time end = 0;                    // of the last transaction
  std::vector<std::size_t> train;  // positions in the past
  std::vector<std::size_t> validation;
  std::vector<std::size_t> test;
  std::vector<std::uint8_t> known;  // per transaction: fraud that is known at test_begin
};

// Throws InputError where a part has no row, or training or validation no known fraud.
[[nodiscard]] TimeSplit split_by_time(const Past& past, const TrainingOptions& options);

struct TrainingResult {
  FraudModel model;
  TimeSplit split;
  FraudQuality quality;  // on the test days
  double reviews_per_day = 0;
  std::int64_t trees = 0;
  std::vector<std::pair<std::string, double>> importances;  // of features, the greatest first
};

// Fits on the training rows, stops by the loss on the validation rows, and there finds threshold
// and calibration; evaluates on the test days. The same bits for any number of threads.
[[nodiscard]] TrainingResult train_model(const Past& past, const Matrix<float>& features,
                                         const TrainingOptions& options, RunControl& control);

// The raw scores and calibrated probabilities of rows.
struct RowScores {
  std::vector<double> raw;
  std::vector<double> probability;
};
[[nodiscard]] RowScores score_rows(const FraudModel& model, const Matrix<float>& features,
                                   std::span<const std::size_t> rows);

[[nodiscard]] nlohmann::json to_json(const TrainingResult& result);

// Mitchell et al., "Model Cards for Model Reporting", FAT* 2019: what it is for, what it was
// trained on and how, how good it is and for whom, what it must not be used for. Markdown.
[[nodiscard]] std::string model_card(const Past& past, const TrainingResult& result,
                                     const TrainingOptions& options);

// The card as a file, which appears whole or not at all.
void write_model_card(const std::string& path, const std::string& card);

// The champion and a challenger on the same test days, with the same budget. The challenger is
// better where the 95 % interval of the difference of average precision is above 0.
struct Contest {
  FraudQuality champion;
  FraudQuality challenger;
  Difference difference;
  [[nodiscard]] bool better() const { return difference.low > 0; }
};
[[nodiscard]] Contest compare_models(const Past& past, const Matrix<float>& features,
                                     const TrainingResult& challenger, const FraudModel& champion,
                                     const TrainingOptions& options, RunControl& control);

}  // namespace tandem::fraud
