// Splitting nodes: every feature's order is partitioned stably, the rows of the left child first.
//
// A node of one tile is partitioned by a warp through shared memory. In a longer one the warps of
// its tiles first count and remember what goes left, a scan over the tiles says where each tile's
// rows go, and they go there by way of a scratch order, because a range is partitioned in place.
//
// Costs: cuda/tree/decision_tree_cost.hpp. CPU twin: CpuSteps::apply_splits in
// cpu/tree/decision_tree.cpp.
#include <vector>

#include "cuda/tree/decision_tree_warp.cuh"

namespace tandem::cuda {
namespace {

constexpr std::uint32_t tile_rows = 512;
constexpr std::uint32_t words_of_tile = tile_rows / warp_size;

struct SplitOnDevice {
  std::uint32_t begin;
  std::uint32_t rows;
  std::uint32_t feature;
  std::uint32_t left_known;
  std::uint32_t left_rows;
};
struct SplitTile {
  std::uint32_t split;
  std::uint32_t first;
};
// A split of several tiles.
struct LongSplit {
  std::uint32_t first_tile;  // among the tiles of such splits
  std::uint32_t tiles;
};

// goes_left[row] of all rows of the splits. Grid: a warp per tile, over the split's own feature's
// order, which may be on the host. Reads 4 bytes per row, coalesced, and the ranks of rows that may
// be missing; writes a byte per row at random.
__global__ void mark_left_kernel(const SplitOnDevice* __restrict__ splits,
                                 const SplitTile* __restrict__ tiles, Index tile_count,
                                 const std::uint32_t* __restrict__ orders, Index stride,
                                 TreeRows rows, std::uint8_t* __restrict__ goes_left) {
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= tile_count) return;
  const SplitTile tile = tiles[job];
  const SplitOnDevice split = splits[tile.split];
  const TreeOrder order = order_from(orders, stride, split.feature, split.begin);
  const bool missing_goes_left = split.left_rows > split.left_known;
  const std::uint32_t end = min(split.rows, tile.first + tile_rows);
  for (std::uint32_t i = tile.first + lane_of_thread(); i < end; i += warp_size) {
    const bool left = i < split.left_known || (missing_goes_left && order.ranks[i] == missing_rank);
    goes_left[row_of(rows, order.payloads[i])] = left ? 1 : 0;
  }
}

// True where the order of a feature stays as it is.
__device__ bool stays(const SplitOnDevice& split, std::uint32_t feature,
                      const std::uint32_t* ranks) {
  return (feature == split.feature && split.left_known == split.left_rows) ||
         !varies(ranks, split.rows);
}

// Partitions the orders of `features` features in the range of splits of at most tile_rows rows.
//
// Grid: a warp per (feature, split). Shared: tile_rows ranks and payloads per warp. The left
// child's fill it from its begin and the right child's from its end backwards: 32 rows then go to
// 32 banks, because what both have so far is a multiple of 32. No barrier but the warp's. Reads 8
// bytes per row, coalesced, and a byte at random; writes 8.
__global__ void partition_short_kernel(const SplitOnDevice* __restrict__ splits, Index split_count,
                                       std::uint32_t* __restrict__ orders, Index stride,
                                       std::uint32_t first_feature, std::uint32_t features,
                                       TreeRows rows, const std::uint8_t* __restrict__ goes_left) {
  extern __shared__ std::uint32_t shared_orders[];
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= split_count * features) return;
  const SplitOnDevice split = splits[job % split_count];
  const auto feature = static_cast<std::uint32_t>(job / split_count);
  const TreeOrderToChange order = order_from(orders, stride, feature, split.begin);
  if (stays(split, first_feature + feature, order.ranks)) return;
  std::uint32_t* new_ranks = shared_orders + threadIdx.x / warp_size * 2 * tile_rows;
  std::uint32_t* new_payloads = new_ranks + tile_rows;
  const unsigned lane = lane_of_thread();
  std::uint32_t to_left = 0;
  std::uint32_t to_right = 0;
  for (std::uint32_t i = 0; i < split.rows; i += warp_size) {
    const bool active = i + lane < split.rows;
    const std::uint32_t payload = active ? order.payloads[i + lane] : 0;
    const bool left = active && goes_left[row_of(rows, payload)] != 0;
    const unsigned lefts = __ballot_sync(all_lanes, left);
    const unsigned rights = __ballot_sync(all_lanes, active && !left);
    if (active) {
      const std::uint32_t place = left ? to_left + __popc(lefts & lanes_below())
                                       : tile_rows - 1 - to_right - __popc(rights & lanes_below());
      new_ranks[place] = order.ranks[i + lane];
      new_payloads[place] = payload;
    }
    to_left += __popc(lefts);
    to_right += __popc(rights);
  }
  __syncwarp();
  for (std::uint32_t i = lane; i < split.rows; i += warp_size) {
    const std::uint32_t place = i < split.left_rows ? i : tile_rows - 1 - (i - split.left_rows);
    order.ranks[i] = new_ranks[place];
    order.payloads[i] = new_payloads[place];
  }
}

