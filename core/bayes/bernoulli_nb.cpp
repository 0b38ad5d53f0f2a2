#include "tandem/bayes/bernoulli_nb.hpp"

#include <algorithm>
#include <cmath>

#include "core/bayes/bayes_steps.hpp"
#include "core/bayes/class_rows.hpp"
#include "core/bayes/feature_weights.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {

void BernoulliNBOptions::visit(OptionVisitor& visitor) {
  visit_alpha(visitor, alpha);
  visitor.real("binarize", binarize, "a value above this says that the feature is there", -1e300,
               1e300);
  prior.visit(visitor);
}

template <Real T>
BernoulliNBModel<T> fit(Engine& engine, const DatasetView<T>& data,
                        const BernoulliNBOptions& options,
                        const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  check_options(options);
  const ClassRows<T> rows(engine, setting.data(), "Bernoulli naive Bayes");
  BernoulliNBModel<T> model;
  begin_model(rows,
              class_log_priors(data.source, rows.names(), rows.weights(), options.prior.priors,
                               options.prior.uniform_prior),
              model);
  model.binarize = options.binarize;
  model.alpha = options.alpha;
  model.feature_counts = rows.sums(ClassSum::presences, options.binarize, {});
  model.feature_log_prob = Matrix<double>(rows.classes(), data.cols());
  for (Index c = 0; c < rows.classes(); ++c) {
    const double log_total =
        math::log(rows.weights()[static_cast<std::size_t>(c)] + 2 * options.alpha);
    for (Index j = 0; j < data.cols(); ++j) {
      model.feature_log_prob(c, j) =
          math::log(model.feature_counts(c, j) + options.alpha) - log_total;
    }
  }
  return model;
}

// b_c = ln P(c) + Σ_j ln P(not x_j | c), and x_j adds ln P(x_j | c) − ln P(not x_j | c) where it is
// there.
template <Real T>
BayesTerms BernoulliNBModel<T>::terms() const {
  BayesTerms terms = terms_of_weights(this->feature_log_prob);
  terms.likelihood = BayesLikelihood::thresholded;
  terms.threshold = binarize;
  terms.bias = this->class_log_prior;
  for (Index c = 0; c < terms.classes; ++c) {
    const auto at_class = static_cast<std::size_t>(c);
    const double weight = this->class_weights[at_class];
    const double log_total = math::log(weight + 2 * alpha);
    for (Index j = 0; j < terms.features; ++j) {
      // The weight of the rows without it; rounding may put the one of those with it above the sum.
      const double without = std::max(0.0, weight - this->feature_counts(c, j));
      const double absent = math::log(without + alpha) - log_total;
      terms.bias[at_class] += absent;
      terms.weights[static_cast<std::size_t>(j * terms.classes + c)] -= absent;
    }
  }
  return terms;
}

template <Real T>
void BernoulliNBModel<T>::save(Archive& archive) const {
  FeatureWeightsModel<T>::save(archive);
  archive.set("binarize", binarize);
  archive.set("alpha", alpha);
}

template <Real T>
BernoulliNBModel<T> BernoulliNBModel<T>::load(const Archive& archive) {
  BernoulliNBModel model;
  model.load_weights(archive);
  model.binarize = archive.get_double("binarize");
  if (!std::isfinite(model.binarize)) archive.fail("binarize", "expected a finite number");
  model.alpha = archive.get_double("alpha");
  if (!(model.alpha > 0) || !std::isfinite(model.alpha)) {
    archive.fail("alpha", "expected a finite number above 0");
  }
  return model;
}

template class BernoulliNBModel<float>;
template class BernoulliNBModel<double>;
template BernoulliNBModel<float> fit(Engine&, const DatasetView<float>&, const BernoulliNBOptions&,
                                     const FitContext<float>&);
template BernoulliNBModel<double> fit(Engine&, const DatasetView<double>&,
                                      const BernoulliNBOptions&, const FitContext<double>&);

}  // namespace tandem
