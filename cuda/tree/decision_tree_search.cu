// The split search: every cut of every feature of many nodes at once.
//
// A node's range of an order is cut into tiles, and decision_tree_score.cu finds the best cut of
// every (feature, tile). Where a node has several tiles, a pass before counts what each holds, and
// a scan over the tiles says where each starts. Here is what surrounds that: the work lists, the
// drawing of features, the best of a node's cuts and what that split means.
//
// Costs: cuda/tree/decision_tree_cost.hpp. CPU twin: CpuSteps::find_splits in
// cpu/tree/decision_tree.cpp.
#include <limits>
#include <vector>

#include "cuda/tree/decision_tree_search.cuh"

namespace tandem::cuda {
namespace {

using tree::SplitRules;

// --- kernels -------------------------------------------------------------------------------------

// Turns the sums of a node's tiles into those of the tiles before each; totals[row, node] = their
// sum. `rows` rows of level.long_tiles elements: a (feature, column) each.
//
// Grid: a warp per (row, node), 32 tiles at a time. Reads and writes 8 bytes per tile.
__global__ void scan_tiles_kernel(const LongNode* __restrict__ nodes, std::uint32_t node_count,
                                  Index tile_count, Index rows, std::int64_t* __restrict__ sums,
                                  std::int64_t* __restrict__ totals) {
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= rows * node_count) return;
  const LongNode node = nodes[job % node_count];
  std::int64_t* tiles = sums + job / node_count * tile_count + node.first_tile;
  std::int64_t carry = 0;
  for (std::uint32_t t = 0; t < node.tiles; t += warp_size) {
    const std::uint32_t i = t + lane_of_thread();
    const std::int64_t value = i < node.tiles ? tiles[i] : 0;
    const std::int64_t sum = running_sum(value, carry);
    if (i < node.tiles) tiles[i] = sum - value;
  }
  if (lane_of_thread() == 0) totals[job] = carry;
}

// node_best[node] = the best of the group's features, and of what stood there unless `first`.
//
// Grid: a block of any number of warps per node. Reads 16 bytes per (feature, tile).
__global__ void best_of_nodes_kernel(SearchLevel level, std::uint32_t features, bool first,
                                     const TreeCut* __restrict__ best,
                                     TreeCut* __restrict__ node_best) {
  __shared__ TreeCut of_warps[warp_size];
  const SearchNode node = level.nodes[blockIdx.x];
  const Index all = static_cast<Index>(features) * node.tiles;
  TreeCut own;
  for (Index k = threadIdx.x; k < all; k += blockDim.x) {
    const TreeCut other =
        best[k / node.tiles * level.tile_count + node.first_tile + k % node.tiles];
    if (better(other, own)) own = other;
  }
  using Reduce = cub::WarpReduce<TreeCut>;
  typename Reduce::TempStorage none;
  own = Reduce(none).Reduce(own, BetterCut{});
  if (lane_of_thread() == 0) of_warps[threadIdx.x / warp_size] = own;
  __syncthreads();
  if (threadIdx.x >= warp_size) return;
  own = threadIdx.x < blockDim.x / warp_size ? of_warps[threadIdx.x] : TreeCut{};
  own = Reduce(none).Reduce(own, BetterCut{});
  if (threadIdx.x > 0) return;
  if (first || better(own, node_best[blockIdx.x])) node_best[blockIdx.x] = own;
}

// The result for one node, copied to the host.
template <Real T>
struct FoundSplit {
  T threshold;
  std::int32_t feature;
  std::uint32_t left_known;
  std::uint32_t left_rows;
  std::uint32_t missing_left;
};

// The split that a candidate means. A warp per node; reads four entries and values at random, and
// where values are missing, entries along a search for the first of them. x may be on the host.
template <Real T>
__global__ void complete_splits_kernel(SearchLevel level, SplitRules rules, TreeRows rows,
                                       const std::uint32_t* __restrict__ orders, Index stride,
                                       const T* __restrict__ x, Index cols,
                                       const TreeCut* __restrict__ node_best,
                                       FoundSplit<T>* __restrict__ found) {
  const Index i =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (i >= level.node_count) return;
  const SearchNode node = level.nodes[i];
  const TreeCut best = node_best[i];
  FoundSplit<T> split{0, -1, 0, 0, 0};
  if (best.score != tree::no_score) {
    const TreeOrder order = order_from(orders, stride, best.feature, node.begin);
    const std::uint32_t known = known_rows(order.ranks, node.rows);
    const bool missing_left = (best.key & 1U) == 0;
    split.feature = static_cast<std::int32_t>(best.feature);
    split.left_known = best.key / 2;
    split.left_rows = split.left_known + (missing_left ? node.rows - known : 0);
    split.missing_left = known < node.rows
                             ? missing_left
                             : 2 * static_cast<std::uint64_t>(split.left_rows) >= node.rows;
    const auto value = [&](std::uint32_t k) {
      return x[static_cast<Index>(row_of(rows, order.payloads[k])) * cols + best.feature];
    };
    if (split.left_known == known) {
      split.threshold = std::numeric_limits<T>::max();
    } else if (rules.random_thresholds) {
      split.threshold =
          tree::random_threshold(rules, node.key, best.feature, value(0), value(known - 1));
    } else {
      split.threshold =
          tree::threshold_between(value(split.left_known - 1), value(split.left_known));
    }
  }
  if (lane_of_thread() == 0) found[i] = split;
}

// left[node] += the statistics of the rows that go left; in regression, differs[node] = 1 where the
// node has more than one target value. Both start at 0. A node without a split is left out.
//
// Grid: a warp per tile, over the chosen feature's order, which may be on the host. Shared:
// 8·classes bytes per warp. Reads 4 bytes per row that goes left (in regression, of every row),
// coalesced, and what is looked up by row: class, weight, sums, target; adds one integer per tile
// and column atomically.
template <Real T>
__global__ void left_statistics_kernel(SearchLevel level, SplitRules rules, TreeRows rows,
                                       const std::uint32_t* __restrict__ orders, Index stride,
                                       const T* __restrict__ target,
                                       const FoundSplit<T>* __restrict__ found,
                                       unsigned long long* __restrict__ left,
                                       unsigned* __restrict__ differs) {
  extern __shared__ std::int64_t shared_counts[];
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= level.tile_count) return;
  const SearchTile tile = level.tiles[job];
  const FoundSplit<T> split = found[tile.node];
  if (split.feature < 0) return;
  const SearchNode node = level.nodes[tile.node];
  const TreeOrder order =
      order_from(orders, stride, static_cast<std::uint32_t>(split.feature), node.begin);
  const std::uint32_t end = min(node.rows, tile.first + level.tile_rows);
  const unsigned lane = lane_of_thread();
  const bool missing_goes_left = split.left_rows > split.left_known;
  unsigned long long* sums = left + static_cast<Index>(tile.node) * rules.width();
  const auto goes_left = [&](std::uint32_t i) {
    return i < split.left_known || (missing_goes_left && order.ranks[i] == missing_rank);
  };
  if (rules.classes > 0) {
    const auto classes = static_cast<unsigned>(rules.classes);
    std::int64_t* counts = shared_counts + threadIdx.x / warp_size * classes;
    for (unsigned c = lane; c < classes; c += warp_size) counts[c] = 0;
    __syncwarp();
    for (std::uint32_t i = tile.first; i < end; i += warp_size) {
      const bool left = i + lane < end && goes_left(i + lane);
      add_to_classes(rows, left, left ? order.payloads[i + lane] : 0, counts);
    }
    for (unsigned c = lane; c < classes; c += warp_size) {
      if (counts[c] != 0) atomicAdd(sums + c, static_cast<unsigned long long>(counts[c]));
    }
    return;
  }
  std::int64_t total[3] = {0, 0, 0};
  bool other_value = false;
  const T first = target[order.payloads[0]];
  for (std::uint32_t i = tile.first + lane; i < end; i += warp_size) {
    const std::uint32_t payload = order.payloads[i];
    other_value = other_value || target[payload] != first;
    if (!goes_left(i)) continue;
    total[0] += weight_of(rows, payload);
    total[1] += rows.sums[payload];
    total[2] += rows.squares[payload];
  }
  __syncwarp();
  for (int k = 0; k < 3; ++k) {
    const std::int64_t sum = sum_of_lanes(total[k]);
    if (lane == 0) atomicAdd(sums + k, static_cast<unsigned long long>(sum));
  }
  if (__any_sync(all_lanes, other_value) && lane == 0) atomicOr(differs + tile.node, 1U);
}

