// All separations of a row, then a sort.
#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/neighbors/neighbour_steps.hpp"
#include "core/neighbors/point_separation.hpp"

namespace tandem {
namespace {

template <Real T>
class ReferenceNeighbours final : public NeighbourSteps<T> {
 public:
  void nearest(Separation separation, const PointsView<T>& points, const QueriesView<T>& queries,
               Index k, Buffer<std::int32_t>& nearest, Buffer<T>& separations) override {
    for (Index i = 0; i < queries.rows; ++i) {
      std::vector<std::pair<T, std::int32_t>> all;
      for (Index p = 0; p < points.points; ++p) {
        if (queries.own >= 0 && p == queries.own + i) continue;
        const T apart = point_separation(separation, points, queries.x + i * queries.stride, p);
        if (std::isfinite(apart)) all.emplace_back(apart, static_cast<std::int32_t>(p));
      }
      std::sort(all.begin(), all.end());
      for (Index r = 0; r < k; ++r) {
        const bool there = r < static_cast<Index>(all.size());
        const auto [apart, point] =
            there ? all[static_cast<std::size_t>(r)] : std::pair<T, std::int32_t>{T{0}, -1};
        nearest.data()[i * k + r] = point;
        separations.data()[i * k + r] = apart;
      }
    }
  }
};

}  // namespace

template <Real T>
std::unique_ptr<NeighbourSteps<T>> NeighbourSteps<T>::make_reference(Engine& /*engine*/) {
  return std::make_unique<ReferenceNeighbours<T>>();
}
template std::unique_ptr<NeighbourSteps<float>> NeighbourSteps<float>::make_reference(Engine&);
template std::unique_ptr<NeighbourSteps<double>> NeighbourSteps<double>::make_reference(Engine&);

}  // namespace tandem
