// Models of Tandem's made of what an ONNX file means.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>
#include <set>
#include <utility>

#include "core/file.hpp"
#include "core/model/onnx/meaning.hpp"
#include "tandem/config.hpp"
#include "tandem/core/error.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/linear/logistic_regression.hpp"
#include "tandem/model/onnx.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem {
namespace onnx {
namespace {

template <Real T>
T rounded(double value, const std::string& source) {
  const T result = static_cast<T>(value);
  if (!std::isfinite(result)) {
    throw InputError(source + ": holds a number that is not finite in " +
                     std::string(to_string(precision_of<T>)));
  }
  return result;
}

template <Real T>
std::vector<T> all_rounded(const std::vector<double>& values, const std::string& source) {
  std::vector<T> result;
  result.reserve(values.size());
  for (const double value : values) result.push_back(rounded<T>(value, source));
  return result;
}

// The threshold t of x <= t that parts the numbers of T as the file's comparison does: the largest
// number of T that is not above it, or for x < t that is below it.
template <Real T>
T threshold_of(const TreeNode& node, const std::string& source) {
  T at = rounded<T>(node.threshold, source);
  const bool above = static_cast<double>(at) > node.threshold;
  const bool equal = static_cast<double>(at) == node.threshold;
  if (above || (equal && node.below)) at = std::nextafter(at, -std::numeric_limits<T>::infinity());
  if (!std::isfinite(at)) {
    throw InputError(source + ": has a threshold below all numbers of its type");
  }
  return at;
}

// The output that all leaves of a tree add to, or all_outputs.
std::int32_t output_of(const std::vector<TreeNode>& tree) {
  std::int64_t only = -1;
  for (const TreeNode& node : tree) {
    for (const auto& [output, value] : node.adds) {
      if (only >= 0 && output != only) return all_outputs;
      only = output;
    }
  }
  return static_cast<std::int32_t>(std::max<std::int64_t>(only, 0));
}

template <Real T>
EnsembleTree<T> tree_of(const std::vector<TreeNode>& nodes, Index outputs,
                        const std::string& source) {
  EnsembleTree<T> tree;
  tree.output = output_of(nodes);
  const auto width = static_cast<std::size_t>(tree.width(outputs));
  std::vector<double> sums(width);
  std::vector<T> values(width);
  for (const TreeNode& node : nodes) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (const auto& [output, value] : node.adds) {
      sums[width == 1 ? 0 : static_cast<std::size_t>(output)] += value;
    }
    for (std::size_t k = 0; k < width; ++k) values[k] = rounded<T>(sums[k], source);
    (void)tree.add_leaf(values);
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const TreeNode& node = nodes[i];
    if (node.feature < 0) continue;
    tree.split(static_cast<Index>(i), static_cast<std::int32_t>(node.feature),
               threshold_of<T>(node, source), node.left, node.right, node.missing_left);
  }
  return tree;
}

template <Real T>
TreeEnsemble<T> ensemble_of(const Meaning& meaning, const std::string& source) {
  TreeEnsemble<T> trees;
  trees.features = meaning.features;
  trees.outputs = meaning.trees.outputs;
  trees.base = all_rounded<T>(meaning.trees.base, source);
  for (const auto& tree : meaning.trees.trees) {
    trees.trees.push_back(tree_of<T>(tree, trees.outputs, source));
  }
  trees.check(source);
  return trees;
}

bool same_splits(const std::vector<TreeNode>& a, const std::vector<TreeNode>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(), [](const TreeNode& x, const TreeNode& y) {
        return x.feature == y.feature && x.threshold == y.threshold && x.below == y.below &&
               x.missing_left == y.missing_left && x.left == y.left && x.right == y.right;
      });
}

// A leaf of TreeEnsemble has one output, so that a tree of several stands there once for each:
// these become one tree again.
void join_trees(Trees& trees) {
  const auto outputs = static_cast<std::size_t>(trees.outputs);
  std::vector<std::vector<TreeNode>> joined;
  for (std::size_t t = 0; t < trees.trees.size();) {
    std::vector<TreeNode> tree = std::move(trees.trees[t++]);
    for (std::size_t k = 1; k < outputs && t < trees.trees.size(); ++k, ++t) {
      const std::vector<TreeNode>& next = trees.trees[t];
      if (!same_splits(tree, next) || output_of(next) != static_cast<std::int32_t>(k)) break;
      for (std::size_t i = 0; i < tree.size(); ++i) {
        tree[i].adds.insert(tree[i].adds.end(), next[i].adds.begin(), next[i].adds.end());
      }
    }
    joined.push_back(std::move(tree));
  }
  trees.trees = std::move(joined);
}

