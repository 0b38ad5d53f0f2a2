// Multinomial naive Bayes: a row is counts of features, words in a text say, drawn from a
// distribution of the class's own. docs/algorithms/naive-bayes.md.
#pragma once

#include "tandem/bayes/naive_bayes.hpp"

namespace tandem {

struct TANDEM_API MultinomialNBOptions {
  double alpha = 1;  // added to every count (Lidstone; 1: Laplace)
  BayesPriorOptions prior{};

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const { prior.check(); }
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::classification;
  }
};

template <Real T>
class TANDEM_API MultinomialNBModel final : public FeatureWeightsModel<T> {
 public:
  // feature_log_prob(c, j) = ln P(j | c); a class's sum to 1 as probabilities.
  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<MultinomialNBModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "multinomial-nb"; }
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static MultinomialNBModel load(const Archive& archive);
  [[nodiscard]] BayesTerms terms() const override;
};

// Sparse rows are taken as they are. Throws InputError for data that cannot be trained on (no rows,
// no target, one class only, values that are missing, infinite or negative, weights that are
// negative or all zero), NumericalError where sums leave the range of double.
template <Real T>
[[nodiscard]] TANDEM_API MultinomialNBModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const MultinomialNBOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
