// The steps of nearest neighbours: distances and selection in one, so that no table of all
// distances is ever in memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/cost.hpp"
#include "core/neighbors/neighbour_math.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/engine.hpp"

namespace tandem {

// Points, laid out so that 32 of them lie side by side for every feature: feature j of point i
// stands at ((i / 32)·features + j)·32 + i mod 32, padded with zeros to whole panels. Both vectors
// of a processor and the lanes of a warp read them so.
inline constexpr Index point_panel = 32;

template <Real T>
struct PointsView {
  Index points = 0;
  Index features = 0;
  const T* values = nullptr;

  [[nodiscard]] TANDEM_HOST_DEVICE constexpr Index panels() const {
    return ceil_div(points, point_panel);
  }
};

// Row-major rows whose neighbours are asked for.
template <Real T>
struct QueriesView {
  Index rows = 0;
  Index stride = 0;
  const T* x = nullptr;
  // Row i is point own + i and no neighbour of itself; −1: the rows are none of the points.
  Index own = -1;
};

// Two or three operations per query, point and feature; points and queries read once.
[[nodiscard]] constexpr Cost neighbours_cost(Separation separation, Index queries, Index points,
                                             Index features, std::size_t element) {
  const auto n = static_cast<double>(queries);
  const auto m = static_cast<double>(points);
  const auto d = static_cast<double>(features);
  const double each = separation == Separation::squared ? 3 : 2;
  return {(n + m) * d * static_cast<double>(element), each * n * m * d};
}

template <Real T>
class NeighbourSteps {
 public:
  virtual ~NeighbourSteps() = default;
  static constexpr std::string_view name = "neighbours";
  [[nodiscard]] static std::unique_ptr<NeighbourSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<NeighbourSteps> make_cpu(Engine& engine);

  // nearest and separations: rows × k, the k points of the least separation from each row, nearest
  // first, of equals the lower number; −1 and 0 where there are fewer. A separation that is not
  // finite is none. separation(row, point) is the chain of core/neighbors/neighbour_math.hpp, on
  // every engine. 1 <= k <= most_neighbours; fewer than 2^31 points. Enqueues.
  virtual void nearest(Separation separation, const PointsView<T>& points,
                       const QueriesView<T>& queries, Index k, Buffer<std::int32_t>& nearest,
                       Buffer<T>& separations) = 0;
};

}  // namespace tandem
