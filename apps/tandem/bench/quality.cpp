#include "tandem/bench/quality.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "tandem/core/error.hpp"
#include "tandem/data/read.hpp"
#include "tandem/metrics/classification.hpp"
#include "tandem/metrics/regression.hpp"

namespace tandem::program {
namespace {

double inertia_of(const Matrix<double>& labels, const Matrix<double>& rows) {
  Index clusters = 0;
  for (Index i = 0; i < rows.rows(); ++i) {
    const double label = labels(i, 0);
    if (!(label >= 0) || label > 1e6) throw InputError("a label is no number of a cluster");
    clusters = std::max(clusters, static_cast<Index>(label) + 1);
  }
  Matrix<double> means(clusters, rows.cols(), 0.0);
  std::vector<double> counts(static_cast<std::size_t>(clusters), 0);
  for (Index i = 0; i < rows.rows(); ++i) {
    const auto c = static_cast<Index>(labels(i, 0));
    counts[static_cast<std::size_t>(c)] += 1;
    for (Index j = 0; j < rows.cols(); ++j) means(c, j) += rows(i, j);
  }
  double sum = 0;
  for (Index i = 0; i < rows.rows(); ++i) {
    const auto c = static_cast<Index>(labels(i, 0));
    for (Index j = 0; j < rows.cols(); ++j) {
      const double apart = rows(i, j) - means(c, j) / counts[static_cast<std::size_t>(c)];
      sum += apart * apart;
    }
  }
  return sum;
}

std::vector<std::int32_t> most_probable(const Matrix<double>& probabilities) {
  std::vector<std::int32_t> classes;
  for (Index i = 0; i < probabilities.rows(); ++i) {
    std::int32_t best = 0;
    for (Index c = 1; c < probabilities.cols(); ++c) {
      if (probabilities(i, c) > probabilities(i, best)) best = static_cast<std::int32_t>(c);
    }
    classes.push_back(best);
  }
  return classes;
}

}  // namespace

bool lower_is_better(const std::string& metric) {
  return metric == "log_loss" || metric == "rmse" || metric == "inertia";
}

double quality_of(const std::string& metric, const std::string& file, const std::string& holds,
                  const Truth& truth) {
  ReadOptions options;
  options.reading.format = std::string("npy");
  const Dataset<double> read = read_dataset<double>(file, options);
  Matrix<double> made = read.features;
  if (made.rows() != truth.rows.rows()) {
    throw InputError("predictions of " + std::to_string(made.rows()) + " rows, expected " +
                     std::to_string(truth.rows.rows()));
  }
  if (metric == "inertia") {
    if (holds != "labels") throw InputError("inertia is that of labels, and these are " + holds);
    return inertia_of(made, truth.rows);
  }
  if (metric == "rmse" || metric == "r2") {
    if (holds != "values") throw InputError(metric + " is that of values, and these are " + holds);
    const RegressionScores scores = regression_scores(std::span<const double>(truth.target),
                                                      std::span<const double>(made.values()));
    return metric == "rmse" ? scores.rmse : scores.r2;
  }
  std::vector<std::int32_t> classes;
  for (const double value : truth.target) classes.push_back(static_cast<std::int32_t>(value));
  if (holds == "labels") {
    if (metric != "accuracy") throw InputError(metric + " needs probabilities; these are labels");
    std::vector<std::int32_t> said;
    for (Index i = 0; i < made.rows(); ++i) said.push_back(static_cast<std::int32_t>(made(i, 0)));
    return accuracy(classes, said);
  }
  if (holds != "probabilities") throw InputError(metric + " of " + holds + " is not defined");
  if (metric == "accuracy") return accuracy(classes, most_probable(made));
  if (metric == "roc_auc") {
    if (made.cols() != 2) throw InputError("roc_auc is that of two classes");
    return roc_auc(classes, std::as_const(made).view());
  }
  // Rows of float32 do not add up to one exactly; each is brought to that.
  for (Index i = 0; i < made.rows(); ++i) {
    double sum = 0;
    for (Index c = 0; c < made.cols(); ++c) sum += made(i, c);
    for (Index c = 0; c < made.cols(); ++c) made(i, c) /= sum;
  }
  return log_loss(classes, std::as_const(made).view());
}

}  // namespace tandem::program
