// Trees of ONNX files. TreeEnsembleClassifier and TreeEnsembleRegressor, up to ai.onnx.ml 4, list
// all nodes, leaves among them; TreeEnsemble, of 5, has leaves apart.
#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <span>
#include <tuple>

#include "core/model/onnx/meaning.hpp"
#include "tandem/core/error.hpp"

namespace tandem::onnx {
namespace {

enum class Comparison { leaf, at_most, below, above, at_least };

// A node as its file lists it: the true way is taken where the comparison holds.
struct Listed {
  Comparison mode = Comparison::leaf;
  std::int64_t feature = 0;
  double threshold = 0;
  bool missing_true = false;
  std::int64_t true_node = -1;
  std::int64_t false_node = -1;
  std::vector<std::pair<std::int64_t, double>> adds;
};

class TreeReader {
 public:
  TreeReader(const Node& node, const std::string& where) : node_(node), where_(where) {}

  [[noreturn]] void fail(const std::string& what) const { throw InputError(where_ + " " + what); }

  [[nodiscard]] const std::vector<std::int64_t>& integers(const char* name) const {
    static const std::vector<std::int64_t> none;
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? none : found->second.integers;
  }
  // Reals, or the tensor of doubles that may be given in their place.
  [[nodiscard]] std::vector<double> reals(const std::string& name) const {
    for (const std::string& one : {name + "_as_tensor", name}) {
      const auto found = node_.attributes.find(one);
      if (found == node_.attributes.end()) continue;
      if (!found->second.reals.empty()) return found->second.reals;
      if (!found->second.tensor.numbers.empty()) return found->second.tensor.numbers;
    }
    return {};
  }
  [[nodiscard]] std::int64_t integer(const char* name, std::int64_t otherwise) const {
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? otherwise : found->second.integer;
  }
  [[nodiscard]] std::string text(const char* name, const std::string& otherwise) const {
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? otherwise : found->second.text;
  }
  [[nodiscard]] const std::vector<std::string>& texts(const char* name) const {
    static const std::vector<std::string> none;
    const auto found = node_.attributes.find(name);
    return found == node_.attributes.end() ? none : found->second.texts;
  }

  template <class Values>
  void require_size(const Values& values, std::size_t size, const char* name) const {
    if (values.size() == size) return;
    fail("has " + std::to_string(values.size()) + " " + name + " for " + std::to_string(size) +
         " nodes or leaves");
  }

  [[nodiscard]] Link link(const std::string& transform) const {
    if (transform == "NONE") return Link::none;
    if (transform == "LOGISTIC") return Link::logistic;
    if (transform == "SOFTMAX") return Link::softmax;
    fail("has the post_transform " + transform + ", which Tandem's models do not have");
  }

  // The tree of these nodes, in preorder. `seen` has a mark for each node that a tree has.
  [[nodiscard]] std::vector<TreeNode> ordered(const std::vector<Listed>& listed, std::int64_t root,
                                              std::vector<char>& seen) const {
    std::vector<TreeNode> tree;
    // Of a node that waits: which it is, and where its number goes.
    struct Waiting {
      std::int64_t at;
      std::size_t parent;
      bool left;
    };
    constexpr auto none = static_cast<std::size_t>(-1);
    std::vector<Waiting> waiting{{root, none, false}};
    while (!waiting.empty()) {
      const Waiting next = waiting.back();
      waiting.pop_back();
      if (next.at < 0 || next.at >= static_cast<std::int64_t>(listed.size())) {
        fail("has a tree whose node " + std::to_string(next.at) + " is not there");
      }
      const Listed& from = listed[static_cast<std::size_t>(next.at)];
      if (seen[static_cast<std::size_t>(next.at)]++ != 0) {
        fail("has a node that two ways lead to, so that its nodes are no tree");
      }
      const std::size_t number = tree.size();
      if (next.parent != none) {
        (next.left ? tree[next.parent].left : tree[next.parent].right) =
            static_cast<std::int64_t>(number);
      }
      TreeNode made;
      if (from.mode == Comparison::leaf) {
        made.adds = from.adds;
        tree.push_back(std::move(made));
        continue;
      }
      if (from.feature < 0 || from.feature > std::int64_t{1} << 30) {
        fail("splits by column " + std::to_string(from.feature) + ", which cannot be");
      }
      if (!std::isfinite(from.threshold)) fail("has a threshold that is not finite");
      // x > t is not x <= t, and x >= t is not x < t; a missing value is neither, and goes the
      // false way unless it tracks the true one.
      const bool turned = from.mode == Comparison::above || from.mode == Comparison::at_least;
      made.feature = from.feature;
      made.threshold = from.threshold;
      made.below = from.mode == Comparison::below || from.mode == Comparison::at_least;
      made.missing_left = turned != from.missing_true;
      tree.push_back(std::move(made));
      waiting.push_back({turned ? from.true_node : from.false_node, number, false});
      waiting.push_back({turned ? from.false_node : from.true_node, number, true});
    }
    return tree;
  }

