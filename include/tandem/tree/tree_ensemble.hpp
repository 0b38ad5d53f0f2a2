// Trees whose leaves are added up: what boosted trees and forests are once they have been grown,
// and what models of other programs are read into.
//
// The raw score of a row for output k is the chain base[k] + v₀ + v₁ + ... in T, v_t the value of
// the leaf of tree t that the row ends in, in ascending order of the trees that add to output k.
// Every engine adds in this order, so that scores have the same bits everywhere. What a score means
// (a log-odds, a mean, the sum over a forest) is known to the model that holds the ensemble.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/core/archive.hpp"
#include "tandem/core/engine.hpp"
#include "tandem/core/export.hpp"
#include "tandem/core/matrix.hpp"
#include "tandem/core/names.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// How a node treats values, as bits of EnsembleTree::flags.
//
// A value x of a feature is missing where it is a NaN, and, with zero_is_missing, where
// |x| <= 10⁻³⁵ (some files of LightGBM ask for it). A missing value goes left where missing_left is
// set, else right. A known value goes left where x <= threshold; in a categorical split, where x
// cut down to a whole number is a member of the node's set. A category that is not in the set goes
// right, those that training never saw and negative ones among them.
enum TreeFlag : std::uint8_t {
  tree_missing_left = 1,
  tree_categorical = 2,
  tree_zero_is_missing = 4,
};

// The output of a tree whose leaves hold a value for each output.
inline constexpr std::int32_t all_outputs = -1;

// One tree, node by node. Node 0 is the root, and a parent comes before its children. All vectors
// but `value` and `categories` have one entry per node.
template <Real T>
struct TANDEM_API EnsembleTree {
  std::int32_t output = 0;            // that the tree adds to, or all_outputs
  std::vector<std::int32_t> feature;  // −1 in a leaf
  std::vector<T> threshold;           // 0 in a leaf and in a categorical split
  std::vector<std::int32_t> left;     // −1 in a leaf
  std::vector<std::int32_t> right;    // −1 in a leaf
  std::vector<std::uint8_t> flags;    // TreeFlag; 0 in a leaf
  std::vector<double> gain;           // what the split gained by the measure that chose it; >= 0
  std::vector<double> cover;          // weight, or sum of Hessians, of the training rows; >= 0
  // nodes × width(outputs): what a row that ends here adds. Of inner nodes, what the node would
  // add if it were a leaf, or 0 where that is not known; predictions do not use it.
  std::vector<T> value;
  // The set of a categorical node is categories[first_category .. + category_words), bit c of it
  // word c / 32, bit c % 32; 0 elsewhere. Both vectors are empty in a tree without such nodes.
  std::vector<std::int32_t> first_category;
  std::vector<std::int32_t> category_words;
  std::vector<std::uint32_t> categories;

  [[nodiscard]] Index size() const noexcept { return static_cast<Index>(feature.size()); }
  [[nodiscard]] bool leaf(Index node) const { return feature[static_cast<std::size_t>(node)] < 0; }
  // Values per node in an ensemble of so many outputs.
  [[nodiscard]] Index width(Index outputs) const { return output == all_outputs ? outputs : 1; }
  // Splits between the root and the deepest leaf.
  [[nodiscard]] Index depth() const;
  [[nodiscard]] Index leaves() const;

  // For whoever builds a tree. Appends a leaf that adds `values`, and returns its number.
  Index add_leaf(std::span<const T> values, double node_cover = 0);
  Index add_leaf(T node_value, double node_cover = 0) {
    return add_leaf({&node_value, 1}, node_cover);
  }
  // Makes a leaf an inner node; its children, numbered higher, are appended before or afterwards.
  void split(Index node, std::int32_t by_feature, T at_threshold, Index to_left, Index to_right,
             bool missing_left, double split_gain = 0);
  // The same for a set of categories, which go left. Requires: all >= 0.
  void split_by_category(Index node, std::int32_t by_feature, std::span<const std::int32_t> go_left,
                         Index to_left, Index to_right, bool missing_left, double split_gain = 0);
  [[nodiscard]] bool operator==(const EnsembleTree&) const = default;
};

// The measure of a feature's importance: the sum of gains or of covers of the nodes that split it,
// their means, or the number of such nodes.
enum class ImportanceKind { total_gain, gain, total_cover, cover, splits };
template <>
inline constexpr std::array<std::string_view, 5> enum_names<ImportanceKind>{
    "total-gain", "gain", "total-cover", "cover", "splits"};

template <Real T>
struct TANDEM_API TreeEnsemble {
  Index features = 0;
  Index outputs = 1;
  std::vector<T> base;  // one per output
  std::vector<EnsembleTree<T>> trees;
  // Per feature the names of its categories, in order of code, or nothing where it has none or they
  // are not known; empty where that is so of all. For printing.
  std::vector<std::vector<std::string>> categories{};

  // Throws InputError that begins with `source` and names the tree and the node where something
  // could not be predicted with: children out of bounds or of two parents, a feature that is not
  // there, a number that is not finite, vectors of unequal length. Every other function asks that
  // this one passes.
  void check(std::string_view source) const;

  // Throws InputError where rows have another number of columns than `features`.
  void check_columns(Index cols) const;

  // rows × outputs raw scores of the trees first .. first + count − 1, all of them by default.
  // `margin`, rows × outputs or empty, is what each row's chain starts from instead of `base`.
  // Throws InputError where x has another number of columns than `features`.
  [[nodiscard]] Matrix<T> raw_scores(Engine& engine, MatrixView<const T> x,
                                     MatrixView<const T> margin = {}, Index first = 0,
                                     Index count = -1) const;
  // rows × trees: the node that each row ends in.
  [[nodiscard]] Matrix<std::int32_t> leaves(Engine& engine, MatrixView<const T> x) const;

  // One per feature; not scaled. 0 for a feature that no node splits.
  [[nodiscard]] std::vector<double> importances(ImportanceKind kind) const;

  // One line per node of the first `most_trees` trees (0: all).
  [[nodiscard]] std::string to_text(const std::vector<std::string>& feature_names,
                                    Index most_trees = 0) const;
  // The same as a JSON object.
  [[nodiscard]] std::string to_json(const std::vector<std::string>& feature_names) const;

  // Under "prefix/". load() throws InputError for what check() refuses.
  void save(Archive& archive, std::string_view prefix = "trees") const;
  [[nodiscard]] static TreeEnsemble load(const Archive& archive, std::string_view prefix = "trees");

  [[nodiscard]] bool operator==(const TreeEnsemble&) const = default;
};

}  // namespace tandem
