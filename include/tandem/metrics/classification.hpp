// How well predicted classes and probabilities fit the true classes. docs/evaluation.md has the
// formulas, conventions and sources.
//
// Common to all: labels are 0 .. classes − 1. The label −1 in the truth is a class that the model
// does not know: such a row is always wrong, and all of them together count as one more class
// where classes are averaged. Weights are >= 0, one per row, or empty for 1 each; they must not
// all be 0. Throws InputError for sizes that differ, no rows, labels out of range, and weights or
// probabilities that are negative, NaN or infinite. Means over rows have the shape of long_sum;
// counts are added in ascending order of row.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// Sums of weights.
struct TANDEM_API Confusion {
  Matrix<double> counts;        // classes × classes: counts(true class, predicted class)
  std::vector<double> unknown;  // predicted class of the rows whose true class is −1

  [[nodiscard]] Index classes() const noexcept { return counts.rows(); }
  [[nodiscard]] double total() const;
  [[nodiscard]] double unknown_total() const;
};

[[nodiscard]] TANDEM_API Confusion confusion_matrix(std::span<const std::int32_t> truth,
                                                    std::span<const std::int32_t> predicted,
                                                    Index classes,
                                                    std::span<const double> weights = {});

// Scores of one class; a quotient 0 / 0 is NaN, not defined, and counts as 0 in averages.
struct ClassScore {
  double precision = 0;  // right among those predicted to be of this class
  double recall = 0;     // right among those of this class
  double f1 = 0;         // harmonic mean: 2·right / (predicted + true)
  double support = 0;    // weight of the rows of this class
};

struct ClassAverage {
  double precision = 0;
  double recall = 0;
  double f1 = 0;
};

struct ClassificationScores {
  double accuracy = 0;
  double balanced_accuracy = 0;  // mean recall of the classes that the truth has
  std::vector<ClassScore> classes;
  ClassAverage macro;     // mean over the classes that the truth or the predictions have
  ClassAverage micro;     // over all decisions together
  ClassAverage weighted;  // mean weighted by support
};

[[nodiscard]] TANDEM_API ClassificationScores classification_scores(const Confusion& confusion);

[[nodiscard]] TANDEM_API double accuracy(std::span<const std::int32_t> truth,
                                         std::span<const std::int32_t> predicted,
                                         std::span<const double> weights = {});

// Mean of −log p(true class), p clipped to [ε, 1 − ε] where ε is the machine epsilon of T. A true
// class of −1 has p = 0. probabilities: rows × classes.
template <Real T>
[[nodiscard]] TANDEM_API double log_loss(std::span<const std::int32_t> truth,
                                         MatrixView<const T> probabilities,
                                         std::span<const double> weights = {});

// Mean of Σ over classes of (p − [is the true class])², halved for two classes so that it is the
// mean of (p(class 1) − [class is 1])². An unknown true class adds a term (0 − 1)².
template <Real T>
[[nodiscard]] TANDEM_API double brier(std::span<const std::int32_t> truth,
                                      MatrixView<const T> probabilities,
                                      std::span<const double> weights = {});

// Area under the ROC curve: of class 1 for two classes, else the mean over classes of one against
// the rest. Classes that all rows or no row has are left out; NaN where that leaves none.
template <Real T>
[[nodiscard]] TANDEM_API double roc_auc(std::span<const std::int32_t> truth,
                                        MatrixView<const T> probabilities,
                                        std::span<const double> weights = {}, int threads = 1);

// Average precision, averaged over classes in the same way.
template <Real T>
[[nodiscard]] TANDEM_API double average_precision(std::span<const std::int32_t> truth,
                                                  MatrixView<const T> probabilities,
                                                  std::span<const double> weights = {},
                                                  int threads = 1);

}  // namespace tandem
