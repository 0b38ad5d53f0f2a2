#include "core/model/algorithm_of.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_gradient_boosting_algorithm();

std::unique_ptr<Algorithm> make_gradient_boosting_algorithm() {
  return algorithm_of<GradientBoostingOptions, GradientBoostingModel>(
      {.name = "gradient-boosting",
       .summary = "boosted trees over histograms, for classes, values or counts",
       .accepts_missing = true,
       .takes_categories = true,
       .trains_out_of_core = true});
}

}  // namespace tandem
