// Shared by the split search's two files: nodes, tiles and candidates, and the kernels of a
// criterion.
#pragma once

#include "cuda/tree/decision_tree_warp.cuh"

namespace tandem::cuda {

struct SearchNode {
  std::uint64_t key;
  std::uint32_t begin;
  std::uint32_t rows;
  std::uint32_t first_tile;
  std::uint32_t tiles;
  std::uint32_t long_node;  // its number among the nodes of several tiles
};
struct SearchTile {
  std::uint32_t node;
  std::uint32_t first;      // its first row in the node
  std::uint32_t long_tile;  // its number among the tiles of such nodes
};
// The tiles of one node among those of nodes of several tiles.
struct LongNode {
  std::uint32_t first_tile;
  std::uint32_t tiles;
};

// The nodes searched together.
struct SearchLevel {
  const SearchNode* nodes;
  const SearchTile* tiles;
  const std::uint32_t* long_tile_list;  // which tiles
  const LongNode* long_node_list;
  std::uint32_t node_count;
  std::uint32_t tile_count;
  std::uint32_t long_tiles;
  std::uint32_t long_nodes;
  std::uint32_t tile_rows;
  const std::int64_t* statistics;  // nodes × width
  const std::uint32_t* looked_at;  // nodes × words bits, one per feature; null: all features
  std::uint32_t words;
  // nodes × cols: the one cut of a feature that varies, by its known rows on the left; null: every
  // cut is a candidate.
  const std::uint32_t* only_cut;
  std::uint32_t cols;
};

struct FeatureGroup {
  const std::uint32_t* orders;  // of `count` features
  Index stride;
  std::uint32_t first;
  std::uint32_t count;
};

// Sums of the known rows of a node of several tiles: `before` each tile, features × columns ×
// long_tiles; of all tiles, features × columns × long_nodes. The columns are what the scorer needs.
struct TileSums {
  std::int64_t* before;
  std::int64_t* totals;
};

// A cut of a feature after `known` rows: key = 2·known, + 1 with the missing rows on the right.
struct TreeCut {
  std::int64_t score = tree::no_score;
  std::uint32_t feature = ~std::uint32_t{0};
  std::uint32_t key = ~std::uint32_t{0};
};
__device__ inline bool better(const TreeCut& a, const TreeCut& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.feature != b.feature) return a.feature < b.feature;
  return a.key < b.key;
}
struct BetterCut {
  __device__ TreeCut operator()(const TreeCut& a, const TreeCut& b) const {
    return better(b, a) ? b : a;
  }
};

__device__ inline bool looks_at(const SearchLevel& level, std::uint32_t node,
                                std::uint32_t feature) {
  return level.looked_at == nullptr ||
         (level.looked_at[static_cast<Index>(node) * level.words + feature / 32] >> feature % 32 &
          1U) != 0;
}

// The only cut of a feature that varies, or 0 where there are all.
__device__ inline std::uint32_t only_cut_of(const SearchLevel& level, std::uint32_t node,
                                            std::uint32_t feature) {
  return level.only_cut == nullptr
             ? 0
             : level.only_cut[static_cast<Index>(node) * level.cols + feature];
}

// Warps for `jobs` jobs, so many in a block as its 48 KiB of shared memory allow.
[[nodiscard]] inline Shape warps_shape(const CudaEngine& engine, Index jobs,
                                       std::size_t shared_per_warp = 0) {
  std::size_t warps = engine.block_threads(256) / warp_size;
  if (shared_per_warp > 0) {
    warps = std::min(warps, std::max<std::size_t>(1, (std::size_t{48} << 10) / shared_per_warp));
  }
  return {.grid = dim3(static_cast<unsigned>(blocks_for(jobs, static_cast<Index>(warps)))),
          .block = dim3(static_cast<unsigned>(warps) * warp_size),
          .shared_bytes = warps * shared_per_warp};
}

// The kernels of a criterion.
struct CriterionKernels {
  void (*tally)(SearchLevel, tree::SplitRules, TreeRows, FeatureGroup, std::int64_t*);
  void (*score)(SearchLevel, tree::SplitRules, TreeRows, FeatureGroup, TileSums, TreeCut*);
  Index columns;
  std::size_t tally_shared;  // bytes per warp
  std::size_t score_shared;
};
// In decision_tree_score.cu.
[[nodiscard]] CriterionKernels kernels_of(const tree::SplitRules& rules, const TreeRows& rows);

}  // namespace tandem::cuda