// A leaf's shares of the classes, in any measure where their sum is divided by afterwards, as parts
// of 1.
void divide_leaves(std::vector<TreeNode>& tree) {
  for (TreeNode& node : tree) {
    double sum = 0;
    for (const auto& [output, value] : node.adds) sum += value;
    if (!(sum > 0)) continue;
    for (auto& [output, value] : node.adds) value /= sum;
  }
}

// Every leaf of a forest has its part of 1, so that a row's shares are probabilities.
void require_shares(const Trees& trees, const std::string& source) {
  const double part = 1.0 / static_cast<double>(std::max<std::size_t>(1, trees.trees.size()));
  const bool base =
      std::any_of(trees.base.begin(), trees.base.end(), [](double value) { return value != 0; });
  bool shares = !base;
  for (const auto& tree : trees.trees) {
    for (const TreeNode& node : tree) {
      if (node.feature >= 0) continue;
      double sum = 0;
      for (const auto& [output, value] : node.adds) {
        shares = shares && value >= -1e-6 * part;
        sum += value;
      }
      shares = shares && std::abs(sum - part) <= 1e-4 * part;
    }
  }
  if (shares) return;
  throw InputError(
      source +
      ": its trees add up scores of classes that are no probabilities, and no function "
      "makes probabilities of them; Tandem's classifiers have probabilities");
}

template <Real T>
std::unique_ptr<Model<T>> tree_model_of(Meaning meaning, const std::string& source) {
  if (meaning.link == Link::shares) {
    join_trees(meaning.trees);
    if (meaning.divided && meaning.trees.trees.size() == 1) divide_leaves(meaning.trees.trees[0]);
    require_shares(meaning.trees, source);
    auto forest = std::make_unique<RandomForestModel<T>>();
    forest->class_names = meaning.classes;
    forest->trees = ensemble_of<T>(meaning, source);
    return forest;
  }
  auto boosted = std::make_unique<GradientBoostingModel<T>>();
  boosted->class_names = meaning.classes;
  boosted->trees = ensemble_of<T>(meaning, source);
  switch (meaning.link) {
    case Link::logistic: boosted->objective = BoostingObjective::logistic; break;
    case Link::softmax: boosted->objective = BoostingObjective::softmax; break;
    case Link::exponential: boosted->objective = BoostingObjective::poisson; break;
    case Link::none:
    case Link::shares: boosted->objective = BoostingObjective::squared_error; break;
  }
  return boosted;
}

template <Real T>
std::unique_ptr<Model<T>> linear_model_of(const Meaning& meaning, const std::string& source) {
  const Layer& layer = meaning.layers.front();
  for (const auto* values : {&layer.weights, &layer.bias}) (void)all_rounded<T>(*values, source);
  if (!meaning.classifies) {
    auto model = std::make_unique<LinearRegressionModel<T>>();
    model->weights = layer.weights;
    model->intercept = layer.bias[0];
    return model;
  }
  auto model = std::make_unique<LogisticRegressionModel<T>>();
  model->class_names = meaning.classes;
  const auto outputs = static_cast<std::size_t>(layer.outputs());
  const std::size_t features = layer.weights.size() / outputs;
  const auto weight = [&](std::size_t j, std::size_t k) { return layer.weights[j * outputs + k]; };
  // Two classes have one row here: the odds of the second are the difference of the two.
  const bool pair = outputs == 2;
  const std::size_t rows = pair ? 1 : outputs;
  model->weights = Matrix<double>(static_cast<Index>(rows), static_cast<Index>(features));
  for (std::size_t k = 0; k < rows; ++k) {
    for (std::size_t j = 0; j < features; ++j) {
      model->weights(static_cast<Index>(k), static_cast<Index>(j)) =
          pair ? weight(j, 1) - weight(j, 0) : weight(j, k);
    }
    model->intercepts.push_back(pair ? layer.bias[1] - layer.bias[0] : layer.bias[k]);
  }
  return model;
}

