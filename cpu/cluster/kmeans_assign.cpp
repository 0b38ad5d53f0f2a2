// Assigns panels of rows to their nearest centres and keeps the sums of the centres up with it:
// scores (kmeans_scores-inl.hpp), with many centres only of the rows that the bounds do not settle
// (kmeans_bounds-inl.hpp), then the rows whose label changed (kmeans_sums-inl.hpp). All of it in
// one pass, because a panel that was scored is still in the cache. The rows left over by the bounds
// are gathered into full panels.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "cpu/cluster/kmeans_assign.cpp"
#include <hwy/foreach_target.h>  // must come before highway.h
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "cpu/cluster/kmeans.hpp"
#include "cpu/cluster/kmeans_bounds-inl.hpp"
#include "cpu/cluster/kmeans_pack-inl.hpp"
#include "cpu/cluster/kmeans_scores-inl.hpp"
#include "cpu/cluster/kmeans_sums-inl.hpp"
#include "cpu/simd-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace tandem::cpu::HWY_NAMESPACE {
namespace {

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

template <class T>
void label_panels(const AssignArgs<T>& args, Index first_panel, Index last_panel) {
  Panel<T> panel(args.features);
  for (Index p = first_panel; p < last_panel; ++p) {
    const Index first = p * panel_rows;
    const T* values = panel.values;
    if (args.packed != nullptr) {
      values = args.packed + first * args.features;
    } else {
      const Index rows_here = std::min(panel_rows, args.rows - first);
      for (Index r = 0; r < rows_here; ++r) panel.x[r] = args.x + (first + r) * args.x_stride;
      transpose_rows(panel.x, rows_here, args.features, args.origin, panel.values);
    }
    PanelScores<T> scores;
    nearest_centres<false>(args.all, args.features, values, Ahead(), scores);
    std::copy_n(scores.labels, panel_rows, args.labels + first);
  }
}

void label_float32(const AssignArgs<float>& args, Index first, Index last) {
  label_panels(args, first, last);
}
void label_float64(const AssignArgs<double>& args, Index first, Index last) {
  label_panels(args, first, last);
}
void assign_float32(const AssignArgs<float>& args, Index first, Index last, AssignDelta& delta) {
  assign_panels(args, first, last, delta);
}
void assign_float64(const AssignArgs<double>& args, Index first, Index last, AssignDelta& delta) {
  assign_panels(args, first, last, delta);
}

}  // namespace
}  // namespace tandem::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tandem::cpu {

HWY_EXPORT(assign_float32);
HWY_EXPORT(assign_float64);
HWY_EXPORT(label_float32);
HWY_EXPORT(label_float64);

template <>
AssignKernels<float> assign_kernels() {
  return {&HWY_DYNAMIC_DISPATCH(assign_float32), &HWY_DYNAMIC_DISPATCH(label_float32)};
}
template <>
AssignKernels<double> assign_kernels() {
  return {&HWY_DYNAMIC_DISPATCH(assign_float64), &HWY_DYNAMIC_DISPATCH(label_float64)};
}

}  // namespace tandem::cpu
#endif  // HWY_ONCE
