// The parts of a pipeline as ONNX operators: each adds to a graph.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/model/onnx/graph.hpp"
#include "tandem/model/model.hpp"
#include "tandem/model/onnx.hpp"
#include "tandem/transform/chain.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem::onnx {

// rows × features, in T or, where that is the same numbers, in float32.
struct Features {
  Graph::Value value;
  Type type;
};

// The features that the model takes, from inputs that it declares.
template <Real T>
[[nodiscard]] Features add_transforms(Graph& graph, const TransformChain<T>& transforms,
                                      OnnxInput input);

// Values in the target's own units, of type double, from those that the model gives.
template <Real T>
[[nodiscard]] Graph::Value restore_target(Graph& graph, const TransformChain<T>& transforms,
                                          Graph::Value values);

// The model's outputs.
template <Real T>
void add_model(Graph& graph, const Features& features, const Model<T>& model,
               const TransformChain<T>& transforms, OnnxOperators operators);

// rows × outputs raw scores, of type double. Throws InputError for splits on zeros that count as
// missing.
template <Real T>
[[nodiscard]] Graph::Value add_trees(Graph& graph, const Features& features,
                                     const TreeEnsemble<T>& trees, OnnxOperators operators);
// By the operator TreeEnsembleRegressor of ai.onnx.ml 3, whose sums are float32:
// write_old_trees.cpp.
template <Real T>
[[nodiscard]] Graph::Value add_old_trees(Graph& graph, const Features& features,
                                         const TreeEnsemble<T>& trees);
// The codes of a split's set of categories, ascending.
template <Real T>
[[nodiscard]] std::vector<double> members_of(const EnsembleTree<T>& tree, std::size_t node);
// Throws InputError for a split that ONNX has no form for.
void require_known_split(std::uint8_t flags);

}  // namespace tandem::onnx
