#include "tandem/metrics/classification.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/metrics/ranking_scores.hpp"
#include "core/metrics/row_sums.hpp"
#include "core/metrics/terms.hpp"
#include "core/metrics/weights.hpp"
#include "core/parallel.hpp"
#include "tandem/core/math.hpp"
#include "tandem/metrics/curves.hpp"

namespace tandem {
namespace {

void require_labels(std::span<const std::int32_t> labels, Index classes, std::int32_t lowest,
                    std::string_view metric, std::string_view what) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < lowest || labels[i] >= classes) {
      throw InputError(std::string(metric) + ": row " + std::to_string(i + 1) + ": the " +
                       std::string(what) + " is " + std::to_string(labels[i]) + ", expected " +
                       std::to_string(lowest) + " to " + std::to_string(classes - 1));
    }
  }
}

template <Real T>
void require_probabilities(std::span<const std::int32_t> truth, MatrixView<const T> probabilities,
                           std::span<const double> weights, std::string_view metric) {
  require_rows(truth.size(), metric);
  require_same_size(truth.size(), static_cast<std::size_t>(probabilities.rows), metric,
                    "rows of probabilities");
  require_weights(weights, truth.size(), metric);
  require_labels(truth, probabilities.cols, -1, metric, "true class");
  for (Index i = 0; i < probabilities.rows; ++i) {
    for (Index c = 0; c < probabilities.cols; ++c) {
      const T p = probabilities(i, c);
      // Rounding may carry a probability just above 1.
      if (!(p >= 0 && p <= T{1} + 8 * std::numeric_limits<T>::epsilon())) {
        throw InputError(std::string(metric) + ": row " + std::to_string(i + 1) + ", class " +
                         std::to_string(c) + ": the probability is " + std::to_string(p) +
                         ", expected 0 to 1");
      }
    }
  }
}

double ratio(double part, double whole) { return whole > 0 ? part / whole : 0.0; }
double defined_ratio(double part, double whole) {
  return whole > 0 ? part / whole : std::numeric_limits<double>::quiet_NaN();
}

// The areas of one class against the rest, for each class that has both positives and negatives.
template <Real T>
std::vector<RankingAreas> areas_per_class(std::span<const std::int32_t> truth,
                                          MatrixView<const T> probabilities,
                                          std::span<const double> weights, int threads) {
  const Index classes = probabilities.cols;
  std::vector<double> weight(static_cast<std::size_t>(classes), 0.0);
  for (std::size_t i = 0; i < truth.size(); ++i) {
    const double w = weight_of(weights, static_cast<Index>(i));
    if (truth[i] >= 0) weight[static_cast<std::size_t>(truth[i])] += w;
  }
  std::vector<Index> defined;
  const Index first = classes == 2 ? 1 : 0;
  for (Index c = first; c < classes; ++c) {
    // Weights, not sums: a class whose weight is all there is has no negatives.
    bool negatives = false;
    for (std::size_t i = 0; i < truth.size() && !negatives; ++i) {
      negatives = truth[i] != c && weight_of(weights, static_cast<Index>(i)) > 0;
    }
    if (weight[static_cast<std::size_t>(c)] > 0 && negatives) defined.push_back(c);
  }
  std::vector<RankingAreas> areas(defined.size());
  parallel_for(threads, static_cast<Index>(defined.size()), [&](Index d) {
    const Index c = defined[static_cast<std::size_t>(d)];
    std::vector<T> scores(truth.size());
    std::vector<std::uint8_t> positive(truth.size());
    for (std::size_t i = 0; i < truth.size(); ++i) {
      scores[i] = probabilities(static_cast<Index>(i), c);
      positive[i] = truth[i] == c ? 1 : 0;
    }
    areas[static_cast<std::size_t>(d)] =
        ranking_areas(std::span<const T>(scores), positive, weights);
  });
  return areas;
}

