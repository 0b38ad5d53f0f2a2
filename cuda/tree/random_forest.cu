// Steps of forests on a GPU: several trees at once.
//
// The rows that some trees have drawn are stacked, tree after tree, each once with its number of
// draws as a weight; the decision tree's kernels then grow all of them, level by level, so that a
// level of all trees costs the launches of one. Where trees are grown by bins, the numbers of the
// bins are stacked in place of the values.
#include <thrust/iterator/counting_iterator.h>
#include <thrust/iterator/transform_iterator.h>
#include <algorithm>
#include <cub/device/device_scan.cuh>
#include <vector>

#include "core/tree/random_forest_steps.hpp"
#include "cuda/core/check.hpp"
#include "cuda/core/pieces.hpp"
#include "cuda/tree/decision_tree_warp.cuh"

namespace tandem::cuda {
namespace {

using tree::BinnedFeatures;
using tree::EnsembleOnEngine;
using tree::GrownSubtree;
using tree::OpenNode;
using tree::PackedNode;
using tree::PackedTree;
using tree::RowDraws;
using tree::SplitRules;
using tree::TreeData;

constexpr std::uint32_t tile_rows = 512;

// counts[t, row] += 1 for each draw; counts start at 0. A thread per draw; adds 4 bytes at random,
// by integer atomics. CPU twin: CpuForest::draw.
__global__ void draw_rows_kernel(RowDraws draws, Index first, Index trees,
                                 std::uint32_t* __restrict__ counts) {
  const Index job = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (job >= trees * draws.draws) return;
  const Index tree = job / draws.draws;
  const tree::RowsOfTree rows(draws, static_cast<std::uint64_t>(first + tree));
  atomicAdd(counts + tree * draws.rows + rows(job % draws.draws), 1U);
}

__global__ void every_row_kernel(Index count, std::uint32_t* __restrict__ counts) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i < count) counts[i] = 1;
}

struct IsDrawn {
  const std::uint32_t* counts;
  __device__ std::uint32_t operator()(std::int64_t i) const { return counts[i] > 0 ? 1 : 0; }
};

// What is stacked, by row; null where a fit has none.
struct StackedRows {
  std::uint32_t* source;
  std::int32_t* labels;
  std::int64_t* weights;
  std::int64_t* sums;
  std::int64_t* squares;
};

// Row (t, i) that tree t has drawn goes to place[t, i] with `count` times what it adds to sums.
//
// Grid: a thread per (tree, row). Reads 8 bytes per row, coalesced, and what there is of the row;
// writes as much, nearly coalesced.
template <Real T>
__global__ void stack_rows_kernel(const std::uint32_t* __restrict__ counts,
                                  const std::uint32_t* __restrict__ place, Index rows,
                                  Index elements, TreeRows from, const T* __restrict__ target,
                                  StackedRows to, T* __restrict__ to_target) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const std::int64_t count = counts[e];
  if (count == 0) return;
  const Index row = e % rows;
  const std::uint32_t at = place[e];
  to.source[at] = static_cast<std::uint32_t>(row);
  if (to.labels != nullptr) to.labels[at] = from.labels[row];
  if (to.weights != nullptr) {
    to.weights[at] = from.weights != nullptr ? count * from.weights[row] : count;
  }
  if (to.sums != nullptr) {
    to.sums[at] = count * from.sums[row];
    to.squares[at] = count * from.squares[row];
    to_target[at] = target[row];
  }
}

// x_there[s, c] = x[source[s], c]. A thread per value; reads rows in ascending order, some left
// out, which may be on the host, and writes coalesced.
template <Real T>
__global__ void stack_values_kernel(const T* __restrict__ x,
                                    const std::uint32_t* __restrict__ source, Index elements,
                                    Index cols, T* __restrict__ x_there) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  x_there[e] = x[static_cast<Index>(source[e / cols]) * cols + e % cols];
}

