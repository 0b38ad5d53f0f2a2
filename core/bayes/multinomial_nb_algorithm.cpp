#include "core/model/algorithm_of.hpp"
#include "tandem/bayes/multinomial_nb.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_multinomial_nb_algorithm();

std::unique_ptr<Algorithm> make_multinomial_nb_algorithm() {
  return algorithm_of<MultinomialNBOptions, MultinomialNBModel>(
      {.name = "multinomial-nb",
       .summary = "naive Bayes of counts, such as words in texts",
       .class_name = "MultinomialNB",
       .values = FeatureValues::nonnegative});
}

}  // namespace tandem
