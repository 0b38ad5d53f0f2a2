// The hot half of the split search: a warp takes a (feature, tile), walks the tile 32 rows at a
// time, knows by integer sums what stands on the left of every cut, scores the cuts by the
// functions of core/tree/split_gain.hpp and keeps the best. All sums are of integers, so that
// neither tiles nor lanes show in the result.
//
// Costs: cuda/tree/decision_tree_cost.hpp. CPU twin: the scorers of cpu/tree/decision_tree.cpp.
#include "cuda/tree/decision_tree_search.cuh"

namespace tandem::cuda {
namespace {

using tree::SplitRules;

// --- scorers -------------------------------------------------------------------------------------
//
// A warp's sums of the left side while it walks over a tile.
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
    return tree::gini_score(left0 * left0 + left1 * left1, left0 + left1,
                            right0 * right0 + right1 * right1, right0 + right1);
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
    return tree::gini_score(left_squares, left, right_squares, right);
  }
};

// The weight of each class on the left, in shared memory, and of the missing rows behind it.
// Lanes of one class read the same word; those of classes 16 apart meet in a bank, which depends on
// the data and which no layout avoids for all.
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
      return tree::rounded_gini_score(left, static_cast<double>(left_weight), right,
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
// 8·classes bytes per warp where there are more than two classes or weights. Reads 4 bytes per row
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

// best[feature, tile] = the best cut inside each tile.
//
// Grid: a warp per (feature, tile); no barrier but the warp's. Shared: Scorer::shared() bytes per
// warp (16 per class where there are more than two classes or weights). Reads 8 bytes per known row
// and feature, coalesced, each once, and what the scorer looks up by row (class, weight, w·y) or by
// count (φ, from the cache); in a node of one tile, its missing rows too. Writes 16 bytes per tile.
template <class Scorer>
__global__ void score_cuts_kernel(SearchLevel level, SplitRules rules, TreeRows rows,
                                  FeatureGroup group, TileSums sums, TreeCut* __restrict__ best) {
  extern __shared__ std::int64_t shared_counts[];
  const unsigned warps = blockDim.x / warp_size;
  const Index job = static_cast<Index>(blockIdx.x) * warps + threadIdx.x / warp_size;
  if (job >= static_cast<Index>(group.count) * level.tile_count) return;
  const auto feature = static_cast<std::uint32_t>(job / level.tile_count);
  const SearchTile tile = level.tiles[job % level.tile_count];
  const SearchNode node = level.nodes[tile.node];
  const TreeOrder order = order_from(group.orders, group.stride, feature, node.begin);
  const unsigned lane = lane_of_thread();
  TreeCut own;
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
    const std::uint32_t only = only_cut_of(level, tile.node, own.feature);
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
      const bool cut =
          active && count < node.rows && rank != next_rank && (only == 0 || count == only);
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
    using Reduce = cub::WarpReduce<TreeCut>;
    typename Reduce::TempStorage none;
    own = Reduce(none).Reduce(own, BetterCut{});
  }
  if (lane == 0) best[job] = own;
}

template <Tally tally, class Scorer>
CriterionKernels kernels_by(const SplitRules& rules) {
  return {tally_tiles_kernel<tally>, score_cuts_kernel<Scorer>, Scorer::columns(rules),
          tally == Tally::classes ? 8 * static_cast<std::size_t>(rules.classes) : 0,
          Scorer::shared(rules)};
}

}  // namespace

CriterionKernels kernels_of(const SplitRules& rules, const TreeRows& rows) {
  const bool two = rules.classes == 2 && rows.weights == nullptr;
  switch (rules.criterion) {
    case TreeCriterion::entropy:
      if (two) return kernels_by<Tally::two_classes, TwoClasses<EntropyOfTwo>>(rules);
      return kernels_by<Tally::classes, ClassSums<EntropySums>>(rules);
    case TreeCriterion::gini:
      if (two) return kernels_by<Tally::two_classes, TwoClasses<GiniOfTwo>>(rules);
      if (rows.weights == nullptr || tree::exact_squares(rules)) {
        return kernels_by<Tally::classes, ClassSums<GiniSums>>(rules);
      }
      return kernels_by<Tally::classes, GiniInDoubles>(rules);
    case TreeCriterion::squared_error:
    case TreeCriterion::automatic: break;  // no rules have it
  }
  return kernels_by<Tally::target, SquaredError>(rules);
}

}  // namespace tandem::cuda
