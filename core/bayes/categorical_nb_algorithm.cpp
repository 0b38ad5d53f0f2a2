#include "core/model/algorithm_of.hpp"
#include "tandem/bayes/categorical_nb.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_categorical_nb_algorithm();

std::unique_ptr<Algorithm> make_categorical_nb_algorithm() {
  return algorithm_of<CategoricalNBOptions, CategoricalNBModel>(
      {.name = "categorical-nb",
       .summary = "naive Bayes of categories",
       .class_name = "CategoricalNB",
       .accepts_missing = true,
       .takes_categories = true,
       .values = FeatureValues::codes});
}

}  // namespace tandem
