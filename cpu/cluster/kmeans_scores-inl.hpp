// Scores of a panel of rows against all centres, and the running argmin. Included once per
// instruction set: see cpu/simd-inl.hpp.
//
// Centres are packed as tiles of 12: tile[feature][12], holding −2c'. Two vectors of rows times 12
// centres fill 24 of the 32 AVX-512 registers (2 × 6 of the 16 of AVX2), each a chain of fmas over
// the features that starts at ‖c'‖²: core/cluster/kmeans_math.hpp. A panel stays in the L1 cache
// while the tiles stream from L2.
#if defined(TANDEM_CPU_CLUSTER_KMEANS_SCORES_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_CLUSTER_KMEANS_SCORES_INL_HPP
#undef TANDEM_CPU_CLUSTER_KMEANS_SCORES_INL_HPP
#else
#define TANDEM_CPU_CLUSTER_KMEANS_SCORES_INL_HPP
#endif

#include <algorithm>
#include <limits>

#include "cpu/cluster/kmeans.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Memory that will be read next: scoring fetches it into the cache as it goes along.
struct Ahead {
  const char* from = nullptr;
  Index bytes = 0;

  Ahead() = default;
  Ahead(const void* memory, Index size) : from(static_cast<const char*>(memory)), bytes(size) {}
};

// Two vectors of rows against `C` centres of a tile; keeps the least score and its centre, and with
// `second` not null the least score but one.
template <int C, bool with_second, class D, class T = hn::TFromD<D>,
          class DI = hn::RebindToSigned<D>>
HWY_INLINE void score_tile(D d, const T* HWY_RESTRICT panel, Index features,
                           const T* HWY_RESTRICT tile, const T* HWY_RESTRICT squares,
                           Index first_centre, T* HWY_RESTRICT best,
                           hn::TFromD<DI>* HWY_RESTRICT nearest, T* HWY_RESTRICT second,
                           const char*& ahead, Index ahead_step) {
  using V = hn::Vec<D>;
  const DI di;
  const size_t lanes = hn::Lanes(d);
  V score0[C];
  V score1[C];
#pragma GCC unroll 16
  for (int c = 0; c < C; ++c) score0[c] = score1[c] = hn::Set(d, squares[c]);
#pragma GCC unroll 1
  for (Index j = 0; j < features; ++j) {
    __builtin_prefetch(ahead);
    ahead += ahead_step;
    const V x0 = hn::Load(d, panel + j * panel_rows);
    const V x1 = hn::Load(d, panel + j * panel_rows + lanes);
#pragma GCC unroll 16
    for (int c = 0; c < C; ++c) {
      const V coordinate = hn::Set(d, tile[j * tile_centres + c]);
      score0[c] = Fma(d, x0, coordinate, score0[c]);
      score1[c] = Fma(d, x1, coordinate, score1[c]);
    }
  }
  V best0 = hn::Load(d, best);
  V best1 = hn::Load(d, best + lanes);
  V second0 = best0;
  V second1 = best1;
  if constexpr (with_second) {
    second0 = hn::Load(d, second);
    second1 = hn::Load(d, second + lanes);
  }
  auto nearest0 = hn::Load(di, nearest);
  auto nearest1 = hn::Load(di, nearest + lanes);
  const auto one = hn::Set(di, 1);
  auto index = hn::Set(di, static_cast<hn::TFromD<DI>>(first_centre));
#pragma GCC unroll 16
  for (int c = 0; c < C; ++c) {
    if constexpr (with_second) {
      second0 = hn::Min(second0, hn::Max(best0, score0[c]));
      second1 = hn::Min(second1, hn::Max(best1, score1[c]));
    }
    nearest0 = hn::IfThenElse(hn::RebindMask(di, hn::Lt(score0[c], best0)), index, nearest0);
    nearest1 = hn::IfThenElse(hn::RebindMask(di, hn::Lt(score1[c], best1)), index, nearest1);
    best0 = hn::Min(best0, score0[c]);
    best1 = hn::Min(best1, score1[c]);
    index = hn::Add(index, one);
  }
  hn::Store(best0, d, best);
  hn::Store(best1, d, best + lanes);
  if constexpr (with_second) {
    hn::Store(second0, d, second);
    hn::Store(second1, d, second + lanes);
  }
  hn::Store(nearest0, di, nearest);
  hn::Store(nearest1, di, nearest + lanes);
}

// The results of scoring a panel of rows.
template <class T>
struct PanelScores {
  alignas(64) std::int32_t labels[panel_rows];
  alignas(64) T best[panel_rows];
  alignas(64) T second[panel_rows];
};

// The nearest of the centres to each of the panel's rows.
template <bool with_second, class T>
HWY_INLINE void nearest_centres(const Tiles<T>& tiles, Index features, const T* HWY_RESTRICT panel,
                                const Ahead& ahead, PanelScores<T>& scores) {
  const hn::CappedTag<T, panel_rows / 2> d;
  const hn::RebindToSigned<decltype(d)> di;
  using TI = hn::TFromD<decltype(di)>;
  const Index vectors = 2 * static_cast<Index>(hn::Lanes(d));
  alignas(64) TI nearest[panel_rows];
  std::fill_n(scores.best, panel_rows, std::numeric_limits<T>::infinity());
  std::fill_n(scores.second, panel_rows, std::numeric_limits<T>::infinity());
  std::fill_n(nearest, panel_rows, TI{0});
  const Index calls = ceil_div(tiles.centres, tile_centres) * (panel_rows / vectors) *
                      (HWY_TARGET <= HWY_AVX3 ? 1 : 2);
  const char* fetched = ahead.from;
  const Index ahead_step = ceil_div(ahead.bytes, calls * features);
  for (Index first = 0; first < tiles.centres; first += tile_centres) {
    const T* tile = tiles.values + first * features;
    const T* squares = tiles.squares + first;
    const Index left = tiles.centres - first;
    for (Index r = 0; r < panel_rows; r += vectors) {
      const auto score = [&]<int count>(std::integral_constant<int, count>, Index skip) HWY_ATTR
          __attribute__((always_inline)) {
        score_tile<count, with_second>(d, panel + r, features, tile + skip, squares + skip,
                                       first + skip, scores.best + r, nearest + r,
                                       scores.second + r, fetched, ahead_step);
      };
#if HWY_TARGET <= HWY_AVX3
      if (left > 8) {
        score(std::integral_constant<int, 12>{}, 0);
      } else if (left > 4) {
        score(std::integral_constant<int, 8>{}, 0);
      } else {
        score(std::integral_constant<int, 4>{}, 0);
      }
#else
      if (left > 8) {
        score(std::integral_constant<int, 6>{}, 0);
        score(std::integral_constant<int, 6>{}, 6);
      } else {
        score(std::integral_constant<int, 4>{}, 0);
        if (left > 4) score(std::integral_constant<int, 4>{}, 4);
      }
#endif
    }
  }
  for (Index r = 0; r < panel_rows; ++r) scores.labels[r] = static_cast<std::int32_t>(nearest[r]);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
