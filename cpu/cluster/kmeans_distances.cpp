// Distances of the rows to given rows, and to their own centres.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/cluster/kmeans_distances.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "cpu/cluster/kmeans.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// min(distance, ‖x' − y'‖²) for `Y` rows y' of d features each, one after the other.
template <int Y, class T>
HWY_INLINE void panel_distances(const T* HWY_RESTRICT panel, Index features,
                                const T* HWY_RESTRICT rows, T* HWY_RESTRICT distance) {
  const hn::CappedTag<T, panel_rows / 2> d;
  using V = hn::Vec<decltype(d)>;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  for (Index r = 0; r < panel_rows; r += 2 * lanes) {
    V sum0[Y];
    V sum1[Y];
#pragma GCC unroll 4
    for (int y = 0; y < Y; ++y) sum0[y] = sum1[y] = hn::Zero(d);
    for (Index j = 0; j < features; ++j) {
      const V x0 = hn::Load(d, panel + j * panel_rows + r);
      const V x1 = hn::Load(d, panel + j * panel_rows + r + lanes);
#pragma GCC unroll 4
      for (int y = 0; y < Y; ++y) {
        const V coordinate = hn::Set(d, rows[y * features + j]);
        const V difference0 = hn::Sub(x0, coordinate);
        const V difference1 = hn::Sub(x1, coordinate);
        sum0[y] = Fma(d, difference0, difference0, sum0[y]);
        sum1[y] = Fma(d, difference1, difference1, sum1[y]);
      }
    }
    V least0 = hn::Load(d, distance + r);
    V least1 = hn::Load(d, distance + r + lanes);
#pragma GCC unroll 4
    for (int y = 0; y < Y; ++y) {
      least0 = hn::Min(least0, sum0[y]);
      least1 = hn::Min(least1, sum1[y]);
    }
    hn::Store(least0, d, distance + r);
    hn::Store(least1, d, distance + r + lanes);
  }
}

template <class T>
void distances_to_rows(const T* packed, Index features, Index first_panel, Index last_panel,
                       const T* rows, Index count, T* distance) {
  for (Index p = first_panel; p < last_panel; ++p) {
    const T* panel = packed + p * features * panel_rows;
    Index y = 0;
    for (; y + 4 <= count; y += 4) {
      panel_distances<4>(panel, features, rows + y * features, distance + p * panel_rows);
    }
    for (; y < count; ++y) {
      panel_distances<1>(panel, features, rows + y * features, distance + p * panel_rows);
    }
  }
}

void distances_float32(const float* packed, Index features, Index first, Index last,
                       const float* rows, Index count, float* distance) {
  distances_to_rows(packed, features, first, last, rows, count, distance);
}
void distances_float64(const double* packed, Index features, Index first, Index last,
                       const double* rows, Index count, double* distance) {
  distances_to_rows(packed, features, first, last, rows, count, distance);
}

// ‖x' − c'‖² of each row of a panel and its centre, a chain in type A, by label; rows without a
// label, and those past the end, give 0. Several rows at a time, so that their chains overlap.
template <class A, class T>
HWY_INLINE void distances_by_label(const T* HWY_RESTRICT panel, Index features,
                                   const std::int32_t* HWY_RESTRICT labels,
                                   const T* HWY_RESTRICT centres, A* HWY_RESTRICT distance) {
  constexpr Index together = 8;
  for (Index r = 0; r < panel_rows; r += together) {
    const T* centre[together];
    A sum[together] = {};
    for (Index i = 0; i < together; ++i) {
      centre[i] = centres + std::max<Index>(labels[r + i], 0) * features;
    }
    for (Index j = 0; j < features; ++j) {
      const T* x = panel + j * panel_rows + r;
#pragma GCC unroll 8
      for (Index i = 0; i < together; ++i) {
        const A difference = static_cast<A>(x[i]) - static_cast<A>(centre[i][j]);
        sum[i] = std::fma(difference, difference, sum[i]);
      }
    }
    for (Index i = 0; i < together; ++i) distance[r + i] = labels[r + i] >= 0 ? sum[i] : A{0};
  }
}

void row_costs_float32(const float* panel, Index features, const std::int32_t* labels,
                       const float* centres, double* cost) {
  distances_by_label(panel, features, labels, centres, cost);
}
void row_costs_float64(const double* panel, Index features, const std::int32_t* labels,
                       const double* centres, double* cost) {
  distances_by_label(panel, features, labels, centres, cost);
}
void row_distances_float32(const float* panel, Index features, const std::int32_t* labels,
                           const float* centres, float* distance) {
  distances_by_label(panel, features, labels, centres, distance);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(distances_float32);
HWY_EXPORT(distances_float64);
HWY_EXPORT(row_costs_float32);
HWY_EXPORT(row_costs_float64);
HWY_EXPORT(row_distances_float32);

template <>
DistanceKernels<float> distance_kernels() {
  return {.to_rows = &HWY_DYNAMIC_DISPATCH(distances_float32),
          .to_own_centres = &HWY_DYNAMIC_DISPATCH(row_distances_float32),
          .costs = &HWY_DYNAMIC_DISPATCH(row_costs_float32)};
}
template <>
DistanceKernels<double> distance_kernels() {
  // In double a cost is the distance.
  return {.to_rows = &HWY_DYNAMIC_DISPATCH(distances_float64),
          .to_own_centres = &HWY_DYNAMIC_DISPATCH(row_costs_float64),
          .costs = &HWY_DYNAMIC_DISPATCH(row_costs_float64)};
}

}  // namespace tandem::cpu
#endif  // HWY_ONCE