  void note_doubles(std::span<const double> values, Trees& trees) const {
    for (const double value : values) {
      if (static_cast<double>(static_cast<float>(value)) != value) trees.doubles = true;
    }
  }

 private:
  const Node& node_;
  const std::string& where_;
};

Comparison comparison_of(const TreeReader& reader, const std::string& name) {
  if (name == "LEAF") return Comparison::leaf;
  if (name == "BRANCH_LEQ") return Comparison::at_most;
  if (name == "BRANCH_LT") return Comparison::below;
  if (name == "BRANCH_GT") return Comparison::above;
  if (name == "BRANCH_GTE") return Comparison::at_least;
  reader.fail("splits by " + name + "; only comparisons <=, <, > and >= are read");
}

// All nodes of all trees in one list, by the tree's number and the node's.
std::vector<std::vector<TreeNode>> trees_by_ids(const TreeReader& reader, const char* leaf_prefix,
                                                const std::string& output_ids, Trees& to) {
  const auto& trees = reader.integers("nodes_treeids");
  const auto& numbers = reader.integers("nodes_nodeids");
  const auto& features = reader.integers("nodes_featureids");
  const auto& modes = reader.texts("nodes_modes");
  const std::vector<double> thresholds = reader.reals("nodes_values");
  const auto& true_nodes = reader.integers("nodes_truenodeids");
  const auto& false_nodes = reader.integers("nodes_falsenodeids");
  const auto& missing = reader.integers("nodes_missing_value_tracks_true");
  const std::size_t count = trees.size();
  if (count == 0) reader.fail("has no nodes");
  reader.require_size(numbers, count, "nodes_nodeids");
  reader.require_size(features, count, "nodes_featureids");
  reader.require_size(modes, count, "nodes_modes");
  reader.require_size(thresholds, count, "nodes_values");
  reader.require_size(true_nodes, count, "nodes_truenodeids");
  reader.require_size(false_nodes, count, "nodes_falsenodeids");
  if (!missing.empty()) reader.require_size(missing, count, "nodes_missing_value_tracks_true");
  std::map<std::pair<std::int64_t, std::int64_t>, std::size_t> places;
  // In the order in which the trees come, since that is the order of sums.
  std::vector<std::int64_t> order;
  std::map<std::int64_t, std::vector<std::size_t>> nodes_of;
  for (std::size_t i = 0; i < count; ++i) {
    if (!places.emplace(std::pair(trees[i], numbers[i]), i).second) {
      reader.fail("has node " + std::to_string(numbers[i]) + " of tree " +
                  std::to_string(trees[i]) + " twice");
    }
    auto& nodes = nodes_of[trees[i]];
    if (nodes.empty()) order.push_back(trees[i]);
    nodes.push_back(i);
  }
  std::vector<Listed> listed(count);
  std::vector<char> is_child(count, 0);
  for (std::size_t i = 0; i < count; ++i) {
    Listed& one = listed[i];
    one.mode = comparison_of(reader, modes[i]);
    if (one.mode == Comparison::leaf) continue;
    one.feature = features[i];
    one.threshold = thresholds[i];
    one.missing_true = !missing.empty() && missing[i] != 0;
    for (const bool side : {true, false}) {
      const std::int64_t child = side ? true_nodes[i] : false_nodes[i];
      const auto found = places.find({trees[i], child});
      if (found == places.end()) {
        reader.fail("has a tree " + std::to_string(trees[i]) + " whose node " +
                    std::to_string(child) + " is not there");
      }
      (side ? one.true_node : one.false_node) = static_cast<std::int64_t>(found->second);
      is_child[found->second] = 1;
    }
  }
  const std::string prefix = leaf_prefix;
  const auto& leaf_trees = reader.integers((prefix + "_treeids").c_str());
  const auto& leaf_nodes = reader.integers((prefix + "_nodeids").c_str());
  const auto& outputs = reader.integers(output_ids.c_str());
  const std::vector<double> weights = reader.reals(prefix + "_weights");
  reader.require_size(leaf_nodes, leaf_trees.size(), (prefix + "_nodeids").c_str());
  reader.require_size(outputs, leaf_trees.size(), output_ids.c_str());
  reader.require_size(weights, leaf_trees.size(), (prefix + "_weights").c_str());
  for (std::size_t i = 0; i < leaf_trees.size(); ++i) {
    const auto found = places.find({leaf_trees[i], leaf_nodes[i]});
    if (found == places.end() || listed[found->second].mode != Comparison::leaf) {
      reader.fail("gives a weight to node " + std::to_string(leaf_nodes[i]) + " of tree " +
                  std::to_string(leaf_trees[i]) + ", which is no leaf");
    }
    listed[found->second].adds.emplace_back(outputs[i], weights[i]);
  }
  reader.note_doubles(thresholds, to);
  reader.note_doubles(weights, to);
  std::vector<std::vector<TreeNode>> all;
  std::vector<char> seen(count, 0);
  for (const std::int64_t tree : order) {
    std::int64_t root = -1;
    for (const std::size_t i : nodes_of[tree]) {
      if (is_child[i] != 0) continue;
      if (root >= 0) reader.fail("has a tree " + std::to_string(tree) + " of two roots");
      root = static_cast<std::int64_t>(i);
    }
    if (root < 0) reader.fail("has a tree " + std::to_string(tree) + " without a root");
    all.push_back(reader.ordered(listed, root, seen));
  }
  return all;
}

void check_outputs(const TreeReader& reader, Trees& trees) {
  for (const auto& tree : trees.trees) {
    for (const TreeNode& node : tree) {
      for (const auto& [output, value] : node.adds) {
        if (output < 0 || output >= trees.outputs) {
          reader.fail("has a leaf of output " + std::to_string(output) + " of " +
                      std::to_string(trees.outputs));
        }
        if (!std::isfinite(value)) reader.fail("has a leaf that is not finite");
      }
    }
  }
  for (const double value : trees.base) {
    if (!std::isfinite(value)) reader.fail("has a base value that is not finite");
  }
  reader.note_doubles(trees.base, trees);
}

// A mean of the trees in place of their sum.
void average(Trees& trees) {
  const auto count = static_cast<double>(trees.trees.size());
  for (auto& tree : trees.trees) {
    for (TreeNode& node : tree) {
      for (auto& [output, value] : node.adds) value /= count;
    }
  }
}

void aggregate(const TreeReader& reader, const std::string& function, Trees& trees) {
  if (function == "AVERAGE") return average(trees);
  if (function != "SUM") {
    reader.fail("takes the " + function + " of its trees; only sums and averages are read");
  }
}

// Scores of two classes that the file gives one number: that of the class which is named, by the
// rules of onnxruntime. Weights that are all positive are shares, whatever post_transform says.
void read_one_score(const TreeReader& reader, std::int64_t positive, NodeTrees& result) {
  Trees& trees = result.trees;
  bool shares = true;
  for (auto& tree : trees.trees) {
    for (TreeNode& node : tree) {
      for (auto& [output, value] : node.adds) {
        output = 0;
        shares = shares && value >= 0;
      }
    }
  }
  trees.outputs = 1;
  if (trees.base.size() == 2) {
    // The runtime adds the second to a score of the second class, and the first to one of the
    // first.
    trees.base = {trees.base[positive == 1 ? 1 : 0]};
  }
  if (!shares && result.link == Link::logistic) return;
  if (!shares) {
    reader.fail("has scores of two classes that are no probabilities");
  }
  if (trees.base.size() == 1 && trees.base[0] != 0) {
    reader.fail("has shares of two classes with a base value");
  }
  // p of the second class becomes the shares 1/trees − p and p of each tree, which add up to 1 − p
  // and p.
  const double whole = 1.0 / static_cast<double>(trees.trees.size());
  for (auto& tree : trees.trees) {
    for (TreeNode& node : tree) {
      if (node.feature >= 0) continue;
      double share = 0;
      for (const auto& [output, value] : node.adds) share += value;
      // A part of 1 that was rounded to float may lie above it.
      const double rest = whole - share;
      node.adds = {{0, std::abs(rest) < 1e-6 * whole ? 0.0 : rest}, {1, share}};
    }
  }
  trees.outputs = 2;
  trees.base = {0, 0};
  result.link = Link::shares;
}

NodeTrees classifier(const Node& node, const TreeReader& reader) {
  NodeTrees result;
  result.classes = class_labels(node);
  const auto classes = static_cast<std::int64_t>(result.classes.size());
  if (classes == 0) reader.fail("names no classes");
  result.link = reader.link(reader.text("post_transform", "NONE"));
  result.trees.trees = trees_by_ids(reader, "class", "class_ids", result.trees);
  result.trees.outputs = classes;
  result.trees.base = reader.reals("base_values");
  const auto& ids = reader.integers("class_ids");
  check_outputs(reader, result.trees);
  const bool one_id =
      std::all_of(ids.begin(), ids.end(), [&](std::int64_t id) { return id == ids.front(); });
  if (classes == 2 && one_id && !ids.empty()) {
    read_one_score(reader, ids.front(), result);
    if (result.trees.base.empty()) result.trees.base.assign(1, 0.0);
    return result;
  }
  if (result.trees.base.empty()) result.trees.base.assign(static_cast<std::size_t>(classes), 0.0);
  reader.require_size(result.trees.base, static_cast<std::size_t>(classes), "base_values");
  if (result.link == Link::logistic) {
    reader.fail("has a logistic function for each of " + std::to_string(classes) +
                " classes, whose probabilities do not add up to 1; Tandem's models have none such");
  }
  if (result.link == Link::none) result.link = Link::shares;
  return result;
}

NodeTrees regressor(const TreeReader& reader) {
  NodeTrees result;
  result.link = reader.link(reader.text("post_transform", "NONE"));
  result.trees.trees = trees_by_ids(reader, "target", "target_ids", result.trees);
  result.trees.outputs = reader.integer("n_targets", 1);
  if (result.trees.outputs < 1 || result.trees.outputs > 65536) reader.fail("has no targets");
  result.trees.base = reader.reals("base_values");
  if (result.trees.base.empty()) {
    result.trees.base.assign(static_cast<std::size_t>(result.trees.outputs), 0.0);
  }
  reader.require_size(result.trees.base, static_cast<std::size_t>(result.trees.outputs),
                      "base_values");
  check_outputs(reader, result.trees);
  aggregate(reader, reader.text("aggregate_function", "SUM"), result.trees);
  return result;
}

// TreeEnsemble of ai.onnx.ml 5.
NodeTrees ensemble(const Node& node, const TreeReader& reader) {
  NodeTrees result;
  const auto& roots = reader.integers("tree_roots");
  const auto& features = reader.integers("nodes_featureids");
  const std::vector<double> thresholds = reader.reals("nodes_splits");
  const auto modes = node.attributes.find("nodes_modes");
  const auto& true_nodes = reader.integers("nodes_truenodeids");
  const auto& false_nodes = reader.integers("nodes_falsenodeids");
  const auto& true_leaves = reader.integers("nodes_trueleafs");
  const auto& false_leaves = reader.integers("nodes_falseleafs");
  const auto& missing = reader.integers("nodes_missing_value_tracks_true");
  const auto& targets = reader.integers("leaf_targetids");
  const std::vector<double> weights = reader.reals("leaf_weights");
  const std::size_t count = features.size();
  if (count == 0 || roots.empty()) reader.fail("has no nodes");
  if (modes == node.attributes.end()) reader.fail("lacks nodes_modes");
  reader.require_size(modes->second.tensor.integers, count, "nodes_modes");
  reader.require_size(thresholds, count, "nodes_splits");
  reader.require_size(true_nodes, count, "nodes_truenodeids");
  reader.require_size(false_nodes, count, "nodes_falsenodeids");
  reader.require_size(true_leaves, count, "nodes_trueleafs");
  reader.require_size(false_leaves, count, "nodes_falseleafs");
  if (!missing.empty()) reader.require_size(missing, count, "nodes_missing_value_tracks_true");
  reader.require_size(weights, targets.size(), "leaf_weights");
  // Leaves stand behind the nodes; each place that names one gets a leaf of its own, since a file
  // may use one for several.
  std::vector<Listed> listed(count);
  const auto leaf = [&](std::int64_t number) {
    if (number < 0 || number >= static_cast<std::int64_t>(targets.size())) {
      reader.fail("has no leaf " + std::to_string(number));
    }
    const auto at = static_cast<std::size_t>(number);
    Listed one;
    one.adds = {{targets[at], weights[at]}};
    listed.push_back(std::move(one));
    return static_cast<std::int64_t>(listed.size()) - 1;
  };
  constexpr std::array<Comparison, 4> known{Comparison::at_most, Comparison::below,
                                            Comparison::at_least, Comparison::above};
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t mode = modes->second.tensor.integers[i];
    if (mode < 0 || mode >= static_cast<std::int64_t>(known.size())) {
      reader.fail("splits by equality or by sets; only comparisons <=, <, > and >= are read");
    }
    const std::int64_t to_true = true_leaves[i] != 0 ? leaf(true_nodes[i]) : true_nodes[i];
    const std::int64_t to_false = false_leaves[i] != 0 ? leaf(false_nodes[i]) : false_nodes[i];
    Listed& one = listed[i];
    one.mode = known[static_cast<std::size_t>(mode)];
    one.feature = features[i];
    one.threshold = thresholds[i];
    one.missing_true = !missing.empty() && missing[i] != 0;
    one.true_node = to_true;
    one.false_node = to_false;
  }
  std::vector<char> seen(listed.size(), 0);
  for (const std::int64_t root : roots) {
    result.trees.trees.push_back(reader.ordered(listed, root, seen));
  }
  result.trees.outputs = reader.integer("n_targets", 1);
  if (result.trees.outputs < 1 || result.trees.outputs > 65536) reader.fail("has no targets");
  result.trees.base.assign(static_cast<std::size_t>(result.trees.outputs), 0.0);
  reader.note_doubles(thresholds, result.trees);
  reader.note_doubles(weights, result.trees);
  check_outputs(reader, result.trees);
  constexpr std::array<const char*, 4> functions{"AVERAGE", "SUM", "MIN", "MAX"};
  const std::int64_t function = reader.integer("aggregate_function", 1);
  aggregate(reader,
            function >= 0 && function < 4 ? functions[static_cast<std::size_t>(function)] : "?",
            result.trees);
  constexpr std::array<const char*, 5> transforms{"NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO",
                                                  "PROBIT"};
  const std::int64_t transform = reader.integer("post_transform", 0);
  result.link = reader.link(
      transform >= 0 && transform < 5 ? transforms[static_cast<std::size_t>(transform)] : "?");
  return result;
}

}  // namespace

std::vector<std::string> class_labels(const Node& node) {
  std::vector<std::string> labels;
  for (const char* name : {"classlabels_strings", "classlabels_int64s", "classlabels_ints"}) {
    const auto found = node.attributes.find(name);
    if (found == node.attributes.end()) continue;
    labels = found->second.texts;
    for (const std::int64_t number : found->second.integers) {
      labels.push_back(std::to_string(number));
    }
    if (!labels.empty()) break;
  }
  return labels;
}

NodeTrees trees_of_node(const Node& node, const std::string& where) {
  const TreeReader reader(node, where);
  if (node.operation == "TreeEnsembleClassifier") return classifier(node, reader);
  if (node.operation == "TreeEnsembleRegressor") return regressor(reader);
  return ensemble(node, reader);
}

}  // namespace tandem::onnx
