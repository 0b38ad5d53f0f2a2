// Trees as the operator TreeEnsemble of ai.onnx.ml 5, in double: a comparison of a row of T with a
// threshold of T goes the same way in double, since both are doubles exactly.
#include <array>
#include <limits>
#include <vector>

#include "core/model/onnx/write_parts.hpp"
#include "tandem/core/error.hpp"

namespace tandem::onnx {
namespace {

// TreeEnsemble.nodes_modes.
enum Mode : std::uint8_t { at_most = 0, member = 6 };

// The operator's attributes, node by node. A leaf adds to one output, so that a tree whose leaves
// hold a value for each output stands there once for each.
template <Real T>
class Nodes {
 public:
  explicit Nodes(const TreeEnsemble<T>& trees) : trees_(trees) {}

  void add(const EnsembleTree<T>& tree) {
    const Index width = tree.width(trees_.outputs);
    for (Index k = 0; k < width; ++k) {
      const Index output = tree.output == all_outputs ? k : tree.output;
      add(tree, static_cast<std::size_t>(width), static_cast<std::size_t>(k), output);
    }
  }
  // A tree of one leaf.
  void add_constant(double value, Index output) {
    roots_.push_back(static_cast<std::int64_t>(features_.size()));
    add_stump(add_leaf(value, output));
  }

  [[nodiscard]] Attributes attributes() const {
    Attributes all;
    all.integer("aggregate_function", 1)  // the sum
        .integer("post_transform", 0)     // none
        .integer("n_targets", trees_.outputs)
        .integers("tree_roots", roots_)
        .integers("nodes_featureids", features_)
        .tensor("nodes_modes", std::span<const std::uint8_t>(modes_))
        .tensor("nodes_splits", std::span<const double>(splits_))
        .integers("nodes_truenodeids", true_nodes_)
        .integers("nodes_trueleafs", true_leaves_)
        .integers("nodes_falsenodeids", false_nodes_)
        .integers("nodes_falseleafs", false_leaves_)
        .integers("nodes_missing_value_tracks_true", missing_true_)
        .integers("leaf_targetids", targets_)
        .tensor("leaf_weights", std::span<const double>(weights_));
    if (!members_.empty()) all.tensor("membership_values", std::span<const double>(members_));
    return all;
  }

 private:
  void add(const EnsembleTree<T>& tree, std::size_t width, std::size_t k, Index output) {
    // The places of inner nodes are known beforehand; leaves are numbered as they come.
    std::vector<std::int64_t> place(tree.feature.size(), -1);
    auto next = static_cast<std::int64_t>(features_.size());
    roots_.push_back(next);
    if (tree.feature[0] < 0) {
      add_stump(add_leaf(static_cast<double>(tree.value[k]), output));
      return;
    }
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] >= 0) place[i] = next++;
    }
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] < 0) continue;
      add_split(tree, i);
      const auto child = [&](std::int32_t of, std::vector<std::int64_t>& nodes,
                             std::vector<std::int64_t>& leaves) {
        const auto c = static_cast<std::size_t>(of);
        const bool leaf = tree.feature[c] < 0;
        nodes.push_back(leaf ? add_leaf(static_cast<double>(tree.value[c * width + k]), output)
                             : place[c]);
        leaves.push_back(leaf ? 1 : 0);
      };
      child(tree.left[i], true_nodes_, true_leaves_);
      child(tree.right[i], false_nodes_, false_leaves_);
    }
  }

  std::int64_t add_leaf(double value, Index output) {
    weights_.push_back(value);
    targets_.push_back(output);
    return static_cast<std::int64_t>(weights_.size()) - 1;
  }

  // Both ways of the only node lead to the leaf.
  void add_stump(std::int64_t leaf) {
    features_.push_back(0);
    modes_.push_back(at_most);
    splits_.push_back(0);
    missing_true_.push_back(0);
    for (auto* nodes : {&true_nodes_, &false_nodes_}) nodes->push_back(leaf);
    for (auto* leaves : {&true_leaves_, &false_leaves_}) leaves->push_back(1);
  }

  void add_split(const EnsembleTree<T>& tree, std::size_t i) {
    const std::uint8_t flags = tree.flags[i];
    require_known_split(flags);
    features_.push_back(tree.feature[i]);
    missing_true_.push_back((flags & tree_missing_left) != 0 ? 1 : 0);
    if ((flags & tree_categorical) == 0) {
      modes_.push_back(at_most);
      splits_.push_back(static_cast<double>(tree.threshold[i]));
      return;
    }
    modes_.push_back(member);
    splits_.push_back(0);
    const std::vector<double> members = members_of(tree, i);
    members_.insert(members_.end(), members.begin(), members.end());
    members_.push_back(std::numeric_limits<double>::quiet_NaN());  // the end of the set
  }

  const TreeEnsemble<T>& trees_;
  std::vector<std::int64_t> roots_;
  std::vector<std::int64_t> features_;
  std::vector<std::uint8_t> modes_;
  std::vector<double> splits_;
  std::vector<std::int64_t> true_nodes_;
  std::vector<std::int64_t> true_leaves_;
  std::vector<std::int64_t> false_nodes_;
  std::vector<std::int64_t> false_leaves_;
  std::vector<std::int64_t> missing_true_;
  std::vector<std::int64_t> targets_;
  std::vector<double> weights_;
  std::vector<double> members_;
};

}  // namespace

void require_known_split(std::uint8_t flags) {
  if ((flags & tree_zero_is_missing) == 0) return;
  throw InputError(
      "the trees take zeros for missing values, as their file of LightGBM asks for, which ONNX's "
      "operators for trees cannot say");
}

template <Real T>
std::vector<double> members_of(const EnsembleTree<T>& tree, std::size_t node) {
  std::vector<double> members;
  const auto words = static_cast<std::size_t>(tree.category_words[node]);
  const auto first = static_cast<std::size_t>(tree.first_category[node]);
  for (std::size_t w = 0; w < words; ++w) {
    const std::uint32_t word = tree.categories[first + w];
    for (std::size_t bit = 0; bit < 32; ++bit) {
      if ((word >> bit & 1U) != 0) members.push_back(static_cast<double>(w * 32 + bit));
    }
  }
  return members;
}

template <Real T>
Graph::Value add_trees(Graph& graph, const Features& features, const TreeEnsemble<T>& trees,
                       OnnxOperators operators) {
  Graph::Value sums;
  if (operators == OnnxOperators::ml3) {
    sums = add_old_trees(graph, features, trees);
  } else {
    Nodes<T> nodes(trees);
    for (const EnsembleTree<T>& tree : trees.trees) nodes.add(tree);
    // The operator wants a tree; this one changes nothing.
    if (trees.trees.empty()) nodes.add_constant(0, 0);
    const Graph::Value x =
        features.type == Type::float64 ? features.value : graph.cast(features.value, Type::float64);
    sums = graph.apply("TreeEnsemble", {x}, nodes.attributes(), ml_domain);
  }
  const std::vector<double> base(trees.base.begin(), trees.base.end());
  const std::array<Index, 2> shape{1, trees.outputs};
  return graph.apply("Add", {sums, graph.constant(std::span<const double>(base), shape)});
}

template std::vector<double> members_of(const EnsembleTree<float>&, std::size_t);
template std::vector<double> members_of(const EnsembleTree<double>&, std::size_t);
template Graph::Value add_trees(Graph&, const Features&, const TreeEnsemble<float>&, OnnxOperators);
template Graph::Value add_trees(Graph&, const Features&, const TreeEnsemble<double>&,
                                OnnxOperators);

}  // namespace tandem::onnx
