// k-means on the CPU, exact.
//
// Layout. Rows are moved by the origin and packed into panels of 32 rows, feature by feature:
// panel[feature][row in panel], so that a vector holds one feature of consecutive rows. Scores and
// labels are then vertical: no sum across a vector, and the argmin is a compare and two selects per
// centre and vector. 32 is also sum_lanes, so the lane of a row in a long sum is its place in the
// panel. With few centres all panels are kept; with many, packing is little beside scoring, and a
// panel is packed in the cache each time it is scored, so that there is no second copy of the rows.
//
// Assign. Centres are packed as tiles of 12: tile[feature][12], holding −2c'. Two vectors of rows
// times 12 centres fill 24 of the 32 AVX-512 registers (2 × 6 of the 16 of AVX2), each a chain of
// fmas over the features that starts at ‖c'‖²: core/cluster/kmeans_math.hpp. A panel stays in the
// L1 cache while the tiles stream from L2.
//
// Sums. While a panel is hot, each row whose label changed is added, in fixed point, to its centre
// and taken from the one before. Integers commute, so that the sums are those of a computation from
// the start, for any number of threads.
//
// Rows that cannot change. With many centres, each row keeps two bounds after Hamerly, "Making
// k-means even faster", SDM 2010: on the distance to its centre from above, and on that to any
// other from below. They move by what the centres move at most; as long as they do not meet, the
// scores need not be computed. The bounds allow for the rounding of the scores (RowBounds), so that
// the labels are bit for bit those of computing all scores. The rows left over are gathered into
// full panels.
//
// Hot centres. Soon a few centres move much farther than the others, and the bound from below falls
// by the longest move. So the centres that moved most are scored first, and the bound falls by the
// moves of the rest alone; few rows are then left whose label might change. How many to score first
// is estimated from a sample of the rows.

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/cluster/kmeans.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "core/cluster/kmeans_math.hpp"
#include "core/cluster/kmeans_steps.hpp"
#include "core/parallel.hpp"
#include "cpu/simd-inl.hpp"

#ifndef TANDEM_CPU_CLUSTER_KMEANS_ONCE
#define TANDEM_CPU_CLUSTER_KMEANS_ONCE
namespace tandem::cpu {

inline constexpr Index panel_rows = sum_lanes;
inline constexpr Index panels_per_block = sum_block / panel_rows;
inline constexpr Index tile_centres = 12;
// Rows of the fixed-point sums, and the scales, are padded to whole vectors of doubles.
inline constexpr Index sum_padding = 8;
// With fewer centres, scoring a row costs no more than finding out whether it must be.
inline constexpr Index least_centres_for_bounds = 40;

// Centres as score_tile() reads them.
template <class T>
struct Tiles {
  const T* values;   // [tiles][features][tile_centres]: −2c', 0 past the last centre
  const T* squares;  // [tiles][tile_centres]: ‖c'‖², +∞ past the last centre
  Index centres;
};

// Everything that one worker of assign() reads and writes. The pointers outlive the call.
template <class T>
struct AssignArgs {
  const T* packed;  // [panels][features][panel_rows], or null where rows are not kept packed
  const T* x;       // the rows as they came, x_stride apart
  Index x_stride;
  const T* origin;
  Index rows;
  Index features;
  Tiles<T> all;
  std::int32_t* labels;   // [panels · panel_rows]
  const double* weights;  // [panels · panel_rows], or null for weights of 1
  const double* scales;   // [padded features]: 2^exponent of the fixed-point sums
  double weight_scale;
  Index stride;  // padded features
  // The bounds of rows; null where they are not kept.
  T* own;                // [panels · panel_rows]: at least the distance to the row's centre
  T* rest;               // [panels · panel_rows]: at most that to any other, less a margin
  const T* row_squares;  // [panels · panel_rows]: ‖x'‖²
  T reach;               // at least ‖c'‖ of all centres
  T score_error;         // γ: a score is off by at most γ (‖x'‖ + reach)²
  // By label, that of no centre first: what the moves of centres since the assign before add to
  // `own`, and take from `rest`: by any centre's move, and by those of the centres outside `hot`.
  const T* own_gain;   // [1 + centres]
  const T* rest_loss;  // [1 + centres]
  const T* cold_loss;  // [1 + centres]
  // The centres that moved most, which are scored before all are. May be none.
  Tiles<T> hot;
  const std::int32_t* hot_centres;  // [hot.centres]
};
// Of one worker: what its rows add.
struct AssignDelta {
  std::int64_t* sums;     // [centres][stride]
  std::int64_t* weights;  // [centres], fixed point; unused without weights
  std::int64_t* counts;   // [centres]
  Index changed;
};

}  // namespace tandem::cpu
#endif

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

// What the scores of a panel say.
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
  const Index calls = pieces(tiles.centres, tile_centres) * (panel_rows / vectors) *
                      (HWY_TARGET <= HWY_AVX3 ? 1 : 2);
  const char* fetched = ahead.from;
  const Index ahead_step = pieces(ahead.bytes, calls * features);
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

// Of the rows `active` of a panel, those whose label might still change when the hot centres have
// been scored; settles the bounds of the others.
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

// Adds a row x' to one sum and takes it from another, which may be null. All three are padded to
// args.stride; the row by zeros.
template <class T>
HWY_INLINE void move_row_sums(const AssignArgs<T>& args, const T* HWY_RESTRICT row, double weight,
                              std::int64_t* HWY_RESTRICT to, std::int64_t* HWY_RESTRICT from) {
  const hn::CappedTag<double, sum_padding> dd;
  const hn::RebindToSigned<decltype(dd)> di;
  const hn::Rebind<T, decltype(dd)> dt;
  const Index lanes = static_cast<Index>(hn::Lanes(dd));
  for (Index j = 0; j < args.stride; j += lanes) {
    hn::Vec<decltype(dd)> value;
    if constexpr (sizeof(T) == 4) {
      value = hn::PromoteTo(dd, hn::LoadU(dt, row + j));
    } else {
      value = hn::LoadU(dd, row + j);
    }
    if (args.weights != nullptr) value = hn::Mul(value, hn::Set(dd, weight));
    value = hn::Mul(value, hn::Load(dd, args.scales + j));
    const auto fixed = hn::ConvertTo(di, hn::Round(value));
    hn::StoreU(hn::Add(hn::LoadU(di, to + j), fixed), di, to + j);
    if (from != nullptr) hn::StoreU(hn::Sub(hn::LoadU(di, from + j), fixed), di, from + j);
  }
}

