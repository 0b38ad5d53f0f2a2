// k-means on the GPU: what its files share.
//
//   kmeans.cu             the steps: memory, order of launches, what waits
//   kmeans_load.cu        rows into panels, their moments, the move to the origin
//   kmeans_assign.cu      scores and running argmin
//   kmeans_sums.cu        fixed-point sums of the rows of a centre, and the next centres from them
//   kmeans_distances.cu   D, the inertia, the potential, a draw by it
//   kmeans_draw.cu        draws and the farthest row, by CUB
//
// kmeans_cost.hpp says what each kernel must do.
//
// Layout. Rows, moved by the origin, lie in panels of 32, feature by feature, as on the CPU:
// panels[panel][feature][row in panel]. A lane of a warp is a row of a panel, so that every load of
// rows is 32 consecutive elements, no sum and no argmin goes across lanes, and a lane is the lane
// of a long sum. Memory is padded to whole blocks of sum_block rows; rows past the last are zeros.
#pragma once

#include <cstdint>

#include "core/cluster/kmeans_math.hpp"
#include "core/random.hpp"
#include "cuda/cluster/kmeans_cost.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"

namespace tandem::cuda::kmeans {

inline constexpr Index panel_rows = sum_lanes;
inline constexpr Index block_panels = sum_block / panel_rows;

// Rows in the device's memory: all of them, or a piece of those that stand on the host.
template <Real T>
struct Rows {
  const T* panels;
  Index count;
  Index features;

