#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/item_knn.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_item_knn_recommender();

std::unique_ptr<RecommenderAlgorithm> make_item_knn_recommender() {
  return std::make_unique<RecommenderOf<ItemKnnOptions, ItemKnnModel>>(
      "item-knn", "items like those of the history, by the users that they share");
}

}  // namespace tandem
