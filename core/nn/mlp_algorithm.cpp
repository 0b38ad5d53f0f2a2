#include "core/model/algorithm_of.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_mlp_algorithm();

std::unique_ptr<Algorithm> make_mlp_algorithm() {
  return algorithm_of<MlpOptions, MlpModel>(
      {.name = "mlp",
       .summary = "multi-layer perceptron trained by back-propagation, for classes or values",
       .class_name = "MLP",
       .prefers_scaled_features = true,
       .trains_out_of_core = true});
}

}  // namespace tandem