// x_there[s, c] = the number of the bin of row source[s] by feature c. As stack_values_kernel, but
// for reading bytes. CPU twin: number_of_bin.
template <Real T>
__global__ void stack_bins_kernel(const std::uint8_t* __restrict__ by_row, Index stride,
                                  const std::uint8_t* __restrict__ known_bins,
                                  const std::uint32_t* __restrict__ source, Index elements,
                                  Index cols, T* __restrict__ x_there) {
  const Index e = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (e >= elements) return;
  const Index c = e % cols;
  const std::uint8_t bin = by_row[static_cast<Index>(source[e / cols]) * stride + c];
  x_there[e] = tree::number_of_bin<T>(bin, known_bins[c]);
}

// begins[t] = place[t, 0], and begins[trees] = all that are drawn.
__global__ void first_places_kernel(const std::uint32_t* __restrict__ counts,
                                    const std::uint32_t* __restrict__ place, Index rows,
                                    Index trees, std::uint32_t* __restrict__ begins) {
  const Index t = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (t < trees) begins[t] = place[t * rows];
  if (t == trees) {
    const Index last = trees * rows - 1;
    begins[t] = place[last] + (counts[last] > 0 ? 1U : 0U);
  }
}

// weights[s], the number of draws of row s, times the row's own weight and the factor of its class
// in its tree, the one whose rows it stands among. A thread per row; reads and writes what there is
// of it. CPU twin: GrowingTree::take_rows.
__global__ void balance_rows_kernel(const std::uint32_t* __restrict__ begins, Index trees,
                                    const std::uint32_t* __restrict__ source,
                                    const std::int64_t* __restrict__ own,
                                    const std::int32_t* __restrict__ labels,
                                    const std::int64_t* __restrict__ factors, Index classes,
                                    Index rows, std::int64_t* __restrict__ weights) {
  const Index s = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (s >= rows) return;
  Index tree = 0;
  while (tree + 1 < trees && begins[tree + 1] <= s) ++tree;
  const std::int64_t own_weight = own != nullptr ? own[source[s]] : 1;
  weights[s] *= own_weight * factors[tree * classes + labels[s]];
}

struct StackTile {
  std::uint32_t tree;
  std::uint32_t first;
  std::uint32_t end;
};

// statistics[tree] += those of its rows; they start at 0.
//
// Grid: a warp per tile of 512 rows. Shared: 8·classes bytes per warp. Reads what there is of a
// row, coalesced; adds one integer per tile and column atomically.
__global__ void add_statistics_kernel(const StackTile* __restrict__ tiles, Index count,
                                      SplitRules rules, TreeRows rows,
                                      unsigned long long* __restrict__ statistics) {
  extern __shared__ std::int64_t shared_counts[];
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= count) return;
  const StackTile tile = tiles[job];
  const unsigned lane = lane_of_thread();
  unsigned long long* sums = statistics + static_cast<Index>(tile.tree) * rules.width();
  if (rules.classes > 0) {
    const auto classes = static_cast<unsigned>(rules.classes);
    std::int64_t* counts = shared_counts + threadIdx.x / warp_size * classes;
    for (unsigned c = lane; c < classes; c += warp_size) counts[c] = 0;
    __syncwarp();
    for (std::uint32_t i = tile.first; i < tile.end; i += warp_size) {
      add_to_classes(rows, i + lane < tile.end, i + lane, counts);
    }
    for (unsigned c = lane; c < classes; c += warp_size) {
      if (counts[c] != 0) atomicAdd(sums + c, static_cast<unsigned long long>(counts[c]));
    }
    return;
  }
  std::int64_t total[3] = {0, 0, 0};
  for (std::uint32_t i = tile.first + lane; i < tile.end; i += warp_size) {
    total[0] += rows.weights != nullptr ? rows.weights[i] : 1;
    total[1] += rows.sums[i];
    total[2] += rows.squares[i];
  }
  __syncwarp();
  for (int k = 0; k < 3; ++k) {
    const std::int64_t sum = sum_of_lanes(total[k]);
    if (lane == 0) atomicAdd(sums + k, static_cast<unsigned long long>(sum));
  }
}

