#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/ease.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_ease_recommender();

std::unique_ptr<RecommenderAlgorithm> make_ease_recommender() {
  return std::make_unique<RecommenderOf<EaseOptions, EaseModel>>(
      "ease", "items by a linear model of all others in closed form (EASE)");
}

}  // namespace tandem
