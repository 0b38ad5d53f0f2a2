#include "systems/fraud/evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <unordered_map>

#include "core/random.hpp"
#include "systems/fraud/window.hpp"
#include "tandem/core/error.hpp"
#include "tandem/metrics/curves.hpp"

namespace tandem::fraud {
namespace {

std::vector<std::uint8_t> truth_of(const Past& past, std::span<const std::size_t> rows) {
  std::vector<std::uint8_t> truth(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) truth[i] = past.transactions[rows[i]].fraud ? 1 : 0;
  return truth;
}

// Which of the rows are among the k greatest scores of their day.
std::vector<std::uint8_t> within_budget(const Past& past, std::span<const std::size_t> rows,
                                        std::span<const double> scores, double budget,
                                        std::map<Time, std::vector<std::size_t>>& days) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    days[past.transactions[rows[i]].event.time / day_ms].push_back(i);
  }
  std::vector<std::uint8_t> within(rows.size());
  const auto k = static_cast<std::size_t>(std::max(1.0, std::round(budget)));
  for (auto& [day, list] : days) {
    std::stable_sort(list.begin(), list.end(),
                     [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
    for (std::size_t j = 0; j < std::min(k, list.size()); ++j) within[list[j]] = 1;
  }
  return within;
}

double precision_of(std::span<const double> scores, std::span<const std::uint8_t> truth,
                    std::span<const std::uint8_t> in) {
  std::vector<double> part;
  std::vector<std::uint8_t> part_truth;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (in[i] == 0) continue;
    part.push_back(scores[i]);
    part_truth.push_back(truth[i]);
  }
  const auto frauds = std::accumulate(part_truth.begin(), part_truth.end(), std::size_t{0});
  if (frauds == 0 || frauds == part.size()) return std::numeric_limits<double>::quiet_NaN();
  return ranking_areas(std::span<const double>(part), part_truth).average_precision;
}

}  // namespace

FraudQuality evaluate(const Past& past, std::span<const std::size_t> rows,
                      std::span<const double> scores, std::span<const double> probabilities,
                      const Matrix<float>& features, const EvaluationOptions& options) {
  const std::vector<std::uint8_t> truth = truth_of(past, rows);
  FraudQuality quality;
  quality.transactions = static_cast<std::int64_t>(rows.size());
  quality.frauds = std::accumulate(truth.begin(), truth.end(), std::int64_t{0});
  if (quality.frauds == 0 || quality.frauds == quality.transactions) {
    throw InputError(past.source +
                     ": the days to evaluate on have no fraud, or nothing else; more days or more "
                     "users are needed");
  }
  const RankingAreas areas = ranking_areas(scores, truth);
  quality.average_precision = areas.average_precision;
  quality.roc_auc = areas.roc_auc;

  std::map<Time, std::vector<std::size_t>> days;
  const std::vector<std::uint8_t> within = within_budget(past, rows, scores, options.budget, days);
  quality.days = static_cast<double>(days.size());
  std::int64_t caught = 0;
  for (const auto& [day, list] : days) {
    double frauds = 0;
    double looked_at = 0;
    for (const std::size_t i : list) {
      looked_at += within[i];
      frauds += within[i] != 0 && truth[i] != 0 ? 1 : 0;
    }
    caught += static_cast<std::int64_t>(frauds);
    quality.precision_at_budget += frauds / looked_at / quality.days;
  }
  quality.recall_at_budget = static_cast<double>(caught) / static_cast<double>(quality.frauds);

  double flagged = 0;
  double flagged_frauds = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double amount = past.transactions[rows[i]].event.amount;
    const bool over = scores[i] >= options.threshold;
    flagged += over ? 1 : 0;
    flagged_frauds += over && truth[i] != 0 ? 1 : 0;
    if (over) quality.money_saved -= options.review_cost;
    if (truth[i] != 0) (over ? quality.money_saved : quality.money_lost) += amount;
    quality.brier += (probabilities[i] - truth[i]) * (probabilities[i] - truth[i]) /
                     static_cast<double>(rows.size());
  }
  quality.reviews_per_day = flagged / quality.days;
  quality.precision_at_threshold = flagged > 0 ? flagged_frauds / flagged : 0;
  quality.recall_at_threshold = flagged_frauds / static_cast<double>(quality.frauds);

  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return probabilities[a] < probabilities[b];
  });
  constexpr std::size_t bins = 10;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    const std::size_t begin = order.size() * bin / bins;
    const std::size_t end = order.size() * (bin + 1) / bins;
    if (begin == end) continue;
    ReliabilityBin one;
    one.count = static_cast<std::int64_t>(end - begin);
    for (std::size_t i = begin; i < end; ++i) {
      one.predicted += probabilities[order[i]] / static_cast<double>(one.count);
      one.observed += truth[order[i]] / static_cast<double>(one.count);
    }
    quality.calibration_error += std::abs(one.predicted - one.observed) *
                                 static_cast<double>(one.count) / static_cast<double>(rows.size());
    quality.reliability.push_back(one);
  }

  const auto add_segment = [&](const std::string& name, const auto& belongs) {
    SegmentQuality segment;
    segment.segment = name;
    std::vector<std::uint8_t> in(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!belongs(i)) continue;
      in[i] = 1;
      ++segment.transactions;
      segment.frauds += truth[i];
      segment.caught += within[i] != 0 && truth[i] != 0 ? 1 : 0;
    }
    if (segment.transactions == 0) return;
    segment.average_precision = precision_of(scores, truth, in);
    quality.segments.push_back(segment);
  };
  for (std::size_t s = 1; s < past.scenarios.size(); ++s) {
    // Its frauds among all that is none.
    add_segment("scenario " + past.scenarios[s], [&](std::size_t i) {
      return truth[i] == 0 || past.transactions[rows[i]].scenario == s;
    });
  }
  for (const std::string_view type : enum_names<TransactionType>) {
    add_segment("type " + std::string(type), [&](std::size_t i) {
      return to_string(past.transactions[rows[i]].event.type) == type;
    });
  }
  const auto age = static_cast<Index>(feature_index("user_age_days"));
  add_segment("users known for less than 7 days",
              [&](std::size_t i) { return features(static_cast<Index>(rows[i]), age) < 7; });
  add_segment("users known for 7 days or more",
              [&](std::size_t i) { return !(features(static_cast<Index>(rows[i]), age) < 7); });
  add_segment("amounts of 100 and more",
              [&](std::size_t i) { return past.transactions[rows[i]].event.amount >= 100; });
  return quality;
}

