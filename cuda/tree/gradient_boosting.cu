// Steps of gradient boosting on a GPU. All nodes of a batch are done by the same few launches.
//
// Every sum is of integers, so that atomics may add in any order; there are none on floats. Work
// lists (tasks, and the tiles that their rows are cut into) are made on the host, which knows every
// node's range, and come along with each call: some 40 bytes for 1024 rows.
#include <algorithm>
#include <bit>
#include <vector>

#include "core/steps.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "cuda/core/engine.hpp"
#include "cuda/core/long_sum.cuh"
#include "cuda/tree/boosting_categories.cuh"
#include "cuda/tree/boosting_gradients.cuh"
#include "cuda/tree/boosting_histogram.cuh"
#include "cuda/tree/boosting_partition.cuh"

namespace tandem::cuda {
namespace {

using tree::BinKind;
using tree::BinnedNode;
using tree::BoostingData;
using tree::GainRules;
using tree::GradientPacking;
using tree::GradientRange;
using tree::GradientRank;
using tree::HistogramSplit;
using tree::HistogramTask;
using tree::LeafRange;
using tree::LossRules;
using tree::PackedSums;
using tree::RowSample;
using tree::SplitQuery;
using tree::SplitTask;

// Shared memory for the words of a group of features.
constexpr Index shared_histogram_bytes = 32 << 10;
// Scratch memory for the order of categories in bins of 16 bits.
constexpr Index category_scratch_bytes = Index{64} << 20;

// The best feature of each node, the lowest of equal ones: a thread per node.
__global__ void choose_cuts_kernel(const HistogramSplit* __restrict__ cuts, Index features,
                                   Index nodes, HistogramSplit* __restrict__ splits) {
  const Index q = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (q >= nodes) return;
  HistogramSplit best;
  for (Index j = 0; j < features; ++j) {
    const HistogramSplit& cut = cuts[q * features + j];
    if (cut.feature >= 0 && cut.sum > best.sum) best = cut;
  }
  splits[q] = best;
}

template <Real T>
class CudaGradientBoosting final : public tree::GradientBoostingSteps<T> {
 public:
  explicit CudaGradientBoosting(Engine& engine) : engine_(cuda_engine(engine)) {}

  void prepare(const BoostingData<T>& data, Index outputs, std::int32_t slots) override {
    data_ = data;
    outputs_ = outputs;
    set_words_ = data.set_words();
    const std::vector<Index> places =
        tree::histogram_places(data.bins, data.missing, data.bin_bytes);
    stride_ = places[1];
    histogram_ = places.back();
    places_ = to_engine(engine_, places);
    if (data.bin_bytes != 1) group_features(places);
    sums_ = Buffer<std::int64_t>(engine_, 2 * histogram_ * slots);
    gradients_ = Buffer<T>(engine_, data.rows * outputs);
    hessians_ = Buffer<T>(engine_, data.rows * outputs);
    for (int side = 0; side < 2; ++side) {
      order_[side] = Buffer<std::uint32_t>(engine_, data.rows);
      words_[side] = Buffer<std::int64_t>(engine_, data.rows);
    }
    bins_ = to_engine(engine_, data.bins);
    missing_ = to_engine(engine_, data.missing);
    if (!data.directions.empty()) directions_ = to_engine(engine_, data.directions);
    std::vector<std::int32_t> of_categories;
    for (std::size_t j = 0; j < data.kinds.size(); ++j) {
      if (data.kinds[j] == BinKind::numbers) continue;
      of_categories.push_back(static_cast<std::int32_t>(j));
      category_room_ = std::max(
          category_room_, static_cast<Index>(std::bit_ceil(static_cast<unsigned>(data.bins[j]))));
    }
    if (of_categories.empty()) return;
    kinds_ = to_engine(engine_, data.kinds);
    category_features_ = to_engine(engine_, of_categories);
  }

