// The split search: every cut of every feature of many nodes at once.
//
// A node's range of an order is cut into tiles. A warp takes a (feature, tile): it walks the tile
// 32 entries at a time, knows by integer sums what stands on the left of every cut, scores the cuts
// by the functions of core/tree/split_gain.hpp and keeps the best. Where a node has several tiles,
// a pass before counts what each holds, and a scan over the tiles says where each starts. All sums
// are of integers, so that neither tiles nor lanes show in the result.
//
// Costs: cuda/tree/decision_tree_cost.hpp. CPU twin: CpuSteps::find_splits in
// cpu/tree/decision_tree.cpp.
#include <array>
#include <limits>
#include <vector>

#include "cuda/tree/decision_tree_warp.cuh"

namespace tandem::cuda {
namespace {

using tree::SplitRules;

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
struct Candidate {
  std::int64_t score = tree::no_score;
  std::uint32_t feature = ~std::uint32_t{0};
  std::uint32_t key = ~std::uint32_t{0};
};
__device__ bool better(const Candidate& a, const Candidate& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.feature != b.feature) return a.feature < b.feature;
  return a.key < b.key;
}
struct Better {
  __device__ Candidate operator()(const Candidate& a, const Candidate& b) const {
    return better(b, a) ? b : a;
  }
};

__device__ bool looks_at(const SearchLevel& level, std::uint32_t node, std::uint32_t feature) {
  return level.looked_at == nullptr ||
         (level.looked_at[static_cast<Index>(node) * level.words + feature / 32] >> feature % 32 &
          1U) != 0;
}

// --- scorers -------------------------------------------------------------------------------------
//
// What a warp knows of the left side while it walks over a tile.
//   columns(rules), shared(rules)  sums per tile; bytes of shared memory per warp
//   clear()                        nothing on the left, no missing rows
//   add_missing(active, payload)   these rows are missing in this feature
//   start_at(before, known)        rows before the tile, and all known rows, per column
//   begin()                        before the first step
//   step(...)                      32 more rows go left; the scores of a cut after each lane's row,
//                                  with the missing rows on the left and on the right
// All lanes call all of them.

struct Scores {
  std::int64_t missing_left;
  std::int64_t missing_right;
};

// φ by a table where there is one.
struct EntropyTerm {
  const std::int64_t* terms;
  const SplitRules* rules;
  __device__ std::int64_t operator()(std::int64_t units) const {
    return terms != nullptr ? terms[units] : tree::entropy_term(*rules, units);
  }
};

struct EntropyOfTwo {
  const std::int64_t* terms;
  __device__ EntropyOfTwo(const SplitRules&, const TreeRows& rows) : terms(rows.entropy_terms) {}
  __device__ std::int64_t operator()(std::int64_t left0, std::int64_t left1, std::int64_t right0,
                                     std::int64_t right1) const {
    return tree::entropy_score(terms[left0] + terms[left1] + terms[right0] + terms[right1],
                               terms[left0 + left1], terms[right0 + right1]);
  }
};
struct GiniOfTwo {
  __device__ GiniOfTwo(const SplitRules&, const TreeRows&) {}
  __device__ std::int64_t operator()(std::int64_t left0, std::int64_t left1, std::int64_t right0,
                                     std::int64_t right1) const {
    return tree::gini_score(static_cast<double>(left0 * left0 + left1 * left1),
                            static_cast<double>(left0 + left1),
                            static_cast<double>(right0 * right0 + right1 * right1),
                            static_cast<double>(right0 + right1));
  }
};

// Two classes, every row of weight 1: a ballot counts.
template <class Score>
class TwoClasses {
 public:
  __host__ __device__ static std::uint32_t columns(const SplitRules&) { return 1; }
  __host__ __device__ static std::size_t shared(const SplitRules&) { return 0; }

