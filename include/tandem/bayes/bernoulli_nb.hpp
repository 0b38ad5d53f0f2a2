// Bernoulli naive Bayes: a feature is there or not, and both count. docs/algorithms/naive-bayes.md.
#pragma once

#include "tandem/bayes/naive_bayes.hpp"

namespace tandem {

struct TANDEM_API BernoulliNBOptions {
  double alpha = 1;     // added to both counts of a feature
  double binarize = 0;  // a value above this says that the feature is there
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
class TANDEM_API BernoulliNBModel final : public FeatureWeightsModel<T> {
 public:
  // feature_log_prob(c, j) = ln P(x_j is there | c).
  double binarize = 0;
  double alpha = 1;

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<BernoulliNBModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "bernoulli-nb"; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static BernoulliNBModel load(const Archive& archive);
  [[nodiscard]] BayesTerms terms() const override;
};

// Sparse rows are taken as they are. Throws InputError for data that cannot be trained on (no rows,
// no target, one class only, values that are missing or infinite, weights that are negative or all
// zero).
template <Real T>
[[nodiscard]] TANDEM_API BernoulliNBModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const BernoulliNBOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
