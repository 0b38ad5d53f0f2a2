// What the agreements of single trees and of forests have in common: the rows that trees are grown
// on, and the comparison of two trees, node by node.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agree/case.hpp"
#include "agree/fits.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem::agree {

// Rows of classes or values, some with weights, whole or fractional, some with missing features.
template <Real T>
struct TreeTraining {
  Dataset<T> data;
  bool classifies = false;
  bool fractional = false;  // weights
  TreeCriterion criterion = TreeCriterion::automatic;
};

template <Real T>
[[nodiscard]] TreeTraining<T> make_tree_training(const Key& key, Draw& draw) {
  TreeTraining<T> made;
  Dataset<T>& data = made.data;
  data.source = "generated";
  data.features = make_features<T>(key.kind, key.rows, draw.between(1, 8), draw);
  const Index rows = data.rows();
  data.columns = numbered_columns(data.cols());
  data.target_column.name = "y";
  made.classifies = draw.below(3) > 0;
  if (made.classifies) {
    const Index classes = draw.of<Index>({2, 2, 3, 9, 40});
    for (const auto label : make_labels(data.features, classes, draw)) {
      data.target.push_back(static_cast<T>(label));
    }
    made.criterion = draw.flip() ? TreeCriterion::entropy : TreeCriterion::gini;
  } else {
    data.target = make_target(key.kind, data.features, draw);
  }
  switch (draw.below(4)) {
    case 0: data.weights = make_weights<T>(rows, draw); break;
    case 1:
      made.fractional = true;
      for (Index i = 0; i < rows; ++i) {
        data.weights.push_back(static_cast<T>(draw.uniform(0.1, 3)));
      }
      break;
    default: break;
  }
  const double missing = draw.of({0.0, 0.0, 0.2});
  for (T& value : data.features.values()) {
    if (draw.uniform() < missing) value = std::numeric_limits<T>::quiet_NaN();
  }
  return made;
}

// Weight times impurity of some rows, by the definition. weight(i): of row i.
template <Real T, class Weight>
[[nodiscard]] long double weighted_impurity(const Dataset<T>& data, TreeCriterion criterion,
                                            const std::vector<Index>& rows, Weight&& weight) {
  std::map<T, long double> weight_of;
  long double total = 0;
  long double mean = 0;
  for (const Index i : rows) {
    const T y = data.target[static_cast<std::size_t>(i)];
    const long double w = weight(i);
    weight_of[y] += w;
    total += w;
    mean += w * static_cast<long double>(y);
  }
  if (total == 0) return 0;
  mean /= total;
  long double sum = 0;
  for (const auto& [y, w] : weight_of) {
    const long double share = w / total;
    const long double distance = static_cast<long double>(y) - mean;
    if (criterion == TreeCriterion::entropy) {
      sum -= share * std::log2(share);
    } else if (criterion == TreeCriterion::gini) {
      sum += share * (1 - share);
    } else {
      sum += share * distance * distance;
    }
  }
  return total * sum;
}

// Walks down two trees of the same rows and compares their splits. The reference judges cuts by
// impurities in double precision, so that its tree may part from an engine's where two cuts are as
// good; below such a node they are not compared.
//
// A tree has feature (−1 in a leaf), threshold, left and right by node, and missing_left(node).
// same_node(a, b) compares what is known of two nodes of the same rows. impurity(rows): weight
// times impurity. tree_weight: of all rows. Names of what is compared begin with `name`.
template <Real T, class Tree, class SameNode, class Impurity>
void judge_trees(Judge& judge, const std::string& name, const TreeTraining<T>& training,
                 std::vector<Index> rows, const Tree& a, const Tree& b, double tree_weight,
                 SameNode&& same_node, Impurity&& impurity) {
  struct Pair {
    std::size_t a;
    std::size_t b;
    std::vector<Index> rows;
  };
  const auto sides = [&](const Tree& tree, std::size_t node, const std::vector<Index>& of_node) {
    std::pair<std::vector<Index>, std::vector<Index>> parts;
    for (const Index i : of_node) {
      const T v = training.data.features(i, tree.feature[node]);
      const bool left = std::isnan(v) ? tree.missing_left(node) : v <= tree.threshold[node];
      (left ? parts.first : parts.second).push_back(i);
    }
    return parts;
  };
  const double root = static_cast<double>(impurity(rows));
  std::vector<Pair> stack{{0, 0, std::move(rows)}};
  while (!stack.empty()) {
    const Pair at = std::move(stack.back());
    stack.pop_back();
    const auto number = static_cast<Index>(at.a);
    same_node(at.a, at.b);
    const bool leaf = a.feature[at.a] < 0;
    judge.compare(name + "leaf", number, Tolerance::exact, leaf ? 1 : 0,
                  b.feature[at.b] < 0 ? 1 : 0, 0);
    if (leaf || b.feature[at.b] < 0) continue;
    const auto of_a = sides(a, at.a, at.rows);
    const auto of_b = sides(b, at.b, at.rows);
    if (of_a == of_b) {
      if (a.feature[at.a] == b.feature[at.b]) {
        judge.compare(name + "threshold", number, Tolerance::exact,
                      static_cast<double>(a.threshold[at.a]),
                      static_cast<double>(b.threshold[at.b]), 0);
      }
      stack.push_back({static_cast<std::size_t>(a.left[at.a]),
                       static_cast<std::size_t>(b.left[at.b]), of_a.first});
      stack.push_back({static_cast<std::size_t>(a.right[at.a]),
                       static_cast<std::size_t>(b.right[at.b]), of_a.second});
      continue;
    }
    // The bound: 64 roundings, and 2^-40 for fixed point, of the largest merit there can be;
    // targets below the smallest unit of fixed point are 0.
    const double merit_a = static_cast<double>(impurity(of_a.first) + impurity(of_a.second));
    const double merit_b = static_cast<double>(impurity(of_b.first) + impurity(of_b.second));
    const double largest = training.classifies
                               ? tree_weight * std::log2(static_cast<double>(at.rows.size()) + 2)
                               : root;
    const double bound = (64 * unit_roundoff<double> + 0x1p-40) * largest + tree_weight * 0x1p-1000;
    judge.choice(name + "split", number, merit_a, merit_b, std::abs(merit_a - merit_b), bound);
  }
}

}  // namespace tandem::agree
