#include "core/model/algorithm_of.hpp"
#include "tandem/bayes/complement_nb.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_complement_nb_algorithm();

std::unique_ptr<Algorithm> make_complement_nb_algorithm() {
  return algorithm_of<ComplementNBOptions, ComplementNBModel>(
      {.name = "complement-nb",
       .summary = "naive Bayes of counts, each class against all others",
       .class_name = "ComplementNB",
       .values = FeatureValues::nonnegative});
}

}  // namespace tandem