  __device__ TwoClasses(const SplitRules& rules, const TreeRows& rows, const std::int64_t* node,
                        std::int64_t* /*shared*/)
      : score_(rules, rows), node0_(node[0]), node1_(node[1]) {}
  __device__ void clear() {}
  __device__ void add_missing(bool active, std::uint32_t payload) {
    missing_ += __popc(__ballot_sync(all_lanes, active));
    missing1_ += __popc(__ballot_sync(all_lanes, active && (payload & 1U) != 0));
  }
  template <class Before, class Known>
  __device__ void start_at(const Before& before, const Known& known, std::uint32_t missing) {
    left1_ = before(0);
    missing_ = missing;
    missing1_ = missing > 0 ? node1_ - known(0) : 0;
  }
  __device__ void begin() {}
  __device__ Scores step(bool active, std::uint32_t payload, std::uint32_t known, bool wanted_left,
                         bool wanted_right) {
    const unsigned ones = __ballot_sync(all_lanes, active && (payload & 1U) != 0);
    const std::int64_t left1 = left1_ + __popc(ones & (lanes_below() << 1 | 1U));
    left1_ += __popc(ones);
    const std::int64_t left0 = known - left1;
    Scores scores{tree::no_score, tree::no_score};
    if (wanted_left) scores.missing_left = cut(left0 + missing_ - missing1_, left1 + missing1_);
    if (wanted_right) scores.missing_right = cut(left0, left1);
    return scores;
  }

 private:
  __device__ std::int64_t cut(std::int64_t left0, std::int64_t left1) const {
    return score_(left0, left1, node0_ - left0, node1_ - left1);
  }
  Score score_;
  std::int64_t node0_;
  std::int64_t node1_;
  std::int64_t left1_ = 0;
  std::int64_t missing_ = 0;
  std::int64_t missing1_ = 0;
};

// Sums over the classes that change by what one row changes.
struct EntropySums {
  EntropyTerm term;
  std::int64_t terms = 0;
  __device__ EntropySums(const SplitRules& rules, const TreeRows& rows)
      : term{rows.entropy_terms, &rules} {}
  __device__ void add_class(std::int64_t left, std::int64_t right) {
    terms += term(left) + term(right);
  }
  // A row of weight w goes from right to left.
  __device__ void add_move(std::int64_t left, std::int64_t right, std::int64_t w) {
    terms += term(left + w) - term(left) + term(right - w) - term(right);
  }
  // this := the running sum of the lanes' this, on top of carry.
  __device__ void run(EntropySums& carry) { terms = running_sum(terms, carry.terms); }
  __device__ void sum_over_lanes() { terms = sum_of_lanes(terms); }
  __device__ std::int64_t score(std::int64_t left, std::int64_t right) const {
    return tree::entropy_score(terms, term(left), term(right));
  }
};
struct GiniSums {
  std::int64_t left_squares = 0;
  std::int64_t right_squares = 0;
  __device__ GiniSums(const SplitRules&, const TreeRows&) {}
  __device__ void add_class(std::int64_t left, std::int64_t right) {
    left_squares += left * left;
    right_squares += right * right;
  }
  __device__ void add_move(std::int64_t left, std::int64_t right, std::int64_t w) {
    left_squares += w * (2 * left + w);
    right_squares -= w * (2 * right - w);
  }
  __device__ void run(GiniSums& carry) {
    left_squares = running_sum(left_squares, carry.left_squares);
    right_squares = running_sum(right_squares, carry.right_squares);
  }
  __device__ void sum_over_lanes() {
    left_squares = sum_of_lanes(left_squares);
    right_squares = sum_of_lanes(right_squares);
  }
  __device__ std::int64_t score(std::int64_t left, std::int64_t right) const {
    return tree::gini_score(static_cast<double>(left_squares), static_cast<double>(left),
                            static_cast<double>(right_squares), static_cast<double>(right));
  }
};

// The weight of each class on the left, in shared memory, and of the missing rows behind it.
class ClassWeights {
 public:
  __host__ __device__ static std::uint32_t columns(const SplitRules& rules) {
    return static_cast<std::uint32_t>(rules.classes);
  }
  __host__ __device__ static std::size_t shared(const SplitRules& rules) {
    return 2 * sizeof(std::int64_t) * static_cast<std::size_t>(rules.classes);
  }