// draws[node, feature] = its draw; varying = whether the feature varies in the node.
//
// Grid: a thread per (node of first .. first + nodes − 1, feature). Reads two entries at random,
// which may be on the host; writes 9 bytes.
__global__ void draw_features_kernel(SearchLevel level, SplitRules rules,
                                     const std::uint32_t* __restrict__ orders, Index stride,
                                     Index cols, std::uint32_t first, std::uint32_t nodes,
                                     std::uint64_t* __restrict__ draws,
                                     std::uint8_t* __restrict__ varying) {
  const Index job = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (job >= nodes * cols) return;
  const Index feature = job % cols;
  const SearchNode node = level.nodes[first + job / cols];
  varying[job] =
      varies(order_from(orders, stride, static_cast<std::uint32_t>(feature), node.begin).ranks,
             node.rows)
          ? 1
          : 0;
  draws[job] = tree::feature_draw(rules, node.key, feature);
}

// Sets the bits of the features_per_node varying features of the smallest draws, the lower feature
// first among equal draws; all varying ones where there are no more.
//
// Grid: a warp per node. The smallest draw that enough features do not exceed is found by
// bisection: 65 passes over 9 bytes per feature, from the cache. Writes 4 bytes per 32 features.
__global__ void choose_features_kernel(SplitRules rules, Index cols, std::uint32_t nodes,
                                       const std::uint64_t* __restrict__ draws,
                                       const std::uint8_t* __restrict__ varying,
                                       std::uint32_t words, std::uint32_t* __restrict__ looked_at) {
  const Index i =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (i >= nodes) return;
  const unsigned lane = lane_of_thread();
  const std::uint64_t* own_draws = draws + i * cols;
  const std::uint8_t* own_varying = varying + i * cols;
  const auto count = [&](auto&& counts) {
    Index number = 0;
    for (Index f = lane; f < cols; f += warp_size) {
      if (own_varying[f] != 0 && counts(own_draws[f])) ++number;
    }
    __syncwarp();
    return sum_of_lanes(number);
  };
  std::uint64_t last = ~std::uint64_t{0};
  const Index wanted = rules.features_per_node;
  if (count([](std::uint64_t) { return true; }) > wanted) {
    std::uint64_t low = 0;
    while (low < last) {
      const std::uint64_t middle = low + (last - low) / 2;
      if (count([&](std::uint64_t draw) { return draw <= middle; }) >= wanted) {
        last = middle;
      } else {
        low = middle + 1;
      }
    }
  }
  // Among the features whose draw equals the last one, the lowest are taken.
  Index equals = wanted - count([&](std::uint64_t draw) { return draw < last; });
  for (std::uint32_t word = 0; word < words; ++word) {
    const Index f = static_cast<Index>(word) * 32 + lane;
    const bool possible = f < cols && own_varying[f] != 0;
    const bool equal = possible && own_draws[f] == last;
    const unsigned equal_lanes = __ballot_sync(all_lanes, equal);
    const bool chosen = (possible && own_draws[f] < last) ||
                        (equal && __popc(equal_lanes & lanes_below()) < equals);
    const unsigned bits = __ballot_sync(all_lanes, chosen);
    equals -= __popc(equal_lanes);
    if (lane == 0) looked_at[i * words + word] = bits;
  }
}

