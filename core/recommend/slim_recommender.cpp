#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/slim.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_slim_recommender();

std::unique_ptr<RecommenderAlgorithm> make_slim_recommender() {
  return std::make_unique<RecommenderOf<SlimOptions, SlimModel>>(
      "slim", "a sparse linear model of each item by the others, by coordinate descent");
}

}  // namespace tandem
