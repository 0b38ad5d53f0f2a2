// k-means on the CPU, exact.
//
// Layout. Rows are moved by the origin and packed once, by load(), into panels of 32 rows, feature
// by feature: packed[panel][feature][row in panel], so that a vector holds one feature of
// consecutive rows. Scores and labels are then vertical: no sum across a vector, and the argmin is
// a compare and two selects per centre and vector. 32 is also sum_lanes, so the lane of a row in a
// long sum is its place in the panel.
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
// Rows that cannot change. With many centres, each row keeps a lower bound, its slack, on how much
// nearer its centre is than any other, after Hamerly, "Making k-means even faster", SDM 2010. When
// the centres move, the slack falls by what they moved at most; while it is positive the scores
// need not be computed. The bound allows for the rounding of the scores (slack_of), so that the
// labels are bit for bit those of computing all scores. The rows left over are gathered into full
// panels.

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
inline constexpr Index least_centres_for_slack = 40;

// Everything that one worker of assign() reads and writes. The pointers outlive the call.
template <class T>
struct AssignArgs {
  const T* packed;  // [panels][features][panel_rows]
  Index rows;
  Index features;
  Index centres;
  const T* tiles;         // [tiles][features][tile_centres]: −2c', 0 past the last centre
  const T* squares;       // [tiles][tile_centres]: ‖c'‖², +∞ past the last centre
  std::int32_t* labels;   // [panels · panel_rows]
  const double* weights;  // [panels · panel_rows], or null for weights of 1
  const double* scales;   // [padded features]: 2^exponent of the fixed-point sums
  double weight_scale;
  Index stride;  // padded features
  // Null where slack is not kept.
  T* slack;              // [panels · panel_rows]
  const T* row_squares;  // [panels · panel_rows]: ‖x'‖²
  const T* slack_loss;   // [1 + centres]: what a row of that centre loses; first of no centre
  T reach;               // at least ‖c'‖ of all centres
  const T* x;            // the rows as they came, x_stride apart
  Index x_stride;
  const T* origin;
  T score_error;  // γ: a score is off by at most γ (‖x'‖ + reach)²
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

// Two vectors of rows against `C` centres of a tile; keeps the least score and its centre, and with
// `second` not null the least score but one.
template <int C, bool with_second, class D, class T = hn::TFromD<D>,
          class DI = hn::RebindToSigned<D>>
HWY_INLINE void score_tile(D d, const T* HWY_RESTRICT panel, Index features,
                           const T* HWY_RESTRICT tile, const T* HWY_RESTRICT squares,
                           Index first_centre, T* HWY_RESTRICT best,
                           hn::TFromD<DI>* HWY_RESTRICT nearest, T* HWY_RESTRICT second) {
  using V = hn::Vec<D>;
  const DI di;
  const size_t lanes = hn::Lanes(d);
  V score0[C];
  V score1[C];
#pragma GCC unroll 16
  for (int c = 0; c < C; ++c) score0[c] = score1[c] = hn::Set(d, squares[c]);
#pragma GCC unroll 1
  for (Index j = 0; j < features; ++j) {
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

// The nearest centre of each of the panel's rows.
template <bool with_second, class T>
HWY_INLINE void nearest_centres(const AssignArgs<T>& args, const T* HWY_RESTRICT panel,
                                PanelScores<T>& scores) {
  const hn::CappedTag<T, panel_rows / 2> d;
  const hn::RebindToSigned<decltype(d)> di;
  using TI = hn::TFromD<decltype(di)>;
  const Index vectors = 2 * static_cast<Index>(hn::Lanes(d));
  alignas(64) TI nearest[panel_rows];
  std::fill_n(scores.best, panel_rows, std::numeric_limits<T>::infinity());
  std::fill_n(scores.second, panel_rows, std::numeric_limits<T>::infinity());
  std::fill_n(nearest, panel_rows, TI{0});
  for (Index first = 0; first < args.centres; first += tile_centres) {
    const T* tile = args.tiles + first * args.features;
    const T* squares = args.squares + first;
    const Index left = args.centres - first;
    for (Index r = 0; r < panel_rows; r += vectors) {
      const auto score = [&]<int count>(std::integral_constant<int, count>, Index skip) HWY_ATTR
          __attribute__((always_inline)) {
        score_tile<count, with_second>(d, panel + r, args.features, tile + skip, squares + skip,
                                       first + skip, scores.best + r, nearest + r,
                                       scores.second + r);
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

// The slack of a panel's rows from their two least scores. With q = ‖x'‖², m = ‖x'‖ + reach and
// computed scores off by at most e = γm², the row's centre is at distance sqrt(best + q + e) at
// most and the others at sqrt(second + q − e) at least; call the difference s. As long as the
// difference s' of two distances, s less the moves since, has s'² > 2e, the computed scores keep
// their order, since d² − d'² >= (d − d')². So the slack is s − sqrt(2e). γ has room for the
// roundings here under the roots; 8um covers those of the roots and after.
template <class T>
HWY_INLINE void slack_of(const AssignArgs<T>& args, const PanelScores<T>& scores,
                         const T* HWY_RESTRICT row_squares, T* HWY_RESTRICT slack) {
  const hn::CappedTag<T, panel_rows> d;
  const auto zero = hn::Zero(d);
  const auto error = hn::Set(d, args.score_error);
  const auto reach = hn::Set(d, args.reach);
  const T u8 = 4 * std::numeric_limits<T>::epsilon();
  const auto margin = hn::Set(d, std::sqrt(2 * args.score_error) + u8);
  for (Index r = 0; r < panel_rows; r += static_cast<Index>(hn::Lanes(d))) {
    const auto q = hn::Load(d, row_squares + r);
    const auto m = hn::Add(hn::Sqrt(q), reach);
    const auto e = hn::Mul(error, hn::Mul(m, m));
    const auto others = hn::Sub(hn::Add(hn::Load(d, scores.second + r), q), e);
    const auto own = hn::Add(hn::Add(hn::Load(d, scores.best + r), q), e);
    const auto s = hn::Sub(hn::Sqrt(hn::Max(others, zero)), hn::Sqrt(hn::Max(own, zero)));
    hn::Store(hn::Sub(s, hn::Mul(margin, m)), d, slack + r);
  }
}

// Takes from the slack of a panel's rows what their centres' moves cost, and returns the rows that
// have none left. Multiplying by 1 − 4u keeps it a lower bound in spite of two roundings.
template <class T>
HWY_INLINE std::uint64_t lose_slack(const AssignArgs<T>& args, Index panel) {
  const hn::CappedTag<T, panel_rows> d;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const std::int32_t* HWY_RESTRICT labels = args.labels + panel * panel_rows;
  T* HWY_RESTRICT slack = args.slack + panel * panel_rows;
  alignas(64) T loss[panel_rows];
  for (Index r = 0; r < panel_rows; ++r) loss[r] = args.slack_loss[labels[r] + 1];
  const auto keep = hn::Set(d, T{1} - 2 * std::numeric_limits<T>::epsilon());
  std::uint64_t active = 0;
  for (Index r = 0; r < panel_rows; r += lanes) {
    const auto left = hn::Mul(hn::Sub(hn::Load(d, slack + r), hn::Load(d, loss + r)), keep);
    hn::Store(left, d, slack + r);
    std::uint8_t bits[8] = {};
    (void)hn::StoreMaskBits(d, hn::Le(left, hn::Zero(d)), bits);
    for (Index b = 0; b * 8 < lanes; ++b) {
      active |= static_cast<std::uint64_t>(bits[b]) << (r + 8 * b);
    }
  }
  return active;
}

// out[feature][panel_rows] = x − origin for `rows` <= panel_rows rows of x, each anywhere in
// memory; 0 past the end.
template <class T>
HWY_INLINE void transpose_rows(const T* const* x, Index rows, Index features,
                               const T* HWY_RESTRICT origin, T* HWY_RESTRICT out) {
  Index first = 0;
#if HWY_TARGET != HWY_SCALAR
  // Squares of 4 × 4 floats or 2 × 2 doubles.
  constexpr Index side = 16 / sizeof(T);
  const hn::FixedTag<T, side> d;
  if (rows == panel_rows) {
    for (; first + side <= features; first += side) {
      const auto moved = hn::LoadU(d, origin + first);
      for (Index r = 0; r < panel_rows; r += side) {
        T* to = out + first * panel_rows + r;
        const auto row0 = hn::Sub(hn::LoadU(d, x[r] + first), moved);
        const auto row1 = hn::Sub(hn::LoadU(d, x[r + 1] + first), moved);
        const auto low01 = hn::InterleaveLower(d, row0, row1);
        const auto high01 = hn::InterleaveUpper(d, row0, row1);
        if constexpr (side == 2) {
          hn::Store(low01, d, to);
          hn::Store(high01, d, to + panel_rows);
        } else {
          const auto row2 = hn::Sub(hn::LoadU(d, x[r + 2] + first), moved);
          const auto row3 = hn::Sub(hn::LoadU(d, x[r + 3] + first), moved);
          const auto low23 = hn::InterleaveLower(d, row2, row3);
          const auto high23 = hn::InterleaveUpper(d, row2, row3);
          hn::Store(hn::ConcatLowerLower(d, low23, low01), d, to);
          hn::Store(hn::ConcatUpperUpper(d, low23, low01), d, to + panel_rows);
          hn::Store(hn::ConcatLowerLower(d, high23, high01), d, to + 2 * panel_rows);
          hn::Store(hn::ConcatUpperUpper(d, high23, high01), d, to + 3 * panel_rows);
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

// A panel as it lies in memory, all of its rows.
template <bool with_slack, class T>
HWY_INLINE void assign_panel(const AssignArgs<T>& args, Index p, AssignDelta& delta, T* scratch) {
  const hn::CappedTag<std::int32_t, panel_rows> d;
  const Index lanes = static_cast<Index>(hn::Lanes(d));
  const T* panel = args.packed + p * args.features * panel_rows;
  const Index first = p * panel_rows;
  PanelScores<T> scores;
  nearest_centres<with_slack>(args, panel, scores);
  if constexpr (with_slack) slack_of(args, scores, args.row_squares + first, args.slack + first);
  std::uint64_t changed = 0;
  for (Index r = 0; r < panel_rows; r += lanes) {
    std::uint8_t bits[8] = {};
    const auto old = hn::Load(d, args.labels + first + r);
    (void)hn::StoreMaskBits(d, hn::Ne(hn::Load(d, scores.labels + r), old), bits);
    for (Index b = 0; b * 8 < lanes; ++b) {
      changed |= static_cast<std::uint64_t>(bits[b]) << (r + 8 * b);
    }
  }
  const Index rows_here = std::min(panel_rows, args.rows - first);
  if (rows_here < panel_rows) changed &= (std::uint64_t{1} << rows_here) - 1;
  copy_rows(args, panel, changed, scratch);
  for (; changed != 0; changed &= changed - 1) {
    const Index r = __builtin_ctzll(changed);
    label_row(args, scratch, first + r, scores.labels[r], delta);
    scratch += args.stride;
  }
}

// Rows of several panels, gathered into one.
template <class T>
struct GatheredPanel {
  std::vector<T> memory;
  T* panel;  // [features][panel_rows]
  alignas(64) T row_squares[panel_rows] = {};
  const T* x[panel_rows];
  Index row[panel_rows];
  Index count = 0;

  explicit GatheredPanel(Index features)
      : memory(static_cast<std::size_t>((features + 1) * panel_rows), T{0}) {
    auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    panel = reinterpret_cast<T*>((address + 63) / 64 * 64);
  }
};

template <class T>
HWY_INLINE void assign_gathered(const AssignArgs<T>& args, GatheredPanel<T>& gathered,
                                AssignDelta& delta, T* scratch) {
  PanelScores<T> scores;
  alignas(64) T slack[panel_rows];
  // A panel that is not full repeats its first row.
  for (Index slot = gathered.count; slot < panel_rows; ++slot) gathered.x[slot] = gathered.x[0];
  transpose_rows(gathered.x, panel_rows, args.features, args.origin, gathered.panel);
  nearest_centres<true>(args, gathered.panel, scores);
  slack_of(args, scores, gathered.row_squares, slack);
  std::uint64_t changed = 0;
  for (Index slot = 0; slot < gathered.count; ++slot) {
    const Index row = gathered.row[slot];
    args.slack[row] = slack[slot];
    if (args.labels[row] != scores.labels[slot]) changed |= std::uint64_t{1} << slot;
  }
  copy_rows(args, gathered.panel, changed, scratch);
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
  if (args.slack == nullptr) {
    for (Index p = first_panel; p < last_panel; ++p) {
      assign_panel<false>(args, p, delta, scratch.data());
    }
    return;
  }
  GatheredPanel<T> gathered(args.features);
  for (Index p = first_panel; p < last_panel; ++p) {
    std::uint64_t active = lose_slack(args, p);
    const Index first = p * panel_rows;
    const Index rows_here = std::min(panel_rows, args.rows - first);
    if (rows_here < panel_rows) active &= (std::uint64_t{1} << rows_here) - 1;
    // Gathering a row takes about as long as scoring it against 12 centres.
    if (__builtin_popcountll(active) * (args.centres + 12) >= panel_rows * args.centres) {
      assign_panel<true>(args, p, delta, scratch.data());
      continue;
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

  KMeansSpread load(MatrixView<const T> x, std::span<const double> weights,
                    std::span<const T> origin) override {
    x_ = x;
    rows_ = x.rows;
    features_ = x.cols;
    stride_ = pieces(features_, sum_padding) * sum_padding;
    panels_ = pieces(rows_, panel_rows);
    origin_.assign(origin.begin(), origin.end());
    packed_ = Buffer<T>(engine_, panels_ * features_ * panel_rows);
    labels_ = Buffer<std::int32_t>(engine_, panels_ * panel_rows);
    row_squares_ = Buffer<T>(engine_, panels_ * panel_rows);
    slack_ = Buffer<T>();
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
    parallel_for(threads_, blocks, [&](Index b) {
      const Piece rows = piece_of(rows_, sum_block, b);
      for (Index i = rows.begin; i < rows.end; i += panel_rows) {
        kernels_.pack(x.data + i * x.stride, std::min(panel_rows, rows.end - i), features_,
                      x.stride, origin_.data(), packed_.data() + i * features_,
                      row_squares_.data() + i);
      }
      kernels_.block_spread(packed_.data() + rows.begin * features_,
                            pieces(rows.size(), panel_rows), features_,
                            weights_.empty() ? nullptr : weights_.data() + rows.begin,
                            block_sums.data() + static_cast<std::size_t>(b) * width,
                            largest.data() + static_cast<std::size_t>(b) * width);
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
      fixed_.push_back(FixedPoint::for_sum(rows_, heaviest * spread.largest[j]));
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
    slack_loss_ = Buffer<T>();
    if (k >= least_centres_for_slack) {
      if (slack_.empty()) slack_ = Buffer<T>(engine_, panels_ * panel_rows);
      slack_loss_ = Buffer<T>(engine_, 1 + k);
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
    const bool with_slack = !slack_loss_.empty();
    move_centres(centres);
    pack_tiles();
    if (with_slack) prepare_slack();
    const AssignArgs<T> args{packed_.data(),
                             rows_,
                             features_,
                             k_,
                             tiles_.data(),
                             squares_.data(),
                             labels_.data(),
                             weights_.empty() ? nullptr : weights_.data(),
                             scales_.data(),
                             std::ldexp(1.0, weight_fixed_.exponent),
                             stride_,
                             with_slack ? slack_.data() : nullptr,
                             row_squares_.data(),
                             slack_loss_.data(),
                             static_cast<T>(std::max(reach_, 0.0)),
                             x_.data,
                             x_.stride,
                             origin_.data(),
                             static_cast<T>(gamma_bound<T>(2 * features_ + 12))};
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

  KMeansTotals recentre(const Buffer<T>& centres, Buffer<T>& next) override {
    move_centres(centres);
    KMeansTotals totals;
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
    double magnitude = 0;
    double fixed_error = 0;
    for (Index j = 0; j < features_; ++j) {
      double most = 0;
      for (Index c = 0; c < k_; ++c) {
        const double value = std::abs(static_cast<double>(moved_.data()[c * features_ + j]));
        most = std::max(most, value);
        magnitude += value * (weight_of_centre(c) * value + 2 * std::abs(sum(c, j)));
      }
      fixed_error += most * static_cast<double>(rows_) *
                     std::ldexp(1.0, -fixed_[static_cast<std::size_t>(j)].exponent);
    }
    totals.cost_error =
        cost_error_bound(rows_, k_ * features_, square_total_, magnitude, fixed_error);
    return totals;
  }

  double inertia(const Buffer<T>& centres) override {
    move_centres(centres);
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
    if (!slack_loss_.empty() && reach_ >= 0) {
      slack_.data()[row] = -std::numeric_limits<T>::infinity();
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

  void make_distance() {
    if (distance_.empty()) distance_ = Buffer<T>(engine_, panels_ * panel_rows);
  }
  [[nodiscard]] T moved_value(Index row, Index feature) const {
    return packed_.data()[(row / panel_rows * features_ + feature) * panel_rows + row % panel_rows];
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
  // How much slack the rows of each centre lose by the centres' moves since the assign before:
  // what their own moved, and the most that any other moved.
  void prepare_slack() {
    double reach = 0;
    for (Index c = 0; c < k_; ++c) {
      double square = 0;
      for (Index j = 0; j < features_; ++j) {
        const auto value = static_cast<double>(moved_.data()[c * features_ + j]);
        square += value * value;
      }
      reach = std::max(reach, std::sqrt(square));
    }
    // Room for the roundings of T and double here and below.
    const double up = 1 + 8 * static_cast<double>(std::numeric_limits<T>::epsilon());
    if (reach * up > reach_) {
      // The first assign, or centres farther out than the slack was computed for. Means of rows do
      // not reach beyond the rows.
      reach_ = reach * up;
      for (Index i = 0; i < rows_; ++i) {
        reach_ = std::max(reach_, std::sqrt(static_cast<double>(row_squares_.data()[i])) * up);
      }
      std::fill_n(slack_.data(), slack_.size(), -std::numeric_limits<T>::infinity());
      before_.copy_from(moved_);
    }
    double most = 0;
    double most_but_one = 0;
    Index farthest = 0;
    std::vector<double> moves;
    for (Index c = 0; c < k_; ++c) {
      double square = 0;
      for (Index j = 0; j < features_; ++j) {
        const double move = static_cast<double>(moved_.data()[c * features_ + j]) -
                            static_cast<double>(before_.data()[c * features_ + j]);
        square += move * move;
      }
      const double move = std::sqrt(square);
      moves.push_back(move);
      if (move > most) {
        most_but_one = most;
        most = move;
        farthest = c;
      } else {
        most_but_one = std::max(most_but_one, move);
      }
    }
    slack_loss_.data()[0] = 0;
    for (Index c = 0; c < k_; ++c) {
      const double loss =
          moves[static_cast<std::size_t>(c)] + (c == farthest ? most_but_one : most);
      slack_loss_.data()[1 + c] = static_cast<T>(loss * up);
    }
    before_.copy_from(moved_);
  }
  void pack_tiles() {
    for (Index c = 0; c < squares_.size(); ++c) {
      T* column = tiles_.data() + c / tile_centres * features_ * tile_centres + c % tile_centres;
      if (c >= k_) {
        for (Index j = 0; j < features_; ++j) column[j * tile_centres] = T{0};
        squares_.data()[c] = std::numeric_limits<T>::infinity();
        continue;
      }
      T square{0};
      for (Index j = 0; j < features_; ++j) {
        const T value = moved_.data()[c * features_ + j];
        square = std::fma(value, value, square);
        column[j * tile_centres] = T{-2} * value;
      }
      squares_.data()[c] = square;
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
  Buffer<T> packed_;             // [panels][features][panel_rows]: x'
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
  std::vector<std::int64_t> sums_;  // [k][stride]
  std::vector<std::int64_t> weight_sums_;
  std::vector<Index> counts_;
  double reach_ = -1;     // at least every ‖x'‖ and ‖c'‖; negative before the first assign
  Buffer<T> slack_;       // [panels · panel_rows]
  Buffer<T> slack_loss_;  // [1 + k], or empty where slack is not kept
  Buffer<T> before_;      // [k][features]: the c' of the assign before
  Buffer<T> moved_;       // [k][features]: c'
  Buffer<T> tiles_;       // [tiles][features][tile_centres]: −2c'
  Buffer<T> squares_;     // [tiles][tile_centres]: ‖c'‖²
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