// The rows of a panel that are named in `changed`, one after the other, args.stride apart. All are
// copied before the first is read: a vector load right after narrow stores would wait for them.
template <class T>
HWY_INLINE void copy_rows(const AssignArgs<T>& args, const T* HWY_RESTRICT panel,
                          std::uint64_t changed, T* HWY_RESTRICT rows) {
  for (; changed != 0; changed &= changed - 1) {
    const Index r = __builtin_ctzll(changed);
    for (Index j = 0; j < args.features; ++j) rows[j] = panel[j * panel_rows + r];
    rows += args.stride;
  }
}

// The same from where the rows came.
template <class T>
HWY_INLINE void move_rows(const AssignArgs<T>& args, const T* const* x, std::uint64_t changed,
                          T* HWY_RESTRICT rows) {
  for (; changed != 0; changed &= changed - 1) {
    const T* HWY_RESTRICT row = x[__builtin_ctzll(changed)];
    for (Index j = 0; j < args.features; ++j) rows[j] = row[j] - args.origin[j];
    rows += args.stride;
  }
}

// Gives a row another label, and moves it, x', from sum to sum.
template <class T>
HWY_INLINE void label_row(const AssignArgs<T>& args, const T* HWY_RESTRICT moved, Index row,
                          std::int32_t label, AssignDelta& delta) {
  const Index from = args.labels[row];
  const Index to = label;
  args.labels[row] = label;
  ++delta.changed;
  double weight = 1;
  if (args.weights != nullptr) {
    weight = args.weights[row];
    if (!(weight > 0)) return;
    const auto fixed = static_cast<std::int64_t>(weight * args.weight_scale);
    delta.weights[to] += fixed;
    if (from >= 0) delta.weights[from] -= fixed;
  }
  ++delta.counts[to];
  if (from >= 0) --delta.counts[from];
  move_row_sums(args, moved, weight, delta.sums + to * args.stride,
                from >= 0 ? delta.sums + from * args.stride : nullptr);
}

// 32 rows of x, wherever they are, and room for them as a panel.
template <class T>
struct Panel {
  std::vector<T> memory;
  T* values;  // [features][panel_rows]
  const T* x[panel_rows];

  explicit Panel(Index features)
      : memory(static_cast<std::size_t>((features + 1) * panel_rows), T{0}) {
    auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    values = reinterpret_cast<T*>((address + 63) / 64 * 64);
  }
};

// All rows of a panel: `values`, which are its rows `x` or, where rows are kept packed, all there
// is of them.
template <bool with_bounds, class T>
HWY_INLINE void assign_panel(const AssignArgs<T>& args, Index p, const T* values, const T* const* x,
                             const Ahead& ahead, AssignDelta& delta, T* scratch) {
  const hn::CappedTag<std::int32_t, panel_rows> d;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const Index first = p * panel_rows;
  PanelScores<T> scores;
  nearest_centres<with_bounds>(args.all, args.features, values, ahead, scores);
  if constexpr (with_bounds) {
    bounds_of(args, scores, args.row_squares + first, args.own + first, args.rest + first);
  }
  std::uint64_t changed = 0;
  for (Index r = 0; r < panel_rows; r += lanes) {
    const auto old = hn::Load(d, args.labels + first + r);
    changed |= bits_of_mask(d, hn::Ne(hn::Load(d, scores.labels + r), old), r);
  }
  const Index rows_here = std::min(panel_rows, args.rows - first);
  if (rows_here < panel_rows) changed &= (std::uint64_t{1} << rows_here) - 1;
  if (args.packed != nullptr) {
    copy_rows(args, values, changed, scratch);
  } else {
    move_rows(args, x, changed, scratch);
  }
  for (; changed != 0; changed &= changed - 1) {
    const Index r = __builtin_ctzll(changed);
    label_row(args, scratch, first + r, scores.labels[r], delta);
    scratch += args.stride;
  }
}

// Rows of several panels, gathered into one.
template <class T>
struct GatheredPanel : Panel<T> {
  alignas(64) T row_squares[panel_rows] = {};
  Index row[panel_rows];
  Index count = 0;

  using Panel<T>::Panel;
};

template <class T>
HWY_INLINE void assign_gathered(const AssignArgs<T>& args, GatheredPanel<T>& gathered,
                                AssignDelta& delta, T* scratch) {
  PanelScores<T> scores;
  alignas(64) T own[panel_rows];
  alignas(64) T rest[panel_rows];
  // A panel that is not full repeats its first row.
  for (Index slot = gathered.count; slot < panel_rows; ++slot) gathered.x[slot] = gathered.x[0];
  transpose_rows(gathered.x, panel_rows, args.features, args.origin, gathered.values);
  nearest_centres<true>(args.all, args.features, gathered.values, Ahead(), scores);
  bounds_of(args, scores, gathered.row_squares, own, rest);
  std::uint64_t changed = 0;
  for (Index slot = 0; slot < gathered.count; ++slot) {
    const Index row = gathered.row[slot];
    args.own[row] = own[slot];
    args.rest[row] = rest[slot];
    if (args.labels[row] != scores.labels[slot]) changed |= std::uint64_t{1} << slot;
  }
  move_rows(args, gathered.x, changed, scratch);
  for (; changed != 0; changed &= changed - 1) {
    const Index slot = __builtin_ctzll(changed);
    label_row(args, scratch, gathered.row[slot], scores.labels[slot], delta);
    scratch += args.stride;
  }
  gathered.count = 0;
}

