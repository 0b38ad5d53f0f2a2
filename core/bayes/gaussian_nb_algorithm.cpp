#include "core/model/algorithm_of.hpp"
#include "tandem/bayes/gaussian_nb.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_gaussian_nb_algorithm();

std::unique_ptr<Algorithm> make_gaussian_nb_algorithm() {
  return algorithm_of<GaussianNBOptions, GaussianNBModel>(
      {.name = "gaussian-nb",
       .summary = "naive Bayes with a normal distribution per class and feature",
       .class_name = "GaussianNB"});
}

}  // namespace tandem
