// The first centres of a start of k-means.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cluster/kmeans_steps.hpp"
#include "tandem/cluster/kmeans.hpp"

namespace tandem {

// The clusters × features coordinates, row-major. Requires: steps has loaded x and `weights` (one
// per row, or none), and there are at least `clusters` rows of positive weight. `start` tells the
// random numbers of several starts apart. Where `given` has rows, they are the centres.
template <Real T>
[[nodiscard]] std::vector<T> first_centres(Engine& engine, KMeansSteps<T>& steps,
                                           MatrixView<const T> x, std::span<const double> weights,
                                           std::span<const T> origin, const KMeansOptions& options,
                                           MatrixView<const T> given, Index start);

}  // namespace tandem