template <class Get>
double mean_of(const std::vector<RankingAreas>& areas, Get&& get) {
  if (areas.empty()) return std::numeric_limits<double>::quiet_NaN();
  double sum = 0;
  for (const RankingAreas& area : areas) sum += get(area);
  return sum / static_cast<double>(areas.size());
}

}  // namespace

double Confusion::total() const {
  double sum = unknown_total();
  for (const double count : counts.values()) sum += count;
  return sum;
}

double Confusion::unknown_total() const {
  double sum = 0;
  for (const double count : unknown) sum += count;
  return sum;
}

Confusion confusion_matrix(std::span<const std::int32_t> truth,
                           std::span<const std::int32_t> predicted, Index classes,
                           std::span<const double> weights) {
  constexpr std::string_view metric = "confusion matrix";
  require_rows(truth.size(), metric);
  require_same_size(truth.size(), predicted.size(), metric, "predictions");
  require_weights(weights, truth.size(), metric);
  require_labels(truth, classes, -1, metric, "true class");
  require_labels(predicted, classes, 0, metric, "predicted class");
  Confusion confusion{Matrix<double>(classes, classes),
                      std::vector<double>(static_cast<std::size_t>(classes), 0.0)};
  for (std::size_t i = 0; i < truth.size(); ++i) {
    double& cell = truth[i] < 0 ? confusion.unknown[static_cast<std::size_t>(predicted[i])]
                                : confusion.counts(truth[i], predicted[i]);
    cell += weight_of(weights, static_cast<Index>(i));
  }
  return confusion;
}

ClassificationScores classification_scores(const Confusion& confusion) {
  const Index classes = confusion.classes();
  const double unknown = confusion.unknown_total();
  ClassificationScores scores;
  double right = 0;
  double total = unknown;
  double recalls = 0;
  Index in_truth = unknown > 0 ? 1 : 0;  // the unknown classes are one, of recall 0
  Index present = in_truth;
  for (Index c = 0; c < classes; ++c) {
    ClassScore score;
    double predicted = confusion.unknown[static_cast<std::size_t>(c)];
    for (Index other = 0; other < classes; ++other) {
      score.support += confusion.counts(c, other);
      predicted += confusion.counts(other, c);
    }
    const double hit = confusion.counts(c, c);
    const double precision = ratio(hit, predicted);
    const double recall = ratio(hit, score.support);
    const double f1 = ratio(2 * hit, predicted + score.support);
    score.precision = defined_ratio(hit, predicted);
    score.recall = defined_ratio(hit, score.support);
    score.f1 = defined_ratio(2 * hit, predicted + score.support);
    right += hit;
    total += score.support;
    if (score.support > 0) {
      ++in_truth;
      recalls += recall;
    }
    if (score.support > 0 || predicted > 0) {
      ++present;
      scores.macro.precision += precision;
      scores.macro.recall += recall;
      scores.macro.f1 += f1;
    }
    scores.weighted.precision += score.support * precision;
    scores.weighted.recall += score.support * recall;
    scores.weighted.f1 += score.support * f1;
    scores.classes.push_back(score);
  }
  scores.accuracy = ratio(right, total);
  scores.balanced_accuracy = ratio(recalls, static_cast<double>(in_truth));
  scores.macro.precision = ratio(scores.macro.precision, static_cast<double>(present));
  scores.macro.recall = ratio(scores.macro.recall, static_cast<double>(present));
  scores.macro.f1 = ratio(scores.macro.f1, static_cast<double>(present));
  scores.weighted.precision = ratio(scores.weighted.precision, total);
  scores.weighted.recall = ratio(scores.weighted.recall, total);
  scores.weighted.f1 = ratio(scores.weighted.f1, total);
  // Each row is one prediction and has one true class, so that all three are the share that is
  // right.
  scores.micro = {scores.accuracy, scores.accuracy, scores.accuracy};
  return scores;
}