// lefts[feature, tile] = how many of the tile's rows go left; sides[feature, tile, step] = which;
// moves[feature, tile] = 0 where the order stays as it is.
//
// Grid: a warp per (feature, tile of a longer split). Reads 4 bytes per row, coalesced, and a byte
// at random; writes a bit per row and 9 bytes per tile.
__global__ void count_left_kernel(const SplitOnDevice* __restrict__ splits,
                                  const SplitTile* __restrict__ tiles, Index tile_count,
                                  const std::uint32_t* __restrict__ orders, Index stride,
                                  std::uint32_t first_feature, std::uint32_t features,
                                  TreeRows rows, const std::uint8_t* __restrict__ goes_left,
                                  std::int64_t* __restrict__ lefts,
                                  std::uint32_t* __restrict__ sides,
                                  std::uint8_t* __restrict__ moves) {
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= tile_count * features) return;
  const SplitTile tile = tiles[job % tile_count];
  const auto feature = static_cast<std::uint32_t>(job / tile_count);
  const SplitOnDevice split = splits[tile.split];
  const TreeOrder order = order_from(orders, stride, feature, split.begin);
  const unsigned lane = lane_of_thread();
  std::int64_t count = 0;
  const bool moving = !stays(split, first_feature + feature, order.ranks);
  if (moving) {
    const std::uint32_t end = min(split.rows, tile.first + tile_rows);
    std::uint32_t* words = sides + job * words_of_tile;
    for (std::uint32_t i = tile.first; i < end; i += warp_size) {
      const bool left = i + lane < end && goes_left[row_of(rows, order.payloads[i + lane])] != 0;
      const unsigned bits = __ballot_sync(all_lanes, left);
      if (lane == 0) *words = bits;
      ++words;
      count += __popc(bits);
    }
  }
  if (lane == 0) {
    lefts[job] = count;
    moves[job] = moving ? 1 : 0;
  }
}

// lefts[feature, tile] = how many rows of the tiles before it go left. Grid: a warp per (feature,
// split), 32 tiles at a time; reads and writes 8 bytes per tile.
__global__ void scan_left_kernel(const LongSplit* __restrict__ splits, Index split_count,
                                 Index tile_count, std::uint32_t features,
                                 std::int64_t* __restrict__ lefts) {
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= split_count * features) return;
  const LongSplit split = splits[job % split_count];
  std::int64_t* tiles = lefts + job / split_count * tile_count + split.first_tile;
  std::int64_t carry = 0;
  for (std::uint32_t t = 0; t < split.tiles; t += warp_size) {
    const std::uint32_t i = t + lane_of_thread();
    const std::int64_t value = i < split.tiles ? tiles[i] : 0;
    const std::int64_t sum = running_sum(value, carry);
    if (i < split.tiles) tiles[i] = sum - value;
  }
}

