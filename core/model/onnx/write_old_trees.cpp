// Trees as the operator TreeEnsembleRegressor of ai.onnx.ml 3, which compares in the type of its
// input and adds leaves in float32. Where rows come as float32, thresholds of double are rounded
// towards -infinity: a float32 x is at most t exactly where it is at most the largest float32 that
// is at most t.
#include <cmath>
#include <limits>
#include <vector>

#include "core/model/onnx/write_parts.hpp"

namespace tandem::onnx {
namespace {

float rounded_down(double threshold) {
  const auto nearest = static_cast<float>(threshold);
  if (static_cast<double>(nearest) <= threshold) return nearest;
  return std::nextafter(nearest, -std::numeric_limits<float>::infinity());
}

// The operator's attributes. Nodes of a tree are numbered as in Tandem; further tests of a split by
// a set follow them.
template <Real T>
class OldNodes {
 public:
  explicit OldNodes(Index outputs) : outputs_(outputs) {}

  void add(const EnsembleTree<T>& tree) {
    const auto width = static_cast<std::size_t>(tree.width(outputs_));
    const auto count = tree.feature.size();
    further_ = static_cast<std::int64_t>(count);
    std::vector<Test> further;
    for (std::size_t i = 0; i < count; ++i) {
      if (tree.feature[i] >= 0) {
        add_split(tree, i, further);
        continue;
      }
      add_node({.id = static_cast<std::int64_t>(i)}, "LEAF");
      for (std::size_t k = 0; k < width; ++k) {
        add_leaf(static_cast<std::int64_t>(i), tree.value[i * width + k],
                 tree.output == all_outputs ? static_cast<std::int64_t>(k) : tree.output);
      }
    }
    for (const Test& test : further) add_node(test, "BRANCH_EQ");
    ++trees_;
  }
  // A tree of one leaf that adds nothing.
  void add_nothing() {
    add_node({}, "LEAF");
    add_leaf(0, T{0}, 0);
    ++trees_;
  }

  [[nodiscard]] Attributes attributes(Type compared) const {
    Attributes all;
    all.integer("n_targets", outputs_)
        .integers("nodes_treeids", tree_ids_)
        .integers("nodes_nodeids", ids_)
        .integers("nodes_featureids", features_)
        .texts("nodes_modes", modes_)
        .integers("nodes_truenodeids", true_nodes_)
        .integers("nodes_falsenodeids", false_nodes_)
        .integers("nodes_missing_value_tracks_true", missing_true_)
        .integers("target_treeids", target_trees_)
        .integers("target_nodeids", target_nodes_)
        .integers("target_ids", targets_);
    if (compared == Type::float64) {
      all.tensor("nodes_values_as_tensor", std::span<const double>(values_))
          .tensor("target_weights_as_tensor", std::span<const double>(weights_));
      return all;
    }
    std::vector<float> values;
    for (const double value : values_) values.push_back(rounded_down(value));
    const std::vector<float> weights(weights_.begin(), weights_.end());
    all.reals("nodes_values", values).reals("target_weights", weights);
    return all;
  }

 private:
  struct Test {
    std::int64_t id = 0;
    std::int64_t feature = 0;
    double value = 0;
    std::int64_t if_true = 0;
    std::int64_t if_false = 0;
    bool missing_true = false;
  };

  void add_split(const EnsembleTree<T>& tree, std::size_t i, std::vector<Test>& further) {
    const std::uint8_t flags = tree.flags[i];
    require_known_split(flags);
    Test test{.id = static_cast<std::int64_t>(i),
              .feature = tree.feature[i],
              .value = static_cast<double>(tree.threshold[i]),
              .if_true = tree.left[i],
              .if_false = tree.right[i],
              .missing_true = (flags & tree_missing_left) != 0};
    if ((flags & tree_categorical) == 0) {
      add_node(test, "BRANCH_LEQ");
      return;
    }
    // A set is a test of each member after the other: all lead to the same node on the left. No
    // code is -2.
    std::vector<double> members = members_of(tree, i);
    if (members.empty()) members.push_back(-2);
    const std::int64_t otherwise = test.if_false;
    for (std::size_t m = 0; m < members.size(); ++m) {
      test.value = members[m];
      test.if_false = m + 1 < members.size() ? further_ : otherwise;
      if (m == 0) {
        add_node(test, "BRANCH_EQ");
      } else {
        further.push_back(test);
      }
      if (m + 1 < members.size()) test.id = further_++;
      // Missing values are told at the first test.
      test.missing_true = false;
    }
  }

  void add_node(const Test& test, const char* mode) {
    tree_ids_.push_back(trees_);
    ids_.push_back(test.id);
    features_.push_back(test.feature);
    modes_.emplace_back(mode);
    values_.push_back(test.value);
    true_nodes_.push_back(test.if_true);
    false_nodes_.push_back(test.if_false);
    missing_true_.push_back(test.missing_true ? 1 : 0);
  }

  void add_leaf(std::int64_t node, T value, std::int64_t output) {
    target_trees_.push_back(trees_);
    target_nodes_.push_back(node);
    targets_.push_back(output);
    weights_.push_back(static_cast<double>(value));
  }

  Index outputs_;
  std::int64_t trees_ = 0;
  std::int64_t further_ = 0;
  std::vector<std::int64_t> tree_ids_;
  std::vector<std::int64_t> ids_;
  std::vector<std::int64_t> features_;
  std::vector<std::string> modes_;
  std::vector<double> values_;
  std::vector<std::int64_t> true_nodes_;
  std::vector<std::int64_t> false_nodes_;
  std::vector<std::int64_t> missing_true_;
  std::vector<std::int64_t> target_trees_;
  std::vector<std::int64_t> target_nodes_;
  std::vector<std::int64_t> targets_;
  std::vector<double> weights_;
};

}  // namespace

template <Real T>
Graph::Value add_old_trees(Graph& graph, const Features& features, const TreeEnsemble<T>& trees) {
  OldNodes<T> nodes(trees.outputs);
  for (const EnsembleTree<T>& tree : trees.trees) nodes.add(tree);
  if (trees.trees.empty()) nodes.add_nothing();
  return graph.cast(graph.apply("TreeEnsembleRegressor", {features.value},
                                nodes.attributes(features.type), ml_domain),
                    Type::float64);
}

template Graph::Value add_old_trees(Graph&, const Features&, const TreeEnsemble<float>&);
template Graph::Value add_old_trees(Graph&, const Features&, const TreeEnsemble<double>&);

}  // namespace tandem::onnx