  void compute_gradients(const LossRules<T>& loss, const Buffer<T>& scores,
                         std::span<GradientRange> ranges) override {
    unit_ = tree::unit_hessian(loss.kind) && data_.weights->empty();
    Buffer<Word> most(engine_, 2 * loss.outputs);
    most.fill_zero();
    engine_.launch(gradients_kernel<T>, per_thread(data_.rows), loss, scores.data(),
                   data_.target->data(), data_.weights->data(), data_.rows, unit_,
                   gradients_.data(), hessians_.data(), most.data());
    const auto bits = most.to_host();
    for (std::size_t k = 0; k < ranges.size(); ++k) {
      ranges[k].most_gradient = std::bit_cast<double>(bits[2 * k]);
      ranges[k].most_hessian = std::bit_cast<double>(bits[2 * k + 1]);
    }
  }

  void take_gradients(const Buffer<T>& gradients, const Buffer<T>& hessians,
                      std::span<GradientRange> ranges) override {
    unit_ = false;
    Buffer<Word> most(engine_, 2 * outputs_);
    most.fill_zero();
    for (Index k = 0; k < outputs_; ++k) {
      const Index at = k * data_.rows;
      engine_.launch(take_gradients_kernel<T>, per_thread(data_.rows), gradients.data() + at,
                     hessians.data() + at, data_.weights->data(), data_.rows,
                     gradients_.data() + at, hessians_.data() + at, most.data() + 2 * k);
    }
    const auto bits = most.to_host();
    for (std::size_t k = 0; k < ranges.size(); ++k) {
      ranges[k].most_gradient = std::bit_cast<double>(bits[2 * k]);
      ranges[k].most_hessian = std::bit_cast<double>(bits[2 * k + 1]);
    }
  }

  void leaf_quantiles(std::span<const LeafRange<T>> leaves, const tree::QuantileRule& rule,
                      Index output, const Buffer<T>& scores, std::span<T> values) override {
    const auto there = to_engine(engine_, leaves);
    Buffer<T> found(engine_, there.size());
    const Shape shape{.grid = dim3(static_cast<unsigned>(leaves.size())),
                      .block = dim3(engine_.block_threads(256))};
    engine_.launch(leaf_quantiles_kernel<T>, shape, there.data(), rule, order_[0].data(),
                   order_[1].data(), data_.target->data(), data_.weights->data(),
                   scores.data() + output, outputs_, found.data());
    found.download(values);
  }

  GradientRank rank_gradients(Index output, Index count) override {
    constexpr Index rows_of_thread = 16;
    const unsigned threads = engine_.block_threads(256);
    const Shape shape{
        .grid = dim3(static_cast<unsigned>(blocks_for(data_.rows, threads * rows_of_thread))),
        .block = dim3(threads)};
    using Key = tree::OrderKey<T>;
    Key begin = 0;
    Index above = 0;
    for (int shift = static_cast<int>(8 * sizeof(Key)) - 8; shift >= 0; shift -= 8) {
      Buffer<Word> counts(engine_, 256);
      counts.fill_zero();
      engine_.launch(count_magnitudes_kernel<T>, shape, gradients_.data() + output * data_.rows,
                     data_.rows, begin, shift, counts.data());
      const auto of_digit = counts.to_host();
      std::size_t digit = 255;
      while (digit > 0 && above + static_cast<Index>(of_digit[digit]) < count) {
        above += static_cast<Index>(of_digit[digit--]);
      }
      begin |= static_cast<Key>(digit) << shift;
    }
    return {static_cast<double>(tree::value_of_key<T>(begin)), above};
  }