nlohmann::json to_json(const FraudQuality& quality) {
  nlohmann::json json{{"transactions", quality.transactions},
                      {"frauds", quality.frauds},
                      {"days", quality.days},
                      {"average_precision", quality.average_precision},
                      {"roc_auc", quality.roc_auc},
                      {"precision_at_budget", quality.precision_at_budget},
                      {"recall_at_budget", quality.recall_at_budget},
                      {"reviews_per_day", quality.reviews_per_day},
                      {"precision_at_threshold", quality.precision_at_threshold},
                      {"recall_at_threshold", quality.recall_at_threshold},
                      {"brier", quality.brier},
                      {"calibration_error", quality.calibration_error},
                      {"money_saved", quality.money_saved},
                      {"money_lost", quality.money_lost}};
  json["reliability"] = nlohmann::json::array();
  for (const ReliabilityBin& bin : quality.reliability) {
    json["reliability"].push_back(
        {{"predicted", bin.predicted}, {"observed", bin.observed}, {"count", bin.count}});
  }
  json["segments"] = nlohmann::json::array();
  for (const SegmentQuality& segment : quality.segments) {
    nlohmann::json one{{"segment", segment.segment},
                       {"transactions", segment.transactions},
                       {"frauds", segment.frauds},
                       {"caught", segment.caught},
                       {"average_precision", nullptr}};
    if (!std::isnan(segment.average_precision)) {
      one["average_precision"] = segment.average_precision;
    }
    json["segments"].push_back(one);
  }
  return json;
}

Difference compare_scores(const Past& past, std::span<const std::size_t> rows,
                          std::span<const double> first, std::span<const double> second,
                          std::int64_t draws, std::uint64_t seed, RunControl& control) {
  const std::vector<std::uint8_t> truth = truth_of(past, rows);
  std::unordered_map<Key, std::size_t> numbers;
  std::vector<std::size_t> user_of(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Key user = past.transactions[rows[i]].event.user;
    user_of[i] = numbers.emplace(user, numbers.size()).first->second;
  }
  const auto precision = [&](std::span<const double> scores, std::span<const double> weights) {
    return ranking_areas(scores, truth, weights).average_precision;
  };
  Difference difference;
  difference.value = precision(second, {}) - precision(first, {});
  std::vector<double> drawn;
  std::vector<double> counts(numbers.size());
  std::vector<double> weights(rows.size());
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    const Random random(seed, Purpose::sampling, static_cast<std::uint32_t>(draw));
    std::fill(counts.begin(), counts.end(), 0.0);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      ++counts[static_cast<std::size_t>(random.below(static_cast<Index>(counts.size()), i))];
    }
    double frauds = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      weights[i] = counts[user_of[i]];
      frauds += truth[i] != 0 ? weights[i] : 0;
    }
    if (frauds == 0) continue;  // nobody with a fraud was drawn
    drawn.push_back(precision(second, weights) - precision(first, weights));
    Progress progress;
    progress.stage = "draw";
    progress.done = draw + 1;
    progress.total = draws;
    control.report(progress);
    if (control.stop_requested()) {
      throw Interrupted("stopped in the comparison because an interrupt was received");
    }
  }
  if (drawn.empty()) throw InputError(past.source + ": has no fraud to compare two models by");
  std::sort(drawn.begin(), drawn.end());
  const auto at = [&](double share) {
    return drawn[static_cast<std::size_t>(share * static_cast<double>(drawn.size() - 1))];
  };
  difference.low = at(0.025);
  difference.high = at(0.975);
  difference.better =
      static_cast<double>(drawn.end() - std::upper_bound(drawn.begin(), drawn.end(), 0.0)) /
      static_cast<double>(drawn.size());
  return difference;
}

}  // namespace tandem::fraud
