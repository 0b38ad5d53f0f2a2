// k-means on the GPU: what its files share.
//
//   kmeans.cu             the steps: memory, order of launches, what waits
//   kmeans_load.cu        rows into panels, their moments, the move to the origin
//   kmeans_assign.cu      scores and running argmin
//   kmeans_sums.cu        fixed-point sums of the rows of a centre, and the next centres from them
//   kmeans_distances.cu   D, the inertia, the potential, a draw by it
//   kmeans_draw.cu        draws and the farthest row, by CUB
//
// Layout. Rows, moved by the origin, lie in panels of 32, feature by feature, as on the CPU:
// panels[panel][feature][row in panel]. A lane of a warp is a row of a panel, so that every load of
// rows is 32 consecutive elements, no sum and no argmin goes across lanes, and a lane is the lane
// of a long sum. Memory is padded to whole blocks of sum_block rows; rows past the last are zeros.
#pragma once

#include <cstdint>

#include "core/cluster/kmeans_math.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "tandem/core/random.hpp"

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

// What a kernel must do. Bytes are those of global memory, each counted as often as the kernel asks
// for it (caches may serve some of them); an fma is two flops.
struct KernelCost {
  double flops;
  double bytes;
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

// How assign_kernel cuts the work of a problem: see there.
struct AssignShape {
  int centres_per_thread;
  int centre_warps;
  int warps;
  int depth;      // features in a stage
  bool resident;  // rows stay in shared memory for all tiles of centres
  Index padded;   // centres, to whole tiles
  int shared_bytes;

  static constexpr int panels_per_warp = 4;

  [[nodiscard]] constexpr int block_panels() const {
    return warps / centre_warps * panels_per_warp;
  }
  [[nodiscard]] constexpr int tile_centres() const { return centre_warps * centres_per_thread; }
};
[[nodiscard]] constexpr AssignShape assign_shape(Index features, Index centres, int element_bytes,
                                                 int threads) {
  AssignShape shape{};
  const int most = element_bytes == 4 ? 16 : 8;
  shape.centres_per_thread = centres > 8 ? most : centres > 4 ? 8 : 4;
  shape.warps = threads / 32 < 8 ? threads / 32 : 8;
  const Index needed = blocks_for(centres, shape.centres_per_thread);
  // Of two and four warps side by side, those that leave fewer centres over.
  shape.centre_warps = 1;
  if (needed > 1 && shape.warps >= 2) {
    shape.centre_warps = shape.warps >= 4 && (needed + 3) / 4 * 4 <= (needed + 1) / 2 * 2 ? 4 : 2;
  }
  shape.padded = blocks_for(centres, shape.tile_centres()) * shape.tile_centres();
  const int row_bytes = shape.block_panels() * 32 * element_bytes;  // of one feature
  const int centre_bytes = shape.tile_centres() * element_bytes;
  shape.depth = 16384 / row_bytes;
  if (shape.depth > 16) shape.depth = 16;
  if (shape.depth < 2) shape.depth = 2;
  while (shape.depth / 2 >= features && shape.depth > 1) shape.depth /= 2;
  const Index chunks = blocks_for(features, shape.depth);
  const Index all_rows = chunks * shape.depth * row_bytes;
  const int stages = 2 * shape.depth * centre_bytes;
  shape.resident = shape.padded > shape.tile_centres() && all_rows + stages <= (Index{48} << 10);
  shape.shared_bytes =
      stages + (shape.resident ? static_cast<int>(all_rows) : 2 * shape.depth * row_bytes);
  const int combine = shape.block_panels() * 32 * shape.centre_warps *
                      (element_bytes + static_cast<int>(sizeof(int)));
  if (shape.shared_bytes < combine) shape.shared_bytes = combine;
  return shape;
}
[[nodiscard]] constexpr KernelCost assign_kernel_cost(const AssignShape& shape, Index rows,
                                                      Index features, int element_bytes) {
  const Index panels = blocks_for(rows, panel_rows);
  const Index warps = blocks_for(panels, AssignShape::panels_per_warp);
  const Index blocks = blocks_for(panels, shape.block_panels());
  const Index tiles = shape.padded / shape.tile_centres();
  const auto d = static_cast<double>(features);
  const auto padded = static_cast<double>(shape.padded);
  const double passes = shape.resident ? 1 : static_cast<double>(tiles);
  return {2 * static_cast<double>(warps * AssignShape::panels_per_warp * panel_rows) * d * padded,
          passes * static_cast<double>(panels * panel_rows) * d * element_bytes +
              static_cast<double>(blocks) * padded * d * element_bytes +
              static_cast<double>(warps) * padded * element_bytes + 4 * static_cast<double>(rows)};
}

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

// What recentre tells, on the device: KMeansTotals before cost and its error are put together.
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

// w·D of a row.
template <Real T>
struct Pull {
  const T* distance;
  const double* weights;  // null for weights of 1

  TANDEM_HOST_DEVICE double operator()(Index row) const {
    const auto d = static_cast<double>(distance[row]);
    return weights != nullptr ? weights[row] * d : d;
  }
};
// blocks[b] = Σ w·D over the rows of a block.
template <Real T>
void sum_pulls(CudaEngine& engine, const Pull<T>& pull, Index rows, double* blocks);
// *row = KMeansSteps::sample(u).
template <Real T>
void sample(CudaEngine& engine, const Pull<T>& pull, Index rows, const double* blocks,
            const double* potential, double u, Index* row);

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
// Of the rows of positive weight whose centre has another: the one with the largest D.
template <Real T>
void farthest(CudaEngine& engine, const Pull<T>& pull, const std::int32_t* labels,
              const unsigned long long* counts, Index rows, Candidate* result, void* scratch,
              std::size_t scratch_bytes);

}  // namespace tandem::cuda::kmeans
