#include "core/model/algorithm_of.hpp"
#include "tandem/neighbors/knn_regressor.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_knn_regressor_algorithm();

std::unique_ptr<Algorithm> make_knn_regressor_algorithm() {
  return algorithm_of<KNNRegressorOptions, KNNRegressorModel>(
      {.name = "knn-regressor",
       .summary = "values as means over the nearest training rows",
       .class_name = "KNeighborsRegressor",
       .prefers_scaled_features = true});
}

}  // namespace tandem
