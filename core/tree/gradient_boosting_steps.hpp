// The hot operations of gradient boosting over binned rows.
//
// Rows of a tree stand in an order in which a node is a range [begin, begin + rows), ascending
// inside; splitting a node makes two adjacent ranges, left before right. The order exists twice,
// `side` 0 and 1: a split reads the node's range on one side and writes that of its children on the
// other, so that nothing is copied back. Histograms stand in numbered slots: for each feature and
// bin the integer sums of gradients and of Hessians. Sets of bins stand one behind the other, each
// in BoostingData::set_words() words.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/random.hpp"
#include "core/steps.hpp"
#include "core/tree/boosting_gain.hpp"
#include "core/tree/boosting_loss.hpp"
#include "core/tree/category_split.hpp"
#include "core/tree/leaf_quantile.hpp"
#include "tandem/core/buffer.hpp"

namespace tandem::tree {

// The training set on the engine. n rows.
template <Real T>
struct BoostingData {
  Index rows = 0;
  Index features = 0;
  Index stride = 0;                              // of by_row, in bins
  const Buffer<std::uint8_t>* by_row = nullptr;  // n × stride bins
  // features × n bins, and column_padding bytes, so that 4 bytes can be read anywhere.
  const Buffer<std::uint8_t>* by_column = nullptr;
  const Buffer<T>* target = nullptr;        // n
  const Buffer<T>* weights = nullptr;       // n, or empty: 1 each
  std::span<const std::int32_t> bins;       // per feature: bins of known values; host
  std::span<const std::uint8_t> missing;    // per feature: whether there is a bin more; host
  std::span<const std::int8_t> directions;  // per feature: monotone constraint; host
  std::span<const BinKind> kinds{};         // per feature, or empty: numbers all; host
  int bin_bytes = 1;                        // of a bin in by_row and by_column: 1 or 2

  [[nodiscard]] BinKind kind(Index feature) const {
    return kinds.empty() ? BinKind::numbers : kinds[static_cast<std::size_t>(feature)];
  }
  // Of a set of bins of any feature that has categories, missing values among them; else 0.
  [[nodiscard]] Index set_words() const {
    Index most = 0;
    for (std::size_t j = 0; j < kinds.size(); ++j) {
      if (kinds[j] != BinKind::numbers) most = std::max(most, words_of_set(bins[j] + 1));
    }
    return most;
  }
};
inline constexpr Index column_padding = 4;

// The bins that a feature has room for in a histogram of 8-bit bins: the least of 64, 128, 256 that
// all have room in.
[[nodiscard]] constexpr Index histogram_stride(Index most) {
  return most <= 64 ? 64 : most <= 128 ? 128 : 256;
}
// Where the bins of each feature begin in a histogram, and behind them how many it has: at
// multiples of histogram_stride() for bins of 8 bits; for bins of 16 bits each feature has as many
// as it needs, rounded up to a multiple of 64.
[[nodiscard]] std::vector<Index> histogram_places(std::span<const std::int32_t> bins,
                                                  std::span<const std::uint8_t> missing,
                                                  int bin_bytes);

// Which rows a tree is grown on: those whose gradient's magnitude is above a bound, and of the
// others those whose random number is below the share, which then count `weight` times.
struct RowSample {
  double share = 1;
  std::uint64_t seed = 0;
  std::uint32_t stream = 0;
  double kept_above = std::numeric_limits<double>::infinity();
  double weight = 1;

  [[nodiscard]] TANDEM_HOST_DEVICE bool all() const { return share >= 1; }
  template <Real T>
  [[nodiscard]] TANDEM_HOST_DEVICE bool keeps(T gradient) const {
    return std::fabs(static_cast<double>(gradient)) > kept_above;
  }
  template <Real T>
  [[nodiscard]] TANDEM_HOST_DEVICE bool has(Index row, T gradient) const {
    return all() || keeps(gradient) ||
           Random(seed, Purpose::sampling, stream).uniform(static_cast<std::uint64_t>(row)) < share;
  }
  template <Real T>
  [[nodiscard]] TANDEM_HOST_DEVICE T weight_of(T gradient) const {
    return keeps(gradient) ? T{1} : static_cast<T>(weight);
  }
};

// The count-th largest magnitude of an output's gradients, and how many are above it.
struct GradientRank {
  double magnitude = 0;
  Index above = 0;
};

struct PackedSums {
  Index rows = 0;
  std::int64_t g = 0;
  std::int64_t h = 0;
  std::int64_t magnitudes = 0;  // Σ|g|
};

// Builds the histogram of a node in `slot`; where `parent` is not −1 the parent's histogram, in
// that slot, becomes that of the sibling.
struct HistogramTask {
  Index begin = 0;
  Index rows = 0;
  std::int32_t side = 0;
  std::int32_t slot = 0;
  std::int32_t parent = -1;
};

struct SplitQuery {
  std::int32_t slot = 0;
  std::int64_t g = 0;
  std::int64_t h = 0;
  WeightBounds bounds;
};

struct SplitTask {
  Index begin = 0;
  Index rows = 0;
  std::int32_t side = 0;  // where the node stands
  std::int32_t feature = 0;
  std::int32_t bin = 0;           // bins 0 .. bin go left
  std::int32_t missing_bin = -1;  // goes left too; −1: none
  std::int32_t set = -1;          // the number of the set of bins that go left instead, or −1

