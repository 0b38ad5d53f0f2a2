// The rows that gradient boosting is fitted on or judged by, on the host.
#pragma once

#include <cstdint>
#include <vector>

#include "tandem/core/matrix.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/custom.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem {
template <Real T>
struct BinnedDataset;
}  // namespace tandem

namespace tandem::tree {

[[nodiscard]] constexpr bool classifies(BoostingObjective objective) {
  return objective == BoostingObjective::logistic || objective == BoostingObjective::softmax;
}
[[nodiscard]] constexpr bool ranks(BoostingObjective objective) {
  return objective == BoostingObjective::rank_ndcg || objective == BoostingObjective::rank_map ||
         objective == BoostingObjective::rank_pairwise;
}

// A set of rows: those of weight > 0.
template <Real T>
struct BoostingRows {
  Index count = 0;
  // The features: of these rows, or of a table of which `numbers` says which rows these are.
  MatrixView<const T> x;
  const BinnedDataset<T>* bins = nullptr;  // in place of x
  CsrView<T> sparse{};                     // in place of x, where it has rows
  Matrix<T> selected;                      // where rows were left out
  std::vector<T> target;                   // labels as numbers in a classification
  std::vector<T> weights;                  // empty: 1 each
  std::vector<T> margin;                   // count × outputs, or empty
  std::vector<Index> starts;   // where the data has queries: the first row of each, and `count`
  std::vector<Index> numbers;  // of each row in the table that it was taken from, ascending

  // Whether there is no x.
  [[nodiscard]] bool elsewhere() const { return bins != nullptr || sparse.rows > 0; }
  // Some of the rows as x would have them, or as trees on the cuts of their bins see them; for rows
  // that are elsewhere.
  [[nodiscard]] Matrix<T> written_out(Index begin, Index rows) const;
  // What a custom objective or metric is told. scores: count × outputs.
  [[nodiscard]] ScoredRows<T> with_scores(const Matrix<T>& scores) const {
    return {scores.view(), target, weights, numbers};
  }
};

// Throws InputError for a table that cannot be trained on: no rows or columns, too many rows, a
// feature that is infinite, a target that is not finite. bins: what holds the features, or null.
template <Real T>
void check_training_table(const DatasetView<T>& data, const BinnedDataset<T>* bins = nullptr);

// The rows `chosen` (null: all) of a table, less those of weight 0. `labels` and `class_weights`
// are those of a classification, or empty. bins: what holds the features, or null. Throws
// InputError that names the row for a weight that is none, and where no row has weight.
template <Real T>
[[nodiscard]] BoostingRows<T> take_rows(const DatasetView<T>& data,
                                        const std::vector<Index>* chosen,
                                        const std::vector<std::int32_t>& labels,
                                        const std::vector<double>& class_weights, Index outputs,
                                        const BinnedDataset<T>* bins = nullptr);

// Throws InputError that names the first row whose target the objective is not for.
template <Real T>
void check_target(const DatasetView<T>& data, BoostingObjective objective);

// The constant scores, one per output, that a fit starts from: those of the weighted mean, of the
// shares of the classes, or of a quantile of the target, whose share is `quantile`.
template <Real T>
[[nodiscard]] std::vector<T> base_scores(const BoostingRows<T>& rows, BoostingObjective objective,
                                         Index outputs, double quantile);

// The unit of weights as whole numbers, whose sum stays below 2^61.
template <Real T>
[[nodiscard]] double weight_scale(const std::vector<T>& weights);

template <Real T>
[[nodiscard]] double total_weight(const std::vector<T>& weights, Index rows);

}  // namespace tandem::tree
