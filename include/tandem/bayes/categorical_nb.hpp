// Categorical naive Bayes: a feature is one of several categories, each with a probability of its
// own in every class. docs/algorithms/naive-bayes.md.
#pragma once

#include <cstdint>

#include "tandem/bayes/naive_bayes.hpp"

namespace tandem {

struct TANDEM_API CategoricalNBOptions {
  double alpha = 1;                 // added to the count of every category
  std::int64_t min_categories = 0;  // a feature has so many at least; 0: those that the data has
  BayesPriorOptions prior{};

  void visit(OptionVisitor& visitor);
  // Throws InputError that names the options.
  void check() const { prior.check(); }
  template <Real T>
  [[nodiscard]] Task task_for(const DatasetView<T>& /*data*/) const {
    return Task::classification;
  }
};

// Features are codes 0, 1, .... A value that is missing, and a code that no training row has, says
// nothing of the classes.
template <Real T>
class TANDEM_API CategoricalNBModel final : public NaiveBayesModel<T> {
 public:
  std::vector<Index> categories;     // of each feature, at least 1
  Matrix<double> category_counts;    // classes × all categories, feature by feature
  Matrix<double> category_log_prob;  // the same shape: ln P(category | class)

  [[nodiscard]] std::unique_ptr<Model<T>> clone() const override {
    return std::make_unique<CategoricalNBModel>(*this);
  }
  [[nodiscard]] std::string_view algorithm() const override { return "categorical-nb"; }
  [[nodiscard]] Index features() const override { return static_cast<Index>(categories.size()); }
  void save(Archive& archive) const override;
  // Throws InputError for anything that save() could not have written.
  [[nodiscard]] static CategoricalNBModel load(const Archive& archive);
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const override;
  [[nodiscard]] BayesTerms terms() const override;

 private:
  [[nodiscard]] std::vector<typename NaiveBayesModel<T>::Numbers> numbers() const override;
};

// Throws InputError for data that cannot be trained on (no rows, no target, one class only, values
// that are no codes, weights that are negative or all zero), also where the categories do not fit
// into memory.
template <Real T>
[[nodiscard]] TANDEM_API CategoricalNBModel<T> fit(
    Engine& engine, const DatasetView<T>& data, const CategoricalNBOptions& options,
    const FitContext<std::type_identity_t<T>>& context = {});

}  // namespace tandem
