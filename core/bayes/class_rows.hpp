// The rows of a fit of naive Bayes, with their classes, on the way to an engine.
#pragma once

#include <string_view>
#include <vector>

#include "core/bayes/bayes_steps.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/data/dataset.hpp"

namespace tandem {

// Rows, classes and weights that were checked; the data must outlive it. Sparse rows are written
// out piece by piece on the way.
template <Real T>
class ClassRows {
 public:
  // `algorithm` for messages. Throws InputError for data that no classifier is trained on. A value
  // may be missing where the caller says so.
  ClassRows(Engine& engine, const DatasetView<T>& data, std::string_view algorithm,
            bool allow_missing = false);

  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  [[nodiscard]] Index classes() const noexcept { return static_cast<Index>(names_.size()); }
  // Per class the long sum of the rows' weights.
  [[nodiscard]] const std::vector<double>& weights() const noexcept { return class_weights_; }
  // The first row of a weight above 0, in double.
  [[nodiscard]] std::vector<double> some_row() const;
  // Throws InputError that names the row and column of the first value below 0.
  void require_nonnegative(std::string_view algorithm) const;

  // BayesSteps::class_sums over all rows. Throws NumericalError, by column, where one is not
  // finite.
  [[nodiscard]] Matrix<double> sums(ClassSum what, double threshold,
                                    const std::vector<double>& centre) const;
  // BayesSteps::count_codes over all rows, as weights. first: where each feature's codes begin, and
  // the number of all.
  [[nodiscard]] Matrix<double> code_counts(const std::vector<Index>& first) const;

 private:
  // f(rows in the engine's memory) for consecutive pieces, each a node of the tree over all rows.
  template <class F>
  void for_each_piece(F&& f) const;

  Engine& engine_;
  const DatasetView<T>& data_;
  std::vector<std::string> names_;
  std::vector<T> target_;  // the class of each row
  std::vector<double> class_weights_;
};

// ln P(c) from the classes' weights, or as the options say. Throws InputError where there is not
// one prior per class.
[[nodiscard]] std::vector<double> class_log_priors(std::string_view source,
                                                   const std::vector<std::string>& names,
                                                   const std::vector<double>& class_weights,
                                                   const std::vector<double>& priors, bool uniform);
// What `priors` say by themselves. Throws InputError.
void check_priors(const std::vector<double>& priors);

// The model's part that does not depend on the features.
template <class Model, Real T>
void begin_model(const ClassRows<T>& rows, std::vector<double> log_prior, Model& model) {
  model.class_names = rows.names();
  model.class_weights = rows.weights();
  model.class_log_prior = std::move(log_prior);
  model.log.iterations = 1;
  model.log.converged = true;
  model.log.stopped_because = "counted in one pass";
}

}  // namespace tandem