template <class T>
void assign_panels(const AssignArgs<T>& args, Index first_panel, Index last_panel,
                   AssignDelta& delta) {
  std::vector<T> scratch(static_cast<std::size_t>(args.stride * panel_rows), T{0});
  Panel<T> panel(args.features);
  if (args.own == nullptr) {
    for (Index p = first_panel; p < last_panel; ++p) {
      assign_panel<false>(args, p, args.packed + p * args.features * panel_rows, panel.x, Ahead(),
                          delta, scratch.data());
    }
    return;
  }
  GatheredPanel<T> gathered(args.features);
  // Gathering a row takes about as long as scoring it against 12 centres.
  const auto many = [&](std::uint64_t rows, Index centres) {
    return __builtin_popcountll(rows) * (centres + 12) >= panel_rows * centres;
  };
  for (Index p = first_panel; p < last_panel; ++p) {
    std::uint64_t active = move_bounds(args, p);
    const Index first = p * panel_rows;
    const Index rows_here = std::min(panel_rows, args.rows - first);
    if (rows_here < panel_rows) active &= (std::uint64_t{1} << rows_here) - 1;
    if (active == 0) continue;
    const bool hot = args.hot.centres > 0;
    if (hot || many(active, args.all.centres)) {
      const T* values = panel.values;
      Ahead ahead;
      if (args.packed != nullptr) {
        values = args.packed + p * args.features * panel_rows;
      } else {
        for (Index r = 0; r < rows_here; ++r) panel.x[r] = args.x + (first + r) * args.x_stride;
        transpose_rows(panel.x, rows_here, args.features, args.origin, panel.values);
        if (first + 2 * panel_rows <= args.rows) {
          ahead = Ahead(panel.x[0] + panel_rows * args.x_stride,
                        panel_rows * args.x_stride * static_cast<Index>(sizeof(T)));
        }
      }
      if (hot) active = score_hot(args, p, values, active, ahead);
      if (many(active, args.all.centres)) {
        assign_panel<true>(args, p, values, panel.x, hot ? Ahead() : ahead, delta, scratch.data());
        continue;
      }
    }
    for (; active != 0; active &= active - 1) {
      const Index r = __builtin_ctzll(active);
      const T* row = args.x + (first + r) * args.x_stride;
      // Until the panel is full, the rows are on their way into the cache.
      for (Index j = 0; j < args.features; j += 64 / static_cast<Index>(sizeof(T))) {
        __builtin_prefetch(row + j);
      }
      gathered.x[gathered.count] = row;
      gathered.row_squares[gathered.count] = args.row_squares[first + r];
      gathered.row[gathered.count] = first + r;
      if (++gathered.count == panel_rows) assign_gathered(args, gathered, delta, scratch.data());
    }
  }
  if (gathered.count > 0) assign_gathered(args, gathered, delta, scratch.data());
}

void assign_float32(const AssignArgs<float>& args, Index first, Index last, AssignDelta& delta) {
  assign_panels(args, first, last, delta);
}
void assign_float64(const AssignArgs<double>& args, Index first, Index last, AssignDelta& delta) {
  assign_panels(args, first, last, delta);
}

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

HWY_EXPORT(assign_float32);
HWY_EXPORT(assign_float64);
HWY_EXPORT(distances_float32);
HWY_EXPORT(distances_float64);
HWY_EXPORT(row_costs_float32);
HWY_EXPORT(row_costs_float64);
HWY_EXPORT(row_distances_float32);
HWY_EXPORT(column_lanes_float32);
HWY_EXPORT(column_lanes_float64);
HWY_EXPORT(pack_float32);
HWY_EXPORT(pack_float64);
HWY_EXPORT(block_spread_float32);
HWY_EXPORT(block_spread_float64);

namespace {

// The kernels of one element type, chosen by the processor when the steps are made.
template <class T>
struct Kernels;
template <>
struct Kernels<float> {
  decltype(&HWY_DYNAMIC_DISPATCH(assign_float32)) assign = &HWY_DYNAMIC_DISPATCH(assign_float32);
  decltype(&HWY_DYNAMIC_DISPATCH(distances_float32)) distances =
      &HWY_DYNAMIC_DISPATCH(distances_float32);
  decltype(&HWY_DYNAMIC_DISPATCH(row_costs_float32)) row_costs =
      &HWY_DYNAMIC_DISPATCH(row_costs_float32);
  decltype(&HWY_DYNAMIC_DISPATCH(row_distances_float32)) row_distances =
      &HWY_DYNAMIC_DISPATCH(row_distances_float32);
  decltype(&HWY_DYNAMIC_DISPATCH(column_lanes_float32)) column_lanes =
      &HWY_DYNAMIC_DISPATCH(column_lanes_float32);
  decltype(&HWY_DYNAMIC_DISPATCH(pack_float32)) pack = &HWY_DYNAMIC_DISPATCH(pack_float32);
  decltype(&HWY_DYNAMIC_DISPATCH(block_spread_float32)) block_spread =
      &HWY_DYNAMIC_DISPATCH(block_spread_float32);
};
template <>
struct Kernels<double> {
  decltype(&HWY_DYNAMIC_DISPATCH(assign_float64)) assign = &HWY_DYNAMIC_DISPATCH(assign_float64);
  decltype(&HWY_DYNAMIC_DISPATCH(distances_float64)) distances =
      &HWY_DYNAMIC_DISPATCH(distances_float64);
  decltype(&HWY_DYNAMIC_DISPATCH(row_costs_float64)) row_costs =
      &HWY_DYNAMIC_DISPATCH(row_costs_float64);
  decltype(&HWY_DYNAMIC_DISPATCH(row_costs_float64)) row_distances =
      &HWY_DYNAMIC_DISPATCH(row_costs_float64);
  decltype(&HWY_DYNAMIC_DISPATCH(column_lanes_float64)) column_lanes =
      &HWY_DYNAMIC_DISPATCH(column_lanes_float64);
  decltype(&HWY_DYNAMIC_DISPATCH(pack_float64)) pack = &HWY_DYNAMIC_DISPATCH(pack_float64);
  decltype(&HWY_DYNAMIC_DISPATCH(block_spread_float64)) block_spread =
      &HWY_DYNAMIC_DISPATCH(block_spread_float64);
};

template <Real T>
class KMeansCpu final : public KMeansSteps<T> {
 public:
  explicit KMeansCpu(Engine& engine) : engine_(engine), threads_(engine.threads()) {}

