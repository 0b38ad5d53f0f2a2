// What a trained model of any kind does with its features: permutation importance and partial
// dependence. What only trees have, their importances and Shapley values, is in
// tandem/tree/tree_ensemble.hpp and tandem/tree/tree_shap.hpp.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/options.hpp"
#include "tandem/core/run_control.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {

struct TANDEM_API PermutationOptions {
  std::int64_t repeats = 5;
  // A metric of tandem/metrics/evaluate.hpp; empty: the usual one of the task.
  std::string metric;
  std::uint64_t seed = 0;

  void visit(OptionVisitor& visitor);
};

// By how much a metric gets worse where a column is shuffled among the rows. Breiman, "Random
// Forests", Machine Learning 45 (2001); for any model, Fisher, Rudin and Dominici, "All Models are
// Wrong, but Many are Useful", JMLR 20 (2019).
struct PermutationImportance {
  std::string metric;
  double baseline = 0;  // of the rows as they are
  // columns × repeats: how much worse, so that what helps is positive whichever way the metric is
  // better. NaN where the metric is not defined on the shuffled rows.
  Matrix<double> drops;
  std::vector<double> mean;       // per column, over the repeats
  std::vector<double> deviation;  // of the drops, from their mean, over repeats − 1; 0 for one
};

// Of the raw columns of the pipeline's schema, which are shuffled before the transforms see them.
// `raw` has those columns and a target; weights count. The order that a column is put into is a
// function of the seed, the column and the repeat. Takes (columns · repeats + 1) evaluations.
// Throws InputError for a metric that there is not for the task, or that is not defined on the
// rows; Interrupted.
template <Real T>
[[nodiscard]] TANDEM_API PermutationImportance
permutation_importance(Engine& engine, const Pipeline<T>& model, const Dataset<T>& raw,
                       const PermutationOptions& options = {}, RunControl* control = nullptr);

struct PartialDependenceOptions {
  Index points = 40;  // of the grid at most, >= 2; a categorical column has one for each category
};

// The mean prediction where a column has the same value in all rows. Friedman, "Greedy Function
// Approximation: A Gradient Boosting Machine", Annals of Statistics 29 (2001), section 8.2.
struct PartialDependence {
  // Ascending: the column's distinct values, or as many of its quantiles, from the least to the
  // greatest value, as `points` allows. Of a categorical column the codes 0, 1, ...
  std::vector<double> grid;
  // grid × outputs: of a regression the mean value, of a classification the mean probability of
  // each class.
  Matrix<double> mean;
};

// Of a raw column. Rows are weighted where they have weights. Throws InputError for a column that
// is not there, has missing values only, or for a model that predicts neither values nor
// probabilities.
template <Real T>
[[nodiscard]] TANDEM_API PartialDependence
partial_dependence(Engine& engine, const Pipeline<T>& model, const Dataset<T>& raw, Index column,
                   const PartialDependenceOptions& options = {});

}  // namespace tandem
