// The potential Σ w·D of k-means, draws by it, and the farthest row. Twin:
// cuda/cluster/kmeans_draw.cu and kmeans_distances.cu.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cluster/kmeans_math.hpp"
#include "core/cluster/kmeans_steps.hpp"
#include "core/random.hpp"

namespace tandem::cpu {

// The long sum of w·D; `nodes` becomes all nodes of its tree, as block_by_share() takes them.
template <Real T>
double sum_pulls(int threads, const KMeansPull<T>& pull, Index rows, std::vector<double>& nodes);

// KMeansSteps::sample(u), from the nodes of sum_pulls.
template <Real T>
[[nodiscard]] Index sample(const KMeansPull<T>& pull, Index rows, std::span<const double> nodes,
                           double u);

// The rows i with random.uniform(first_index + i) < factor · w·D, ascending.
template <Real T>
[[nodiscard]] std::vector<Index> select_rows(int threads, const KMeansPull<T>& pull, Index rows,
                                             double factor, const Random& random,
                                             std::uint64_t first_index);

// Finds, among the rows of positive weight whose centre has another such row, that of largest D.
template <Real T>
[[nodiscard]] KMeansFarthest farthest(int threads, const KMeansPull<T>& pull,
                                      const std::int32_t* labels, std::span<const Index> counts,
                                      Index rows);

}  // namespace tandem::cpu
