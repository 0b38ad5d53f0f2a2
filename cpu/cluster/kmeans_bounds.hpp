// Rows that cannot change their label.
//
// With many centres, each row keeps two bounds after Hamerly, "Making k-means even faster", SDM
// 2010: on the distance to its centre from above, and on that to any other from below. They move by
// what the centres move at most; as long as they do not meet, the scores need not be computed. The
// bounds allow for the rounding of the scores (RowBounds in kmeans_bounds-inl.hpp), so that the
// labels are bit for bit those of computing all scores.
//
// Hot centres. Soon a few centres move much farther than the others, and the bound from below falls
// by the longest move. So the centres that moved most are scored first, and the bound falls by the
// moves of the rest alone; few rows are then left whose label might change. How many to score first
// is estimated from a sample of the rows.
//
// A GPU has no twin of this: a warp cannot skip single rows.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/cluster/kmeans.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::cpu {

// Centres packed as score_tile() reads them.
template <Real T>
class CentreTiles {
 public:
  // Packs the centres with these numbers; `moved` are all centres less the origin, features each.
  void pack(Engine& engine, const Buffer<T>& moved, Index features,
            std::span<const std::int32_t> centres);
  [[nodiscard]] Tiles<T> view() const { return {values_.data(), squares_.data(), count_}; }

 private:
  Buffer<T> values_;   // [tiles][features][tile_centres]: −2c'
  Buffer<T> squares_;  // [tiles][tile_centres]: ‖c'‖²
  Index count_ = 0;
};

template <Real T>
class CentreMoves {
 public:
  // For k centres and rows that fill whole panels up to `padded_rows`: nothing is known of any row.
  void begin(Engine& engine, Index k, Index features, Index padded_rows);
  // Rows are loaded anew.
  void release();

  // Finds how the centres' moves since the last assignment change the bounds, and which centres to
  // score first. `moved` are the centres less the origin; row_squares is ‖x'‖² of the `rows` rows.
  void prepare(Engine& engine, const Buffer<T>& moved, Index rows, const T* row_squares,
               const std::int32_t* labels);
  // Fills in what assign_kernel() takes of the bounds.
  void put_into(AssignArgs<T>& args);

  // The row was given another label by hand: it is scored next time.
  void forget(Index row);

 private:
  template <class LossWithout>
  [[nodiscard]] std::size_t worthwhile_hot_centres(const std::vector<std::int32_t>& order,
                                                   const LossWithout& loss_without, Index rows,
                                                   const std::int32_t* labels) const;

  Index k_ = 0;
  Index features_ = 0;
  double reach_ = -1;  // at least every ‖x'‖ and ‖c'‖; negative before the first assign
  Buffer<T> own_;      // [padded rows]: see AssignArgs
  Buffer<T> rest_;     // [padded rows]
  Buffer<T> before_;   // [k][features]: the c' of the assign before
  std::vector<T> own_gain_;
  std::vector<T> rest_loss_;
  std::vector<T> cold_loss_;
  std::vector<std::int32_t> hot_centres_;
  CentreTiles<T> hot_;
};

}  // namespace tandem::cpu
