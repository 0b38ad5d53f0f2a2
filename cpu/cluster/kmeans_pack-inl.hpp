// Rows into panels. Included once per instruction set: see cpu/simd-inl.hpp.
#if defined(TANDEM_CPU_CLUSTER_KMEANS_PACK_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_CLUSTER_KMEANS_PACK_INL_HPP
#undef TANDEM_CPU_CLUSTER_KMEANS_PACK_INL_HPP
#else
#define TANDEM_CPU_CLUSTER_KMEANS_PACK_INL_HPP
#endif

#include "cpu/cluster/kmeans.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

#if HWY_TARGET != HWY_SCALAR
// 16 bytes from place `at` of each of the rows that are 16 / sizeof(T) apart in x, as many as fill
// a vector.
template <class D, class T = hn::TFromD<D>>
HWY_INLINE hn::Vec<D> load_blocks(D d, const T* const* x, Index at) {
  if constexpr (hn::MaxLanes(D()) * sizeof(T) <= 16) {
    return hn::LoadU(d, x[0] + at);
  } else {
    const hn::Half<D> half;
    return hn::Combine(d, load_blocks(half, x + hn::MaxLanes(half), at), load_blocks(half, x, at));
  }
}
#endif

// out[feature][panel_rows] = x − origin for `rows` <= panel_rows rows of x, each anywhere in
// memory; 0 past the end.
template <class T>
HWY_INLINE void transpose_rows(const T* const* x, Index rows, Index features,
                               const T* HWY_RESTRICT origin, T* HWY_RESTRICT out) {
  Index first = 0;
#if HWY_TARGET != HWY_SCALAR
  // Squares of 4 × 4 floats or 2 × 2 doubles, one in each 16 bytes of the vectors.
  constexpr Index side = 16 / sizeof(T);
  const hn::CappedTag<T, panel_rows / 2> d;
  constexpr Index lanes = static_cast<Index>(hn::MaxLanes(d));
  if (rows == panel_rows) {
    const Index whole = features / side * side;
    for (Index r = 0; r < panel_rows; r += lanes) {
      for (first = 0; first < whole; first += side) {
        T* to = out + first * panel_rows + r;
        const auto moved = hn::LoadDup128(d, origin + first);
        const auto row0 = hn::Sub(load_blocks(d, x + r, first), moved);
        const auto row1 = hn::Sub(load_blocks(d, x + r + 1, first), moved);
        const auto low01 = hn::InterleaveLower(d, row0, row1);
        const auto high01 = hn::InterleaveUpper(d, row0, row1);
        if constexpr (side == 2) {
          hn::Store(low01, d, to);
          hn::Store(high01, d, to + panel_rows);
        } else {
          const hn::Repartition<double, decltype(d)> pairs;
          const auto row2 = hn::Sub(load_blocks(d, x + r + 2, first), moved);
          const auto row3 = hn::Sub(load_blocks(d, x + r + 3, first), moved);
          const auto low23 = hn::BitCast(pairs, hn::InterleaveLower(d, row2, row3));
          const auto high23 = hn::BitCast(pairs, hn::InterleaveUpper(d, row2, row3));
          const auto low = hn::BitCast(pairs, low01);
          const auto high = hn::BitCast(pairs, high01);
          const auto store = [&](Index j, auto values) HWY_ATTR {
            hn::Store(hn::BitCast(d, values), d, to + j * panel_rows);
          };
          store(0, hn::InterleaveLower(pairs, low, low23));
          store(1, hn::InterleaveUpper(pairs, low, low23));
          store(2, hn::InterleaveLower(pairs, high, high23));
          store(3, hn::InterleaveUpper(pairs, high, high23));
        }
      }
    }
  }
#endif
  for (Index j = first; j < features; ++j) {
    for (Index r = 0; r < rows; ++r) out[j * panel_rows + r] = x[r][j] - origin[j];
    for (Index r = rows; r < panel_rows; ++r) out[j * panel_rows + r] = T{0};
  }
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
