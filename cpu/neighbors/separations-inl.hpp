// Separations of a few rows from the points of a panel. Included once per instruction set, behind
// cpu/simd-inl.hpp.
#if defined(TANDEM_CPU_NEIGHBORS_SEPARATIONS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_NEIGHBORS_SEPARATIONS_INL_HPP
#undef TANDEM_CPU_NEIGHBORS_SEPARATIONS_INL_HPP
#else
#define TANDEM_CPU_NEIGHBORS_SEPARATIONS_INL_HPP
#endif

#include <hwy/highway.h>

#include <algorithm>
#include <type_traits>

#include "core/neighbors/neighbour_steps.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// 24 of AVX-512's 32 registers are sums, 12 of the others' 16.
constexpr Index rows_of_tile = HWY_TARGET <= HWY_AVX3 ? 12 : 6;
// Points that rows go through before the next rows do: they stay in the second cache.
constexpr Index bytes_of_group = Index{128} << 10;

template <Separation separation, class D, class V = hn::Vec<D>>
HWY_INLINE V AddFeature(D d, V x, V y, V sum) {
  if constexpr (separation == Separation::complement) {
    return Fma(d, hn::Neg(x), y, sum);
  } else if constexpr (separation == Separation::squared) {
    const V t = hn::Sub(x, y);
    return Fma(d, t, t, sum);
  } else {
    return hn::Add(sum, hn::Abs(hn::Sub(x, y)));
  }
}

// Which separations a row looks at: those below its limit, or those up to it.
enum class Limit { below, up_to };

// found(r, column, separation) for every row r of `rows` and point `column` of the panel's columns
// from .. from + vectors · lanes − 1 whose separation is within limits[r], which found() may lower.
// Points ascend.
template <Separation separation, Limit limit, int rows, int vectors, class T, class Found>
HWY_INLINE void SeparationTile(const T* const* x, Index features, const T* HWY_RESTRICT panel,
                               Index from, const T* limits, Found& found) {
  const hn::ScalableTag<T> d;
  using V = hn::Vec<decltype(d)>;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(decltype(d){}));
  V sums[rows][vectors];
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) sums[r][v] = hn::Set(d, neighbours::begin<separation, T>());
  }
  const T* HWY_RESTRICT points = panel + from;
  for (Index j = 0; j < features; ++j, points += point_panel) {
    V y[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) y[v] = hn::Load(d, points + v * lanes);
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) {
      const V own = hn::Set(d, x[r][j]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        sums[r][v] = AddFeature<separation>(d, own, y[v], sums[r][v]);
      }
    }
  }
  const auto passes = [&](V sum, V most) HWY_ATTR __attribute__((always_inline)) {
    if constexpr (limit == Limit::below) return hn::Lt(sum, most);
    if constexpr (limit == Limit::up_to) return hn::Le(sum, most);
  };
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    if constexpr (separation == Separation::complement) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) {
        sums[r][v] = hn::IfThenZeroElse(hn::Lt(sums[r][v], hn::Zero(d)), sums[r][v]);
      }
    }
    const V most = hn::Set(d, limits[r]);
    auto any = passes(sums[r][0], most);
#pragma GCC unroll 4
    for (int v = 1; v < vectors; ++v) any = hn::Or(any, passes(sums[r][v], most));
    if (HWY_LIKELY(hn::AllFalse(d, any))) continue;
    HWY_ALIGN T values[vectors * hn::MaxLanes(d)];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; ++v) hn::Store(sums[r][v], d, values + v * lanes);
    for (Index i = 0; i < vectors * lanes; ++i) {
      if (limit == Limit::below ? values[i] < limits[r] : values[i] <= limits[r]) {
        found(r, from + i, values[i]);
      }
    }
  }
}

// found(row, point, separation) for all points within the limit of each row begin .. end − 1, in
// ascending order of the points for any one row. limits: of those rows, the first one's first.
template <Separation separation, Limit limit, class T, class Found>
void ForEachWithin(const PointsView<T>& points, const QueriesView<T>& queries, Index begin,
                   Index end, T* limits, Found&& found) {
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(hn::ScalableTag<T>()));
  constexpr int vectors = 2 * lanes <= point_panel ? 2 : 1;
  const Index panel_size = points.features * point_panel;
  const Index group = std::max<Index>(
      1, bytes_of_group / std::max<Index>(1, panel_size * static_cast<Index>(sizeof(T))));
  const auto tile = [&]<int rows>(std::integral_constant<int, rows>, Index row, Index count,
                                  Index first_panel, Index last_panel) HWY_ATTR {
    const T* x[rows];
    T most[rows];
    for (Index r = 0; r < rows; ++r) {
      x[r] = queries.x + (row + std::min(r, count - 1)) * queries.stride;
      // Nothing is within that of a row that is not there: no separation is below 0.
      most[r] = r < count ? limits[row - begin + r] : T{-1};
    }
    for (Index panel = first_panel; panel < last_panel; ++panel) {
      const auto passed = [&](int r, Index column, T apart) {
        const Index point = panel * point_panel + column;
        if (point >= points.points || (queries.own >= 0 && point == queries.own + row + r)) return;
        found(row + r, point, apart, most[r]);
      };
      for (Index from = 0; from < point_panel; from += vectors * lanes) {
        SeparationTile<separation, limit, rows, vectors>(
            x, points.features, points.values + panel * panel_size, from, most, passed);
      }
    }
    for (Index r = 0; r < count; ++r) limits[row - begin + r] = most[r];
  };
  for (Index panel = 0; panel < points.panels(); panel += group) {
    const Index last = std::min(points.panels(), panel + group);
    Index row = begin;
    for (; row + rows_of_tile <= end; row += rows_of_tile) {
      tile(std::integral_constant<int, static_cast<int>(rows_of_tile)>{}, row, rows_of_tile, panel,
           last);
    }
    // One or two rows by themselves are faster than a tile of which most is idle.
    if (end - row > 2) {
      tile(std::integral_constant<int, static_cast<int>(rows_of_tile)>{}, row, end - row, panel,
           last);
      continue;
    }
    for (; row < end; ++row) tile(std::integral_constant<int, 1>{}, row, 1, panel, last);
  }
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
