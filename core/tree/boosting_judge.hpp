// What rounds of boosting are judged by on the validation rows.
#pragma once

#include <optional>
#include <string>

#include "core/tree/boosting_rows.hpp"
#include "tandem/metrics/direction.hpp"
#include "tandem/model/custom.hpp"
#include "tandem/model/fit.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem::tree {

// By the metric that is named in the options, by one of the caller's own, or, where there is
// neither, by the loss of the objective, which the steps compute where the rows are.
template <Real T>
class BoostingJudge {
 public:
  // Throws InputError for a name that is no metric of the task, and where two metrics are given.
  BoostingJudge(const GradientBoostingOptions& options, const FitContext<T>& context, Task task);

  [[nodiscard]] bool by_loss() const noexcept { return name_ == "loss"; }
  // "loss", or the name of the metric; in a history it follows "validation_".
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] bool needs_queries() const;

  // The metric of raw scores, rows × outputs. Throws InputError where it is not defined on the
  // rows, and NumericalError where a metric of the caller's own is not finite.
  [[nodiscard]] double measure(const GradientBoostingModel<T>& model, const BoostingRows<T>& rows,
                               const Matrix<T>& scores, int threads) const;
  [[nodiscard]] bool better(double value, double best) const noexcept {
    return better_ == Direction::higher ? value > best : value < best;
  }

 private:
  std::string name_ = "loss";
  Direction better_ = Direction::lower;
  std::optional<CustomMetric<T>> custom_;
};

}  // namespace tandem::tree
