// Rows as they come into panels, and what a pass over all columns tells.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/cluster/kmeans_load.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>

#include "cpu/cluster/kmeans.hpp"
#include "cpu/cluster/kmeans_pack-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// One block of at most sum_block rows of the long sums of w·x: lanes is [sum_lanes][features].
template <class T>
HWY_INLINE void column_lanes(const T* x, Index rows, Index features, Index stride,
                             const double* weights, double* HWY_RESTRICT lanes) {
  std::fill_n(lanes, sum_lanes * features, 0.0);
  for (Index i = 0; i < rows; ++i) {
    double* HWY_RESTRICT lane = lanes + i % sum_lanes * features;
    const T* HWY_RESTRICT row = x + i * stride;
    if (weights == nullptr) {
      for (Index j = 0; j < features; ++j) lane[j] += static_cast<double>(row[j]);
    } else {
      for (Index j = 0; j < features; ++j) lane[j] += weights[i] * static_cast<double>(row[j]);
    }
  }
  for (Index half = sum_lanes / 2; half > 0; half /= 2) {
    for (Index at = 0; at < half * features; ++at) lanes[at] += lanes[at + half * features];
  }
}
void column_lanes_float32(const float* x, Index rows, Index features, Index stride,
                          const double* weights, double* lanes) {
  column_lanes(x, rows, features, stride, weights, lanes);
}
void column_lanes_float64(const double* x, Index rows, Index features, Index stride,
                          const double* weights, double* lanes) {
  column_lanes(x, rows, features, stride, weights, lanes);
}

// Packs a panel; row_squares = ‖x'‖².
template <class T>
HWY_INLINE void pack_panel(const T* HWY_RESTRICT x, Index rows, Index features, Index stride,
                           const T* HWY_RESTRICT origin, T* HWY_RESTRICT panel,
                           T* HWY_RESTRICT row_squares) {
  const T* row[panel_rows];
  for (Index r = 0; r < rows; ++r) row[r] = x + r * stride;
  transpose_rows(row, rows, features, origin, panel);
  const hn::CappedTag<T, panel_rows> d;
  for (Index r = 0; r < panel_rows; r += static_cast<Index>(hn::Lanes(d))) {
    auto sum = hn::Zero(d);
    for (Index j = 0; j < features; ++j) {
      const auto value = hn::Load(d, panel + j * panel_rows + r);
      sum = Fma(d, value, value, sum);
    }
    hn::Store(sum, d, row_squares + r);
  }
}

// The long sums of w·(x'·x') over one block of at most sum_block rows, already packed, and the
// largest |x'|, per feature. Row r of each panel is lane r; rows past the end are zeros. weights
// has panel_rows entries per panel, or is null. Feature by feature, so that the lanes stay in
// registers: all panels of a block lie in the second-level cache.
template <class T>
HWY_INLINE void block_spread(const T* HWY_RESTRICT panels, Index count, Index features,
                             const double* HWY_RESTRICT weights, double* HWY_RESTRICT sums,
                             T* HWY_RESTRICT largest) {
  const hn::CappedTag<double, 8> dd;
  const hn::Rebind<T, decltype(dd)> dt;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(dd));
  constexpr Index vectors = panel_rows / lanes;
  for (Index j = 0; j < features; ++j) {
    hn::Vec<decltype(dd)> sum[vectors];
    hn::Vec<decltype(dt)> most[vectors];
    for (Index v = 0; v < vectors; ++v) {
      sum[v] = hn::Zero(dd);
      most[v] = hn::Zero(dt);
    }
    for (Index p = 0; p < count; ++p) {
      const T* from = panels + (p * features + j) * panel_rows;
#pragma GCC unroll 32
      for (Index v = 0; v < vectors; ++v) {
        const auto value = hn::Load(dt, from + v * lanes);
        most[v] = hn::Max(most[v], hn::Abs(value));
        hn::Vec<decltype(dd)> wide;
        if constexpr (sizeof(T) == 4) {
          wide = hn::PromoteTo(dd, value);
        } else {
          wide = value;
        }
        auto square = hn::Mul(wide, wide);
        if (weights != nullptr) {
          square = hn::Mul(hn::LoadU(dd, weights + p * panel_rows + v * lanes), square);
        }
        sum[v] = hn::Add(sum[v], square);
      }
    }
    alignas(64) double of_lanes[sum_lanes];
    alignas(64) T of_rows[panel_rows];
    for (Index v = 0; v < vectors; ++v) {
      hn::Store(sum[v], dd, of_lanes + v * lanes);
      hn::Store(most[v], dt, of_rows + v * lanes);
    }
    sums[j] = add_lanes(of_lanes);
    for (const T value : of_rows) largest[j] = std::max(largest[j], value);
  }
}

void pack_float32(const float* x, Index rows, Index features, Index stride, const float* origin,
                  float* panel, float* row_squares) {
  pack_panel(x, rows, features, stride, origin, panel, row_squares);
}
void pack_float64(const double* x, Index rows, Index features, Index stride, const double* origin,
                  double* panel, double* row_squares) {
  pack_panel(x, rows, features, stride, origin, panel, row_squares);
}
void block_spread_float32(const float* panels, Index count, Index features, const double* weights,
                          double* sums, float* largest) {
  block_spread(panels, count, features, weights, sums, largest);
}
void block_spread_float64(const double* panels, Index count, Index features, const double* weights,
                          double* sums, double* largest) {
  block_spread(panels, count, features, weights, sums, largest);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(column_lanes_float32);
HWY_EXPORT(column_lanes_float64);
HWY_EXPORT(pack_float32);
HWY_EXPORT(pack_float64);
HWY_EXPORT(block_spread_float32);
HWY_EXPORT(block_spread_float64);

template <>
LoadKernels<float> load_kernels() {
  return {.column_lanes = &HWY_DYNAMIC_DISPATCH(column_lanes_float32),
          .pack = &HWY_DYNAMIC_DISPATCH(pack_float32),
          .block_spread = &HWY_DYNAMIC_DISPATCH(block_spread_float32)};
}
template <>
LoadKernels<double> load_kernels() {
  return {.column_lanes = &HWY_DYNAMIC_DISPATCH(column_lanes_float64),
          .pack = &HWY_DYNAMIC_DISPATCH(pack_float64),
          .block_spread = &HWY_DYNAMIC_DISPATCH(block_spread_float64)};
}

}  // namespace tandem::cpu
#endif  // HWY_ONCE
