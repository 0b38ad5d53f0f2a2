#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/popularity.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_popularity_recommender();

std::unique_ptr<RecommenderAlgorithm> make_popularity_recommender() {
  return std::make_unique<RecommenderOf<PopularityOptions, PopularityModel>>(
      "popularity", "the items that most take, or take now, by events weighted by their age");
}

}  // namespace tandem