  PackedSums pack(Index output, const GradientPacking& packing, const RowSample& sample) override {
    packing_ = packing;
    if (packing.wide && extra_[0].empty()) {
      for (auto& extra : extra_) extra = Buffer<std::int64_t>(engine_, data_.rows);
    }
    PackedSums result;
    const bool all = sample.all();
    const T* gradients = gradients_.data() + output * data_.rows;
    result.rows = data_.rows;
    if (!all) {
      const Index tiles = blocks_for(data_.rows, tile_rows);
      Buffer<std::int32_t> counts(engine_, tiles);
      const auto first = to_engine(engine_, std::vector<Index>{0, tiles});
      Buffer<Index> total(engine_, 1);
      engine_.launch(count_sample_kernel<T>, per_warp(tiles), sample, gradients, data_.rows,
                     counts.data(), tiles);
      engine_.launch(scan_counts_kernel, per_warp(1), first.data(), Index{1}, counts.data(),
                     total.data());
      engine_.launch(place_sample_kernel<T>, per_warp(tiles), sample, gradients, data_.rows,
                     counts.data(), tiles, order_[0].data());
      result.rows = total.to_host()[0];
    }
    Buffer<Word> sums(engine_, 3);
    sums.fill_zero();
    const bool ones = packing.unit || unit_;
    engine_.launch(pack_kernel<T>, per_thread(result.rows), packing, sample, gradients,
                   ones ? nullptr : hessians_.data() + output * data_.rows, all, result.rows,
                   order_[0].data(), words_[0].data(), extra_[0].data(), sums.data());
    const auto host = sums.to_host();
    result.g = static_cast<std::int64_t>(host[0]);
    result.h = static_cast<std::int64_t>(host[1]);
    result.magnitudes = static_cast<std::int64_t>(host[2]);
    return result;
  }

  void build_histograms(std::span<const HistogramTask> tasks) override {
    std::vector<HistogramPiece> pieces;
    for (const HistogramTask& task : tasks) {
      for (Index r = 0; r < task.rows; r += tree::rows_per_word) {
        const Index rows = std::min(tree::rows_per_word, task.rows - r);
        pieces.push_back({task.begin + r, static_cast<std::int32_t>(rows), task.side, task.slot});
      }
    }
    const auto tasks_there = to_engine(engine_, tasks);
    const auto pieces_there = to_engine(engine_, pieces);
    const Index elements = 2 * histogram_;
    const unsigned threads = engine_.block_threads(256);
    const Shape by_element{.grid = dim3(static_cast<unsigned>(blocks_for(elements, threads)),
                                        static_cast<unsigned>(tasks.size())),
                           .block = dim3(threads)};
    engine_.launch(clear_slots_kernel, by_element, tasks_there.data(), elements, sums_.data());
    const Index bytes_of_bin = packing_.wide ? 16 : 8;
    if (data_.bin_bytes == 1) {
      const Index group = std::max<Index>(1, shared_histogram_bytes / (stride_ * bytes_of_bin));
      const Shape shape{.grid = dim3(static_cast<unsigned>(pieces.size()),
                                     static_cast<unsigned>(blocks_for(data_.features, group))),
                        .block = dim3(threads),
                        .shared_bytes = static_cast<std::size_t>(group * stride_ * bytes_of_bin)};
      const auto kernel = packing_.wide ? histogram_kernel<true> : histogram_kernel<false>;
      engine_.launch(kernel, shape, pieces_there.data(), data_.by_row->data(), data_.stride,
                     data_.features, static_cast<int>(group), static_cast<int>(stride_),
                     order_[0].data(), order_[1].data(), words_[0].data(), words_[1].data(),
                     extra_[0].data(), extra_[1].data(), packing_.shift, histogram_, sums_.data());
    } else {
      const Shape shape{
          .grid = dim3(static_cast<unsigned>(pieces.size()), static_cast<unsigned>(groups_.size())),
          .block = dim3(threads),
          .shared_bytes = static_cast<std::size_t>(group_bins_ * bytes_of_bin)};
      const auto kernel =
          packing_.wide ? histogram_at_places_kernel<true> : histogram_at_places_kernel<false>;
      engine_.launch(kernel, shape, pieces_there.data(), groups_.data(), places_.data(),
                     reinterpret_cast<const std::uint16_t*>(data_.by_row->data()), data_.stride,
                     order_[0].data(), order_[1].data(), words_[0].data(), words_[1].data(),
                     extra_[0].data(), extra_[1].data(), packing_.shift, histogram_, sums_.data());
    }
    engine_.launch(subtract_kernel, by_element, tasks_there.data(), elements, sums_.data());
  }