  __device__ ClassWeights(const SplitRules& rules, const TreeRows& rows, const std::int64_t* node,
                          std::int64_t* shared)
      : rules_(rules),
        rows_(rows),
        node_(node),
        left_(shared),
        missing_(shared + rules.classes),
        classes_(static_cast<unsigned>(rules.classes)) {}
  __device__ void clear() {
    for (unsigned c = lane_of_thread(); c < classes_; c += warp_size) {
      left_[c] = 0;
      missing_[c] = 0;
    }
    __syncwarp();
  }
  __device__ void add_missing(bool active, std::uint32_t payload) {
    add_to_classes(rows_, active, payload, missing_);
    has_missing_ = true;
  }
  template <class Before, class Known>
  __device__ void start_at(const Before& before, const Known& known, std::uint32_t missing) {
    for (unsigned c = lane_of_thread(); c < classes_; c += warp_size) {
      left_[c] = before(c);
      missing_[c] = missing > 0 ? node_[c] - known(c) : 0;
    }
    has_missing_ = missing > 0;
    __syncwarp();
  }

 protected:
  // One lane's row, and the weights of its class on both sides before it moves.
  struct Move {
    std::uint32_t label;
    unsigned peers;  // the lanes of the same class
    std::int64_t weight;
    std::int64_t left;
    std::int64_t right;
  };
  __device__ Move move_of(bool active, std::uint32_t payload) const {
    Move move;
    move.label = active ? label_of(rows_, payload) : ~std::uint32_t{0};
    move.weight = active ? weight_of(rows_, payload) : 0;
    move.peers = __match_any_sync(all_lanes, move.label);
    std::int64_t before = 0;
    if (rows_.weights == nullptr) {
      before = __popc(move.peers & lanes_below());
    } else {
      const unsigned below = move.peers & lanes_below();
      for (unsigned lane = 0; lane < warp_size; ++lane) {
        const std::int64_t other = __shfl_sync(all_lanes, move.weight, static_cast<int>(lane));
        if ((below >> lane & 1U) != 0) before += other;
      }
    }
    move.left = active ? left_[move.label] + before : 0;
    move.right = active ? node_[move.label] - move.left : 0;
    return move;
  }
  // Takes the lanes' rows to the left. All must have read what they need of left_.
  __device__ void carry_out(bool active, const Move& move) {
    __syncwarp();
    if (active && move.peers >> lane_of_thread() == 1U) left_[move.label] = move.left + move.weight;
    __syncwarp();
  }

  const SplitRules& rules_;
  const TreeRows& rows_;
  const std::int64_t* node_;
  std::int64_t* left_;
  std::int64_t* missing_;
  unsigned classes_;
  bool has_missing_ = false;
};

// Any number of classes. What one row changes follows from its class alone, so that the sums over
// all classes are running sums over the rows.
template <class Sums>
class ClassSums : public ClassWeights {
 public:
  __device__ ClassSums(const SplitRules& rules, const TreeRows& rows, const std::int64_t* node,
                       std::int64_t* shared)
      : ClassWeights(rules, rows, node, shared),
        with_left_(rules, rows),
        with_right_(rules, rows) {}
  __device__ void begin() {
    std::int64_t left = 0;
    std::int64_t missing = 0;
    std::int64_t total = 0;
    for (unsigned c = lane_of_thread(); c < classes_; c += warp_size) {
      left += left_[c];
      missing += missing_[c];
      total += node_[c];
      with_right_.add_class(left_[c], node_[c] - left_[c]);
      if (has_missing_) {
        with_left_.add_class(left_[c] + missing_[c], node_[c] - left_[c] - missing_[c]);
      }
    }
    left_total_ = sum_of_lanes(left);
    total_ = sum_of_lanes(total);
    with_right_.sum_over_lanes();
    if (has_missing_) {
      missing_total_ = sum_of_lanes(missing);
      with_left_.sum_over_lanes();
    }
  }
  __device__ Scores step(bool active, std::uint32_t payload, std::uint32_t known, bool wanted_left,
                         bool wanted_right) {
    const Move move = move_of(active, payload);
    const std::int64_t left =
        rows_.weights == nullptr ? known : running_sum(move.weight, left_total_);
    Sums right_cut(rules_, rows_);
    if (active) right_cut.add_move(move.left, move.right, move.weight);
    right_cut.run(with_right_);
    Scores scores{tree::no_score, tree::no_score};
    if (wanted_right) scores.missing_right = right_cut.score(left, total_ - left);
    if (has_missing_) {
      Sums left_cut(rules_, rows_);
      if (active) {
        const std::int64_t missing = missing_[move.label];
        left_cut.add_move(move.left + missing, move.right - missing, move.weight);
      }
      left_cut.run(with_left_);
      if (wanted_left) {
        scores.missing_left = left_cut.score(left + missing_total_, total_ - left - missing_total_);
      }
    }
    carry_out(active, move);
    return scores;
  }