double accuracy(std::span<const std::int32_t> truth, std::span<const std::int32_t> predicted,
                std::span<const double> weights) {
  constexpr std::string_view metric = "accuracy";
  require_rows(truth.size(), metric);
  require_same_size(truth.size(), predicted.size(), metric, "predictions");
  require_weights(weights, truth.size(), metric);
  const RowWeights w{weights.empty() ? nullptr : weights.data()};
  const auto [right, total] = row_sums<2>(1, static_cast<Index>(truth.size()),
                                          AccuracyTerms{truth.data(), predicted.data(), w});
  return right / total;
}

template <Real T>
double log_loss(std::span<const std::int32_t> truth, MatrixView<const T> probabilities,
                std::span<const double> weights) {
  require_probabilities(truth, probabilities, weights, "log loss");
  const RowWeights w{weights.empty() ? nullptr : weights.data()};
  const auto [loss, total] =
      row_sums<2>(1, static_cast<Index>(truth.size()),
                  LogLossTerms<T>{truth.data(), probabilities.data, probabilities.stride, w});
  return loss / total;
}

template <Real T>
double brier(std::span<const std::int32_t> truth, MatrixView<const T> probabilities,
             std::span<const double> weights) {
  require_probabilities(truth, probabilities, weights, "Brier score");
  const RowWeights w{weights.empty() ? nullptr : weights.data()};
  const auto [loss, total] = row_sums<2>(
      1, static_cast<Index>(truth.size()),
      BrierTerms<T>{truth.data(), probabilities.data, probabilities.stride, probabilities.cols, w});
  return loss / total;
}

template <Real T>
double roc_auc(std::span<const std::int32_t> truth, MatrixView<const T> probabilities,
               std::span<const double> weights, int threads) {
  require_probabilities(truth, probabilities, weights, "ROC-AUC");
  return mean_of(areas_per_class(truth, probabilities, weights, threads),
                 [](const RankingAreas& area) { return area.roc_auc; });
}

template <Real T>
double average_precision(std::span<const std::int32_t> truth, MatrixView<const T> probabilities,
                         std::span<const double> weights, int threads) {
  require_probabilities(truth, probabilities, weights, "average precision");
  return mean_of(areas_per_class(truth, probabilities, weights, threads),
                 [](const RankingAreas& area) { return area.average_precision; });
}

template <Real T>
RankingScores ranking_scores(std::span<const std::int32_t> truth, MatrixView<const T> scores,
                             std::span<const double> weights, int threads) {
  constexpr std::string_view metric = "ranking metrics";
  require_rows(truth.size(), metric);
  require_same_size(truth.size(), static_cast<std::size_t>(scores.rows), metric, "rows of scores");
  require_weights(weights, truth.size(), metric);
  require_labels(truth, scores.cols, -1, metric, "true class");
  const auto areas = areas_per_class(truth, scores, weights, threads);
  return {mean_of(areas, [](const RankingAreas& area) { return area.roc_auc; }),
          mean_of(areas, [](const RankingAreas& area) { return area.average_precision; })};
}

#define TANDEM_INSTANTIATE(T)                                                               \
  template double log_loss(std::span<const std::int32_t>, MatrixView<const T>,              \
                           std::span<const double>);                                        \
  template double brier(std::span<const std::int32_t>, MatrixView<const T>,                 \
                        std::span<const double>);                                           \
  template RankingScores ranking_scores(std::span<const std::int32_t>, MatrixView<const T>, \
                                        std::span<const double>, int);                      \
  template double roc_auc(std::span<const std::int32_t>, MatrixView<const T>,               \
                          std::span<const double>, int);                                    \
  template double average_precision(std::span<const std::int32_t>, MatrixView<const T>,     \
                                    std::span<const double>, int);
TANDEM_INSTANTIATE(float)
TANDEM_INSTANTIATE(double)
#undef TANDEM_INSTANTIATE

}  // namespace tandem
