#include "core/recommend/recommender_of.hpp"
#include "tandem/recommend/content.hpp"

namespace tandem {

std::unique_ptr<RecommenderAlgorithm> make_content_recommender();

std::unique_ptr<RecommenderAlgorithm> make_content_recommender() {
  return std::make_unique<RecommenderOf<ContentOptions, ContentModel>>(
      "content", "items that are described as those of the history are");
}

}  // namespace tandem
