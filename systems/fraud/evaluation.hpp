// How good scores of fraud are, by what a team that reviews them has of it.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "systems/fraud/feature_rows.hpp"

namespace tandem::fraud {

struct ReliabilityBin {
  double predicted = 0;  // mean calibrated probability
  double observed = 0;   // share of fraud
  std::int64_t count = 0;
};

struct SegmentQuality {
  std::string segment;  // "scenario stolen_card", "type transfer", "new users"
  std::int64_t transactions = 0;
  std::int64_t frauds = 0;
  std::int64_t caught = 0;       // frauds within the budget
  double average_precision = 0;  // NaN where there is no fraud or nothing else
};

struct FraudQuality {
  std::int64_t transactions = 0;
  std::int64_t frauds = 0;
  double days = 0;
  double average_precision = 0;
  double roc_auc = 0;
  // Of the k greatest scores of each day, k the budget: the mean over days of the share of fraud
  // among them, and the share of all frauds that are among them. Ties go to the earlier one.
  double precision_at_budget = 0;
  double recall_at_budget = 0;
  double reviews_per_day = 0;  // that the threshold gave: transactions at or above it
  double precision_at_threshold = 0;
  double recall_at_threshold = 0;
  double brier = 0;              // of the calibrated probability
  double calibration_error = 0;  // mean over ten bins of |predicted - observed|, by their counts
  std::vector<ReliabilityBin> reliability;  // ten bins of equal counts
  // In the base currency, at the threshold: amounts of frauds that are stopped, less the cost of
  // the reviews; and the amounts of those that are not.
  double money_saved = 0;
  double money_lost = 0;
  std::vector<SegmentQuality> segments;
};

struct EvaluationOptions {
  double budget = 100;     // reviews a day
  double threshold = 0.5;  // of scores
  double review_cost = 5;  // in the base currency
};

// Of the transactions `rows` (positions in the past), whose scores stand in that order; likewise
// the calibrated probabilities. The truth counts, whenever it came to be known. Throws InputError
// where there is no fraud among them, or nothing else.
[[nodiscard]] FraudQuality evaluate(const Past& past, std::span<const std::size_t> rows,
                                    std::span<const double> scores,
                                    std::span<const double> probabilities,
                                    const Matrix<float>& features,
                                    const EvaluationOptions& options);

[[nodiscard]] nlohmann::json to_json(const FraudQuality& quality);

// How sure it is that one of two scores is better: the bootstrap over users (Efron and Tibshirani,
// "An Introduction to the Bootstrap", 1993), each drawn user with all of its transactions, the same
// draws for both.
struct Difference {
  double value = 0;  // average precision of the second less that of the first
  double low = 0;    // the interval of 95 %
  double high = 0;
  double better = 0;  // the share of draws in which the second is better
};
[[nodiscard]] Difference compare_scores(const Past& past, std::span<const std::size_t> rows,
                                        std::span<const double> first,
                                        std::span<const double> second, std::int64_t draws,
                                        std::uint64_t seed, RunControl& control);

}  // namespace tandem::fraud