  [[nodiscard]] Index panel_count() const { return blocks_for(count, panel_rows); }
  [[nodiscard]] Index block_count() const { return blocks_for(count, sum_block); }
};

// Sums over the rows of each centre, in fixed point, two's complement: atomics on unsigned integers
// add them in any order. `weights` is null where all weights are 1.
struct Sums {
  unsigned long long* values;   // [centres][features]: w x', scaled
  unsigned long long* weights;  // [centres]: w, scaled
  unsigned long long* counts;   // [centres]: rows of positive weight
  const double* scales;         // [features]: 2^exponent
  const double* units;          // [features]: 2^−exponent
  double weight_scale;
  double weight_unit;
};

// Centres as the kernels read them.
template <Real T>
struct Centres {
  T* values;   // [features][padded]: −2c', 0 past the last centre
  T* squares;  // [padded]: ‖c'‖², +∞ past the last centre
  Index count;
  Index padded;
};

// --- kmeans_load.cu -----------------------------------------------------------------------------

// panels = the rows x, `count` × `features` without gaps, up to the end of the last block.
template <Real T>
void pack_rows(CudaEngine& engine, const T* x, Index count, Index features, T* panels);

// partial[block][feature] = Σ w·x over the rows of a block, before they are moved. `weights` may be
// null.
template <Real T>
void sum_columns(CudaEngine& engine, const Rows<T>& rows, const double* weights, double* partial);

// x' = x − origin in place, of `rows.panels` = `panels`; partial[block][feature] = Σ w·x'²;
// largest[feature] = max(largest[feature], |x'|).
template <Real T>
void move_to_origin(CudaEngine& engine, T* panels, const Rows<T>& rows, const T* origin,
                    const double* weights, double* partial, T* largest);

// values[0 .. count − 1] = value.
void fill(CudaEngine& engine, std::int32_t* values, Index count, std::int32_t value);

// --- kmeans_assign.cu ---------------------------------------------------------------------------

// centres = c' of `count` centres of the data's coordinates, packed.
template <Real T>
void prepare_centres(CudaEngine& engine, const T* from, const T* origin, Index features,
                     const Centres<T>& centres);

// labels[i] = the lowest index of the least score.
template <Real T>
void assign(CudaEngine& engine, const Rows<T>& rows, const Centres<T>& centres,
            const AssignShape& shape, std::int32_t* labels);

// --- kmeans_sums.cu -----------------------------------------------------------------------------

// Rows whose labels differ go from the sums of the one to those of the other; *changed += their
// number. A label of −1 is that of no centre.
template <Real T>
void move_sums(CudaEngine& engine, const Rows<T>& rows, const double* weights,
               const std::int32_t* from, const std::int32_t* to, Index centres, const Sums& sums,
               unsigned long long* changed);

// The same for one row; sets its label. `rows` are all rows, wherever they are.
template <Real T>
void move_row(CudaEngine& engine, const Rows<T>& rows, const double* weights, Index row,
              std::int32_t to, std::int32_t* labels, const Sums& sums);

// The result of recentre on the device: KMeansTotals before cost and its error are put together.
struct DeviceTotals {
  unsigned long long changed;
  unsigned long long empty;
  double shift_squared;
  double cost_terms;
  double magnitude;
  double fixed_error;
};
// partial: 3 doubles for each sum_block coordinates of the centres; errors: one per feature.
template <Real T>
void recentre(CudaEngine& engine, const T* centres, const T* origin, Index count, Index features,
              Index rows, const Sums& sums, const unsigned long long* changed, T* next,
              double* partial, double* errors, DeviceTotals* totals);

// --- kmeans_distances.cu ------------------------------------------------------------------------

// D_i = ‖x' − c'‖² of each row and its centre, a chain in T.
template <Real T>
void distances_to_own_centres(CudaEngine& engine, const Rows<T>& rows, const std::int32_t* labels,
                              const Centres<T>& centres, T* distance);
// partial[block] = Σ w ‖x' − c'‖² over the rows of a block, of chains in double.
template <Real T>
void block_costs(CudaEngine& engine, const Rows<T>& rows, const std::int32_t* labels,
                 const double* weights, const Centres<T>& centres, double* partial);

// Rows that others are compared with, in tiles of eight: [tile][feature][8], or one row alone. The
// last tile repeats the last row.
inline constexpr int rows_of_tile = 8;
[[nodiscard]] constexpr Index padded_rows(Index count) {
  return count == 1 ? 1 : blocks_for(count, rows_of_tile) * rows_of_tile;
}
template <Real T>
void gather_rows(CudaEngine& engine, const Rows<T>& rows, const Index* chosen, Index count,
                 T* gathered);
// D_i = min(D_i, ‖x' − y'‖²) over the gathered rows y; with `first`, D_i starts at infinity.
template <Real T>
void distances_to_rows(CudaEngine& engine, const Rows<T>& rows, const T* gathered, Index count,
                       bool first, T* distance);

template <Real T>
using Pull = KMeansPull<T>;
// blocks[b] = Σ w·D over the rows of a block.
template <Real T>
void sum_pulls(CudaEngine& engine, const Pull<T>& pull, Index rows, double* blocks);
// *row = KMeansSteps::sample(u). `nodes` has room for count_tree_nodes(); the sums of the blocks
// stand in it first, from sum_pulls, and the levels of the tree above them are written behind.
template <Real T>
void sample(CudaEngine& engine, const Pull<T>& pull, Index rows, double* nodes, double u,
            Index* row);

// --- kmeans_draw.cu -----------------------------------------------------------------------------

// Bytes of scratch memory of the two below.
template <Real T>
[[nodiscard]] std::size_t select_scratch_bytes(CudaEngine& engine, Index rows);
// chosen[0 .. *count − 1] = the rows i of first .. first + rows − 1, less `first`, with
// random.uniform(first_index + i) < factor · pull(i). rows < 2^31.
template <Real T>
void select_rows(CudaEngine& engine, const Pull<T>& pull, Index first, Index rows, double factor,
                 const Random& random, std::uint64_t first_index, std::int32_t* chosen,
                 std::int32_t* count, void* scratch, std::size_t scratch_bytes);

struct Candidate {
  double distance;
  Index row;  // −1 for none
};
template <Real T>
[[nodiscard]] std::size_t farthest_scratch_bytes(CudaEngine& engine, Index rows);
// Finds, among the rows of positive weight whose centre has another such row, that of largest D.
template <Real T>
void farthest(CudaEngine& engine, const Pull<T>& pull, const std::int32_t* labels,
              const unsigned long long* counts, Index rows, Candidate* result, void* scratch,
              std::size_t scratch_bytes);

}  // namespace tandem::cuda::kmeans
