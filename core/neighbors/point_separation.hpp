// Separations one by one, for references and drivers.
#pragma once

#include "core/neighbors/neighbour_steps.hpp"

namespace tandem {

template <Separation separation, Real T>
[[nodiscard]] T point_separation(const PointsView<T>& points, const T* x, Index point) {
  const T* const y =
      points.values + point / point_panel * points.features * point_panel + point % point_panel;
  T sum = neighbours::begin<separation, T>();
  for (Index j = 0; j < points.features; ++j) {
    sum = neighbours::add<separation>(x[j], y[j * point_panel], sum);
  }
  return neighbours::end<separation>(sum);
}

template <Real T>
[[nodiscard]] T point_separation(Separation separation, const PointsView<T>& points, const T* x,
                                 Index point) {
  switch (separation) {
    case Separation::squared: return point_separation<Separation::squared>(points, x, point);
    case Separation::absolute: return point_separation<Separation::absolute>(points, x, point);
    case Separation::complement: break;
  }
  return point_separation<Separation::complement>(points, x, point);
}

}  // namespace tandem
