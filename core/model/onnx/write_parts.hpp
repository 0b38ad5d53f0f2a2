// The parts of a pipeline as ONNX operators: each adds to a graph.
#pragma once

#include <string>
#include <vector>

#include "core/model/onnx/graph.hpp"
#include "tandem/model/model.hpp"
#include "tandem/transform/chain.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem::onnx {

// The features that the model takes, rows × features of T, from inputs that it declares.
template <Real T>
[[nodiscard]] Graph::Value add_transforms(Graph& graph, const TransformChain<T>& transforms);

// Values in the target's own units, of type double, from those that the model gives.
template <Real T>
[[nodiscard]] Graph::Value restore_target(Graph& graph, const TransformChain<T>& transforms,
                                          Graph::Value values);

// The model's outputs of rows × features of T.
template <Real T>
void add_model(Graph& graph, const Graph::Value& features, const Model<T>& model,
               const TransformChain<T>& transforms);

// rows × outputs raw scores, of type double. features: of type double. Throws InputError for splits
// on zeros that count as missing.
template <Real T>
[[nodiscard]] Graph::Value add_trees(Graph& graph, const Graph::Value& features,
                                     const TreeEnsemble<T>& trees);

}  // namespace tandem::onnx
