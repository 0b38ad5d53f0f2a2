// How good a clustering is, by itself and against known classes. docs/evaluation.md has the
// formulas.
//
// Cluster labels are whole numbers >= 0; gaps in them do not matter. Throws InputError for sizes
// that differ, no rows, negative labels and features that are NaN or infinite; the three that judge
// a clustering by itself need at least two clusters and fewer clusters than rows. In exact mode the
// bits do not depend on threads or instruction set.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"

namespace tandem {

// Per row (b − a) / max(a, b): a is the mean distance to the other rows of its own cluster, b the
// least mean distance to the rows of another cluster. In [−1, 1]; 0 in a cluster of one, and where
// a = b = 0. Rousseeuw, "Silhouettes", J. Comput. Appl. Math. 20 (1987). Takes rows² · cols time
// and rows · (cols + clusters) memory on the engine.
template <Real T>
[[nodiscard]] TANDEM_API std::vector<double> silhouette_values(
    Engine& engine, MatrixView<const T> x, std::span<const std::int32_t> labels);
// Their mean.
template <Real T>
[[nodiscard]] TANDEM_API double silhouette(Engine& engine, MatrixView<const T> x,
                                           std::span<const std::int32_t> labels);

// Mean over clusters of the largest (S_i + S_j) / M_ij, S the mean distance of a cluster's rows to
// its centroid, M the distance of two centroids; the less, the better. Infinite where two different
// centroids coincide and S_i + S_j > 0; such a pair counts 0 where S_i + S_j = 0. Davies and
// Bouldin, "A cluster separation measure", IEEE PAMI 1 (1979).
template <Real T>
[[nodiscard]] TANDEM_API double davies_bouldin(Engine& engine, MatrixView<const T> x,
                                               std::span<const std::int32_t> labels);
// On the CPU.
template <Real T>
[[nodiscard]] TANDEM_API double davies_bouldin(MatrixView<const T> x,
                                               std::span<const std::int32_t> labels,
                                               int threads = 1);

// (B / (k − 1)) / (W / (n − k)), B and W the sums of squares between and within clusters; 1 where
// W = 0. Calinski and Harabasz, "A dendrite method for cluster analysis", Comm. in Statistics 3
// (1974).
template <Real T>
[[nodiscard]] TANDEM_API double calinski_harabasz(Engine& engine, MatrixView<const T> x,
                                                  std::span<const std::int32_t> labels);
// On the CPU.
template <Real T>
[[nodiscard]] TANDEM_API double calinski_harabasz(MatrixView<const T> x,
                                                  std::span<const std::int32_t> labels,
                                                  int threads = 1);

// The share of pairs of rows on which two partitions agree, adjusted for chance: 1 for the same
// partition, 0 on average for independent ones. Hubert and Arabie, "Comparing partitions", J. of
// Classification 2 (1985).
[[nodiscard]] TANDEM_API double adjusted_rand(std::span<const std::int32_t> truth,
                                              std::span<const std::int32_t> labels);

// Mutual information divided by the arithmetic mean of the two entropies; in [0, 1]. 1 where both
// partitions have one part only. Vinh, Epps and Bailey, JMLR 11 (2010).
[[nodiscard]] TANDEM_API double normalized_mutual_information(std::span<const std::int32_t> truth,
                                                              std::span<const std::int32_t> labels);

}  // namespace tandem