  void find_splits(const GainRules& rules, std::span<const SplitQuery> queries,
                   std::span<const std::uint8_t> allowed, std::span<HistogramSplit> splits,
                   std::span<std::uint32_t> sets) override {
    const auto count = static_cast<Index>(queries.size());
    const auto queries_there = to_engine(engine_, queries);
    const auto allowed_there = to_engine(engine_, allowed);
    Buffer<HistogramSplit> cuts(engine_, count * data_.features);
    Buffer<HistogramSplit> best(engine_, count);
    const Shape shape{
        .grid = dim3(static_cast<unsigned>(data_.features), static_cast<unsigned>(count)),
        .block = dim3(data_.bin_bytes == 1 ? static_cast<unsigned>(stride_) : search_threads)};
    engine_.launch(find_cuts_kernel, shape, rules, queries_there.data(), allowed_there.data(),
                   sums_.data(), histogram_, places_.data(), bins_.data(), missing_.data(),
                   directions_.data(), kinds_.data(), data_.features, cuts.data());
    if (!kinds_.empty() && data_.bin_bytes != 1) {
      const Index of_node = category_features_.size() * category_room_;
      const Index at_once = nodes_at_once(of_node);
      Buffer<PlacedCategory> scratch(engine_, std::min(at_once, count) * of_node);
      for (Index first = 0; first < count; first += at_once) {
        const auto nodes = static_cast<unsigned>(std::min(at_once, count - first));
        engine_.launch(find_sets_of_many_kernel,
                       {.grid = dim3(static_cast<unsigned>(category_features_.size()), nodes),
                        .block = shape.block},
                       rules, queries_there.data(), first, allowed_there.data(), sums_.data(),
                       histogram_, places_.data(), bins_.data(), kinds_.data(),
                       category_features_.data(), data_.features, scratch.data(), category_room_,
                       cuts.data());
      }
    } else if (!kinds_.empty()) {
      const Shape of_categories{.grid = dim3(static_cast<unsigned>(category_features_.size()),
                                             static_cast<unsigned>(count)),
                                .block = shape.block};
      engine_.launch(find_sets_kernel, of_categories, rules, queries_there.data(),
                     allowed_there.data(), sums_.data(), histogram_, bins_.data(), kinds_.data(),
                     category_features_.data(), data_.features, cuts.data());
    }
    engine_.launch(choose_cuts_kernel, per_thread(count), cuts.data(), data_.features, count,
                   best.data());
    if (!kinds_.empty()) {
      Buffer<std::uint32_t> found(engine_, count * set_words_);
      if (data_.bin_bytes == 1) {
        engine_.launch(sets_of_splits_kernel,
                       {.grid = dim3(static_cast<unsigned>(count)), .block = shape.block}, rules,
                       queries_there.data(), best.data(), sums_.data(), histogram_, bins_.data(),
                       kinds_.data(), set_words_, found.data());
      } else {
        const Index at_once = nodes_at_once(category_room_);
        Buffer<PlacedCategory> scratch(engine_, std::min(at_once, count) * category_room_);
        for (Index first = 0; first < count; first += at_once) {
          const auto nodes = static_cast<unsigned>(std::min(at_once, count - first));
          engine_.launch(sets_of_many_kernel, {.grid = dim3(nodes), .block = shape.block}, rules,
                         queries_there.data(), first, best.data(), sums_.data(), histogram_,
                         places_.data(), bins_.data(), kinds_.data(), scratch.data(),
                         category_room_, set_words_, found.data());
        }
      }
      found.download(sets);
    }
    best.download(splits);
  }