 private:
  Sums with_left_;
  Sums with_right_;
  std::int64_t left_total_ = 0;
  std::int64_t missing_total_ = 0;
  std::int64_t total_ = 0;
};

// Gini where squares exceed 64 bits: each cut's sums are chains of fmas over the classes in order.
class GiniInDoubles : public ClassWeights {
 public:
  using ClassWeights::ClassWeights;
  __device__ void begin() {
    std::int64_t left = 0;
    std::int64_t missing = 0;
    std::int64_t total = 0;
    for (unsigned c = lane_of_thread(); c < classes_; c += warp_size) {
      left += left_[c];
      missing += missing_[c];
      total += node_[c];
    }
    left_total_ = sum_of_lanes(left);
    missing_total_ = sum_of_lanes(missing);
    total_ = sum_of_lanes(total);
  }
  __device__ Scores step(bool active, std::uint32_t payload, std::uint32_t /*known*/,
                         bool wanted_left, bool wanted_right) {
    const Move move = move_of(active, payload);
    const std::int64_t left = running_sum(move.weight, left_total_);
    Scores scores{tree::no_score, tree::no_score};
    if (__any_sync(all_lanes, wanted_left || wanted_right)) {
      Squares right_cut;
      Squares left_cut;
      for (unsigned c = 0; c < classes_; ++c) {
        std::int64_t on_left = left_[c];
        for (unsigned peers = __ballot_sync(all_lanes, move.label == c); peers != 0;
             peers &= peers - 1) {
          const int lane = __ffs(static_cast<int>(peers)) - 1;
          const std::int64_t weight = __shfl_sync(all_lanes, move.weight, lane);
          if (static_cast<unsigned>(lane) <= lane_of_thread()) on_left += weight;
        }
        right_cut.add(on_left, node_[c] - on_left);
        if (has_missing_) left_cut.add(on_left + missing_[c], node_[c] - on_left - missing_[c]);
      }
      if (wanted_right) scores.missing_right = right_cut.score(left, total_ - left);
      if (wanted_left) {
        scores.missing_left = left_cut.score(left + missing_total_, total_ - left - missing_total_);
      }
    }
    carry_out(active, move);
    return scores;
  }

 private:
  struct Squares {
    double left = 0;
    double right = 0;
    __device__ void add(std::int64_t left_weight, std::int64_t right_weight) {
      const auto l = static_cast<double>(left_weight);
      const auto r = static_cast<double>(right_weight);
      left = fma(l, l, left);
      right = fma(r, r, right);
    }
    __device__ std::int64_t score(std::int64_t left_weight, std::int64_t right_weight) const {
      return tree::gini_score(left, static_cast<double>(left_weight), right,
                              static_cast<double>(right_weight));
    }
  };
  std::int64_t left_total_ = 0;
  std::int64_t missing_total_ = 0;
  std::int64_t total_ = 0;
};

class SquaredError {
 public:
  __host__ __device__ static std::uint32_t columns(const SplitRules&) { return 2; }
  __host__ __device__ static std::size_t shared(const SplitRules&) { return 0; }

  __device__ SquaredError(const SplitRules&, const TreeRows& rows, const std::int64_t* node,
                          std::int64_t* /*shared*/)
      : rows_(rows), node_(node), score_(node[0], node[1]) {}
  __device__ void clear() {}
  __device__ void add_missing(bool active, std::uint32_t payload) {
    missing_weight_ += sum_of_lanes(active ? weight_of(rows_, payload) : 0);
    missing_sum_ += sum_of_lanes(active ? rows_.sums[payload] : 0);
  }
  template <class Before, class Known>
  __device__ void start_at(const Before& before, const Known& known, std::uint32_t missing) {
    weight_ = before(0);
    sum_ = before(1);
    if (missing > 0) {
      missing_weight_ = node_[0] - known(0);
      missing_sum_ = node_[1] - known(1);
    }
  }
  __device__ void begin() {}
  __device__ Scores step(bool active, std::uint32_t payload, std::uint32_t known, bool wanted_left,
                         bool wanted_right) {
    const std::int64_t weight = rows_.weights == nullptr
                                    ? known
                                    : running_sum(active ? rows_.weights[payload] : 0, weight_);
    const std::int64_t sum = running_sum(active ? rows_.sums[payload] : 0, sum_);
    Scores scores{tree::no_score, tree::no_score};
    if (wanted_left) scores.missing_left = score_(weight + missing_weight_, sum + missing_sum_);
    if (wanted_right) scores.missing_right = score_(weight, sum);
    return scores;
  }

