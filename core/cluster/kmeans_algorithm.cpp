#include "core/model/algorithm_of.hpp"
#include "tandem/cluster/kmeans.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_kmeans_algorithm();

std::unique_ptr<Algorithm> make_kmeans_algorithm() {
  return algorithm_of<KMeansOptions, KMeansModel>(
      {.name = "kmeans",
       .summary = "k-means clustering by Lloyd's algorithm",
       .class_name = "KMeans",
       .kind = ModelKind::clusterer,
       .trains_out_of_core = true});
}

}  // namespace tandem
