#include "tandem/bayes/gaussian_nb.hpp"

#include <algorithm>
#include <cmath>

#include "core/bayes/bayes_steps.hpp"
#include "core/bayes/class_rows.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/stop_scope.hpp"

namespace tandem {

void GaussianNBOptions::visit(OptionVisitor& visitor) {
  visitor.real("var_smoothing", var_smoothing,
               "part of the largest variance of a feature that is added to every variance", 0,
               1e12);
  visitor.reals("priors", priors,
                "how frequent the classes are, in their order, summing to 1; none: as in the data",
                0, 1);
}

void GaussianNBOptions::check() const { check_priors(priors); }

template <Real T>
GaussianNBModel<T> fit(Engine& engine, const DatasetView<T>& data, const GaussianNBOptions& options,
                       const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  check_options(options);
  const ClassRows<T> rows(engine, setting.data(), "Gaussian naive Bayes");
  const Index classes = rows.classes();
  const Index d = data.cols();
  GaussianNBModel<T> model;
  begin_model(rows,
              class_log_priors(data.source, rows.names(), rows.weights(), options.priors, false),
              model);
  model.log.stopped_because = "means and variances by two passes";

  // Where no row of a class has a weight, its prior is 0 and these mean nothing.
  const auto weight = [&](Index c) { return rows.weights()[static_cast<std::size_t>(c)]; };
  // From one of the rows on, so that the mean of equal values is that value and no rounding of it.
  const std::vector<double> origin = rows.some_row();
  std::vector<double> centre;
  for (Index c = 0; c < classes; ++c) centre.insert(centre.end(), origin.begin(), origin.end());
  model.means = rows.sums(ClassSum::deviations, 0, centre);
  for (Index c = 0; c < classes; ++c) {
    for (Index j = 0; j < d; ++j) {
      double& mean = model.means(c, j);
      mean = origin[static_cast<std::size_t>(j)] + (weight(c) > 0 ? mean / weight(c) : 0.0);
    }
  }
  model.variances = rows.sums(ClassSum::squares, 0, model.means.values());

  // The variance of a feature over all rows: within the classes, and between their means.
  double total = 0;
  for (Index c = 0; c < classes; ++c) total += weight(c);
  double largest = 0;
  for (Index j = 0; j < d; ++j) {
    const double from = origin[static_cast<std::size_t>(j)];
    double mean = 0;
    for (Index c = 0; c < classes; ++c) mean += weight(c) * (model.means(c, j) - from);
    mean = from + mean / total;
    double squares = 0;
    for (Index c = 0; c < classes; ++c) {
      const double apart = model.means(c, j) - mean;
      squares += model.variances(c, j) + weight(c) * (apart * apart);
    }
    largest = std::max(largest, squares / total);
  }
  if (!std::isfinite(largest)) {
    throw NumericalError(data.source +
                         ": the variance of a feature exceeds the range of double precision; scale "
                         "the features");
  }
  // Features of which none varies say nothing; any variance says so.
  model.smoothing = largest > 0 ? options.var_smoothing * largest : 1.0;
  for (Index c = 0; c < classes; ++c) {
    for (Index j = 0; j < d; ++j) {
      double& variance = model.variances(c, j);
      variance = (weight(c) > 0 ? variance / weight(c) : 1.0) + model.smoothing;
      // Also one whose reciprocal is no number.
      if (variance > 0 && std::isfinite(1 / variance) && std::isfinite(variance)) continue;
      throw InputError(data.source + ": column " + data.feature_name(j) +
                       " is constant, or nearly, in the rows of class " +
                       rows.names()[static_cast<std::size_t>(c)] + "; add to its variance with " +
                       option("var_smoothing") + ", or leave it out");
    }
  }
  return model;
}

template <Real T>
BayesTerms GaussianNBModel<T>::terms() const {
  constexpr double ln_two_pi = 1.8378770664093453;
  const Index classes = means.rows();
  const Index d = means.cols();
  BayesTerms terms;
  terms.likelihood = BayesLikelihood::normal;
  terms.features = d;
  terms.classes = classes;
  terms.bias = this->class_log_prior;
  terms.weights.resize(static_cast<std::size_t>(classes * d));
  terms.means.resize(terms.weights.size());
  for (Index c = 0; c < classes; ++c) {
    double logs = 0;
    for (Index j = 0; j < d; ++j) {
      const auto at = static_cast<std::size_t>(j * classes + c);
      logs += ln_two_pi + math::log(variances(c, j));
      terms.weights[at] = 0.5 / variances(c, j);
      terms.means[at] = means(c, j);
    }
    terms.bias[static_cast<std::size_t>(c)] -= 0.5 * logs;
  }
  return terms;
}

template <Real T>
auto GaussianNBModel<T>::numbers() const -> std::vector<typename NaiveBayesModel<T>::Numbers> {
  return {{"means", means}, {"variances", variances}};
}

template <Real T>
void GaussianNBModel<T>::save(Archive& archive) const {
  NaiveBayesModel<T>::save(archive);
  archive.set_matrix("means", means);
  archive.set_matrix("variances", variances);
  archive.set("smoothing", smoothing);
}

template <Real T>
GaussianNBModel<T> GaussianNBModel<T>::load(const Archive& archive) {
  GaussianNBModel model;
  model.load_common(archive);
  const auto classes = static_cast<Index>(model.class_names.size());
  model.means = archive.get_matrix<double>("means", classes);
  if (model.means.cols() < 1) archive.fail("means", "expected at least one feature");
  for (const double mean : model.means.values()) {
    if (!std::isfinite(mean)) archive.fail("means", "expected finite numbers");
  }
  model.variances = archive.get_matrix<double>("variances", classes);
  if (model.variances.cols() != model.means.cols()) {
    archive.fail("variances", "is of another width than the means");
  }
  for (const double variance : model.variances.values()) {
    if (!(variance > 0) || !std::isfinite(variance) || !std::isfinite(1 / variance)) {
      archive.fail("variances", "expected finite numbers above 0");
    }
  }
  model.smoothing = archive.get_double("smoothing");
  if (!(model.smoothing >= 0) || !std::isfinite(model.smoothing)) {
    archive.fail("smoothing", "expected a finite number, 0 or more");
  }
  return model;
}

template class GaussianNBModel<float>;
template class GaussianNBModel<double>;
template GaussianNBModel<float> fit(Engine&, const DatasetView<float>&, const GaussianNBOptions&,
                                    const FitContext<float>&);
template GaussianNBModel<double> fit(Engine&, const DatasetView<double>&, const GaussianNBOptions&,
                                     const FitContext<double>&);

}  // namespace tandem