  void apply_splits(std::span<const SplitTask> tasks, std::span<const std::uint32_t> sets,
                    std::span<Index> left_rows) override {
    std::vector<Tile> tiles;
    std::vector<Index> first{0};
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      for (Index r = 0; r < tasks[t].rows; r += tile_rows) {
        tiles.push_back({static_cast<std::int32_t>(t),
                         static_cast<std::int32_t>(std::min(tile_rows, tasks[t].rows - r)),
                         tasks[t].begin + r, r});
      }
      first.push_back(static_cast<Index>(tiles.size()));
    }
    const auto tile_count = static_cast<Index>(tiles.size());
    const auto task_count = static_cast<Index>(tasks.size());
    const auto tasks_there = to_engine(engine_, tasks);
    const auto sets_there = to_engine(engine_, sets);
    const auto tiles_there = to_engine(engine_, tiles);
    const auto first_there = to_engine(engine_, first);
    Buffer<std::uint32_t> bits(engine_, tile_count * (tile_rows / static_cast<Index>(warp_size)));
    Buffer<std::int32_t> counts(engine_, tile_count);
    Buffer<Index> totals(engine_, task_count);
    with_bins(*data_.by_column, [&]<class Bin>(const Bin* by_column) {
      engine_.launch(choose_sides_kernel<Bin>, per_warp(tile_count), tasks_there.data(),
                     sets_there.data(), set_words_, tiles_there.data(), tile_count, by_column,
                     data_.rows, order_[0].data(), order_[1].data(), bits.data(), counts.data());
    });
    engine_.launch(scan_counts_kernel, per_warp(task_count), first_there.data(), task_count,
                   counts.data(), totals.data());
    engine_.launch(move_rows_kernel, per_warp(tile_count), tasks_there.data(), tiles_there.data(),
                   tile_count, bits.data(), counts.data(), totals.data(), packing_.wide,
                   order_[0].data(), order_[1].data(), words_[0].data(), words_[1].data(),
                   extra_[0].data(), extra_[1].data());
    totals.download(left_rows);
  }

  void add_leaves(std::span<const LeafRange<T>> leaves, Index output, Buffer<T>& scores) override {
    std::vector<LeafRange<T>> sorted(leaves.begin(), leaves.end());
    std::sort(sorted.begin(), sorted.end(),
              [](const LeafRange<T>& a, const LeafRange<T>& b) { return a.begin < b.begin; });
    Index places = 0;
    for (const LeafRange<T>& leaf : sorted) places += leaf.rows;
    const auto there = to_engine(engine_, sorted);
    engine_.launch(add_leaves_kernel<T>, per_thread(places), there.data(), there.size(), places,
                   order_[0].data(), order_[1].data(), outputs_, output, scores.data());
  }

  void add_tree(std::span<const BinnedNode<T>> nodes, std::span<const std::uint32_t> sets,
                const Buffer<std::uint8_t>& by_row, Index rows, Index output,
                Buffer<T>& scores) override {
    const auto there = to_engine(engine_, nodes);
    const auto sets_there = to_engine(engine_, sets);
    with_bins(by_row, [&]<class Bin>(const Bin* bins) {
      engine_.launch(add_binned_tree_kernel<T, Bin>, per_thread(rows), there.data(),
                     sets_there.data(), set_words_, bins, rows, data_.stride, outputs_, output,
                     scores.data());
    });
  }

  double total_loss(const LossRules<T>& loss, const Buffer<T>& scores, const Buffer<T>& target,
                    const Buffer<T>& weights, Index rows) override {
    const Index blocks = sum_blocks(rows);
    if (blocks == 0) return 0;
    Buffer<double> sums(engine_, blocks);
    Buffer<double> total(engine_, 1);
    engine_.launch(losses_kernel<T>, per_warp(blocks), loss, scores.data(), target.data(),
                   weights.data(), rows, blocks, sums.data());
    add_block_sums(engine_, sums.data(), blocks, 1, total.data());
    return total.to_host()[0];
  }

