// Steps of the silhouette: one, since everything but the distances is small.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"

namespace tandem {

// The silhouette of one row (Rousseeuw 1987), from the mean distances a to the rest of its own
// cluster and b to the nearest other one. `size` is that of its own cluster.
TANDEM_HOST_DEVICE inline double silhouette_of(double a, double b, Index size) {
  if (size == 1) return 0.0;
  const double larger = a > b ? a : b;
  return larger > 0 ? (b - a) / larger : larger == 0 ? 0.0 : larger;
}

template <Real T>
class SilhouetteSteps {
 public:
  virtual ~SilhouetteSteps() = default;
  static constexpr std::string_view name = "silhouette";
  [[nodiscard]] static std::unique_ptr<SilhouetteSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<SilhouetteSteps> make_cpu(Engine& engine);

  // values(i) = silhouette_of row i, enqueued.
  //
  // x: rows × cols. members: the row numbers, cluster by cluster, ascending inside; cluster c has
  // members(first(c)) ... members(first(c + 1) − 1), at least one. first: clusters + 1, clusters >=
  // 2. cluster: of each row.
  //
  // Exact: the distance of rows i and j in type T is sqrt of the chain acc = fma(d, d, acc), d =
  // x(i, f) − x(j, f), over ascending features from 0. The sum over a cluster is the long_sum of
  // the distances to its members in their order (that of a row to itself is +0). a is the sum over
  // its own cluster divided by size − 1, b the least over the others of sum / size.
  //
  // 3 · rows² · cols flops and rows² square roots.
  virtual void values(const Buffer<T>& x, Index cols, const Buffer<Index>& members,
                      const Buffer<Index>& first, const Buffer<std::int32_t>& cluster,
                      Buffer<double>& values) = 0;
};

}  // namespace tandem