template <Real T>
std::unique_ptr<Model<T>> perceptron_of(const Meaning& meaning, const std::string& source) {
  auto model = std::make_unique<MlpModel<T>>();
  const auto function = meaning.layers.front().function;
  for (std::size_t l = 0; l < meaning.layers.size(); ++l) {
    const Layer& layer = meaning.layers[l];
    const bool last = l + 1 == meaning.layers.size();
    if (last ? layer.function != Layer::Function::none : layer.function != function) {
      throw InputError(source + ": layer " + std::to_string(l + 1) +
                       (last ? " is the last one and has a function that is not read there"
                             : " has another function than the first"));
    }
    MlpLayer<T> made;
    const Index outputs = layer.outputs();
    made.weights = Matrix<T>(static_cast<Index>(layer.weights.size()) / outputs, outputs,
                             all_rounded<T>(layer.weights, source));
    made.bias = all_rounded<T>(layer.bias, source);
    model->layers.push_back(std::move(made));
  }
  switch (function) {
    case Layer::Function::relu: model->activation = Activation::relu; break;
    case Layer::Function::tanh: model->activation = Activation::tanh; break;
    case Layer::Function::sigmoid: model->activation = Activation::sigmoid; break;
    case Layer::Function::none:
      throw InputError(source + ": has layers without a function between them");
  }
  model->class_names = meaning.classes;
  model->output = meaning.link == Link::none       ? MlpOutput::identity
                  : meaning.link == Link::logistic ? MlpOutput::sigmoid
                                                   : MlpOutput::softmax;
  model->loss = meaning.classifies ? MlpLoss::cross_entropy : MlpLoss::squared_error;
  return model;
}

template <Real T>
std::unique_ptr<Model<T>> model_of(const Meaning& meaning, const std::string& source) {
  std::set<std::string> names(meaning.classes.begin(), meaning.classes.end());
  if (names.size() != meaning.classes.size()) {
    throw InputError(source + ": has two classes of one name");
  }
  if (meaning.classifies && meaning.classes.size() < 2) {
    throw InputError(source + ": has one class only");
  }
  if (!meaning.trees.trees.empty()) return tree_model_of<T>(meaning, source);
  if (meaning.layers.size() == 1 && meaning.layers[0].function == Layer::Function::none) {
    return linear_model_of<T>(meaning, source);
  }
  return perceptron_of<T>(meaning, source);
}

template <Real T>
Pipeline<T> pipeline_of(const Meaning& meaning, const std::string& source) {
  Pipeline<T> pipeline;
  pipeline.model = model_of<T>(meaning, source);
  pipeline.provenance.version = TANDEM_VERSION;
  pipeline.provenance.algorithm = std::string(pipeline.model->algorithm());
  pipeline.provenance.precision = precision_of<T>;
  pipeline.provenance.source = source;
  std::vector<Column> columns = numbered_columns(meaning.features);
  for (std::size_t j = 0; j < meaning.names.size(); ++j) columns[j].name = meaning.names[j];
  pipeline.schema.columns = columns;
  Archive chain;
  std::vector<std::string> steps;
  if (!meaning.scaling.shift.empty()) {
    steps.emplace_back("scale");
    Archive scale;
    scale.set("method", "standard");
    scale.set("shift", meaning.scaling.shift);
    scale.set("divisor", meaning.scaling.divisor);
    chain.set_part("0", scale);
  }
  chain.set("names", std::move(steps));
  chain.set("dropped_rows", Index{0});
  pipeline.transforms = TransformChain<T>::load(chain, std::move(columns));
  return pipeline;
}

// What cannot be loaded again once it is saved is no model.
template <Real T>
Pipeline<T> checked(const Pipeline<T>& pipeline, const std::string& source) {
  Archive archive;
  pipeline.save(archive);
  try {
    return Pipeline<T>::load(archive);
  } catch (const InputError& error) {
    throw InputError(source + ": " + error.marked());
  }
}

}  // namespace
}  // namespace onnx

bool is_onnx(std::string_view head) { return onnx::begins_as_onnx(head); }

AnyModel parse_onnx(std::string_view bytes, const std::string& source,
                    std::optional<Precision> precision) {
  if (!is_onnx(bytes)) throw InputError(source + ": is no ONNX model");
  const onnx::Meaning meaning = onnx::meaning_of(onnx::read_onnx_file(bytes, source), source);
  // Half a million columns or classes come of a damaged file, and memory for them would be taken
  // before anything else is found wrong.
  constexpr Index most_columns = Index{1} << 24;
  if (meaning.features < 1 || meaning.features > most_columns) {
    throw InputError(source + ": takes " + std::to_string(meaning.features) +
                     " columns; expected 1 to " + std::to_string(most_columns));
  }
  const bool doubles = meaning.doubles || meaning.trees.doubles;
  const Precision kept = precision.value_or(doubles ? Precision::float64 : Precision::float32);
  if (kept == Precision::float32)
    return onnx::checked(onnx::pipeline_of<float>(meaning, source), source);
  return onnx::checked(onnx::pipeline_of<double>(meaning, source), source);
}

AnyModel import_onnx(const std::string& path, std::optional<Precision> precision) {
  const std::vector<std::uint8_t> read = read_file(path);
  return parse_onnx({reinterpret_cast<const char*>(read.data()), read.size()}, path, precision);
}

}  // namespace tandem
