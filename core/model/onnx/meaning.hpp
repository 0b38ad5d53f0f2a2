// What an ONNX graph computes, as far as it is one of Tandem's models: read from its nodes, before
// it becomes a model of a type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/onnx/file.hpp"
#include "tandem/nn/mlp.hpp"

namespace tandem::onnx {

// x ← (x − shift) / divisor, column by column.
struct Scaling {
  std::vector<double> shift;
  std::vector<double> divisor;
};

// A split sends x left where x <= threshold, or, with `below`, where x < threshold.
struct TreeNode {
  std::int64_t feature = -1;  // −1: a leaf
  double threshold = 0;
  bool below = false;
  bool missing_left = false;
  std::int64_t left = -1;
  std::int64_t right = -1;
  std::vector<std::pair<std::int64_t, double>> adds;  // of a leaf: to outputs
};

struct Trees {
  std::vector<std::vector<TreeNode>> trees;  // the root first, parents before their children
  std::int64_t outputs = 1;
  std::vector<double> base;  // one per output
  bool doubles = false;      // thresholds or leaves are doubles that no floats are equal to
};

// x·weights + bias, then perhaps a function of each value.
struct Layer {
  std::vector<double> weights;  // inputs × outputs
  std::vector<double> bias;     // one per output
  enum class Function { none, relu, tanh, sigmoid } function = Function::none;

  [[nodiscard]] Index outputs() const noexcept { return static_cast<Index>(bias.size()); }
};

// How probabilities or values come of the sums.
enum class Link { none, logistic, softmax, shares, exponential };

struct Meaning {
  Index features = 0;
  std::vector<std::string> names;  // of the features; empty: the file has none
  bool doubles = false;            // the input is of doubles
  Scaling scaling;                 // empty: none
  Trees trees;                     // without any: layers
  std::vector<Layer> layers;
  Link link = Link::none;
  bool divided = false;  // shares are divided by their sum
  bool classifies = false;
  std::vector<std::string> classes;  // as many as there are, by number where the file does not say
};

// A node's trees: TreeEnsembleClassifier, TreeEnsembleRegressor or TreeEnsemble of ai.onnx.ml.
struct NodeTrees {
  Trees trees;
  Link link = Link::none;
  std::vector<std::string> classes;  // of a classifier
};
// Throws InputError that begins with `where` for what Tandem's trees cannot say.
[[nodiscard]] NodeTrees trees_of_node(const Node& node, const std::string& where);
// The attribute classlabels_strings or classlabels_int64s, as texts.
[[nodiscard]] std::vector<std::string> class_labels(const Node& node);

// Throws InputError that begins with `source` and names the node for an operator that is not read.
[[nodiscard]] Meaning meaning_of(const File& file, const std::string& source);

}  // namespace tandem::onnx
