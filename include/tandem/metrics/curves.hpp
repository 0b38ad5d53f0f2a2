// ROC and precision-recall curves of a score that ranks rows: the higher, the more positive. Rows
// of equal score are one point: no order among them is assumed.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// Points in order of falling threshold, beginning with (0, 0) at +infinity. Rows with a score >=
// threshold[i] are called positive.
struct RocCurve {
  std::vector<double> false_positive_rate;
  std::vector<double> true_positive_rate;
  std::vector<double> threshold;
  double area = 0;  // trapezoids between all points: the probability that a positive outranks a
                    // negative, ties counting half (Hanley and McNeil, Radiology 143, 1982)
};

// Points in order of falling threshold, beginning with recall 0, precision 1 at +infinity.
struct PrecisionRecallCurve {
  std::vector<double> recall;
  std::vector<double> precision;
  std::vector<double> threshold;
  double average_precision = 0;  // Σ (recall step) · precision, without interpolation
};

struct RankingCurves {
  RocCurve roc;
  PrecisionRecallCurve precision_recall;
};

// positive: 0 or 1 per row. Throws InputError for sizes that differ, no rows, a NaN score, weights
// that are negative or not finite, and unless the total weights of positives and of negatives are
// both positive.
[[nodiscard]] TANDEM_API RankingCurves ranking_curves(std::span<const float> scores,
                                                      std::span<const std::uint8_t> positive,
                                                      std::span<const double> weights = {});
[[nodiscard]] TANDEM_API RankingCurves ranking_curves(std::span<const double> scores,
                                                      std::span<const std::uint8_t> positive,
                                                      std::span<const double> weights = {});

// The areas without the points.
struct RankingAreas {
  double roc_auc = 0;
  double average_precision = 0;
};
[[nodiscard]] TANDEM_API RankingAreas ranking_areas(std::span<const float> scores,
                                                    std::span<const std::uint8_t> positive,
                                                    std::span<const double> weights = {});
[[nodiscard]] TANDEM_API RankingAreas ranking_areas(std::span<const double> scores,
                                                    std::span<const std::uint8_t> positive,
                                                    std::span<const double> weights = {});

// At most `points` (>= 2) of the curve for plotting: first, last, and the others at even distance
// along the list. Areas are kept.
[[nodiscard]] TANDEM_API RocCurve thinned(const RocCurve& curve, Index points);
[[nodiscard]] TANDEM_API PrecisionRecallCurve thinned(const PrecisionRecallCurve& curve,
                                                      Index points);

// JSON objects: {"false_positive_rate": [...], "true_positive_rate": [...], "threshold": [...],
// "area": a}, and {"recall", "precision", "threshold", "average_precision"}; an infinite threshold
// is null.
[[nodiscard]] TANDEM_API std::string to_json(const RocCurve& curve);
[[nodiscard]] TANDEM_API std::string to_json(const PrecisionRecallCurve& curve);

}  // namespace tandem
