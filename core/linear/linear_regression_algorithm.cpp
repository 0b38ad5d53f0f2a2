#include "core/model/algorithm_of.hpp"
#include "tandem/linear/linear_regression.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_linear_regression_algorithm();

std::unique_ptr<Algorithm> make_linear_regression_algorithm() {
  return algorithm_of<LinearRegressionOptions, LinearRegressionModel>(
      {.name = "linear-regression",
       .summary = "a number as a weighted sum of the features, by least squares",
       .trains_out_of_core = true});
}

}  // namespace tandem
