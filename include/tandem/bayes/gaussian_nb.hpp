// Gaussian naive Bayes: within a class, each feature is normal with a mean and a variance of its
// own. docs/algorithms/naive-bayes.md.
#pragma once

#include "tandem/bayes/naive_bayes.hpp"

namespace tandem {

struct TANDEM_API GaussianNBOptions {
  // This part of the largest variance of a feature over all rows is added to every variance.
  double var_smoothing = 1e-9;
  std::vector<double> priors{};  // one per class in their order, summing to 1; empty: from the data

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const;
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::classification;
  }
};

template <Real T>
class TANDEM_API GaussianNBModel final : public NaiveBayesModel<T> {
 public:
  Matrix<double> means;      // classes × features
  Matrix<double> variances;  // classes × features, > 0, what smooths them included
  double smoothing = 0;      // what was added to each variance

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<GaussianNBModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "gaussian-nb"; }
  [[nodiscard]] Index features() const override { return means.cols(); }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static GaussianNBModel load(const Archive& archive);
  [[nodiscard]] BayesTerms terms() const override;

 private:
  [[nodiscard]] std::vector<typename NaiveBayesModel<T>::Numbers> numbers() const override;
};

// Throws InputError for data that cannot be trained on (no rows, no target, one class only, values
// that are missing or infinite, weights that are negative or all zero, a feature that is constant
// within a class where nothing smooths its variance), NumericalError where squares leave the range
// of double.
template <Real T>
[[nodiscard]] TANDEM_API GaussianNBModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const GaussianNBOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