 private:
  const TreeRows& rows_;
  const std::int64_t* node_;
  tree::SquaredErrorScore score_;
  std::int64_t weight_ = 0;
  std::int64_t sum_ = 0;
  std::int64_t missing_weight_ = 0;
  std::int64_t missing_sum_ = 0;
};

// --- kernels -------------------------------------------------------------------------------------

// before[(feature, column), tile] = the sums of each tile's known rows; 0 for a feature that is not
// looked at or does not vary.
//
// Grid: a warp per (feature, tile of a node of several tiles); no barrier but the warp's. Shared:
// 8·classes bytes per warp where there are more than two classes or weights. Reads 8 bytes per row
// and feature, coalesced, and what it looks up by row at random (nothing for two classes; a class
// where it does not fit into the payload, 8 bytes of weight, 8 of w·y); writes 8·columns per tile.
enum class Tally { two_classes, classes, target };
template <Tally tally>
__global__ void tally_tiles_kernel(SearchLevel level, SplitRules rules, TreeRows rows,
                                   FeatureGroup group, std::int64_t* __restrict__ before) {
  extern __shared__ std::int64_t shared_counts[];
  const unsigned warps = blockDim.x / warp_size;
  const Index job = static_cast<Index>(blockIdx.x) * warps + threadIdx.x / warp_size;
  if (job >= static_cast<Index>(group.count) * level.long_tiles) return;
  const auto feature = static_cast<std::uint32_t>(job / level.long_tiles);
  const auto long_tile = static_cast<std::uint32_t>(job % level.long_tiles);
  const SearchTile tile = level.tiles[level.long_tile_list[long_tile]];
  const SearchNode node = level.nodes[tile.node];
  const TreeOrder order = order_from(group.orders, group.stride, feature, node.begin);
  std::uint32_t end = tile.first;
  if (looks_at(level, tile.node, group.first + feature) && varies(order.ranks, node.rows)) {
    end = min(known_rows(order.ranks, node.rows), tile.first + level.tile_rows);
  }
  const unsigned lane = lane_of_thread();
  const auto each_step = [&](auto&& step) {
    for (std::uint32_t i = tile.first; i < end; i += warp_size) {
      const bool active = i + lane < end;
      step(active, active ? order.payloads[i + lane] : 0);
    }
  };
  const auto store = [&](Index column, std::int64_t value, Index columns) {
    before[(feature * columns + column) * level.long_tiles + long_tile] = value;
  };
  if constexpr (tally == Tally::two_classes) {
    std::int64_t ones = 0;
    each_step([&](bool active, std::uint32_t payload) {
      ones += __popc(__ballot_sync(all_lanes, active && (payload & 1U) != 0));
    });
    if (lane == 0) store(0, ones, 1);
  } else if constexpr (tally == Tally::classes) {
    const auto classes = static_cast<unsigned>(rules.classes);
    std::int64_t* counts = shared_counts + threadIdx.x / warp_size * classes;
    for (unsigned c = lane; c < classes; c += warp_size) counts[c] = 0;
    __syncwarp();
    each_step(
        [&](bool active, std::uint32_t payload) { add_to_classes(rows, active, payload, counts); });
    for (unsigned c = lane; c < classes; c += warp_size) store(c, counts[c], classes);
  } else {
    std::int64_t weight = 0;
    std::int64_t sum = 0;
    each_step([&](bool active, std::uint32_t payload) {
      if (!active) return;
      weight += weight_of(rows, payload);
      sum += rows.sums[payload];
    });
    weight = sum_of_lanes(weight);
    sum = sum_of_lanes(sum);
    if (lane == 0) {
      store(0, weight, 2);
      store(1, sum, 2);
    }
  }
}

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

// best[feature, tile] = the best cut inside each tile.
//
// Grid: a warp per (feature, tile); no barrier but the warp's. Shared: Scorer::shared() bytes per
// warp (16 per class where there are more than two classes or weights). Reads 8 bytes per known row
// and feature, coalesced, each once, and what the scorer looks up by row (class, weight, w·y) or by
// count (φ, from the cache); in a node of one tile, its missing rows too. Writes 16 bytes per tile.
template <class Scorer>
__global__ void score_cuts_kernel(SearchLevel level, SplitRules rules, TreeRows rows,
                                  FeatureGroup group, TileSums sums, Candidate* __restrict__ best) {
  extern __shared__ std::int64_t shared_counts[];
  const unsigned warps = blockDim.x / warp_size;
  const Index job = static_cast<Index>(blockIdx.x) * warps + threadIdx.x / warp_size;
  if (job >= static_cast<Index>(group.count) * level.tile_count) return;
  const auto feature = static_cast<std::uint32_t>(job / level.tile_count);
  const SearchTile tile = level.tiles[job % level.tile_count];
  const SearchNode node = level.nodes[tile.node];
  const TreeOrder order = order_from(group.orders, group.stride, feature, node.begin);
  const unsigned lane = lane_of_thread();
  Candidate own;
  own.feature = group.first + feature;
  if (looks_at(level, tile.node, own.feature) && varies(order.ranks, node.rows)) {
    const std::uint32_t known = known_rows(order.ranks, node.rows);
    const std::uint32_t missing = node.rows - known;
    Scorer scorer(rules, rows, level.statistics + static_cast<Index>(tile.node) * rules.width(),
                  shared_counts + threadIdx.x / warp_size * (Scorer::shared(rules) / 8));
    if (node.tiles == 1) {
      scorer.clear();
      for (std::uint32_t i = known; i < node.rows; i += warp_size) {
        const bool active = i + lane < node.rows;
        scorer.add_missing(active, active ? order.payloads[i + lane] : 0);
      }
    } else {
      const Index row = static_cast<Index>(feature) * Scorer::columns(rules);
      scorer.start_at(
          [&](Index c) { return sums.before[(row + c) * level.long_tiles + tile.long_tile]; },
          [&](Index c) { return sums.totals[(row + c) * level.long_nodes + node.long_node]; },
          missing);
    }
    scorer.begin();
    // Cuts after `lowest` .. `highest` known rows leave min_samples_leaf rows on both sides. With
    // missing rows, all known against all missing counts as missing to the right.
    const Index least = rules.min_samples_leaf;
    const Index lowest_left = max(Index{1}, least - missing);
    const Index highest_left = min(static_cast<Index>(known) - 1, node.rows - missing - least);
    const Index highest_right =
        min(static_cast<Index>(missing > 0 ? known : known - 1), node.rows - least);
    const std::uint32_t end = min(known, tile.first + level.tile_rows);
    const std::uint32_t readable = min(node.rows, end + 1);
    const auto rank_at = [&](std::uint32_t i) {
      return i < readable ? order.ranks[i] : missing_rank;
    };
    std::uint32_t rank = rank_at(tile.first + lane);
    for (std::uint32_t i = tile.first; i < end; i += warp_size) {
      const std::uint32_t ahead = rank_at(i + warp_size + lane);
      const std::uint32_t first_ahead = __shfl_sync(all_lanes, ahead, 0);
      std::uint32_t next_rank = __shfl_down_sync(all_lanes, rank, 1);
      if (lane == warp_size - 1) next_rank = first_ahead;
      const bool active = i + lane < end;
      const std::uint32_t payload = active ? order.payloads[i + lane] : 0;
      const std::uint32_t count = i + lane + 1;
      const bool cut = active && count < node.rows && rank != next_rank;
      const bool wanted_left = cut && missing > 0 && count >= lowest_left && count <= highest_left;
      const bool wanted_right = cut && count >= least && count <= highest_right;
      const Scores scores = scorer.step(active, payload, count, wanted_left, wanted_right);
      // Ascending cuts, so that only a higher score replaces an earlier one.
      if (wanted_left && scores.missing_left > own.score) {
        own.score = scores.missing_left;
        own.key = 2 * count;
      }
      if (wanted_right && scores.missing_right > own.score) {
        own.score = scores.missing_right;
        own.key = 2 * count + 1;
      }
      rank = ahead;
    }
    using Reduce = cub::WarpReduce<Candidate>;
    typename Reduce::TempStorage none;
    own = Reduce(none).Reduce(own, Better{});
  }
  if (lane == 0) best[job] = own;
}

// node_best[node] = the best of the group's features, and of what stood there unless `first`.
//
// Grid: a block of any number of warps per node. Reads 16 bytes per (feature, tile).
__global__ void best_of_nodes_kernel(SearchLevel level, std::uint32_t features, bool first,
                                     const Candidate* __restrict__ best,
                                     Candidate* __restrict__ node_best) {
  __shared__ Candidate of_warps[warp_size];
  const SearchNode node = level.nodes[blockIdx.x];
  const Index all = static_cast<Index>(features) * node.tiles;
  Candidate own;
  for (Index k = threadIdx.x; k < all; k += blockDim.x) {
    const Candidate other =
        best[k / node.tiles * level.tile_count + node.first_tile + k % node.tiles];
    if (better(other, own)) own = other;
  }
  using Reduce = cub::WarpReduce<Candidate>;
  typename Reduce::TempStorage none;
  own = Reduce(none).Reduce(own, Better{});
  if (lane_of_thread() == 0) of_warps[threadIdx.x / warp_size] = own;
  __syncthreads();
  if (threadIdx.x >= warp_size) return;
  own = threadIdx.x < blockDim.x / warp_size ? of_warps[threadIdx.x] : Candidate{};
  own = Reduce(none).Reduce(own, Better{});
  if (threadIdx.x > 0) return;
  if (first || better(own, node_best[blockIdx.x])) node_best[blockIdx.x] = own;
}

// What goes to the host of a node.
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
__global__ void complete_splits_kernel(SearchLevel level, TreeRows rows,
                                       const std::uint32_t* __restrict__ orders, Index stride,
                                       const T* __restrict__ x, Index cols,
                                       const Candidate* __restrict__ node_best,
                                       FoundSplit<T>* __restrict__ found) {
  const Index i =
      static_cast<Index>(blockIdx.x) * (blockDim.x / warp_size) + threadIdx.x / warp_size;
  if (i >= level.node_count) return;
  const SearchNode node = level.nodes[i];
  const Candidate best = node_best[i];
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
    split.threshold =
        split.left_known == known
            ? std::numeric_limits<T>::max()
            : tree::threshold_between(value(split.left_known - 1), value(split.left_known));
  }
  if (lane_of_thread() == 0) found[i] = split;
}

