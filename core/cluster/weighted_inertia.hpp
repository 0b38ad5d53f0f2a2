// The inertia of rows of which some count more than others.
#pragma once

#include <span>

#include "tandem/cluster/kmeans.hpp"

namespace tandem {

// The sum over the rows of weight × squared distance to the nearest centre, as fit() has it: of the
// training rows it is model.inertia. Requires: a weight of 0 or more per row.
template <Real T>
[[nodiscard]] double weighted_inertia(Engine& engine, const KMeansModel<T>& model,
                                      MatrixView<const T> x, std::span<const T> weights);

}  // namespace tandem