// only_cut[node, feature] = how many known rows are not above the node's random threshold of a
// feature that varies and is looked at: all of them where they have one value.
//
// Grid: a thread per (node, feature). Reads two entries and values at random, and as many along a
// search by value as the logarithm of the node's rows says; x and the orders may be on the host.
template <Real T>
__global__ void draw_thresholds_kernel(SearchLevel level, SplitRules rules, TreeRows rows,
                                       const std::uint32_t* __restrict__ orders, Index stride,
                                       const T* __restrict__ x, Index cols,
                                       std::uint32_t* __restrict__ only_cut) {
  const Index job = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (job >= level.node_count * cols) return;
  const auto feature = static_cast<std::uint32_t>(job % cols);
  const auto number = static_cast<std::uint32_t>(job / cols);
  const SearchNode node = level.nodes[number];
  const TreeOrder order = order_from(orders, stride, feature, node.begin);
  if (!looks_at(level, number, feature) || !varies(order.ranks, node.rows)) return;
  const auto value = [&](std::uint32_t k) {
    return x[static_cast<Index>(row_of(rows, order.payloads[k])) * cols + feature];
  };
  // The first k of low .. high that is not `within`; what is comes before what is not.
  const auto first_not = [](std::uint32_t low, std::uint32_t high, auto&& within) {
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      if (within(middle)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const std::uint32_t known =
      first_not(0, node.rows, [&](std::uint32_t k) { return order.ranks[k] != missing_rank; });
  const T lowest = value(0);
  const T highest = value(known - 1);
  std::uint32_t cut = known;
  if (lowest < highest) {
    const T threshold = tree::random_threshold(rules, node.key, feature, lowest, highest);
    cut = first_not(1, known - 1, [&](std::uint32_t k) { return value(k) <= threshold; });
  }
  only_cut[job] = cut;
}

// terms[w] = φ(w). One thread each; writes 8 bytes.
__global__ void entropy_terms_kernel(SplitRules rules, Index count, std::int64_t* terms) {
  const Index w = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (w < count) terms[w] = tree::entropy_term(rules, w);
}

// --- the host's side -----------------------------------------------------------------------------

// Temporary memory is bounded by these many (feature, tile) pairs, (node, feature) pairs, and sums.
constexpr Index most_pairs = Index{1} << 22;
constexpr Index most_sums = Index{1} << 23;

// Nodes searched together, on the device.
class Level {
 public:
  Level(CudaEngine& engine, const SplitRules& rules, std::span<const tree::OpenNode> open,
        std::uint32_t tile_rows) {
    std::vector<SearchNode> nodes;
    std::vector<SearchTile> tiles;
    std::vector<std::uint32_t> long_tiles;
    std::vector<LongNode> long_nodes;
    std::vector<std::int64_t> statistics;
    nodes.reserve(open.size());
    statistics.reserve(open.size() * static_cast<std::size_t>(rules.width()));
    for (const tree::OpenNode& node : open) {
      const auto number = static_cast<std::uint32_t>(nodes.size());
      const auto rows = static_cast<std::uint32_t>(node.rows);
      const auto count = static_cast<std::uint32_t>(blocks_for(node.rows, tile_rows));
      nodes.push_back({node.key, static_cast<std::uint32_t>(node.begin), rows,
                       static_cast<std::uint32_t>(tiles.size()), count,
                       static_cast<std::uint32_t>(long_nodes.size())});
      if (count > 1) {
        long_nodes.push_back({static_cast<std::uint32_t>(long_tiles.size()), count});
      }
      for (std::uint32_t t = 0; t < count; ++t) {
        const auto long_tile = static_cast<std::uint32_t>(long_tiles.size());
        if (count > 1) long_tiles.push_back(static_cast<std::uint32_t>(tiles.size()));
        tiles.push_back({number, t * tile_rows, long_tile});
      }
      longest_ = std::max(longest_, static_cast<Index>(count));
      statistics.insert(statistics.end(), node.statistics, node.statistics + rules.width());
    }
    nodes_ = to_engine(engine, nodes);
    tiles_ = to_engine(engine, tiles);
    long_tiles_ = to_engine(engine, long_tiles);
    long_nodes_ = to_engine(engine, long_nodes);
    statistics_ = to_engine(engine, statistics);
    on_device = {nodes_.data(),
                 tiles_.data(),
                 long_tiles_.data(),
                 long_nodes_.data(),
                 static_cast<std::uint32_t>(nodes.size()),
                 static_cast<std::uint32_t>(tiles.size()),
                 static_cast<std::uint32_t>(long_tiles.size()),
                 static_cast<std::uint32_t>(long_nodes.size()),
                 tile_rows,
                 statistics_.data(),
                 nullptr,
                 0,
                 nullptr,
                 0};
  }

  // Draws features where a node looks at some of them only.
  void choose_features(CudaEngine& engine, const SplitRules& rules, const TreeOrders& orders) {
    const Index cols = orders.cols();
    if (rules.features_per_node >= cols) return;
    const auto words = static_cast<std::uint32_t>(blocks_for(cols, 32));
    looked_at_ = Buffer<std::uint32_t>(engine, on_device.node_count * static_cast<Index>(words));
    const auto fitting = static_cast<Index>(engine.free_memory() / 4 / 9);
    const Index at_once =
        std::clamp<Index>(std::min(most_pairs, fitting) / cols, 1, on_device.node_count);
    Buffer<std::uint64_t> draws(engine, at_once * cols);
    Buffer<std::uint8_t> varying(engine, at_once * cols);
    const unsigned threads = engine.block_threads(256);
    for (Index first = 0; first < on_device.node_count; first += at_once) {
      const auto nodes =
          static_cast<std::uint32_t>(std::min<Index>(at_once, on_device.node_count - first));
      engine.launch(draw_features_kernel,
                    {.grid = dim3(static_cast<unsigned>(blocks_for(nodes * cols, threads))),
                     .block = dim3(threads)},
                    on_device, rules, orders.data(), orders.stride(), cols,
                    static_cast<std::uint32_t>(first), nodes, draws.data(), varying.data());
      engine.launch(choose_features_kernel, warps_shape(engine, nodes), rules, cols, nodes,
                    draws.data(), varying.data(), words, looked_at_.data() + first * words);
    }
    on_device.looked_at = looked_at_.data();
    on_device.words = words;
  }

  // Draws a threshold of each feature where those are the candidates.
  template <Real T>
  void draw_thresholds(CudaEngine& engine, const SplitRules& rules, const TreeRows& rows,
                       const T* x, const TreeOrders& orders) {
    if (!rules.random_thresholds) return;
    const Index jobs = on_device.node_count * orders.cols();
    only_cut_ = Buffer<std::uint32_t>(engine, jobs);
    const unsigned threads = engine.block_threads(256);
    engine.launch(
        draw_thresholds_kernel<T>,
        {.grid = dim3(static_cast<unsigned>(blocks_for(jobs, threads))), .block = dim3(threads)},
        on_device, rules, rows, orders.data(), orders.stride(), x, orders.cols(), only_cut_.data());
    on_device.only_cut = only_cut_.data();
    on_device.cols = static_cast<std::uint32_t>(orders.cols());
  }

  [[nodiscard]] Index longest() const { return longest_; }  // tiles of a node

  SearchLevel on_device{};

 private:
  Index longest_ = 0;
  Buffer<SearchNode> nodes_;
  Buffer<SearchTile> tiles_;
  Buffer<std::uint32_t> long_tiles_;
  Buffer<LongNode> long_nodes_;
  Buffer<std::int64_t> statistics_;
  Buffer<std::uint32_t> looked_at_;
  Buffer<std::uint32_t> only_cut_;
};

// node_best[node] of all features.
void best_cuts(CudaEngine& engine, const SplitRules& rules, const TreeRows& rows,
               const CriterionKernels& search, const Level& level, TreeOrders& orders,
               Buffer<TreeCut>& node_best) {
  const SearchLevel& on_device = level.on_device;
  const Index sums_per_feature = search.columns * on_device.long_tiles;
  // Takes up to a quarter of the memory that is free.
  const auto bytes_per_feature =
      static_cast<std::size_t>(on_device.tile_count * static_cast<Index>(sizeof(TreeCut)) +
                               (sums_per_feature + search.columns * on_device.long_nodes) * 8);
  const Index at_once = std::clamp<Index>(
      std::min({most_pairs / on_device.tile_count, most_sums / std::max<Index>(1, sums_per_feature),
                static_cast<Index>(engine.free_memory() / 4 / bytes_per_feature)}),
      1, orders.cols());
  Buffer<TreeCut> best(engine, at_once * on_device.tile_count);
  Buffer<std::int64_t> before(engine, at_once * sums_per_feature);
  Buffer<std::int64_t> totals(engine, at_once * search.columns * on_device.long_nodes);
  orders.for_each_group(at_once, [&](Index first, Index features, const std::uint32_t* entries) {
    const FeatureGroup group{entries, orders.stride(), static_cast<std::uint32_t>(first),
                             static_cast<std::uint32_t>(features)};
    if (on_device.long_tiles > 0) {
      engine.launch(search.tally,
                    warps_shape(engine, features * on_device.long_tiles, search.tally_shared),
                    on_device, rules, rows, group, before.data());
      const Index sum_rows = features * search.columns;
      engine.launch(scan_tiles_kernel, warps_shape(engine, sum_rows * on_device.long_nodes),
                    on_device.long_node_list, on_device.long_nodes,
                    static_cast<Index>(on_device.long_tiles), sum_rows, before.data(),
                    totals.data());
    }
    engine.launch(
        search.score, warps_shape(engine, features * on_device.tile_count, search.score_shared),
        on_device, rules, rows, group, TileSums{before.data(), totals.data()}, best.data());
    // One warp is enough for a node of a few candidates.
    const unsigned threads =
        level.longest() * features <= 512 ? warp_size : engine.block_threads(256);
    engine.launch(best_of_nodes_kernel,
                  {.grid = dim3(on_device.node_count), .block = dim3(threads)}, on_device,
                  static_cast<std::uint32_t>(features), first == 0, best.data(), node_best.data());
  });
}

}  // namespace

template <Real T>
void find_tree_splits(CudaEngine& engine, const SplitRules& rules, const TreeRows& rows, const T* x,
                      const T* target, TreeOrders& orders, std::span<const tree::OpenNode> nodes,
                      std::span<tree::NodeSplit<T>> splits,
                      std::span<std::int64_t> left_statistics) {
  const CriterionKernels search = kernels_of(rules, rows);
  const Index width = rules.width();
  // Long enough that a tile's sums are little beside its rows.
  const auto tile_rows = static_cast<std::uint32_t>(std::max<Index>(512, 4 * search.columns));
  // As many nodes at once as the limits and an eighth of the memory that is free allow.
  const auto bytes_per_node = static_cast<Index>(sizeof(SearchNode) + sizeof(LongNode) +
                                                 sizeof(TreeCut) + sizeof(FoundSplit<T>) + 4) +
                              16 * width + orders.cols() / 8 +
                              (rules.random_thresholds ? 4 * orders.cols() : 0);
  const Index bytes_per_tile = sizeof(SearchTile) + 4 + sizeof(TreeCut) + 8 * search.columns;
  std::size_t first = 0;
  while (first < nodes.size()) {
    const auto most_bytes = static_cast<Index>(engine.free_memory() / 8);
    Index tiles = 0;
    Index bytes = 0;
    std::size_t end = first;
    for (; end < nodes.size(); ++end) {
      const Index of_node = blocks_for(nodes[end].rows, tile_rows);
      tiles += of_node;
      bytes += bytes_per_node + of_node * bytes_per_tile;
      const auto sums = static_cast<Index>(end + 1 - first) * width;
      if (end > first && (tiles > most_pairs || sums > most_sums || bytes > most_bytes)) break;
    }
    const std::size_t count = end - first;
    Level level(engine, rules, nodes.subspan(first, count), tile_rows);
    level.choose_features(engine, rules, orders);
    level.draw_thresholds(engine, rules, rows, x, orders);
    Buffer<TreeCut> node_best(engine, static_cast<Index>(count));
    best_cuts(engine, rules, rows, search, level, orders, node_best);

    Buffer<FoundSplit<T>> found(engine, static_cast<Index>(count));
    Buffer<std::int64_t> left(engine, static_cast<Index>(count) * width);
    Buffer<unsigned> differs(engine, rules.classes == 0 ? static_cast<Index>(count) : 0);
    left.fill_zero();
    differs.fill_zero();
    engine.launch(complete_splits_kernel<T>, warps_shape(engine, static_cast<Index>(count)),
                  level.on_device, rules, rows, orders.data(), orders.stride(), x, orders.cols(),
                  node_best.data(), found.data());
    engine.launch(left_statistics_kernel<T>,
                  warps_shape(engine, level.on_device.tile_count,
                              8 * static_cast<std::size_t>(rules.classes)),
                  level.on_device, rules, rows, orders.data(), orders.stride(), target,
                  found.data(), reinterpret_cast<unsigned long long*>(left.data()), differs.data());

    const std::vector<FoundSplit<T>> on_host = found.to_host();
    const std::vector<unsigned> many_values = differs.to_host();
    std::int64_t* sums = left_statistics.data() + first * static_cast<std::size_t>(width);
    left.download({sums, count * static_cast<std::size_t>(width)});
    for (std::size_t i = 0; i < count; ++i) {
      const FoundSplit<T>& split = on_host[i];
      const bool of_one_value = rules.classes == 0 && many_values[i] == 0;
      if (split.feature < 0 || of_one_value) {
        splits[first + i] = {};
        std::fill_n(sums + static_cast<Index>(i) * width, width, 0);
      } else {
        splits[first + i] = {split.feature, split.threshold, split.missing_left != 0,
                             split.left_known, split.left_rows};
      }
    }
    first = end;
  }
}

void fill_entropy_terms(CudaEngine& engine, const SplitRules& rules, Index count,
                        std::int64_t* terms) {
  const unsigned threads = engine.block_threads(256);
  engine.launch(
      entropy_terms_kernel,
      {.grid = dim3(static_cast<unsigned>(blocks_for(count, threads))), .block = dim3(threads)},
      rules, count, terms);
}

template void find_tree_splits(CudaEngine&, const SplitRules&, const TreeRows&, const float*,
                               const float*, TreeOrders&, std::span<const tree::OpenNode>,
                               std::span<tree::NodeSplit<float>>, std::span<std::int64_t>);
template void find_tree_splits(CudaEngine&, const SplitRules&, const TreeRows&, const double*,
                               const double*, TreeOrders&, std::span<const tree::OpenNode>,
                               std::span<tree::NodeSplit<double>>, std::span<std::int64_t>);

}  // namespace tandem::cuda
