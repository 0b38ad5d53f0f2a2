// What the naive Bayes classifiers have in common: features are taken to be independent within a
// class, so that P(c | x) ∝ P(c)·Π_j P(x_j | c) (Maron, "Automatic Indexing: An Experimental
// Inquiry", JACM 8, 1961). They differ in P(x_j | c): gaussian_nb.hpp, multinomial_nb.hpp,
// complement_nb.hpp, bernoulli_nb.hpp, categorical_nb.hpp.
// docs/algorithms/naive-bayes.md says what is computed, in which order, and how exactly.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/options.hpp"
#include "tandem/data/dataset.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/model/margins.hpp"
#include "tandem/model/model.hpp"

namespace tandem {

struct BayesTerms;  // core/bayes/bayes_steps.hpp

// P(c) of the classifiers of counts: the class's share of the rows' weight, or what is said here.
struct TANDEM_API BayesPriorOptions {
  bool uniform_prior = false;  // the same for every class
  std::vector<double> priors;  // one per class in their order, summing to 1; empty: as above

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
};

template <Real T>
class TANDEM_API NaiveBayesModel : public Model<T>, public Margins<T> {
 public:
  std::vector<std::string> class_names;
  std::vector<double> class_weights;    // the weight of the rows of each class
  std::vector<double> class_log_prior;  // ln P(c); −∞ for a class that no row of weight is of
  TrainingLog log;

  [[nodiscard]] Task task() const override { return Task::classification; }
  [[nodiscard]] const std::vector<std::string>& classes() const override { return class_names; }
  // A row's label is the class of the largest probability, the lowest of equals.
  [[nodiscard]] Predictions<T> predict(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] std::unique_ptr<ReadyModel<T>> ready_on(Engine& engine) const override;
  [[nodiscard]] Matrix<double> margins(Engine& engine, MatrixView<const T> x) const override;
  [[nodiscard]] const TrainingLog& training() const override { return log; }
  // What engines compute the likelihood of rows in the classes from, the priors included.
  [[nodiscard]] virtual BayesTerms terms() const = 0;
  void save(Archive& archive) const override;
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names) const override;

 protected:
  NaiveBayesModel() = default;
  NaiveBayesModel(const NaiveBayesModel&) = default;
  NaiveBayesModel(NaiveBayesModel&&) noexcept = default;
  NaiveBayesModel& operator=(const NaiveBayesModel&) = default;
  NaiveBayesModel& operator=(NaiveBayesModel&&) noexcept = default;

  // What save() wrote; throws InputError for what it could not have written.
  void load_common(const Archive& archive);

  // Numbers of the features for people and programs, classes × features.
  struct Numbers {
    std::string title;  // "mean"
    Matrix<double> values;
  };

 private:
  [[nodiscard]] virtual std::vector<Numbers> numbers() const = 0;
};

// A classifier that is a weight per class and feature, made from sums over the rows of the class.
template <Real T>
class TANDEM_API FeatureWeightsModel : public NaiveBayesModel<T> {
 public:
  Matrix<double> feature_counts;    // classes × features: Σ w·x, or the weight of rows with it
  Matrix<double> feature_log_prob;  // classes × features

  [[nodiscard]] Index features() const override { return feature_counts.cols(); }
  void save(Archive& archive) const override;

 protected:
  FeatureWeightsModel() = default;
  FeatureWeightsModel(const FeatureWeightsModel&) = default;
  FeatureWeightsModel(FeatureWeightsModel&&) noexcept = default;
  FeatureWeightsModel& operator=(const FeatureWeightsModel&) = default;
  FeatureWeightsModel& operator=(FeatureWeightsModel&&) noexcept = default;

  void load_weights(const Archive& archive);

 private:
  [[nodiscard]] std::vector<typename NaiveBayesModel<T>::Numbers> numbers() const override;
};

}  // namespace tandem