// left[node] += the statistics of the rows that go left; in regression, differs[node] = 1 where the
// node has more than one target value. Both start at 0. A node without a split is left out.
//
// Grid: a warp per tile, over the chosen feature's order, which may be on the host. Shared:
// 8·classes bytes per warp. Reads 8 bytes per row, coalesced, and its class, weight, sums and
// target where they are needed; adds one integer per tile and column atomically.
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
  // Of those equal to the last draw, the lowest features.
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

// terms[w] = φ(w). One thread each; writes 8 bytes.
__global__ void entropy_terms_kernel(SplitRules rules, Index count, std::int64_t* terms) {
  const Index w = static_cast<Index>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (w < count) terms[w] = tree::entropy_term(rules, w);
}

// --- the host's side -----------------------------------------------------------------------------

// Temporary memory is bounded by these many (feature, tile) pairs, (node, feature) pairs, and sums.
constexpr Index most_pairs = Index{1} << 22;
constexpr Index most_sums = Index{1} << 23;

[[nodiscard]] Shape warps_shape(const CudaEngine& engine, Index jobs,
                                std::size_t shared_per_warp = 0) {
  // As many warps in a block as its 48 KiB allow.
  std::size_t warps = engine.block_threads(256) / warp_size;
  if (shared_per_warp > 0) {
    warps = std::min(warps, std::max<std::size_t>(1, (std::size_t{48} << 10) / shared_per_warp));
  }
  return {.grid = dim3(static_cast<unsigned>(blocks_for(jobs, static_cast<Index>(warps)))),
          .block = dim3(static_cast<unsigned>(warps) * warp_size),
          .shared_bytes = warps * shared_per_warp};
}

