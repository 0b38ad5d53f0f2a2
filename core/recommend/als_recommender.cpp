#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/als.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_als_recommender();

std::unique_ptr<RecommenderAlgorithm> make_als_recommender() {
  return std::make_unique<RecommenderOf<AlsOptions, AlsModel>>(
      "als", "factors of users and items by implicit alternating least squares");
}

}  // namespace tandem
