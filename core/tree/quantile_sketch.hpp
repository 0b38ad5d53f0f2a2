// A weighted quantile sketch whose result does not depend on how it was computed.
//
// A summary is a list of distinct values with weights. That of a block of sum_block rows is exact;
// two neighbours on a level of the tree of docs/numerics.md are merged into their parent's, and a
// summary of more than `capacity` values is compacted to that many, by a rule that looks at nothing
// but its values and integer weights. So a node's summary is a function of its rows alone.
//
// Error. Compacting replaces values by neighbours that are at most 1/capacity of the node's weight
// away, so that the rank of a value at the root is off by at most (levels above the first
// compaction) / capacity of the whole weight: with 4096 and a million rows 8/4096 = 0.2 %, half a
// bin of 255. A sketch that was never compacted is exact.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/tree/order_key.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/types.hpp"

namespace tandem::tree {

template <Real T>
struct QuantileSummary {
  std::vector<OrderKey<T>> keys;      // distinct, ascending
  std::vector<std::int64_t> weights;  // > 0
  [[nodiscard]] std::size_t size() const noexcept { return keys.size(); }
};

template <Real T>
class QuantileSketch {
 public:
  // A power of two times sum_block.
  static constexpr Index capacity = 4 * sum_block;

  // The next `capacity` rows of one feature (fewer at the end only): 4 blocks, whose exact
  // summaries merge into an exact one whatever the way. NaNs are left out. Weights are >= 0, one
  // per value; empty: 1 each. The total of all weights must stay below 2^62.
  void add(std::span<const T> values, std::span<const std::int64_t> weights);

  // The summary of all rows.
  [[nodiscard]] QuantileSummary<T> finish() const;

 private:
  std::vector<QuantileSummary<T>> roots_;  // roots_[k] is in use where bit k of nodes_ is set
  Index nodes_ = 0;
  struct Weighted {
    OrderKey<T> key;
    std::int64_t weight;
  };
  std::vector<OrderKey<T>> keys_, other_keys_;  // scratch
  std::vector<Weighted> pairs_, other_pairs_;
};

// The thresholds between at most max_bins bins of about equal weight; midpoints between neighbours
// of the summary.
template <Real T>
[[nodiscard]] std::vector<T> thresholds_of(const QuantileSummary<T>& summary, Index max_bins);

}  // namespace tandem::tree
