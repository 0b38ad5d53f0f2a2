// k-means on the CPU, exact: what its files share.
//
//   kmeans.cpp                the steps: memory, threads, order of the passes
//   kmeans_load.cpp           rows into panels, their moments, the move to the origin
//   kmeans_assign.cpp         scores and running argmin; with it, in the same pass over a panel:
//     kmeans_scores-inl.hpp     the scores of a panel against all centres
//     kmeans_bounds-inl.hpp     the bounds of rows whose label cannot have changed
//     kmeans_sums-inl.hpp       rows that move from one centre's sums to another's
//   kmeans_bounds.cpp         what the centres' moves do to these bounds
//   kmeans_sums.cpp           fixed-point sums of the rows of a centre, and the next centres from
//   them kmeans_distances.cpp      distances to given rows and to the own centre kmeans_draw.cpp
//   the potential, draws by it, and the farthest row
//
// cuda/cluster/kmeans.cuh lists their twins.
//
// Layout. Rows are moved by the origin and packed into panels of 32 rows, feature by feature:
// panel[feature][row in panel], so that a vector holds one feature of consecutive rows. Scores and
// labels are then vertical: no sum across a vector, and the argmin is a compare and two selects per
// centre and vector. 32 is also sum_lanes, so the lane of a row in a long sum is its place in the
// panel. With few centres all panels are kept; with many, packing is little beside scoring, and a
// panel is packed in the cache each time it is scored, so that there is no second copy of the rows.
#pragma once

#include <cstdint>

#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

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
// The sums that the rows of one worker add.
struct AssignDelta {
  std::int64_t* sums;     // [centres][stride]
  std::int64_t* weights;  // [centres], fixed point; unused without weights
  std::int64_t* counts;   // [centres]
  Index changed;
};

// The kernels of one element type, for the instruction set that the processor has.

template <class T>
struct LoadKernels {
  // One block of at most sum_block rows of the long sums of w·x. `lanes` is scratch memory of
  // sum_lanes × features; the sums stand in its first row. `weights` may be null.
  void (*column_lanes)(const T* x, Index rows, Index features, Index stride, const double* weights,
                       double* lanes);
  // Packs at most panel_rows rows into a panel; row_squares = ‖x'‖².
  void (*pack)(const T* x, Index rows, Index features, Index stride, const T* origin, T* panel,
               T* row_squares);
  // Computes for each feature of a block's `count` panels the long sum of w·x'², and raises
  // `largest` to the largest |x'|. `weights` has panel_rows entries per panel, or is null.
  void (*block_spread)(const T* panels, Index count, Index features, const double* weights,
                       double* sums, T* largest);
};
template <class T>
[[nodiscard]] LoadKernels<T> load_kernels();

template <class T>
struct AssignKernels {
  // Assigns the panels first .. last − 1.
  void (*assign)(const AssignArgs<T>& args, Index first, Index last, AssignDelta& delta);
  // Labels them and does nothing else: reads packed or x, origin, rows, features and all.
  void (*label)(const AssignArgs<T>& args, Index first, Index last);
};
template <class T>
[[nodiscard]] AssignKernels<T> assign_kernels();

template <class T>
struct DistanceKernels {
  // distance = min(distance, ‖x' − y'‖²) over `count` rows y', one after the other, for the panels
  // first .. last − 1.
  void (*to_rows)(const T* packed, Index features, Index first, Index last, const T* rows,
                  Index count, T* distance);
  // ‖x' − c'‖² of the rows of one panel, by label, as a chain in T; and as a chain in double.
  void (*to_own_centres)(const T* panel, Index features, const std::int32_t* labels,
                         const T* centres, T* distance);
  void (*costs)(const T* panel, Index features, const std::int32_t* labels, const T* centres,
                double* cost);
};
template <class T>
[[nodiscard]] DistanceKernels<T> distance_kernels();

}  // namespace tandem::cpu
