// Growing one boosted tree over histograms: depth by depth, or the leaf that gains most first.
#pragma once

#include <cstdint>
#include <vector>

#include "core/tree/category_bins.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "core/tree/interaction_groups.hpp"
#include "tandem/tree/binned_table.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem::tree {

// A tree that has been grown: for the model, for rows that were not in the sample, and where the
// rows of the sample ended.
template <Real T>
struct BoostedTree {
  EnsembleTree<T> tree;
  std::vector<BinnedNode<T>> binned;
  std::vector<std::uint32_t> sets;  // of the binned nodes that split by categories
  std::vector<LeafRange<T>> leaves;
};

// Grows trees on one training set.
template <Real T>
class BoostedGrowth {
 public:
  // All must outlive this. set_words: those of a set of bins, as the steps have them.
  BoostedGrowth(GradientBoostingSteps<T>& steps, const GradientBoostingOptions& options,
                const BinCuts<T>& cuts, const CategoryBins& categories,
                const InteractionGroups& groups, std::int32_t slots, Index set_words)
      : steps_(steps),
        options_(options),
        cuts_(cuts),
        categories_(categories),
        groups_(groups),
        slots_(slots),
        set_words_(set_words) {}

  // `tree` numbers the trees of the fit, for random draws. The steps have packed its gradients,
  // whose sums are given.
  [[nodiscard]] BoostedTree<T> grow(const GradientPacking& packing, const PackedSums& sums,
                                    std::uint32_t tree);

  // Slots for histograms that a fit should have: as many as can be of use, at least 3, and no more
  // than fit into about half a gigabyte.
  [[nodiscard]] static std::int32_t slots_for(const GradientBoostingOptions& options,
                                              Index histogram_bytes);

 private:
  struct Node {
    Index begin = 0;
    Index rows = 0;
    Index depth = 0;
    std::int32_t side = 0;
    std::int32_t slot = -1;
    std::int64_t g = 0;
    std::int64_t h = 0;
    WeightBounds bounds;
    HistogramSplit split;
    std::vector<std::int32_t> set;     // where the split is by categories: bins that go left
    std::vector<std::uint8_t> groups;  // per group: whether all splits above are by features of it
    double gain = 0;
    std::int32_t left = -1;
    std::int32_t right = -1;
  };

  [[nodiscard]] bool may_split(const Node& node) const;
  [[nodiscard]] std::vector<std::int32_t> next_batch();
  void split_nodes(const std::vector<std::int32_t>& batch);
  void search(const std::vector<std::int32_t>& nodes);
  void draw_features(const std::vector<std::int32_t>& nodes);
  [[nodiscard]] std::vector<std::uint8_t> may_join(std::vector<std::uint8_t> features,
                                                   const Node& node) const;
  // Adds the node's set to others; returns its number among them, or −1 where it has none.
  [[nodiscard]] std::int32_t put_set(const Node& node, std::vector<std::uint32_t>& sets) const;
  [[nodiscard]] std::int32_t take_slot();
  void release_slot(Node& node);
  [[nodiscard]] BoostedTree<T> finished() const;

  GradientBoostingSteps<T>& steps_;
  const GradientBoostingOptions& options_;
  const BinCuts<T>& cuts_;
  const CategoryBins& categories_;
  const InteractionGroups& groups_;
  std::int32_t slots_;
  Index set_words_;

  GainRules rules_;
  std::uint32_t tree_ = 0;
  std::vector<Node> nodes_;
  std::vector<std::int32_t> open_;  // nodes with a split that is worth making
  std::vector<std::int32_t> free_slots_;
  Index leaf_count_ = 1;
  std::vector<std::uint8_t> allowed_;  // queries × features, or empty
  std::vector<std::uint8_t> tree_features_;
  std::vector<std::vector<std::uint8_t>> level_features_;
  std::vector<std::int32_t> to_release_;  // nodes whose histograms were built for a sibling's sake
};

}  // namespace tandem::tree