  [[nodiscard]] TANDEM_HOST_DEVICE bool goes_left(std::int32_t of_row, const std::uint32_t* sets,
                                                  Index set_words) const {
    return set >= 0 ? has_bin(sets + set * set_words, of_row)
                    : of_row <= bin || of_row == missing_bin;
  }
};

template <Real T>
struct LeafRange {
  Index begin = 0;
  Index rows = 0;
  std::int32_t side = 0;
  T value = 0;
};

// A node of a tree over bins, laid out as PackedNode: siblings are neighbours, a leaf leads to
// itself.
template <Real T>
struct BinnedNode {
  std::int32_t left = 0;
  std::int32_t feature = 0;
  std::int32_t bin = 0;           // bins 0 .. bin go left
  std::int32_t missing_bin = -1;  // goes left too
  T value = 0;                    // of a leaf
  std::int32_t set = -1;          // the number of the set of bins that go left instead, or −1

  [[nodiscard]] TANDEM_HOST_DEVICE bool goes_left(std::int32_t of_row, const std::uint32_t* sets,
                                                  Index set_words) const {
    return set >= 0 ? has_bin(sets + set * set_words, of_row)
                    : of_row <= bin || of_row == missing_bin;
  }
};

// --- costs, for benchmarks and tests of the kernels ----------------------------------------------

// Rows, words and bins of the nodes read; each update reads and writes 8 bytes of a histogram that
// stays in cache or shared memory. row_bytes: of a row's bins with their padding.
[[nodiscard]] constexpr double histogram_bytes(double rows, double row_bytes) {
  return rows * (4 + 8 + row_bytes);
}
[[nodiscard]] constexpr double histogram_updates(double rows, double features) {
  return rows * features;
}

template <Real T>
class GradientBoostingSteps {
 public:
  virtual ~GradientBoostingSteps() = default;
  static constexpr std::string_view name = "gradient_boosting";
  [[nodiscard]] static std::unique_ptr<GradientBoostingSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<GradientBoostingSteps> make_cpu(Engine& engine);

  // `data`, its spans included, must outlive the steps' use. Only enqueued.
  virtual void prepare(const BoostingData<T>& data, Index outputs, std::int32_t slots) = 0;

  // Gradients and Hessians of all rows and outputs by scores (n × outputs), and their ranges, one
  // for each output. Waits.
  virtual void compute_gradients(const LossRules<T>& loss, const Buffer<T>& scores,
                                 std::span<GradientRange> ranges) = 0;

  // In place of compute_gradients(), for an objective that is computed elsewhere: gradients and
  // Hessians of all rows before weights, outputs × n, and their ranges. Waits.
  virtual void take_gradients(const Buffer<T>& gradients, const Buffer<T>& hessians,
                              std::span<GradientRange> ranges) = 0;

  // 1 <= count <= n. Waits.
  [[nodiscard]] virtual GradientRank rank_gradients(Index output, Index count) = 0;

  // Starts a tree: the rows of the sample, in order, on side 0, with the packed gradients of one
  // output. Waits.
  [[nodiscard]] virtual PackedSums pack(Index output, const GradientPacking& packing,
                                        const RowSample& sample) = 0;

  // The tasks' slots and parents are disjoint. Only enqueued.
  virtual void build_histograms(std::span<const HistogramTask> tasks) = 0;

  // `allowed`: queries × features, 0 where a feature must not be split by; empty: all may. `sets`:
  // one per query, the bins that go left where its split is by a feature of categories and nothing
  // elsewhere; may be empty where no feature is. Waits.
  virtual void find_splits(const GainRules& rules, std::span<const SplitQuery> queries,
                           std::span<const std::uint8_t> allowed, std::span<HistogramSplit> splits,
                           std::span<std::uint32_t> sets) = 0;

  // left_rows[i] = how many rows of task i went left. The tasks, which name `sets`, are disjoint.
  // Waits.
  virtual void apply_splits(std::span<const SplitTask> tasks, std::span<const std::uint32_t> sets,
                            std::span<Index> left_rows) = 0;

  // values[l] = the quantile (leaf_quantile.hpp) of target − score over the rows of leaf l, in T.
  // Waits.
  virtual void leaf_quantiles(std::span<const LeafRange<T>> leaves, const QuantileRule& rule,
                              Index output, const Buffer<T>& scores, std::span<T> values) = 0;

  // scores[row·outputs + output] += value for the rows of each range. Only enqueued.
  virtual void add_leaves(std::span<const LeafRange<T>> leaves, Index output,
                          Buffer<T>& scores) = 0;

  // The same by sending binned rows (rows × stride of the data) down a tree, whose nodes name
  // `sets`. Only enqueued.
  virtual void add_tree(std::span<const BinnedNode<T>> nodes, std::span<const std::uint32_t> sets,
                        const Buffer<std::uint8_t>& by_row, Index rows, Index output,
                        Buffer<T>& scores) = 0;

  // Σ w·loss as a long sum over the rows; weights may be empty. Waits.
  [[nodiscard]] virtual double total_loss(const LossRules<T>& loss, const Buffer<T>& scores,
                                          const Buffer<T>& target, const Buffer<T>& weights,
                                          Index rows) = 0;
};

}  // namespace tandem::tree
