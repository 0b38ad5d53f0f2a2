// Each kind of model as ONNX operators, in double until the last step.
#include <array>
#include <cmath>
#include <limits>

#include "core/model/onnx/write_parts.hpp"
#include "tandem/cluster/kmeans.hpp"
#include "tandem/core/error.hpp"
#include "tandem/linear/linear_regression.hpp"
#include "tandem/linear/logistic_regression.hpp"
#include "tandem/nn/mlp.hpp"
#include "tandem/tree/decision_tree.hpp"
#include "tandem/tree/gradient_boosting.hpp"
#include "tandem/tree/isolation_forest.hpp"
#include "tandem/tree/random_forest.hpp"
#include "tandem/tree/tree_model.hpp"

namespace tandem::onnx {
namespace {

Graph::Value number(Graph& graph, double value) {
  return graph.constant(std::span<const double>(&value, 1), {});
}

Graph::Value row(Graph& graph, std::span<const double> values) {
  const std::array<Index, 2> shape{1, static_cast<Index>(values.size())};
  return graph.constant(values, shape);
}

// rows × 1 to rows.
Graph::Value squeezed(Graph& graph, const Graph::Value& x) {
  const std::int64_t axis = 1;
  const std::array<Index, 1> shape{1};
  return graph.apply("Squeeze",
                     {x, graph.constant(std::span<const std::int64_t>(&axis, 1), shape)});
}

// The weights as predictions use them: rounded to T once.
template <Real T>
std::vector<double> rounded(std::span<const double> values) {
  std::vector<double> result;
  for (const double value : values) result.push_back(static_cast<double>(static_cast<T>(value)));
  return result;
}

// x · weightsᵀ + intercepts. weights: outputs × features, row-major.
Graph::Value affine(Graph& graph, const Graph::Value& x, std::span<const double> weights,
                    std::span<const double> intercepts) {
  const std::size_t outputs = intercepts.size();
  const std::size_t features = weights.size() / outputs;
  std::vector<double> transposed(weights.size());
  for (std::size_t k = 0; k < outputs; ++k) {
    for (std::size_t j = 0; j < features; ++j) {
      transposed[j * outputs + k] = weights[k * features + j];
    }
  }
  const std::array<Index, 2> shape{static_cast<Index>(features), static_cast<Index>(outputs)};
  const Graph::Value product =
      graph.apply("MatMul", {x, graph.constant(std::span<const double>(transposed), shape)});
  return graph.apply("Add", {product, row(graph, intercepts)});
}

bool is_integer(const std::string& text) {
  if (text.empty() || text.size() > 18) return false;
  const std::size_t sign = text[0] == '-' ? 1 : 0;
  if (text.size() == sign) return false;
  for (std::size_t i = sign; i < text.size(); ++i) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  return true;
}

// The two outputs of a classification from rows × classes probabilities in double.
template <Real T>
void output_classes(Graph& graph, const Graph::Value& probabilities,
                    const std::vector<std::string>& classes) {
  const Graph::Value shares = graph.cast(probabilities, type_of<T>);
  // The first of the largest.
  const Graph::Value position =
      graph.apply("ArgMax", {shares}, Attributes().integer("axis", 1).integer("keepdims", 0));
  bool integers = true;
  for (const std::string& name : classes) integers = integers && is_integer(name);
  const std::array<Index, 1> shape{static_cast<Index>(classes.size())};
  if (integers) {
    std::vector<std::int64_t> numbers;
    for (const std::string& name : classes) numbers.push_back(std::stoll(name));
    const Graph::Value names = graph.constant(std::span<const std::int64_t>(numbers), shape);
    graph.output("label", graph.apply("Gather", {names, position}), Type::int64);
  } else {
    const Graph::Value names = graph.constant(std::span<const std::string>(classes));
    graph.output("label", graph.apply("Gather", {names, position}), Type::text);
  }
  graph.output("probabilities", shares, type_of<T>, static_cast<Index>(classes.size()));
}

// rows × 1 values in double.
template <Real T>
void output_values(Graph& graph, const Graph::Value& values, const TransformChain<T>& transforms) {
  // Rounded to T as the model's predictions are, then brought to the target's units and rounded
  // again, as the pipeline does.
  Graph::Value result = graph.cast(squeezed(graph, values), type_of<T>);
  if (transforms.changes_target()) {
    result = graph.cast(restore_target(graph, transforms, graph.cast(result, Type::float64)),
                        type_of<T>);
  }
  graph.output("prediction", result, type_of<T>);
}

// Of two classes, from log-odds of the second: rows × 1.
Graph::Value sigmoid_pair(Graph& graph, const Graph::Value& odds) {
  const Graph::Value first = graph.apply("Sigmoid", {graph.apply("Neg", {odds})});
  const Graph::Value second = graph.apply("Sigmoid", {odds});
  return graph.apply("Concat", {first, second}, Attributes().integer("axis", 1));
}

Graph::Value softmax(Graph& graph, const Graph::Value& scores) {
  return graph.apply("Softmax", {scores}, Attributes().integer("axis", 1));
}

// --- kinds of models -----------------------------------------------------------------------------
// Each of these returns false for a model of another kind. x: rows × features in double.

template <Real T>
bool add_linear(Graph& graph, const Graph::Value& x, const Model<T>& model,
                const TransformChain<T>& transforms) {
  if (const auto* linear = dynamic_cast<const LinearRegressionModel<T>*>(&model)) {
    output_values(
        graph,
        affine(graph, x, rounded<T>(linear->weights), rounded<T>(std::span(&linear->intercept, 1))),
        transforms);
    return true;
  }
  if (const auto* logistic = dynamic_cast<const LogisticRegressionModel<T>*>(&model)) {
    const Graph::Value sums =
        affine(graph, x, rounded<T>(logistic->weights.values()), rounded<T>(logistic->intercepts));
    const bool two = logistic->weights.rows() == 1;
    output_classes<T>(graph, two ? sigmoid_pair(graph, sums) : softmax(graph, sums),
                      logistic->class_names);
    return true;
  }
  return false;
}

Graph::Value activated(Graph& graph, const Graph::Value& x, Activation activation) {
  switch (activation) {
    case Activation::sigmoid: return graph.apply("Sigmoid", {x});
    case Activation::tanh: return graph.apply("Tanh", {x});
    case Activation::relu: return graph.apply("Relu", {x});
    case Activation::gelu: break;
  }
  // x·Φ(x); runtimes have erf in float at least, which is as exact as a float's prediction needs.
  const Graph::Value scaled = graph.apply("Mul", {x, number(graph, std::sqrt(0.5))});
  const Graph::Value erf =
      graph.cast(graph.apply("Erf", {graph.cast(scaled, Type::float32)}), Type::float64);
  const Graph::Value half = number(graph, 0.5);
  const Graph::Value distribution = graph.apply("Add", {graph.apply("Mul", {erf, half}), half});
  return graph.apply("Mul", {x, distribution});
}

template <Real T>
bool add_perceptron(Graph& graph, const Graph::Value& x, const Model<T>& model,
                    const TransformChain<T>& transforms) {
  const auto* mlp = dynamic_cast<const MlpModel<T>*>(&model);
  if (mlp == nullptr) return false;
  const auto doubles = [](const std::vector<T>& values) {
    return std::vector<double>(values.begin(), values.end());
  };
  Graph::Value u = x;
  for (std::size_t l = 0; l < mlp->layers.size(); ++l) {
    const MlpLayer<T>& layer = mlp->layers[l];
    const std::vector<double> weights = doubles(layer.weights.values());
    const std::array<Index, 2> shape{layer.inputs(), layer.outputs()};
    u = graph.apply("MatMul", {u, graph.constant(std::span<const double>(weights), shape)});
    if (layer.normalised()) {
      std::vector<double> factor;
      for (std::size_t j = 0; j < layer.scale.size(); ++j) {
        factor.push_back(
            static_cast<double>(layer.scale[j]) /
            std::sqrt(static_cast<double>(layer.running_variance[j]) + mlp->batch_norm_epsilon));
      }
      u = graph.apply("Sub", {u, row(graph, doubles(layer.running_mean))});
      u = graph.apply("Mul", {u, row(graph, factor)});
    }
    u = graph.apply("Add", {u, row(graph, doubles(layer.bias))});
    if (l + 1 < mlp->layers.size()) u = activated(graph, u, mlp->activation);
  }
  switch (mlp->output) {
    case MlpOutput::identity: output_values(graph, u, transforms); break;
    case MlpOutput::sigmoid:
      output_classes<T>(graph, sigmoid_pair(graph, u), mlp->class_names);
      break;
    case MlpOutput::softmax:
    case MlpOutput::automatic: output_classes<T>(graph, softmax(graph, u), mlp->class_names); break;
  }
  return true;
}

template <Real T>
bool add_kmeans(Graph& graph, const Graph::Value& x, const Model<T>& model) {
  const auto* kmeans = dynamic_cast<const KMeansModel<T>*>(&model);
  if (kmeans == nullptr) return false;
  // The nearest centre c has the least ‖c‖² − 2·x·c, all relative to the model's origin.
  const std::vector<double> origin(kmeans->origin.begin(), kmeans->origin.end());
  const auto clusters = static_cast<std::size_t>(kmeans->centres.rows());
  std::vector<double> weights;
  std::vector<double> squares;
  for (std::size_t c = 0; c < clusters; ++c) {
    double square = 0;
    const auto centre = kmeans->centres.row(static_cast<Index>(c));
    for (std::size_t j = 0; j < origin.size(); ++j) {
      const double at = static_cast<double>(centre[j]) - origin[j];
      weights.push_back(-2 * at);
      square += at * at;
    }
    squares.push_back(square);
  }
  const Graph::Value centred = graph.apply("Sub", {x, row(graph, origin)});
  const Graph::Value label = graph.apply("ArgMin", {affine(graph, centred, weights, squares)},
                                         Attributes().integer("axis", 1).integer("keepdims", 0));
  graph.output("label", label, Type::int64);
  return true;
}

template <Real T>
void add_boosting(Graph& graph, const Graph::Value& scores, const GradientBoostingModel<T>& model,
                  const TransformChain<T>& transforms) {
  switch (model.objective) {
    case BoostingObjective::logistic:
      if (model.class_names.size() == 1) break;
      return output_classes<T>(graph, sigmoid_pair(graph, scores), model.class_names);
    case BoostingObjective::softmax:
      return output_classes<T>(graph, softmax(graph, scores), model.class_names);
    case BoostingObjective::poisson:
    case BoostingObjective::gamma:
    case BoostingObjective::tweedie:
      return output_values(graph, graph.apply("Exp", {scores}), transforms);
    default: return output_values(graph, scores, transforms);
  }
  // Of one class, whose probability is 1 whatever the score.
  const Graph::Value ones = graph.apply("Exp", {graph.apply("Mul", {scores, number(graph, 0)})});
  output_classes<T>(graph, ones, model.class_names);
}

template <Real T>
void add_isolation(Graph& graph, const Graph::Value& lengths,
                   const IsolationForestModel<T>& model) {
  const double scale = -std::log(2.0) / mean_isolation_depth(static_cast<double>(model.draws));
  const Graph::Value score = graph.cast(
      squeezed(graph, graph.apply("Exp", {graph.apply("Mul", {lengths, number(graph, scale)})})),
      type_of<T>);
  const Graph::Value outlier =
      graph.apply("Greater", {graph.cast(score, Type::float64), number(graph, model.threshold)});
  graph.output("label", graph.cast(outlier, Type::int64), Type::int64);
  graph.output("score", score, type_of<T>);
}

template <Real T>
bool add_tree_model(Graph& graph, const Features& features, const Model<T>& model,
                    const TransformChain<T>& transforms, OnnxOperators operators) {
  const auto trees = tree_ensemble_of(model);
  if (!trees) return false;
  const Graph::Value scores = add_trees(graph, features, *trees, operators);
  if (const auto* boosted = dynamic_cast<const GradientBoostingModel<T>*>(&model)) {
    add_boosting(graph, scores, *boosted, transforms);
  } else if (const auto* isolation = dynamic_cast<const IsolationForestModel<T>*>(&model)) {
    add_isolation(graph, scores, *isolation);
  } else if (model.task() == Task::regression) {
    output_values(graph, scores, transforms);
  } else if (model.task() == Task::classification) {
    // Shares of classes, which add up to 1 but for rounding.
    const std::int64_t axis = 1;
    const std::array<Index, 1> shape{1};
    const Graph::Value sum = graph.apply(
        "ReduceSum", {scores, graph.constant(std::span<const std::int64_t>(&axis, 1), shape)});
    output_classes<T>(graph, graph.apply("Div", {scores, sum}), model.classes());
  } else {
    return false;
  }
  return true;
}

}  // namespace

template <Real T>
void add_model(Graph& graph, const Features& features, const Model<T>& model,
               const TransformChain<T>& transforms, OnnxOperators operators) {
  if (add_tree_model(graph, features, model, transforms, operators)) return;
  const Graph::Value x =
      features.type == Type::float64 ? features.value : graph.cast(features.value, Type::float64);
  if (add_linear(graph, x, model, transforms) || add_perceptron(graph, x, model, transforms) ||
      add_kmeans(graph, x, model)) {
    return;
  }
  throw InputError("a model of " + std::string(model.algorithm()) +
                   " has no form in ONNX operators yet; docs/onnx.md lists those that have");
}

template void add_model(Graph&, const Features&, const Model<float>&, const TransformChain<float>&,
                        OnnxOperators);
template void add_model(Graph&, const Features&, const Model<double>&,
                        const TransformChain<double>&, OnnxOperators);

}  // namespace tandem::onnx