// The kernels of a criterion.
struct Search {
  void (*tally)(SearchLevel, SplitRules, TreeRows, FeatureGroup, std::int64_t*);
  void (*score)(SearchLevel, SplitRules, TreeRows, FeatureGroup, TileSums, Candidate*);
  Index columns;
  std::size_t tally_shared;  // bytes per warp
  std::size_t score_shared;
};
template <Tally tally, class Scorer>
Search search_by(const SplitRules& rules) {
  return {tally_tiles_kernel<tally>, score_cuts_kernel<Scorer>, Scorer::columns(rules),
          tally == Tally::classes ? 8 * static_cast<std::size_t>(rules.classes) : 0,
          Scorer::shared(rules)};
}
Search search_for(const SplitRules& rules, const TreeRows& rows) {
  const bool two = rules.classes == 2 && rows.weights == nullptr;
  switch (rules.criterion) {
    case TreeCriterion::entropy:
      if (two) return search_by<Tally::two_classes, TwoClasses<EntropyOfTwo>>(rules);
      return search_by<Tally::classes, ClassSums<EntropySums>>(rules);
    case TreeCriterion::gini:
      if (two) return search_by<Tally::two_classes, TwoClasses<GiniOfTwo>>(rules);
      if (rows.weights == nullptr || tree::exact_squares(rules)) {
        return search_by<Tally::classes, ClassSums<GiniSums>>(rules);
      }
      return search_by<Tally::classes, GiniInDoubles>(rules);
    case TreeCriterion::squared_error: break;
  }
  return search_by<Tally::target, SquaredError>(rules);
}

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
};