  KMeansColumns measure(MatrixView<const T> x, std::span<const double> weights) override {
    const Index blocks = pieces(x.rows, sum_block);
    const auto width = static_cast<std::size_t>(x.cols);
    std::vector<double> block_sums(static_cast<std::size_t>(blocks) * width);
    const double* w = weights.empty() ? nullptr : weights.data();
    // As many blocks for each call as make the scratch memory worth its allocation.
    parallel_pieces(threads_, blocks, 16, [&](Piece piece) {
      std::vector<double> lanes(static_cast<std::size_t>(sum_lanes) * width);
      for (Index b = piece.begin; b < piece.end; ++b) {
        const Piece rows = piece_of(x.rows, sum_block, b);
        kernels_.column_lanes(x.data + rows.begin * x.stride, rows.size(), x.cols, x.stride,
                              w != nullptr ? w + rows.begin : nullptr, lanes.data());
        std::copy_n(lanes.data(), width, block_sums.data() + static_cast<std::size_t>(b) * width);
      }
    });
    KMeansColumns columns;
    columns.weight = weights.empty() ? static_cast<double>(x.rows) : long_sum(x.rows, [&](Index i) {
      return weights[static_cast<std::size_t>(i)];
    });
    columns.mean = add_blocks(block_sums, width);
    for (double& mean : columns.mean) mean /= columns.weight;
    return columns;
  }

  void expect_centres(Index k) override { keeps_panels_ = k < least_centres_for_bounds; }

  KMeansSpread load(MatrixView<const T> x, std::span<const double> weights,
                    std::span<const T> origin) override {
    x_ = x;
    rows_ = x.rows;
    features_ = x.cols;
    stride_ = pieces(features_, sum_padding) * sum_padding;
    panels_ = pieces(rows_, panel_rows);
    origin_.assign(origin.begin(), origin.end());
    packed_ = keeps_panels_ ? Buffer<T>(engine_, panels_ * features_ * panel_rows) : Buffer<T>();
    labels_ = Buffer<std::int32_t>(engine_, panels_ * panel_rows);
    row_squares_ = Buffer<T>(engine_, panels_ * panel_rows);
    own_ = Buffer<T>();
    rest_ = Buffer<T>();
    distance_ = Buffer<T>();
    weights_ = Buffer<double>();
    if (!weights.empty()) {
      weights_ = Buffer<double>(engine_, panels_ * panel_rows);
      weights_.fill_zero();
      std::copy(weights.begin(), weights.end(), weights_.data());
    }

    const Index blocks = pieces(rows_, sum_block);
    const auto width = static_cast<std::size_t>(features_);
    std::vector<double> block_sums(static_cast<std::size_t>(blocks) * width);
    std::vector<T> largest(static_cast<std::size_t>(blocks) * width, T{0});
    // As many blocks for each call as make the scratch memory worth its allocation.
    parallel_pieces(threads_, blocks, 16, [&](Piece piece) {
      Buffer<T> scratch(engine_, packed_.empty() ? sum_block * features_ : 0);
      for (Index b = piece.begin; b < piece.end; ++b) {
        const Piece rows = piece_of(rows_, sum_block, b);
        T* panels = packed_.empty() ? scratch.data() : packed_.data() + rows.begin * features_;
        for (Index i = rows.begin; i < rows.end; i += panel_rows) {
          pack_panel(i / panel_rows, panels + (i - rows.begin) * features_);
        }
        kernels_.block_spread(panels, pieces(rows.size(), panel_rows), features_,
                              weights_.empty() ? nullptr : weights_.data() + rows.begin,
                              block_sums.data() + static_cast<std::size_t>(b) * width,
                              largest.data() + static_cast<std::size_t>(b) * width);
      }
    });

    KMeansSpread spread;
    spread.square_sum = add_blocks(block_sums, width);
    spread.largest.assign(width, 0.0);
    for (std::size_t at = 0; at < largest.size(); ++at) {
      double& most = spread.largest[at % width];
      most = std::max(most, static_cast<double>(largest[at]));
    }
    square_total_ = 0;
    for (const double sum : spread.square_sum) square_total_ += sum;

    double heaviest = 1;
    if (!weights.empty()) heaviest = *std::max_element(weights.begin(), weights.end());
    weight_fixed_ = FixedPoint::for_sum(rows_, heaviest);
    fixed_.clear();
    scales_ = Buffer<double>(engine_, stride_);
    scales_.fill_zero();
    for (std::size_t j = 0; j < width; ++j) {
      fixed_.push_back(fixed_point_of_feature(rows_, heaviest * spread.largest[j]));
      scales_.data()[j] = std::ldexp(1.0, fixed_.back().exponent);
    }
    return spread;
  }

  void begin(Index k) override {
    k_ = k;
    changed_ = 0;
    sums_.assign(static_cast<std::size_t>(k * stride_), 0);
    weight_sums_.assign(static_cast<std::size_t>(k), 0);
    counts_.assign(static_cast<std::size_t>(k), 0);
    const Index tiles = pieces(k, tile_centres);
    moved_ = Buffer<T>(engine_, k * features_);
    tiles_ = Buffer<T>(engine_, tiles * features_ * tile_centres);
    squares_ = Buffer<T>(engine_, tiles * tile_centres);
    std::fill_n(labels_.data(), labels_.size(), -1);
    with_bounds_ = k >= least_centres_for_bounds;
    if (with_bounds_) {
      if (own_.empty()) own_ = Buffer<T>(engine_, panels_ * panel_rows);
      if (rest_.empty()) rest_ = Buffer<T>(engine_, panels_ * panel_rows);
      before_ = Buffer<T>(engine_, k * features_);
      reach_ = -1;
    }
  }

