// The bounds of rows whose label cannot have changed: kmeans_bounds.hpp says which. Included once
// per instruction set: see cpu/simd-inl.hpp.
#if defined(TANDEM_CPU_CLUSTER_KMEANS_BOUNDS_INL_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef TANDEM_CPU_CLUSTER_KMEANS_BOUNDS_INL_HPP
#undef TANDEM_CPU_CLUSTER_KMEANS_BOUNDS_INL_HPP
#else
#define TANDEM_CPU_CLUSTER_KMEANS_BOUNDS_INL_HPP
#endif

#include <cmath>
#include <cstdint>
#include <limits>

#include "cpu/cluster/kmeans.hpp"
#include "cpu/cluster/kmeans_scores-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

// Bit r + i for each lane i that the mask holds.
template <class D, class M>
HWY_INLINE std::uint64_t bits_of_mask(D d, M mask, Index r) {
  std::uint8_t bytes[8] = {};
  (void)hn::StoreMaskBits(d, mask, bytes);
  std::uint64_t bits = 0;
  for (Index b = 0; b * 8 < static_cast<Index>(hn::Lanes(d)); ++b) {
    bits |= static_cast<std::uint64_t>(bytes[b]) << (r + 8 * b);
  }
  return bits;
}

// The bounds of a panel's rows from their two least scores. With q = ‖x'‖², m = ‖x'‖ + reach and
// computed scores off by at most e = γm², the row's centre is at distance sqrt(best + q + e) at
// most and the others at sqrt(second + q − e) at least. As long as the difference s of two
// distances has s² > 2e, the computed scores keep their order, since d² − d'² >= (d − d')²: that
// sqrt(2e) is the margin of `rest`. γ has room for the roundings here under the roots; 8um covers
// those of the roots and after.
template <class T>
struct RowBounds {
  explicit RowBounds(const AssignArgs<T>& args)
      : error(args.score_error),
        reach(args.reach),
        margin(std::sqrt(2 * args.score_error) + 4 * std::numeric_limits<T>::epsilon()) {}

  template <class D, class V = hn::Vec<D>>
  HWY_INLINE void from_scores(D d, V q, V best, V second, V& own, V& rest) const {
    const V m = hn::Add(hn::Sqrt(q), hn::Set(d, reach));
    const V e = hn::Mul(hn::Set(d, error), hn::Mul(m, m));
    own = hn::Sqrt(hn::Max(hn::Add(hn::Add(best, q), e), hn::Zero(d)));
    rest = hn::Sub(hn::Sqrt(hn::Max(hn::Sub(hn::Add(second, q), e), hn::Zero(d))),
                   hn::Mul(hn::Set(d, margin), m));
  }

  T error;
  T reach;
  T margin;
};

template <class T>
HWY_INLINE void bounds_of(const AssignArgs<T>& args, const PanelScores<T>& scores,
                          const T* HWY_RESTRICT row_squares, T* HWY_RESTRICT own,
                          T* HWY_RESTRICT rest) {
  const hn::CappedTag<T, panel_rows> d;
  const RowBounds<T> bounds(args);
  for (Index r = 0; r < panel_rows; r += static_cast<Index>(hn::Lanes(d))) {
    auto u = hn::Zero(d);
    auto l = hn::Zero(d);
    bounds.from_scores(d, hn::Load(d, row_squares + r), hn::Load(d, scores.best + r),
                       hn::Load(d, scores.second + r), u, l);
    hn::Store(u, d, own + r);
    hn::Store(l, d, rest + r);
  }
}

// Moves the bounds of a panel's rows by the centres' moves, and returns the rows whose label might
// change. Where there are hot centres, `rest` of those rows takes no account of these. The factors
// keep the bounds what they are in spite of two roundings; a negative `rest` stays one, and that is
// all that counts of it.
template <class T>
HWY_INLINE std::uint64_t move_bounds(const AssignArgs<T>& args, Index panel) {
  const hn::CappedTag<T, panel_rows> d;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const std::int32_t* HWY_RESTRICT labels = args.labels + panel * panel_rows;
  T* HWY_RESTRICT own = args.own + panel * panel_rows;
  T* HWY_RESTRICT rest = args.rest + panel * panel_rows;
  alignas(64) T gain[panel_rows];
  alignas(64) T loss[panel_rows];
  alignas(64) T cold[panel_rows];
  for (Index r = 0; r < panel_rows; ++r) {
    gain[r] = args.own_gain[labels[r] + 1];
    loss[r] = args.rest_loss[labels[r] + 1];
    cold[r] = args.cold_loss[labels[r] + 1];
  }
  const auto up = hn::Set(d, T{1} + 2 * std::numeric_limits<T>::epsilon());
  const auto down = hn::Set(d, T{1} - 2 * std::numeric_limits<T>::epsilon());
  std::uint64_t active = 0;
  for (Index r = 0; r < panel_rows; r += lanes) {
    const auto u = hn::Mul(hn::Add(hn::Load(d, own + r), hn::Load(d, gain + r)), up);
    const auto before = hn::Load(d, rest + r);
    const auto l = hn::Mul(hn::Sub(before, hn::Load(d, loss + r)), down);
    const auto l_cold = hn::Mul(hn::Sub(before, hn::Load(d, cold + r)), down);
    const auto safe = hn::Lt(u, l);
    hn::Store(u, d, own + r);
    hn::Store(hn::IfThenElse(safe, l, l_cold), d, rest + r);
    active |= bits_of_mask(d, hn::Not(safe), r);
  }
  return active;
}

// Returns which of the rows `active` of a panel might still change their label when the hot centres
// have been scored; settles the bounds of the others.
template <class T>
HWY_INLINE std::uint64_t score_hot(const AssignArgs<T>& args, Index p, const T* HWY_RESTRICT panel,
                                   std::uint64_t active, const Ahead& ahead) {
  const hn::CappedTag<T, panel_rows> d;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const Index first = p * panel_rows;
  PanelScores<T> scores;
  nearest_centres<true>(args.hot, args.features, panel, ahead, scores);
  const RowBounds<T> bounds(args);
  alignas(64) T own[panel_rows];
  alignas(64) T rest[panel_rows];
  alignas(64) T is_own[panel_rows];  // 1 where the nearest of the hot centres is the row's own
  for (Index r = 0; r < panel_rows; ++r) {
    const std::int32_t label = args.labels[first + r];
    is_own[r] = args.hot_centres[scores.labels[r]] == label ? T{1} : T{0};
  }
  std::uint64_t safe = 0;
  for (Index r = 0; r < panel_rows; r += lanes) {
    const auto mine = hn::Gt(hn::Load(d, is_own + r), hn::Zero(d));
    const auto best = hn::Load(d, scores.best + r);
    auto u = hn::Zero(d);
    auto l = hn::Zero(d);
    bounds.from_scores(d, hn::Load(d, args.row_squares + first + r), best,
                       hn::IfThenElse(mine, hn::Load(d, scores.second + r), best), u, l);
    u = hn::IfThenElse(mine, u, hn::Load(d, args.own + first + r));
    l = hn::Min(l, hn::Load(d, args.rest + first + r));
    hn::Store(u, d, own + r);
    hn::Store(l, d, rest + r);
    safe |= bits_of_mask(d, hn::Lt(u, l), r);
  }
  for (std::uint64_t rows = active & safe; rows != 0; rows &= rows - 1) {
    const Index r = __builtin_ctzll(rows);
    args.own[first + r] = own[r];
    args.rest[first + r] = rest[r];
  }
  return active & ~safe;
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // toggle
