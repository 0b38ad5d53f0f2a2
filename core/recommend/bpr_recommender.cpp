#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/bpr.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_bpr_recommender();

std::unique_ptr<RecommenderAlgorithm> make_bpr_recommender() {
  return std::make_unique<RecommenderOf<BprOptions, BprModel>>(
      "bpr", "factors that rank a user's items above others, by Bayesian personalised ranking");
}

}  // namespace tandem
