// Shapley values of rows, path by path.
//
// A path leads from the root of a tree to a leaf of value v. Its m distinct features are its
// elements; element e is "on" for a row that goes the path's way at all of the nodes that split by
// its feature (o = 1, else 0), and z is the product of the shares of the covers that do. With the
// features of S known, a row reaches the leaf with weight Π_{e in S} o_e · Π_{e not in S} z_e. The
// Shapley weight of S, k!(m − 1 − k)!/m! for k = |S|, is the integral of t^k (1 − t)^(m−1−k) from 0
// to 1, so that the sum over all S of the others becomes
//
//   φ_e = v (o_e − z_e) ∫ Π_{i ≠ e} c_i(t) dt,   c_i(t) = (1 − t) z_i + t o_i.
//
// The integrand is a polynomial of degree m − 1, which Gauss and Legendre's rule of ⌈m/2⌉ nodes
// integrates exactly, and all of its terms are positive: nothing cancels, at any depth, where the
// recurrences of the papers divide by what may be small. For a pair the same holds with both left
// out of the product.
//
// The order of operations, which every engine follows: for each path in ascending order of trees
// and, in a tree, of its leaves from left to right, and for each node t of its rule in ascending
// order, with weight w,
//
//   c_e = z_e·(1 − t) + (t where on, else 0);  pre_e = c_0 c_1 ... c_(e−1) from the left;
//   suf_e = w·c_(m−1)·...·c_(e+1) from the left;  s_e += pre_e·suf_e  (from 0)
//   then φ[f_e] += ((on ? 1 − z_e : −z_e)·s_e)·v
//
// and for a pair a < b, mid = pre_a·c_(a+1)·...·c_(b−1) from the left, s_ab += mid·suf_b, and
// φ[f_a, f_b] and φ[f_b, f_a] += ((g_a·g_b)·s_ab)·(v/2) with g the factor in brackets above. All in
// double precision, without fma.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/cost.hpp"
#include "core/steps.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem::tree {

struct ShapElement {
  double share = 0;  // z
  std::int32_t feature = 0;
  std::int32_t first_step = 0;  // of ShapPaths::steps; the next element's is its end
};

struct ShapPath {
  std::int32_t first_element = 0;  // the next path's is its end
  std::int32_t first_value = 0;
  std::int32_t output = 0;      // or all_outputs
  std::int32_t first_node = 0;  // of its rule; it has ⌈m/2⌉ nodes
};

// A node and weight of a rule on [0, 1].
struct ShapNode {
  double t = 0;
  double rest = 0;  // 1 − t
  double weight = 0;
};

// At packed node step >> 1 the path goes left, or right where the lowest bit is set.
using ShapStep = std::uint32_t;

// The paths of consecutive trees. The last of paths, elements and tree_paths are ends.
template <Real T>
struct ShapPaths {
  Index first_tree = 0;
  Index trees = 0;
  Index paths = 0;
  Index longest = 0;  // elements
  Buffer<ShapPath> path;
  Buffer<ShapElement> elements;
  Buffer<ShapStep> steps;
  Buffer<double> values;
  Buffer<ShapNode> rules;
  std::vector<std::int32_t>
      tree_paths;  // trees + 1: the first path of each, for whoever is on the host
};

// Bytes that must move, and multiplications and additions, for `rows` rows and paths of `elements`
// elements each: a path is read once for the rows that share it, values of x and φ once per row.
[[nodiscard]] constexpr Cost shap_cost(double rows, double features, double outputs, double paths,
                                       double elements, double value_bytes) {
  return {
      rows * features * (value_bytes + 2 * 8 * outputs) + paths * (16 + elements * (16 + 4) + 8),
      rows * paths * elements * ((elements + 1) / 2 * 6 + 3)};
}

template <Real T>
class TreeShapSteps {
 public:
  virtual ~TreeShapSteps() = default;
  static constexpr std::string_view name = "tree_shap";
  [[nodiscard]] static std::unique_ptr<TreeShapSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<TreeShapSteps> make_cpu(Engine& engine);

  // phi[(i·outputs + k)·features + f] += the paths' φ of row i of x (rows × features). Only
  // enqueued.
  virtual void add_values(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths,
                          const Buffer<T>& x, Index rows, Buffer<double>& phi) = 0;

  // phi[((i·outputs + k)·features + a)·features + b] += the paths' φ of pairs a != b. Only
  // enqueued.
  virtual void add_interactions(const EnsembleOnEngine<T>& trees, const ShapPaths<T>& paths,
                                const Buffer<T>& x, Index rows, Buffer<double>& phi) = 0;
};

// shap_values() with the trees cut into pieces of about so many elements, for tests.
template <Real T>
[[nodiscard]] ShapValues shap_values_by_pieces(Engine& engine, const TreeEnsemble<T>& trees,
                                               MatrixView<const T> x, std::size_t most_elements);

}  // namespace tandem::tree
