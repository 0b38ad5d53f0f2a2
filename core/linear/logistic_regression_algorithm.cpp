#include "core/model/algorithm_of.hpp"
#include "tandem/linear/logistic_regression.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_logistic_regression_algorithm();

std::unique_ptr<Algorithm> make_logistic_regression_algorithm() {
  return algorithm_of<LogisticRegressionOptions, LogisticRegressionModel>(
      {.name = "logistic-regression",
       .summary = "probabilities of classes from weighted sums of the features",
       .prefers_scaled_features = true,
       .trains_out_of_core = true});
}

}  // namespace tandem
