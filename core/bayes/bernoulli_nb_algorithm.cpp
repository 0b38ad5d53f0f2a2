#include "core/model/algorithm_of.hpp"
#include "tandem/bayes/bernoulli_nb.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_bernoulli_nb_algorithm();

std::unique_ptr<Algorithm> make_bernoulli_nb_algorithm() {
  return algorithm_of<BernoulliNBOptions, BernoulliNBModel>(
      {.name = "bernoulli-nb",
       .summary = "naive Bayes of features that are there or not",
       .class_name = "BernoulliNB"});
}

}  // namespace tandem