// Writes the partitioned ranges to `scratch`, where every split has split.rows entries from
// tile_rows · (its first tile) on, per feature tile_rows · tile_count.
//
// Grid: a warp per (feature, tile). Reads 8 bytes and a bit per row, coalesced; writes 8 in two
// ascending runs.
__global__ void scatter_kernel(const SplitOnDevice* __restrict__ splits,
                               const SplitTile* __restrict__ tiles, Index tile_count,
                               const std::uint32_t* __restrict__ orders, Index stride,
                               std::uint32_t features, const std::int64_t* __restrict__ lefts,
                               const std::uint32_t* __restrict__ sides,
                               const std::uint8_t* __restrict__ moves,
                               std::uint32_t* __restrict__ scratch) {
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= tile_count * features || moves[job] == 0) return;
  const SplitTile tile = tiles[job % tile_count];
  const auto feature = static_cast<std::uint32_t>(job / tile_count);
  const SplitOnDevice split = splits[tile.split];
  const TreeOrder order = order_from(orders, stride, feature, split.begin);
  const unsigned lane = lane_of_thread();
  const std::uint32_t end = min(split.rows, tile.first + tile_rows);
  const std::uint32_t* words = sides + job * words_of_tile;
  // The tiles of a split follow each other.
  std::uint32_t* ranks = scratch + job * tile_rows - tile.first;
  std::uint32_t* payloads = ranks + static_cast<Index>(features) * tile_count * tile_rows;
  auto to_left = static_cast<std::uint32_t>(lefts[job]);
  std::uint32_t to_right = split.left_rows + tile.first - to_left;
  for (std::uint32_t i = tile.first; i < end; i += warp_size) {
    const unsigned bits = *words++;
    const unsigned there = end - i < warp_size ? (1U << (end - i)) - 1 : all_lanes;
    if ((there >> lane & 1U) != 0) {
      const bool left = (bits >> lane & 1U) != 0;
      const unsigned below = lanes_below();
      const std::uint32_t place =
          left ? to_left + __popc(bits & below) : to_right + __popc(~bits & below);
      ranks[place] = order.ranks[i + lane];
      payloads[place] = order.payloads[i + lane];
    }
    to_left += __popc(bits);
    to_right += __popc(~bits & there);
  }
}

// Back from scratch to the orders. Grid: a warp per (feature, tile). Reads and writes 8 bytes per
// row, coalesced.
__global__ void copy_back_kernel(const SplitOnDevice* __restrict__ splits,
                                 const SplitTile* __restrict__ tiles, Index tile_count,
                                 std::uint32_t* __restrict__ orders, Index stride,
                                 std::uint32_t features, const std::uint8_t* __restrict__ moves,
                                 const std::uint32_t* __restrict__ scratch) {
  const Index job =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (job >= tile_count * features || moves[job] == 0) return;
  const SplitTile tile = tiles[job % tile_count];
  const auto feature = static_cast<std::uint32_t>(job / tile_count);
  const SplitOnDevice split = splits[tile.split];
  const TreeOrderToChange order = order_from(orders, stride, feature, split.begin);
  const std::uint32_t* ranks = scratch + job * tile_rows - tile.first;
  const std::uint32_t* payloads = ranks + static_cast<Index>(features) * tile_count * tile_rows;
  const std::uint32_t end = min(split.rows, tile.first + tile_rows);
  for (std::uint32_t i = tile.first + lane_of_thread(); i < end; i += warp_size) {
    order.ranks[i] = ranks[i];
    order.payloads[i] = payloads[i];
  }
}

// Entries of scratch at once: 32 MiB.
constexpr Index most_scratch = Index{1} << 22;

}  // namespace

