// All metrics of a model on a data set, chosen by the model's task.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/metrics/classification.hpp"
#include "tandem/metrics/curves.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

struct EvaluateOptions {
  bool silhouette = false;   // clustering: rows² · cols work
  bool curves = true;        // classification: ROC and precision-recall curves
  Index curve_points = 500;  // at most so many points are kept per curve
  // detection: the class of the target whose rows should be outliers. Empty: the one called
  // "outlier", or the rarer of two.
  std::string outlier_class = {};
};

// Metric names, in snake_case; one that is not defined on the data (ROC-AUC of one class, R² of one
// row) is NaN:
//   classification: accuracy, balanced_accuracy, precision_macro, recall_macro, f1_macro, and the
//     same three with _micro and _weighted; with probabilities log_loss, roc_auc,
//     average_precision, brier
//   regression: r2, mse, rmse, mae
//   clustering: davies_bouldin, calinski_harabasz (two clusters and more), silhouette on demand,
//     adjusted_rand and nmi where the data has a target that can be read as classes
//   detection: outlier_share, of the rows that are called outliers; where the data has a target of
//     two classes roc_auc and average_precision of the scores, and precision, recall and f1 of the
//     labels
// and what Model::own_metrics adds.
struct Evaluation {
  Task task = Task::classification;
  Index rows = 0;
  std::map<std::string, double> metrics;
  std::string outlier_class;  // detection: what the scores were compared with; empty where nothing

  // Classification only.
  std::vector<std::string> class_names;
  Confusion confusion;
  std::vector<ClassScore> classes;  // one per class
  // One per class, against the rest; for two classes only that of class 1. Empty where
  // the curve is not defined, or not asked for.
  struct ClassCurves {
    std::int32_t label = 0;
    RocCurve roc;
    PrecisionRecallCurve precision_recall;
  };
  std::vector<ClassCurves> curves;
};

// `data` has the columns that the model was trained on (preprocessed), and a target unless the task
// is clustering or detection. Rows are weighted by data.weights where present (clustering metrics
// are not). Throws InputError where the target is missing, or has not the outlier_class.
template <Real T>
[[nodiscard]] TANDEM_API Evaluation evaluate(const Model<T>& model, Engine& engine,
                                             const Dataset<T>& data,
                                             const EvaluateOptions& options = {});

// The same for predictions that were made before.
template <Real T>
[[nodiscard]] TANDEM_API Evaluation evaluate(const Model<T>& model, Engine& engine,
                                             const Dataset<T>& data,
                                             const Predictions<T>& predictions,
                                             const EvaluateOptions& options = {});

// Whether the data has a target of two classes, by which a detector can be judged.
template <Real T>
[[nodiscard]] TANDEM_API bool tells_outliers(const Dataset<T>& data);

// A JSON object: {"rows", "metrics": {...}}, for detection "outlier_class", and for classification
// "classes" (per class), "confusion", and where with_curves "curves".
[[nodiscard]] TANDEM_API std::string to_json(const Evaluation& evaluation,
                                             bool with_curves = false);

}  // namespace tandem
