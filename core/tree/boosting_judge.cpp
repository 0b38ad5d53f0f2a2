#include "core/tree/boosting_judge.hpp"

#include <cmath>
#include <vector>

#include "core/metrics/one_metric.hpp"
#include "tandem/core/error.hpp"

namespace tandem::tree {

template <Real T>
BoostingJudge<T>::BoostingJudge(const GradientBoostingOptions& options,
                                const FitContext<T>& context, Task task)
    : custom_(context.metric) {
  if (custom_) {
    if (!options.eval_metric.empty()) {
      throw InputError(option("eval_metric") + " is " + options.eval_metric +
                       ", and the fit has a metric of its own; give one of them");
    }
    if (custom_->name.empty() || custom_->name == "loss" || !custom_->value) {
      throw InputError(
          "a metric of one's own needs a function and a name, which must not be 'loss'");
    }
    name_ = custom_->name;
    better_ = custom_->better;
  } else if (!options.eval_metric.empty()) {
    name_ = options.eval_metric;
    try {
      better_ = better_direction(name_, task);
    } catch (const InputError& error) {
      throw InputError(option("eval_metric") + ": " + error.marked());
    }
  }
}

template <Real T>
bool BoostingJudge<T>::needs_queries() const {
  return !custom_ && is_ranking_metric(name_);
}

template <Real T>
double BoostingJudge<T>::measure(const GradientBoostingModel<T>& model, const BoostingRows<T>& rows,
                                 const Matrix<T>& scores, int threads) const {
  if (custom_) {
    const double value = custom_->value(rows.with_scores(scores));
    if (!std::isfinite(value)) {
      throw NumericalError("the metric " + name_ + " is not finite on the validation rows");
    }
    return value;
  }
  const std::vector<double> weights(rows.weights.begin(), rows.weights.end());
  const std::vector<std::int32_t> labels(rows.target.begin(), rows.target.end());
  Truth<T> truth;
  truth.weights = weights;
  truth.starts = rows.starts;
  if (model.task() == Task::classification) {
    truth.labels = labels;
  } else {
    truth.values = rows.target;
  }
  const double value = one_metric<T>(
      name_, model.task(), truth, model.predictions_of(scores, threads),
      [&] { return model.margins_of(scores); }, threads);
  if (!std::isfinite(value)) {
    throw InputError(option("eval_metric") + " " + name_ +
                     " is not defined on the validation rows; choose another metric or other rows");
  }
  return value;
}

template class BoostingJudge<float>;
template class BoostingJudge<double>;

}  // namespace tandem::tree