// sums[i] += the leaves of row i in the trees that have not drawn it, in ascending order; votes[i]
// += their number.
//
// Grid: a thread per row; nobody else adds to it, so that the chain is the CPU's. Reads 4 bytes per
// tree and row, coalesced, and along a path the nodes, through the cache, and the values that they
// ask for. CPU twin: CpuForest::add_out_of_bag.
template <Real T>
__global__ void add_out_of_bag_kernel(const PackedTree* __restrict__ heads,
                                      const PackedNode<T>* __restrict__ nodes,
                                      const T* __restrict__ values,
                                      const std::uint32_t* __restrict__ sets, Index trees,
                                      const std::uint32_t* __restrict__ counts, Index all_rows,
                                      Index first_row, const T* __restrict__ x, Index rows,
                                      Index features, Index outputs, T* __restrict__ sums,
                                      std::uint32_t* __restrict__ votes) {
  const Index i = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows) return;
  const T* row = x + i * features;
  const Index number = first_row + i;
  std::uint32_t own_votes = 0;
  for (Index t = 0; t < trees; ++t) {
    if (counts[t * all_rows + number] != 0) continue;
    std::int32_t node = heads[t].root;
    for (std::int32_t left = nodes[node].left; left != node; left = nodes[node].left) {
      const PackedNode<T>& here = nodes[node];
      node = tree::child_of(here, row[here.asks & tree::packed_feature], sets);
    }
    const T* leaf = values + nodes[node].payload;
    for (Index k = 0; k < outputs; ++k) sums[number * outputs + k] += leaf[k];
    ++own_votes;
  }
  votes[number] += own_votes;
}

template <Real T>
class CudaForest final : public tree::RandomForestSteps<T> {
 public:
  explicit CudaForest(Engine& engine) : engine_(cuda_engine(engine)), pieces_(engine_) {}

  void prepare(const TreeData<T>& data, const SplitRules& rules, const RowDraws& draws,
               const BinnedFeatures* bins) override {
    data_ = data;
    rules_ = rules;
    draws_ = draws;
    bins_ = bins != nullptr ? *bins : BinnedFeatures{};
  }

  // As many as a third of the memory that is free holds, with an order of every feature.
  [[nodiscard]] Index trees_at_once() const override {
    constexpr Index most = 64;
    const Index bytes = data_.rows * (data_.cols * static_cast<Index>(8 + sizeof(T)) + 100);
    const Index fitting = std::min<Index>(static_cast<Index>(engine_.free_memory()) / 3 / bytes,
                                          (Index{1} << 30) / data_.rows);
    return std::clamp<Index>(fitting, 1, most);
  }

  void draw(Index first, Index trees, Buffer<std::uint32_t>& counts) override {
    const Index rows = trees * draws_.rows;
    if (!draws_.drawn()) {
      engine_.launch(every_row_kernel, per_thread(rows), rows, counts.data());
      return;
    }
    engine_.fill_zero(counts.data(), static_cast<std::size_t>(rows) * sizeof(std::uint32_t));
    engine_.launch(draw_rows_kernel, per_thread(trees * draws_.draws), draws_, first, trees,
                   counts.data());
  }

  void grow(Index first, const Buffer<std::uint32_t>& counts,
            std::span<GrownSubtree<T>> trees) override;

  void add_out_of_bag(const EnsembleOnEngine<T>& trees, const Buffer<std::uint32_t>& counts,
                      const Buffer<T>& x, Index rows, Buffer<T>& sums,
                      Buffer<std::uint32_t>& votes) override {
    pieces_.for_each_piece(
        x.data(), rows, trees.features, [&](Index row, Index here, const T* piece) {
          engine_.launch(add_out_of_bag_kernel<T>, per_thread(here), trees.heads.data(),
                         trees.nodes.data(), trees.values.data(), trees.sets.data(), trees.trees,
                         counts.data(), rows, row, piece, here, trees.features, trees.outputs,
                         sums.data(), votes.data());
        });
  }

 private:
  [[nodiscard]] Shape per_thread(Index jobs) const {
    const unsigned threads = engine_.block_threads(256);
    return {.grid = dim3(static_cast<unsigned>(blocks_for(jobs, threads))), .block = dim3(threads)};
  }
  [[nodiscard]] std::vector<std::int64_t> statistics_of(const TreeRows& rows,
                                                        std::span<const std::uint32_t> begins);
  [[nodiscard]] std::vector<std::int64_t> factors_of(const TreeRows& rows,
                                                     std::span<const std::uint32_t> begins);