// node_best[node] of all features.
void best_cuts(CudaEngine& engine, const SplitRules& rules, const TreeRows& rows,
               const Search& search, const Level& level, TreeOrders& orders,
               Buffer<Candidate>& node_best) {
  const SearchLevel& on_device = level.on_device;
  const Index sums_per_feature = search.columns * on_device.long_tiles;
  // Of the memory that is free, a quarter.
  const auto bytes_per_feature =
      static_cast<std::size_t>(on_device.tile_count * static_cast<Index>(sizeof(Candidate)) +
                               (sums_per_feature + search.columns * on_device.long_nodes) * 8);
  const Index at_once = std::clamp<Index>(
      std::min({most_pairs / on_device.tile_count, most_sums / std::max<Index>(1, sums_per_feature),
                static_cast<Index>(engine.free_memory() / 4 / bytes_per_feature)}),
      1, orders.cols());
  Buffer<Candidate> best(engine, at_once * on_device.tile_count);
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
  const Search search = search_for(rules, rows);
  const Index width = rules.width();
  // Long enough that a tile's sums are little beside its rows.
  const auto tile_rows = static_cast<std::uint32_t>(std::max<Index>(512, 4 * search.columns));
  // As many nodes at once as the limits and an eighth of the memory that is free allow.
  const auto bytes_per_node = static_cast<Index>(sizeof(SearchNode) + sizeof(LongNode) +
                                                 sizeof(Candidate) + sizeof(FoundSplit<T>) + 4) +
                              16 * width + orders.cols() / 8;
  const Index bytes_per_tile = sizeof(SearchTile) + 4 + sizeof(Candidate) + 8 * search.columns;
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
    Buffer<Candidate> node_best(engine, static_cast<Index>(count));
    best_cuts(engine, rules, rows, search, level, orders, node_best);

    Buffer<FoundSplit<T>> found(engine, static_cast<Index>(count));
    Buffer<std::int64_t> left(engine, static_cast<Index>(count) * width);
    Buffer<unsigned> differs(engine, rules.classes == 0 ? static_cast<Index>(count) : 0);
    left.fill_zero();
    differs.fill_zero();
    engine.launch(complete_splits_kernel<T>, warps_shape(engine, static_cast<Index>(count)),
                  level.on_device, rows, orders.data(), orders.stride(), x, orders.cols(),
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
