// What each feature adds to the raw scores that trees give to a row: Shapley values, exactly.
//
// Lundberg, Erion and Lee, "Consistent Individualized Feature Attribution for Tree Ensembles",
// arXiv:1802.03888 (2018); Lundberg et al., "From Local Explanations to Global Understanding with
// Explainable AI for Trees", Nature Machine Intelligence 2 (2020).
//
// Where the values of a set S of features are known and the others are not, a tree expects of a row
// what the leaves give on average: at a node whose feature is in S the row goes its way, at another
// it goes both, in proportion to the covers of the children ("path-dependent" in the second paper;
// `tree_path_dependent` of the package shap, `pred_contribs` of XGBoost, `predict_contrib` of
// LightGBM). The Shapley value of a feature is what its becoming known adds to that, averaged over
// all orders in which features may become known. docs/explain.md states formulas and numerics.
#pragma once

#include <type_traits>
#include <vector>

#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/types.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem {

// In units of the raw score. For every row and output, expected[output] + the sum of the row's
// values is its raw score, up to the rounding of both.
struct ShapValues {
  Index features = 0;
  std::vector<double> expected;  // per output: the score of a row of which nothing is known
  Matrix<double> values;         // rows × (outputs · features)

  [[nodiscard]] Index outputs() const noexcept { return static_cast<Index>(expected.size()); }
  [[nodiscard]] double operator()(Index row, Index output, Index feature) const {
    return values(row, output * features + feature);
  }
};

// The Shapley values of pairs (Fujimoto, Kojadinovic and Marichal 2006, as the papers above use
// them): for every feature, the row of the symmetric matrix of an output sums to the feature's
// Shapley value. Off the diagonal stands half of what the two features do together beyond what
// they do apart, on the diagonal what the feature does by itself.
struct ShapInteractions {
  Index features = 0;
  std::vector<double> expected;  // per output
  Matrix<double> values;         // rows × (outputs · features · features)

  [[nodiscard]] Index outputs() const noexcept { return static_cast<Index>(expected.size()); }
  [[nodiscard]] double operator()(Index row, Index output, Index a, Index b) const {
    return values(row, (output * features + a) * features + b);
  }
};

// x: rows × trees.features; NaN is missing where the trees say so. The same bits on cpu, whatever
// the threads, and on cuda. Takes rows · Σ over leaves of (splits above it)² / 2 multiplications.
// Throws InputError where x has another number of columns, or where a tree with splits does not
// know its covers (all are 0).
template <Real T>
[[nodiscard]] TANDEM_API ShapValues shap_values(Engine& engine, const TreeEnsemble<T>& trees,
                                                MatrixView<const std::type_identity_t<T>> x);

// The same for pairs; takes as many multiplications more for each split above a leaf.
template <Real T>
[[nodiscard]] TANDEM_API ShapInteractions shap_interactions(
    Engine& engine, const TreeEnsemble<T>& trees, MatrixView<const std::type_identity_t<T>> x);

}  // namespace tandem
