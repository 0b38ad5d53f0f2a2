// Sums of the rows of each centre, in 64-bit fixed point, and the next centres from them. Twin:
// cuda/cluster/kmeans_sums.cu.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/cluster/kmeans_steps.hpp"
#include "cpu/cluster/kmeans.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::cpu {

template <Real T>
class CentreSums {
 public:
  // The fixed point for `rows` rows whose weights are at most `heaviest` and whose |x'_j| are at
  // most largest[j]. `weighted` is false where all weights are 1.
  void set_scales(Engine& engine, Index rows, std::span<const double> largest, double heaviest,
                  bool weighted);
  // No rows in k centres.
  void begin(Index k);

  // Takes in the deltas of one worker of assign(): a `scratch_size()` of integers, see delta_in().
  [[nodiscard]] std::size_t scratch_size() const;
  [[nodiscard]] AssignDelta delta_in(std::vector<std::int64_t>& scratch) const;
  void add(const std::vector<std::int64_t>& scratch);

  // Moves one row x', of `weight` > 0, from a centre, or −1, to another.
  void move_row(std::span<const T> row, double weight, std::int32_t from, std::int32_t to);

  // next = S / W, or the centre where it has no row; what KMeansSteps::totals() tells of it,
  // without `changed`. `moved` are the centres less the origin; square_total is Σ w ‖x'‖².
  [[nodiscard]] KMeansTotals recentre(const Buffer<T>& centres, const Buffer<T>& moved,
                                      std::span<const T> origin, double square_total,
                                      Buffer<T>& next) const;

  [[nodiscard]] const std::vector<Index>& counts() const { return counts_; }
  [[nodiscard]] double weight_of(Index centre) const;
  // 2^exponent of each feature, padded with zeros to stride().
  [[nodiscard]] const double* scales() const { return scales_.data(); }
  [[nodiscard]] double weight_scale() const;
  [[nodiscard]] Index stride() const { return stride_; }

 private:
  Index rows_ = 0;
  Index features_ = 0;
  Index stride_ = 0;  // features, padded to sum_padding
  bool weighted_ = false;
  std::vector<FixedPoint> fixed_;  // per feature
  FixedPoint weight_fixed_;
  Buffer<double> scales_;  // [stride]
  Index k_ = 0;
  std::vector<std::int64_t> sums_;     // [k][stride]
  std::vector<std::int64_t> weights_;  // [k]
  std::vector<Index> counts_;          // [k]: rows of positive weight
};

}  // namespace tandem::cpu
