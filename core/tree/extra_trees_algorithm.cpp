#include "core/model/algorithm_of.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_extra_trees_algorithm();

std::unique_ptr<Algorithm> make_extra_trees_algorithm() {
  return algorithm_of<ExtraTreesOptions, ExtraTreesModel>(
      {.name = "extra-trees",
       .summary = "trees that are cut at random thresholds, averaged",
       .accepts_missing = true});
}

}  // namespace tandem