  void begin(Index k, std::span<const std::int32_t> labels) override {
    begin(k);
    for (Index i = 0; i < rows_; ++i) {
      if (labels[static_cast<std::size_t>(i)] >= 0) {
        move_row(i, labels[static_cast<std::size_t>(i)]);
      }
    }
  }

  void assign(const Buffer<T>& centres) override {
    move_centres(centres);
    pack_tiles(every_centre(), tiles_, squares_);
    if (with_bounds_) {
      prepare_bounds();
    } else {
      keep_panels();
    }
    const AssignArgs<T> args{
        .packed = packed_.empty() ? nullptr : packed_.data(),
        .x = x_.data,
        .x_stride = x_.stride,
        .origin = origin_.data(),
        .rows = rows_,
        .features = features_,
        .all = {tiles_.data(), squares_.data(), k_},
        .labels = labels_.data(),
        .weights = weights_.empty() ? nullptr : weights_.data(),
        .scales = scales_.data(),
        .weight_scale = std::ldexp(1.0, weight_fixed_.exponent),
        .stride = stride_,
        .own = with_bounds_ ? own_.data() : nullptr,
        .rest = with_bounds_ ? rest_.data() : nullptr,
        .row_squares = row_squares_.data(),
        .reach = static_cast<T>(std::max(reach_, 0.0)),
        .score_error = static_cast<T>(gamma_bound<T>(2 * features_ + 12)),
        .own_gain = own_gain_.data(),
        .rest_loss = rest_loss_.data(),
        .cold_loss = cold_loss_.data(),
        .hot = {hot_tiles_.data(), hot_squares_.data(), static_cast<Index>(hot_centres_.size())},
        .hot_centres = hot_centres_.data()};
    // Each worker takes groups of panels as it gets to them and adds to sums of its own; whose turn
    // it is cannot show in sums of integers.
    const Index group = 2 * panels_per_block;
    const Index groups = pieces(panels_, group);
    const Index workers = std::min<Index>(std::max(threads_, 1), std::max<Index>(groups, 1));
    const auto sums_size = static_cast<std::size_t>(k_ * stride_);
    const auto centres_size = static_cast<std::size_t>(k_);
    std::vector<std::vector<std::int64_t>> scratch(static_cast<std::size_t>(workers));
    std::vector<Index> changed(static_cast<std::size_t>(workers), 0);
    std::atomic<Index> next_group{0};
    parallel_for(threads_, workers, [&](Index worker) {
      auto& memory = scratch[static_cast<std::size_t>(worker)];
      memory.assign(sums_size + 2 * centres_size, 0);
      AssignDelta delta{memory.data(), memory.data() + sums_size,
                        memory.data() + sums_size + centres_size, 0};
      for (Index g = next_group++; g < groups; g = next_group++) {
        const Piece piece = piece_of(panels_, group, g);
        kernels_.assign(args, piece.begin, piece.end, delta);
      }
      changed[static_cast<std::size_t>(worker)] = delta.changed;
    });
    changed_ = 0;
    for (const Index count : changed) changed_ += count;
    for (const auto& memory : scratch) {
      if (memory.empty()) continue;
      for (std::size_t at = 0; at < sums_size; ++at) sums_[at] += memory[at];
      for (std::size_t c = 0; c < centres_size; ++c) {
        weight_sums_[c] += memory[sums_size + c];
        counts_[c] += memory[sums_size + centres_size + c];
      }
    }
  }

  void recentre(const Buffer<T>& centres, Buffer<T>& next) override {
    move_centres(centres);
    KMeansTotals& totals = totals_;
    totals = KMeansTotals();
    totals.changed = changed_;
    for (const Index count : counts_) {
      if (count == 0) ++totals.empty;
    }
    const auto sum = [&](Index c, Index j) {
      return fixed_[static_cast<std::size_t>(j)].decode(
          sums_[static_cast<std::size_t>(c * stride_ + j)]);
    };
    for (Index c = 0; c < k_; ++c) {
      const double w = weight_of_centre(c);
      const bool empty = counts_[static_cast<std::size_t>(c)] == 0;
      for (Index j = 0; j < features_; ++j) {
        const double origin = static_cast<double>(origin_[static_cast<std::size_t>(j)]);
        next.data()[c * features_ + j] =
            empty ? centres.data()[c * features_ + j] : centre_coordinate<T>(origin, sum(c, j), w);
      }
    }
    totals.shift_squared = long_sum(k_ * features_, [&](Index at) {
      const double shift =
          static_cast<double>(next.data()[at]) - static_cast<double>(centres.data()[at]);
      return shift * shift;
    });
    const double terms = long_sum(k_ * features_, [&](Index at) {
      const Index c = at / features_;
      return cost_term(static_cast<double>(moved_.data()[at]), sum(c, at % features_),
                       weight_of_centre(c));
    });
    totals.cost = std::max(square_total_ + terms, 0.0);
    const double magnitude = long_sum(k_ * features_, [&](Index at) {
      const Index c = at / features_;
      return cost_magnitude(static_cast<double>(moved_.data()[at]), sum(c, at % features_),
                            weight_of_centre(c));
    });
    const double fixed_error = long_sum(features_, [&](Index j) {
      double most = 0;
      for (Index c = 0; c < k_; ++c) {
        most = std::max(most, std::abs(static_cast<double>(moved_.data()[c * features_ + j])));
      }
      const int exponent = fixed_[static_cast<std::size_t>(j)].exponent;
      return cost_fixed_error(most, rows_, std::ldexp(1.0, -exponent));
    });
    totals.cost_error =
        cost_error_bound(rows_, k_ * features_, square_total_, magnitude, fixed_error);
  }
  KMeansTotals totals() override { return totals_; }