  CudaEngine& engine_;
  TreeData<T> data_;
  SplitRules rules_;
  RowDraws draws_;
  BinnedFeatures bins_;
  PieceStream pieces_;
};

// trees × width. begins: trees + 1.
template <Real T>
std::vector<std::int64_t> CudaForest<T>::statistics_of(const TreeRows& rows,
                                                       std::span<const std::uint32_t> begins) {
  const auto trees = static_cast<Index>(begins.size()) - 1;
  std::vector<StackTile> tiles;
  for (std::size_t t = 0; t + 1 < begins.size(); ++t) {
    for (std::uint32_t i = begins[t]; i < begins[t + 1]; i += tile_rows) {
      tiles.push_back({static_cast<std::uint32_t>(t), i, std::min(begins[t + 1], i + tile_rows)});
    }
  }
  const auto tiles_there = to_engine(engine_, tiles);
  Buffer<std::int64_t> sums(engine_, trees * rules_.width());
  sums.fill_zero();
  const std::size_t bytes = 8 * static_cast<std::size_t>(rules_.classes);
  std::size_t warps = engine_.block_threads(256) / warp_size;
  if (bytes > 0) {
    warps = std::min(warps, std::max<std::size_t>(1, (std::size_t{48} << 10) / bytes));
  }
  engine_.launch(
      add_statistics_kernel,
      {.grid =
           dim3(static_cast<unsigned>(blocks_for(tiles_there.size(), static_cast<Index>(warps)))),
       .block = dim3(static_cast<unsigned>(warps) * warp_size),
       .shared_bytes = warps * bytes},
      tiles_there.data(), tiles_there.size(), rules_, rows,
      reinterpret_cast<unsigned long long*>(sums.data()));
  return sums.to_host();
}

// What the rows of each tree and class are multiplied by. rows: weighted by their draws.
template <Real T>
std::vector<std::int64_t> CudaForest<T>::factors_of(const TreeRows& rows,
                                                    std::span<const std::uint32_t> begins) {
  const std::vector<std::int64_t> drawn = statistics_of(rows, begins);
  const auto classes = static_cast<std::size_t>(rules_.classes);
  std::vector<std::int64_t> factors;
  for (std::size_t at = 0; at < drawn.size(); at += classes) {
    const auto of_tree = tree::balancing_factors(draws_, std::span(drawn).subspan(at, classes));
    factors.insert(factors.end(), of_tree.begin(), of_tree.end());
  }
  return factors;
}

