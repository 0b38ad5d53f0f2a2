// Trees in an engine's memory, laid out for prediction, and the steps that send rows down them.
#pragma once

#include <cmath>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "core/cost.hpp"
#include "core/steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem::tree {

// A node. Siblings are neighbours, so that one number leads to both; the nodes of a tree stand
// level by level. A leaf leads to itself on its left and sends everything there (its threshold is
// infinite and its feature 0), so that rows whose leaves are at different depths can go down
// together, without a branch, until all have arrived.
template <Real T>
struct PackedNode {
  T threshold;
  std::int32_t left;     // the left child; the right one is left + 1
  std::uint32_t asks;    // the feature, and above it the bits below
  std::int32_t payload;  // of a leaf: its first value; of a categorical split: its set
};
static_assert(sizeof(PackedNode<float>) == 16 && sizeof(PackedNode<double>) == 24);

inline constexpr std::uint32_t packed_missing_left = 1U << 31;
inline constexpr std::uint32_t packed_categorical = 1U << 30;
inline constexpr std::uint32_t packed_zero_is_missing = 1U << 29;
inline constexpr std::uint32_t packed_feature = packed_zero_is_missing - 1;

struct PackedTree {
  std::int32_t root = 0;
  std::int32_t depth = 0;
  std::int32_t output = 0;  // or all_outputs
  // Whether every split compares with a threshold and only a NaN is missing.
  std::int32_t plain = 1;
};

// A set of categories: the number of words, then the words.
[[nodiscard]] TANDEM_HOST_DEVICE inline bool in_set(const std::uint32_t* set, double value) {
  if (!(value >= 0) || value >= 32.0 * set[0]) return false;
  const auto category = static_cast<std::uint32_t>(value);
  return ((set[1 + category / 32] >> (category % 32)) & 1) != 0;
}

// The child that a row goes to whose value of the node's feature is x.
template <Real T>
[[nodiscard]] TANDEM_HOST_DEVICE inline std::int32_t child_of(const PackedNode<T>& node, T x,
                                                              const std::uint32_t* sets) {
  const bool missing = x != x || ((node.asks & packed_zero_is_missing) != 0 &&
                                  std::fabs(static_cast<double>(x)) <= 1e-35);
  bool left = false;
  if (missing)
    left = (node.asks & packed_missing_left) != 0;
  else if ((node.asks & packed_categorical) != 0)
    left = in_set(sets + node.payload, static_cast<double>(x));
  else
    left = x <= node.threshold;
  return node.left + (left ? 0 : 1);
}

template <Real T>
struct EnsembleOnEngine {
  Index features = 0;
  Index outputs = 1;
  Index trees = 0;
  Index depth = 0;               // of the deepest tree
  bool plain = true;             // whether all trees are
  Buffer<PackedTree> heads;      // trees
  Buffer<PackedNode<T>> nodes;   // of all trees
  Buffer<T> values;              // of all leaves
  Buffer<std::int32_t> numbers;  // per node: its number in its EnsembleTree
  Buffer<std::uint32_t> sets;
  Buffer<T> base;                   // outputs
  std::vector<PackedTree> on_host;  // the heads, for whoever launches
};

// Lays out the trees. Throws InputError where they have 2³¹ nodes or values, or 2²⁹ features.
template <Real T>
[[nodiscard]] EnsembleOnEngine<T> to_engine(Engine& engine, const TreeEnsemble<T>& ensemble);

// Adds the leaves of one row in all trees to its scores, as add_trees() does, for trees in the
// host's memory. Allocates nothing. Defined in cpu/tree/tree_ensemble.cpp.
template <Real T>
void add_row(const EnsembleOnEngine<T>& trees, const T* row, T* scores) noexcept;

// Bytes and operations of predicting, for benchmarks and for tests of the kernels: each value of x
// once, each score read and written; per row and tree `depth` nodes, which caches hold.
[[nodiscard]] constexpr Cost add_trees_cost(double rows, double features, double outputs,
                                            double trees, double depth, double nodes,
                                            double value_bytes) {
  return {value_bytes * rows * (features + 2 * outputs) + nodes * (value_bytes == 4 ? 16.0 : 24.0),
          rows * trees * depth};
}

template <Real T>
class TreeEnsembleSteps {
 public:
  virtual ~TreeEnsembleSteps() = default;
  static constexpr std::string_view name = "tree_ensemble";
  [[nodiscard]] static std::unique_ptr<TreeEnsembleSteps> make_reference(Engine& engine);
  [[nodiscard]] static std::unique_ptr<TreeEnsembleSteps> make_cpu(Engine& engine);

  // scores (rows × outputs, row-major) begin with the base. Only enqueued.
  virtual void set_base(const EnsembleOnEngine<T>& trees, Index rows, Buffer<T>& scores) = 0;

  // Adds to scores[i·outputs + k] the leaves of row i of x (rows × features, row-major) in the
  // trees first .. first + count − 1 of output k, one after the other, in T. Only enqueued.
  virtual void add_trees(const EnsembleOnEngine<T>& trees, Index first, Index count,
                         const Buffer<T>& x, Index rows, Buffer<T>& scores) = 0;

  // leaf[i·trees + t] = the number of the node of tree t that row i ends in. Only enqueued.
  virtual void find_leaves(const EnsembleOnEngine<T>& trees, const Buffer<T>& x, Index rows,
                           Buffer<std::int32_t>& leaf) = 0;
};

}  // namespace tandem::tree
