// The indices that judge a clustering by itself, all at once.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

#include "tandem/core/engine.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

struct ClusterIndices {
  double davies_bouldin = 0;
  double calinski_harabasz = 0;
  double silhouette = std::numeric_limits<double>::quiet_NaN();  // where it was not asked for
};

// As the functions of tandem/metrics/clustering.hpp, with the same requirements and the same bits;
// labels and rows are brought to the engine once.
template <Real T>
[[nodiscard]] ClusterIndices cluster_indices(Engine& engine, MatrixView<const T> x,
                                             std::span<const std::int32_t> labels, bool silhouette);

}  // namespace tandem
