#include "tandem/bayes/multinomial_nb.hpp"

#include "core/bayes/bayes_steps.hpp"
#include "core/bayes/class_rows.hpp"
#include "core/bayes/feature_weights.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {

void MultinomialNBOptions::visit(OptionVisitor& visitor) {
  visit_alpha(visitor, alpha);
  prior.visit(visitor);
}

template <Real T>
MultinomialNBModel<T> fit(Engine& engine, const DatasetView<T>& data,
                          const MultinomialNBOptions& options,
                          const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  check_options(options);
  const ClassRows<T> rows(engine, setting.data(), "multinomial naive Bayes");
  rows.require_nonnegative("multinomial naive Bayes");
  MultinomialNBModel<T> model;
  begin_model(rows,
              class_log_priors(data.source, rows.names(), rows.weights(), options.prior.priors,
                               options.prior.uniform_prior),
              model);
  model.feature_counts = rows.sums(ClassSum::values, 0, {});
  model.feature_log_prob = Matrix<double>(rows.classes(), data.cols());
  for (Index c = 0; c < rows.classes(); ++c) {
    log_shares(model.feature_counts.row(c), options.alpha, model.feature_log_prob.row(c));
  }
  return model;
}

template <Real T>
BayesTerms MultinomialNBModel<T>::terms() const {
  BayesTerms terms = terms_of_weights(this->feature_log_prob);
  terms.bias = this->class_log_prior;
  return terms;
}

template <Real T>
MultinomialNBModel<T> MultinomialNBModel<T>::load(const Archive& archive) {
  MultinomialNBModel model;
  model.load_weights(archive);
  return model;
}

template class MultinomialNBModel<float>;
template class MultinomialNBModel<double>;
template MultinomialNBModel<float> fit(Engine&, const DatasetView<float>&,
                                       const MultinomialNBOptions&, const FitContext<float>&);
template MultinomialNBModel<double> fit(Engine&, const DatasetView<double>&,
                                        const MultinomialNBOptions&, const FitContext<double>&);

}  // namespace tandem
