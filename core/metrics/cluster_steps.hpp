// The passes over the rows behind the Davies-Bouldin and the Calinski-Harabasz index.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "core/cost.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// A clustering in an engine's memory.
template <Real T>
struct ClusteredRows {
  const T* x = nullptr;  // row i at x + i · stride
  Index stride = 0;
  Index rows = 0;
  Index cols = 0;
  // Row numbers cluster by cluster, ascending inside; null where that is all rows as they stand.
  const Index* members = nullptr;
  const std::int32_t* cluster = nullptr;  // of each row, 0 .. clusters − 1
  std::span<const Index> first;  // on the host: cluster c has members first[c] .. first[c + 1] − 1
  [[nodiscard]] Index clusters() const { return static_cast<Index>(first.size()) - 1; }
};

// The least bytes that a pass over the rows moves, and its operations; an fma counts two.
[[nodiscard]] constexpr Cost cluster_distances_cost(Index rows, Index cols, std::size_t element) {
  const auto values = static_cast<double>(rows) * static_cast<double>(cols);
  return {values * static_cast<double>(element) + 8 * static_cast<double>(rows), 3 * values};
}

// Sums over members and over rows have the shape of long_sum; all in double. A squared distance is
// the chain acc = fma(d, d, acc), d = x(i, j) − centroid(c, j), over ascending j from 0.
template <Real T>
class ClusterMetricSteps {
 public:
  virtual ~ClusterMetricSteps() = default;
  static constexpr std::string_view name = "cluster_metric";
  [[nodiscard]] static std::unique_ptr<ClusterMetricSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<ClusterMetricSteps> make_cpu(Engine& engine);

  // members = the numbers of the `rows` rows, cluster by cluster and ascending inside; cluster: of
  // each row, 0 .. clusters − 1. Enqueued.
  virtual void list_members(const std::int32_t* cluster, Index rows, Index clusters,
                            Buffer<Index>& members) = 0;
  // centroids(c, j) = the mean of x(i, j) over the members of c: clusters × cols. Enqueued.
  virtual void centroids(const ClusteredRows<T>& rows, Buffer<double>& centroids) = 0;
  // spreads(c) = the mean distance of the members of c to its centroid. Enqueued.
  virtual void spreads(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
                       Buffer<double>& spreads) = 0;
  // within(0) = Σ over rows, in their order, of the squared distance to the own centroid. Enqueued.
  virtual void within(const ClusteredRows<T>& rows, const Buffer<double>& centroids,
                      Buffer<double>& within) = 0;
};

}  // namespace tandem
