#include "core/model/algorithm_of.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_random_forest_algorithm();

std::unique_ptr<Algorithm> make_random_forest_algorithm() {
  return algorithm_of<RandomForestOptions, RandomForestModel>(
      {.name = "random-forest",
       .summary = "trees on resampled rows that look at some features each, averaged",
       .accepts_missing = true});
}

}  // namespace tandem