  double inertia(const Buffer<T>& centres) override {
    move_centres(centres);
    keep_panels();
    const Index blocks = pieces(rows_, sum_block);
    std::vector<double> block_sums(static_cast<std::size_t>(blocks));
    parallel_for(threads_, blocks, [&](Index b) {
      double lanes[sum_lanes] = {};
      const Piece rows = piece_of(rows_, sum_block, b);
      for (Index i = rows.begin; i < rows.end; i += panel_rows) {
        double cost[panel_rows];
        kernels_.row_costs(packed_.data() + i * features_, features_, labels_.data() + i,
                           moved_.data(), cost);
        const Index here = std::min(panel_rows, rows.end - i);
        for (Index r = 0; r < here; ++r) {
          lanes[r] += weights_.empty() ? cost[r] : weights_.data()[i + r] * cost[r];
        }
      }
      block_sums[static_cast<std::size_t>(b)] = add_lanes(lanes);
    });
    double total = 0;
    for (const double sum : block_sums) total += sum;
    return total;
  }

  void distances_to_own_centres(const Buffer<T>& centres) override {
    move_centres(centres);
    keep_panels();
    make_distance();
    parallel_pieces(threads_, panels_, panels_per_block, [&](Piece piece) {
      for (Index p = piece.begin; p < piece.end; ++p) {
        kernels_.row_distances(packed_.data() + p * features_ * panel_rows, features_,
                               labels_.data() + p * panel_rows, moved_.data(),
                               distance_.data() + p * panel_rows);
      }
    });
  }

  void distances_to_rows(std::span<const Index> rows, bool first) override {
    keep_panels();
    make_distance();
    if (first) {
      std::fill_n(distance_.data(), distance_.size(), std::numeric_limits<T>::infinity());
    }
    Buffer<T> gathered(engine_, static_cast<Index>(rows.size()) * features_);
    T* out = gathered.data();
    for (const Index row : rows) {
      for (Index j = 0; j < features_; ++j) *out++ = moved_value(row, j);
    }
    parallel_pieces(threads_, panels_, panels_per_block, [&](Piece piece) {
      kernels_.distances(packed_.data(), features_, piece.begin, piece.end, gathered.data(),
                         static_cast<Index>(rows.size()), distance_.data());
    });
  }

  double potential() override {
    const Index blocks = pieces(rows_, sum_block);
    potential_blocks_.assign(static_cast<std::size_t>(blocks), 0.0);
    parallel_pieces(threads_, blocks, 16, [&](Piece piece) {
      for (Index b = piece.begin; b < piece.end; ++b) {
        const Piece rows = piece_of(rows_, sum_block, b);
        double lanes[sum_lanes] = {};
        for (Index i = rows.begin; i < rows.end; ++i) lanes[i % sum_lanes] += pull(i);
        potential_blocks_[static_cast<std::size_t>(b)] = add_lanes(lanes);
      }
    });
    double total = 0;
    for (const double sum : potential_blocks_) total += sum;
    return total;
  }

  Index sample(double u) override {
    const double target = u * potential();
    double before = 0;
    Index chosen = -1;
    double rest = std::numeric_limits<double>::infinity();
    for (Index b = 0; b < static_cast<Index>(potential_blocks_.size()); ++b) {
      const double here = potential_blocks_[static_cast<std::size_t>(b)];
      if (here > 0) chosen = b;
      if (before + here > target) {
        rest = target - before;
        break;
      }
      before += here;
    }
    const Piece rows = piece_of(rows_, sum_block, chosen);
    double sum = 0;
    Index last = -1;
    for (Index i = rows.begin; i < rows.end; ++i) {
      const double term = pull(i);
      if (!(term > 0)) continue;
      sum += term;
      last = i;
      if (sum > rest) break;
    }
    return last;
  }

  std::vector<Index> sample_each(double factor, const Random& random,
                                 std::uint64_t first_index) override {
    const Index blocks = pieces(rows_, sum_block);
    std::vector<std::vector<Index>> chosen(static_cast<std::size_t>(blocks));
    parallel_for(threads_, blocks, [&](Index b) {
      const Piece rows = piece_of(rows_, sum_block, b);
      for (Index i = rows.begin; i < rows.end; ++i) {
        if (random.uniform(first_index + static_cast<std::uint64_t>(i)) < factor * pull(i)) {
          chosen[static_cast<std::size_t>(b)].push_back(i);
        }
      }
    });
    std::vector<Index> all;
    for (const auto& part : chosen) all.insert(all.end(), part.begin(), part.end());
    return all;
  }

  KMeansFarthest farthest() override {
    const Index blocks = pieces(rows_, sum_block);
    std::vector<KMeansFarthest> found(static_cast<std::size_t>(blocks));
    parallel_for(threads_, blocks, [&](Index b) {
      KMeansFarthest& best = found[static_cast<std::size_t>(b)];
      const Piece rows = piece_of(rows_, sum_block, b);
      for (Index i = rows.begin; i < rows.end; ++i) {
        const auto distance = static_cast<double>(distance_.data()[i]);
        if (best.row >= 0 && distance <= best.distance) continue;
        if (!weights_.empty() && !(weights_.data()[i] > 0)) continue;
        if (counts_[static_cast<std::size_t>(labels_.data()[i])] < 2) continue;
        best = {i, distance};
      }
    });
    KMeansFarthest best;
    for (const auto& candidate : found) {
      if (candidate.row >= 0 && (best.row < 0 || candidate.distance > best.distance)) {
        best = candidate;
      }
    }
    return best;
  }