void apply_tree_splits(CudaEngine& engine, const TreeRows& rows, TreeOrders& orders,
                       std::span<const tree::SplitToApply> splits,
                       Buffer<std::uint8_t>& goes_left) {
  std::vector<SplitOnDevice> short_splits;
  std::vector<SplitOnDevice> long_splits;
  std::vector<SplitTile> short_tiles;
  std::vector<SplitTile> long_tiles;
  std::vector<LongSplit> tiles_of_long;
  for (const tree::SplitToApply& split : splits) {
    if (!split.left_open && !split.right_open) continue;
    const bool is_long = split.rows > tile_rows;
    auto& list = is_long ? long_splits : short_splits;
    auto& tiles = is_long ? long_tiles : short_tiles;
    const auto number = static_cast<std::uint32_t>(list.size());
    const auto count = static_cast<std::uint32_t>(blocks_for(split.rows, tile_rows));
    if (is_long) tiles_of_long.push_back({static_cast<std::uint32_t>(tiles.size()), count});
    list.push_back({static_cast<std::uint32_t>(split.begin), static_cast<std::uint32_t>(split.rows),
                    static_cast<std::uint32_t>(split.feature),
                    static_cast<std::uint32_t>(split.left_known),
                    static_cast<std::uint32_t>(split.left_rows)});
    for (std::uint32_t t = 0; t < count; ++t) tiles.push_back({number, t * tile_rows});
  }
  if (short_splits.empty() && long_splits.empty()) return;

  const unsigned threads = engine.block_threads(256);
  const auto warps = static_cast<Index>(threads / warp_size);
  const auto shape = [&](Index jobs) {
    return Shape{.grid = dim3(static_cast<unsigned>(blocks_for(jobs, warps))),
                 .block = dim3(threads)};
  };
  const Index n = orders.stride();
  const auto short_count = static_cast<Index>(short_splits.size());
  const auto long_count = static_cast<Index>(long_splits.size());
  const auto long_tile_count = static_cast<Index>(long_tiles.size());
  const auto device_short = to_engine(engine, short_splits);
  const auto device_long = to_engine(engine, long_splits);
  const auto device_short_tiles = to_engine(engine, short_tiles);
  const auto device_long_tiles = to_engine(engine, long_tiles);
  const auto device_tiles_of_long = to_engine(engine, tiles_of_long);
  const auto mark = [&](const Buffer<SplitOnDevice>& list, const Buffer<SplitTile>& tiles) {
    engine.launch(mark_left_kernel, shape(tiles.size()), list.data(), tiles.data(), tiles.size(),
                  orders.data(), n, rows, goes_left.data());
  };
  mark(device_short, device_short_tiles);
  mark(device_long, device_long_tiles);

  // As many features at once as fit into a quarter of what is free; the bound of the scratch order
  // also bounds the warps of the short splits' launch.
  const Index entries_per_feature = std::max<Index>({long_tile_count * tile_rows, short_count, 1});
  constexpr std::size_t bytes_per_entry = 9;  // rank, payload; a bit, and a share of a tile's sums
  const Index at_once = std::clamp<Index>(
      std::min(most_scratch, static_cast<Index>(engine.free_memory() / 4 / bytes_per_entry)) /
          entries_per_feature,
      1, orders.cols());
  Buffer<std::uint32_t> scratch(engine, 2 * at_once * long_tile_count * tile_rows);
  Buffer<std::uint32_t> sides(engine, at_once * long_tile_count * words_of_tile);
  Buffer<std::int64_t> lefts(engine, at_once * long_tile_count);
  Buffer<std::uint8_t> moves(engine, at_once * long_tile_count);
  orders.change_each_group(at_once, [&](Index first, Index features, std::uint32_t* entries) {
    const auto first_feature = static_cast<std::uint32_t>(first);
    const auto count = static_cast<std::uint32_t>(features);
    if (short_count > 0) {
      // As many warps in a block as its 48 KiB allow.
      constexpr std::size_t bytes = 2 * tile_rows * sizeof(std::uint32_t);
      const auto fitting =
          std::min<std::size_t>(static_cast<std::size_t>(warps), (std::size_t{48} << 10) / bytes);
      engine.launch(partition_short_kernel,
                    {.grid = dim3(static_cast<unsigned>(
                         blocks_for(short_count * features, static_cast<Index>(fitting)))),
                     .block = dim3(static_cast<unsigned>(fitting) * warp_size),
                     .shared_bytes = fitting * bytes},
                    device_short.data(), short_count, entries, n, first_feature, count, rows,
                    goes_left.data());
    }
    if (long_tile_count > 0) {
      const Shape per_tile = shape(long_tile_count * features);
      engine.launch(count_left_kernel, per_tile, device_long.data(), device_long_tiles.data(),
                    long_tile_count, entries, n, first_feature, count, rows, goes_left.data(),
                    lefts.data(), sides.data(), moves.data());
      engine.launch(scan_left_kernel, shape(long_count * features), device_tiles_of_long.data(),
                    long_count, long_tile_count, count, lefts.data());
      engine.launch(scatter_kernel, per_tile, device_long.data(), device_long_tiles.data(),
                    long_tile_count, entries, n, count, lefts.data(), sides.data(), moves.data(),
                    scratch.data());
      engine.launch(copy_back_kernel, per_tile, device_long.data(), device_long_tiles.data(),
                    long_tile_count, entries, n, count, moves.data(), scratch.data());
    }
  });
}

}  // namespace tandem::cuda
