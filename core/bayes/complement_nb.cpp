#include "tandem/bayes/complement_nb.hpp"

#include "core/bayes/bayes_steps.hpp"
#include "core/bayes/class_rows.hpp"
#include "core/bayes/feature_weights.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {

void ComplementNBOptions::visit(OptionVisitor& visitor) {
  visit_alpha(visitor, alpha);
  visitor.flag("norm", norm, "divide the weights of each class by their sum");
}

template <Real T>
ComplementNBModel<T> fit(Engine& engine, const DatasetView<T>& data,
                         const ComplementNBOptions& options,
                         const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  check_options(options);
  const ClassRows<T> rows(engine, setting.data(), "complement naive Bayes");
  rows.require_nonnegative("complement naive Bayes");
  ComplementNBModel<T> model;
  begin_model(rows, class_log_priors(data.source, rows.names(), rows.weights(), {}, false), model);
  model.norm = options.norm;
  model.feature_counts = rows.sums(ClassSum::values, 0, {});
  const Index classes = rows.classes();
  const Index d = data.cols();
  model.feature_log_prob = Matrix<double>(classes, d);
  std::vector<double> others(static_cast<std::size_t>(d));
  for (Index c = 0; c < classes; ++c) {
    // Added up rather than subtracted from the sum over all classes: nothing cancels.
    for (Index j = 0; j < d; ++j) {
      double sum = 0;
      for (Index k = 0; k < classes; ++k) {
        if (k != c) sum += model.feature_counts(k, j);
      }
      others[static_cast<std::size_t>(j)] = sum;
    }
    const auto logs = model.feature_log_prob.row(c);
    log_shares(others, options.alpha, logs);
    double total = 0;
    for (const double log : logs) total += log;
    for (double& log : logs) {
      // With one feature its share is 1 and the logarithm 0: there is nothing to divide by.
      log = !options.norm ? -log : total != 0 ? log / total : 0.0;
    }
  }
  return model;
}

template <Real T>
BayesTerms ComplementNBModel<T>::terms() const {
  BayesTerms terms = terms_of_weights(this->feature_log_prob);
  // No priors, but a class that no row of weight is of stays impossible.
  for (std::size_t c = 0; c < terms.bias.size(); ++c) {
    if (!(this->class_weights[c] > 0)) terms.bias[c] = this->class_log_prior[c];
  }
  return terms;
}

template <Real T>
void ComplementNBModel<T>::save(Archive& archive) const {
  FeatureWeightsModel<T>::save(archive);
  archive.set("norm", norm);
}

template <Real T>
ComplementNBModel<T> ComplementNBModel<T>::load(const Archive& archive) {
  ComplementNBModel model;
  model.load_weights(archive);
  model.norm = archive.get_bool("norm");
  return model;
}

template class ComplementNBModel<float>;
template class ComplementNBModel<double>;
template ComplementNBModel<float> fit(Engine&, const DatasetView<float>&,
                                      const ComplementNBOptions&, const FitContext<float>&);
template ComplementNBModel<double> fit(Engine&, const DatasetView<double>&,
                                       const ComplementNBOptions&, const FitContext<double>&);

}  // namespace tandem