  void move_row(Index row, std::int32_t centre) override {
    const std::int32_t from = labels_.data()[row];
    labels_.data()[row] = centre;
    if (with_bounds_ && reach_ >= 0) {
      rest_.data()[row] = -std::numeric_limits<T>::infinity();
    }
    double weight = 1;
    if (!weights_.empty()) {
      weight = weights_.data()[row];
      if (!(weight > 0)) return;
    }
    const auto add = [&](Index c, std::int64_t sign) {
      if (c < 0) return;
      counts_[static_cast<std::size_t>(c)] += sign;
      if (!weights_.empty()) {
        weight_sums_[static_cast<std::size_t>(c)] += sign * weight_fixed_.encode(weight);
      }
      for (Index j = 0; j < features_; ++j) {
        const double value = weight * static_cast<double>(moved_value(row, j));
        sums_[static_cast<std::size_t>(c * stride_ + j)] +=
            sign * fixed_[static_cast<std::size_t>(j)].encode(value);
      }
    };
    add(centre, 1);
    add(from, -1);
  }

  std::vector<std::int32_t> labels() override { return {labels_.data(), labels_.data() + rows_}; }
  std::vector<Index> counts() override { return counts_; }
  std::vector<double> centre_weights() override {
    std::vector<double> sums;
    for (Index c = 0; c < k_; ++c) sums.push_back(weight_of_centre(c));
    return sums;
  }

 private:
  // Sums of blocks in ascending order, starting from +0.0.
  static std::vector<double> add_blocks(const std::vector<double>& block_sums, std::size_t width) {
    std::vector<double> total(width, 0.0);
    for (std::size_t at = 0; at < block_sums.size(); at += width) {
      for (std::size_t j = 0; j < width; ++j) total[j] += block_sums[at + j];
    }
    return total;
  }

  // Packs a panel into [features][panel_rows]; notes ‖x'‖² of its rows.
  void pack_panel(Index panel, T* to) {
    const Index first = panel * panel_rows;
    kernels_.pack(x_.data + first * x_.stride, std::min(panel_rows, rows_ - first), features_,
                  x_.stride, origin_.data(), to, row_squares_.data() + first);
  }
  // From here on the rows are kept packed: what passes over all of them again and again needs it.
  void keep_panels() {
    if (!packed_.empty()) return;
    packed_ = Buffer<T>(engine_, panels_ * features_ * panel_rows);
    parallel_pieces(threads_, panels_, panels_per_block, [&](Piece piece) {
      for (Index p = piece.begin; p < piece.end; ++p) {
        pack_panel(p, packed_.data() + p * features_ * panel_rows);
      }
    });
  }
  void make_distance() {
    if (distance_.empty()) distance_ = Buffer<T>(engine_, panels_ * panel_rows);
  }
  [[nodiscard]] T moved_value(Index row, Index feature) const {
    return x_(row, feature) - origin_[static_cast<std::size_t>(feature)];
  }
  [[nodiscard]] double weight_of_centre(Index c) const {
    const auto at = static_cast<std::size_t>(c);
    return weights_.empty() ? static_cast<double>(counts_[at])
                            : weight_fixed_.decode(weight_sums_[at]);
  }
  // w·D of a row.
  [[nodiscard]] double pull(Index row) const {
    const auto distance = static_cast<double>(distance_.data()[row]);
    return weights_.empty() ? distance : weights_.data()[row] * distance;
  }

  // c' = fl(c − origin).
  void move_centres(const Buffer<T>& centres) {
    for (Index c = 0; c < k_; ++c) {
      for (Index j = 0; j < features_; ++j) {
        moved_.data()[c * features_ + j] =
            centres.data()[c * features_ + j] - origin_[static_cast<std::size_t>(j)];
      }
    }
  }
  // What the centres' moves since the assign before do to the bounds of the rows, and which centres
  // to score first.
  void prepare_bounds() {
    const auto k = static_cast<std::size_t>(k_);
    double reach = 0;
    std::vector<double> moves(k);
    for (std::size_t c = 0; c < k; ++c) {
      const T* centre = moved_.data() + static_cast<Index>(c) * features_;
      const T* before = before_.data() + static_cast<Index>(c) * features_;
      double square = 0;
      double move = 0;
      for (Index j = 0; j < features_; ++j) {
        const auto value = static_cast<double>(centre[j]);
        square += value * value;
        const double difference = value - static_cast<double>(before[j]);
        move += difference * difference;
      }
      reach = std::max(reach, std::sqrt(square));
      moves[c] = std::sqrt(move);
    }
    // Room for the roundings of T and double here and below.
    const double up = 1 + 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
    const bool afresh = reach * up > reach_;
    if (afresh) {
      // The first assign, or centres farther out than the bounds were computed for. Means of rows
      // do not reach beyond the rows.
      reach_ = reach * up;
      for (Index i = 0; i < rows_; ++i) {
        reach_ = std::max(reach_, std::sqrt(static_cast<double>(row_squares_.data()[i])) * up);
      }
      std::fill_n(own_.data(), own_.size(), T{0});
      std::fill_n(rest_.data(), rest_.size(), -std::numeric_limits<T>::infinity());
      std::fill(moves.begin(), moves.end(), 0.0);
    }
    before_.copy_from(moved_);

    std::vector<std::int32_t> order(k);  // of descending moves
    for (std::size_t c = 0; c < k; ++c) order[c] = static_cast<std::int32_t>(c);
    std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      const double move_a = moves[static_cast<std::size_t>(a)];
      const double move_b = moves[static_cast<std::size_t>(b)];
      return move_a != move_b ? move_a > move_b : a < b;
    });
    // The move of the n-th centre in that order, rounded up.
    const auto move_of = [&](std::size_t n) {
      return static_cast<T>(n < k ? moves[static_cast<std::size_t>(order[n])] * up : 0.0);
    };
    own_gain_.assign(1 + k, T{0});
    for (std::size_t n = 0; n < k; ++n)
      own_gain_[1 + static_cast<std::size_t>(order[n])] = move_of(n);
    // What `rest` loses if the first `skipped` centres in that order are left out.
    const auto loss_without = [&](std::size_t skipped) {
      std::vector<T> loss(1 + k, move_of(skipped));
      if (skipped < k) loss[1 + static_cast<std::size_t>(order[skipped])] = move_of(skipped + 1);
      return loss;
    };
    rest_loss_ = loss_without(0);

