#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/user_knn.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_user_knn_recommender();

std::unique_ptr<RecommenderAlgorithm> make_user_knn_recommender() {
  return std::make_unique<RecommenderOf<UserKnnOptions, UserKnnModel>>(
      "user-knn", "items that the users most like this one have");
}

}  // namespace tandem