 private:
  // Calls `use` with the bins as they are numbered.
  template <class Use>
  void with_bins(const Buffer<std::uint8_t>& bins, const Use& use) {
    if (data_.bin_bytes == 1) {
      use(bins.data());
    } else {
      use(reinterpret_cast<const std::uint16_t*>(bins.data()));
    }
  }
  // Neighbouring features as far as their bins have room in a block's shared memory.
  void group_features(const std::vector<Index>& places) {
    std::vector<FeatureGroup> groups;
    group_bins_ = 0;
    for (Index j = 0; j < data_.features; ++j) {
      const auto at = static_cast<std::size_t>(j);
      const Index room = places[at + 1] - places[at];
      // Bytes of packings that are wide, which is not known yet.
      const bool fits = room * 16 <= shared_histogram_bytes;
      if (fits && !groups.empty() && groups.back().shared != 0) {
        const Index together =
            places[at + 1] - places[static_cast<std::size_t>(groups.back().first)];
        if (together * 16 <= shared_histogram_bytes) {
          ++groups.back().features;
          group_bins_ = std::max(group_bins_, together);
          continue;
        }
      }
      groups.push_back({static_cast<std::int32_t>(j), 1, fits ? 1 : 0});
      if (fits) group_bins_ = std::max(group_bins_, room);
    }
    groups_ = to_engine(engine_, groups);
  }
  // Nodes whose categories are sorted by one launch, of so many categories with room each.
  [[nodiscard]] static Index nodes_at_once(Index categories) {
    const Index bytes = categories * static_cast<Index>(sizeof(PlacedCategory));
    return std::max<Index>(1, category_scratch_bytes / std::max<Index>(1, bytes));
  }
  [[nodiscard]] Shape per_thread(Index threads) const {
    const unsigned per_block = engine_.block_threads(256);
    return {.grid = dim3(static_cast<unsigned>(blocks_for(threads, per_block))),
            .block = dim3(per_block)};
  }
  [[nodiscard]] Shape per_warp(Index warps) const {
    return per_thread(warps * static_cast<Index>(warp_size));
  }

  CudaEngine& engine_;
  BoostingData<T> data_;
  Index outputs_ = 1;
  Index stride_ = 256;  // of a feature in a histogram of bins of 8 bits
  Index histogram_ = 0;
  Index set_words_ = 0;
  Buffer<Index> places_;  // of each feature's bins in a histogram
  // Of bins of 16 bits: features whose histograms are made together, and how many bins the largest
  // of the groups in shared memory has.
  Buffer<FeatureGroup> groups_;
  Index group_bins_ = 0;
  Index category_room_ = 1;  // for the bins of a feature of categories, as they are sorted
  bool unit_ = false;        // whether all Hessians are 1 and stand nowhere
  GradientPacking packing_;
  Buffer<std::int64_t> sums_;  // slots × 2 × histogram_: gradients, then Hessians
  Buffer<T> gradients_;        // outputs × n
  Buffer<T> hessians_;
  Buffer<std::uint32_t> order_[2];
  Buffer<std::int64_t> words_[2];
  Buffer<std::int64_t> extra_[2];
  Buffer<std::int32_t> bins_;
  Buffer<std::uint8_t> missing_;
  Buffer<std::int8_t> directions_;
  Buffer<BinKind> kinds_;                   // empty where no feature has categories
  Buffer<std::int32_t> category_features_;  // those that have
};

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_gradient_boosting_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::GradientBoostingSteps<float>*>(
      new tandem::cuda::CudaGradientBoosting<float>(engine));
}
void* tandem_cuda_gradient_boosting_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::GradientBoostingSteps<double>*>(
      new tandem::cuda::CudaGradientBoosting<double>(engine));
}
}