    const std::size_t hot = afresh ? 0 : worthwhile_hot_centres(order, loss_without);
    cold_loss_ = loss_without(hot);
    hot_centres_.assign(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(hot));
    const Index tiles = pieces(static_cast<Index>(hot), tile_centres);
    hot_tiles_ = Buffer<T>(engine_, tiles * features_ * tile_centres);
    hot_squares_ = Buffer<T>(engine_, tiles * tile_centres);
    pack_tiles(hot_centres_, hot_tiles_, hot_squares_);
  }

  // How many centres to score first, by what a sample of the rows promises; 0 for none. Labels do
  // not depend on it.
  template <class LossWithout>
  std::size_t worthwhile_hot_centres(const std::vector<std::int32_t>& order,
                                     const LossWithout& loss_without) const {
    // The sampled rows that may change their label when the loss is `loss`. Of a row whose own
    // centre is hot the distance to it will be known; take it to be what it was.
    const Index step = std::max<Index>(1, rows_ / 10000);
    const auto active = [&](const std::vector<T>& loss, std::size_t hot) {
      std::vector<T> gain = own_gain_;
      for (std::size_t n = 0; n < hot; ++n) gain[1 + static_cast<std::size_t>(order[n])] = T{0};
      Index count = 0;
      for (Index i = 0; i < rows_; i += step) {
        const auto label = static_cast<std::size_t>(labels_.data()[i] + 1);
        if (!(own_.data()[i] + gain[label] < rest_.data()[i] - loss[label])) ++count;
      }
      return static_cast<double>(count) / static_cast<double>(pieces(rows_, step));
    };
    // Costs are in scores of a row. Gathering a row costs as much as 12.
    const auto k = static_cast<double>(k_);
    const auto full = [&](double share) { return std::min(k, share * (k + 12)); };
    const double all = active(rest_loss_, 0);
    const double panels = 1 - std::pow(1 - all, static_cast<double>(panel_rows));
    double least = full(all);
    std::size_t best = 0;
    for (std::size_t hot = tile_centres; 2 * hot <= static_cast<std::size_t>(k_); hot *= 2) {
      const double cost =
          panels * (static_cast<double>(hot) + 12) + full(active(loss_without(hot), hot));
      if (cost < least) {
        least = cost;
        best = hot;
      }
    }
    return best;
  }

  [[nodiscard]] std::vector<std::int32_t> every_centre() const {
    std::vector<std::int32_t> all(static_cast<std::size_t>(k_));
    for (std::size_t c = 0; c < all.size(); ++c) all[c] = static_cast<std::int32_t>(c);
    return all;
  }
  void pack_tiles(std::span<const std::int32_t> centres, Buffer<T>& tiles, Buffer<T>& squares) {
    for (Index at = 0; at < squares.size(); ++at) {
      T* column = tiles.data() + at / tile_centres * features_ * tile_centres + at % tile_centres;
      if (at >= static_cast<Index>(centres.size())) {
        for (Index j = 0; j < features_; ++j) column[j * tile_centres] = T{0};
        squares.data()[at] = std::numeric_limits<T>::infinity();
        continue;
      }
      const T* centre = moved_.data() + centres[static_cast<std::size_t>(at)] * features_;
      T square{0};
      for (Index j = 0; j < features_; ++j) {
        square = std::fma(centre[j], centre[j], square);
        column[j * tile_centres] = T{-2} * centre[j];
      }
      squares.data()[at] = square;
    }
  }

  Engine& engine_;
  int threads_;
  Kernels<T> kernels_;

  MatrixView<const T> x_;
  Index rows_ = 0;
  Index features_ = 0;
  Index stride_ = 0;  // features padded to sum_padding
  Index panels_ = 0;
  std::vector<T> origin_;
  bool keeps_panels_ = true;
  Buffer<T> packed_;             // [panels][features][panel_rows]: x'; or empty
  Buffer<double> weights_;       // [panels · panel_rows], 0 past the end; or empty
  Buffer<std::int32_t> labels_;  // [panels · panel_rows]
  Buffer<T> row_squares_;        // [panels · panel_rows]: ‖x'‖²
  Buffer<T> distance_;           // [panels · panel_rows], squared
  Buffer<double> scales_;        // [stride]
  std::vector<FixedPoint> fixed_;
  FixedPoint weight_fixed_;
  double square_total_ = 0;  // Σ w ‖x'‖²

  Index k_ = 0;
  Index changed_ = 0;
  KMeansTotals totals_;
  std::vector<std::int64_t> sums_;  // [k][stride]
  std::vector<std::int64_t> weight_sums_;
  std::vector<Index> counts_;
  // The bounds: see AssignArgs.
  bool with_bounds_ = false;
  double reach_ = -1;  // at least every ‖x'‖ and ‖c'‖; negative before the first assign
  Buffer<T> own_;      // [panels · panel_rows]
  Buffer<T> rest_;     // [panels · panel_rows]
  Buffer<T> before_;   // [k][features]: the c' of the assign before
  std::vector<T> own_gain_;
  std::vector<T> rest_loss_;
  std::vector<T> cold_loss_;
  std::vector<std::int32_t> hot_centres_;
  Buffer<T> hot_tiles_;
  Buffer<T> hot_squares_;
  Buffer<T> moved_;    // [k][features]: c'
  Buffer<T> tiles_;    // [tiles][features][tile_centres]: −2c'
  Buffer<T> squares_;  // [tiles][tile_centres]: ‖c'‖²
  std::vector<double> potential_blocks_;
};

}  // namespace
}  // namespace tandem::cpu

namespace tandem {

template <Real T>
std::unique_ptr<KMeansSteps<T>> KMeansSteps<T>::make_cpu(Engine& engine) {
  return std::make_unique<cpu::KMeansCpu<T>>(engine);
}

template std::unique_ptr<KMeansSteps<float>> KMeansSteps<float>::make_cpu(Engine&);
template std::unique_ptr<KMeansSteps<double>> KMeansSteps<double>::make_cpu(Engine&);

}  // namespace tandem
#endif  // HWY_ONCE