template <Real T>
void CudaForest<T>::grow(Index first, const Buffer<std::uint32_t>& counts,
                         std::span<GrownSubtree<T>> trees) {
  const auto count = static_cast<Index>(trees.size());
  const Index elements = count * data_.rows;
  const auto filled = [](const auto* buffer) { return buffer != nullptr && !buffer->empty(); };
  const auto pointer = [&](const auto* buffer) {
    return filled(buffer) ? buffer->data() : nullptr;
  };
  const bool classifies = rules_.classes > 0;
  const bool balances = draws_.balance_bits > 0;
  const bool weighs = draws_.replace || filled(data_.weights) || balances;

  Buffer<std::uint32_t> place(engine_, elements);
  const auto drawn = thrust::make_transform_iterator(
      thrust::make_counting_iterator(std::int64_t{0}), IsDrawn{counts.data()});
  std::size_t scratch_bytes = 0;
  const auto scan = [&](void* memory) {
    return cub::DeviceScan::ExclusiveSum(memory, scratch_bytes, drawn, place.data(),
                                         static_cast<std::uint32_t>(elements), engine_.stream());
  };
  engine_.before_library_call("cub::DeviceScan");
  TANDEM_CUDA(scan(nullptr));
  Buffer<std::byte> scratch(engine_, static_cast<Index>(scratch_bytes));
  TANDEM_CUDA(scan(scratch.data()));
  engine_.after_library_call("cub::DeviceScan");
  Buffer<std::uint32_t> begins_there(engine_, count + 1);
  engine_.launch(first_places_kernel, per_thread(count + 1), counts.data(), place.data(),
                 data_.rows, count, begins_there.data());
  const std::vector<std::uint32_t> begins = begins_there.to_host();
  const auto rows = static_cast<Index>(begins.back());

  Buffer<T> x(engine_, rows * data_.cols, Placement::rows);
  Buffer<std::int32_t> labels(engine_, classifies ? rows : 0);
  Buffer<T> target(engine_, classifies ? 0 : rows);
  Buffer<std::int64_t> weights(engine_, weighs ? rows : 0);
  Buffer<std::int64_t> sums(engine_, classifies ? 0 : rows);
  Buffer<std::int64_t> squares(engine_, classifies ? 0 : rows);
  const TreeRows stacked{labels.data(), weights.data(), sums.data(), squares.data()};
  {
    Buffer<std::uint32_t> source(engine_, rows);
    // Balanced rows get their own weights once their draws have been counted.
    const std::int64_t* own = pointer(data_.weights);
    const TreeRows from{pointer(data_.labels), balances ? nullptr : own, pointer(data_.sums),
                        pointer(data_.squares)};
    engine_.launch(
        stack_rows_kernel<T>, per_thread(elements), counts.data(), place.data(), data_.rows,
        elements, from, pointer(data_.target),
        StackedRows{source.data(), labels.data(), weights.data(), sums.data(), squares.data()},
        target.data());
    if (bins_.by_row != nullptr) {
      engine_.launch(stack_bins_kernel<T>, per_thread(x.size()), bins_.by_row->data(), bins_.stride,
                     bins_.known_bins->data(), source.data(), x.size(), data_.cols, x.data());
    } else {
      engine_.launch(stack_values_kernel<T>, per_thread(x.size()), data_.x->data(), source.data(),
                     x.size(), data_.cols, x.data());
    }
    if (balances) {
      const auto factors = to_engine(engine_, factors_of(stacked, begins));
      engine_.launch(balance_rows_kernel, per_thread(rows), begins_there.data(), count,
                     source.data(), own, labels.data(), factors.data(),
                     static_cast<Index>(rules_.classes), rows, weights.data());
      engine_.wait();  // factors end here
    }
  }
  const std::vector<std::int64_t> statistics = statistics_of(stacked, begins);

  const std::vector<Index> more_trees(begins.begin() + 1, begins.end() - 1);
  const auto steps = make_decision_tree<T>(engine_);
  TreeData<T> data{rows, data_.cols, &x, &labels, &target, &weights, &sums, &squares};
  data.more_trees = more_trees;
  steps->prepare(data, rules_);
  std::vector<OpenNode> roots;
  std::vector<std::size_t> of_root;
  for (std::size_t t = 0; t < trees.size(); ++t) {
    const auto begin = static_cast<Index>(begins[t]);
    const Index own = static_cast<Index>(begins[t + 1]) - begin;
    const std::int64_t* own_statistics = statistics.data() + static_cast<Index>(t) * rules_.width();
    if (tree::may_split(rules_, own, 0, own_statistics)) {
      roots.push_back({begin, own, 0, tree::root_key_of(static_cast<std::uint64_t>(first) + t),
                       own_statistics});
      of_root.push_back(t);
      continue;
    }
    tree::GrownNode<T> leaf;
    leaf.rows = own;
    trees[t].nodes.assign(1, leaf);
    trees[t].statistics.assign(own_statistics, own_statistics + rules_.width());
  }
  std::vector<GrownSubtree<T>> grown(roots.size());
  steps->grow_subtrees(roots, grown);
  for (std::size_t k = 0; k < grown.size(); ++k) trees[of_root[k]] = std::move(grown[k]);
}

}  // namespace
}  // namespace tandem::cuda

extern "C" {
void* tandem_cuda_random_forest_float32(tandem::Engine& engine) {
  return static_cast<tandem::tree::RandomForestSteps<float>*>(
      new tandem::cuda::CudaForest<float>(engine));
}
void* tandem_cuda_random_forest_float64(tandem::Engine& engine) {
  return static_cast<tandem::tree::RandomForestSteps<double>*>(
      new tandem::cuda::CudaForest<double>(engine));
}
}
