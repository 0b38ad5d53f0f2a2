// Complement naive Bayes: the multinomial one with the weights of a class taken from the rows of
// all others, which are more and more even (Rennie, Shih, Teevan and Karger, "Tackling the Poor
// Assumptions of Naive Bayes Text Classifiers", ICML 2003). docs/algorithms/naive-bayes.md.
#pragma once

#include "tandem/bayes/naive_bayes.hpp"

namespace tandem {

// Priors play no part: the paper's rule has none.
struct TANDEM_API ComplementNBOptions {
  double alpha = 1;   // added to every count
  bool norm = false;  // each class's weights are divided by their sum, as in the paper

  void visit(OptionVisitor& visitor);
  void check() const {}
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::classification;
  }
};

template <Real T>
class TANDEM_API ComplementNBModel final : public FeatureWeightsModel<T> {
 public:
  // feature_log_prob(c, j) = −ln P(j | other classes), or ln P divided by its sum with norm.
  bool norm = false;

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<ComplementNBModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "complement-nb"; }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static ComplementNBModel load(const Archive& archive);
  [[nodiscard]] BayesTerms terms() const override;
};

// Takes and refuses what multinomial naive Bayes does.
template <Real T>
[[nodiscard]] TANDEM_API ComplementNBModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const ComplementNBOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
