#include "core/model/algorithm_of.hpp"
#include "tandem/neighbors/knn_classifier.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_knn_classifier_algorithm();

std::unique_ptr<Algorithm> make_knn_classifier_algorithm() {
  return algorithm_of<KNNClassifierOptions, KNNClassifierModel>(
      {.name = "knn-classifier",
       .summary = "classes by a vote of the nearest training rows",
       .class_name = "KNeighborsClassifier",
       .prefers_scaled_features = true});
}

}  // namespace tandem
