// Whole fits of forests, for the agreements of both kinds.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>
#include <vector>

#include "agree/case.hpp"
#include "agree/fits.hpp"
#include "core/tree/random_forest_steps.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem::agree {

// A forest, node by node. The reference judges cuts by impurities in double precision, so that its
// trees may part from an engine's where two cuts are as good; below such a node they are not
// compared.
template <Real T, ForestKind kind>
class ForestFitCase : public Case {
 public:
  explicit ForestFitCase(const Key& key) : draw_(key.seed, 71) {
    data_.source = "generated";
    data_.features = make_features<T>(key.kind, key.rows, draw_.between(1, 8), draw_);
    const Index rows = data_.rows();
    data_.columns = numbered_columns(data_.cols());
    data_.target_column.name = "y";
    const bool classifies = draw_.below(3) > 0;
    if (classifies) {
      const Index classes = draw_.of<Index>({2, 2, 3, 9, 40});
      for (const auto label : make_labels(data_.features, classes, draw_)) {
        data_.target.push_back(static_cast<T>(label));
      }
    } else {
      data_.target = make_target(key.kind, data_.features, draw_);
    }
    bool fractional = false;
    switch (draw_.below(4)) {
      case 0: data_.weights = make_weights<T>(rows, draw_); break;
      case 1:
        fractional = true;
        for (Index i = 0; i < rows; ++i) {
          data_.weights.push_back(static_cast<T>(draw_.uniform(0.1, 3)));
        }
        break;
      default: break;
    }
    const double missing = draw_.of({0.0, 0.0, 0.2});
    for (T& value : data_.features.values()) {
      if (draw_.uniform() < missing) value = std::numeric_limits<T>::quiet_NaN();
    }
    for (Index i = 0; i < rows; ++i) {
      if (data_.weights.empty() || data_.weights[static_cast<std::size_t>(i)] > 0) {
        kept_.push_back(i);
      }
    }
    options_.task = classifies ? TaskChoice::classification : TaskChoice::regression;
    if (classifies) {
      options_.criterion = draw_.flip() ? TreeCriterion::entropy : TreeCriterion::gini;
      using Rule = ClassWeights::Rule;
      options_.class_weight.rule =
          draw_.of({Rule::none, Rule::none, Rule::none, Rule::balanced, Rule::balanced_subsample});
      // Weights of many bits are rounded before they are balanced, which judge() does not do.
      if (fractional && options_.class_weight.rule == Rule::balanced_subsample) {
        options_.class_weight.rule = Rule::balanced;
      }
    }
    options_.trees = draw_.of<Index>({1, 2, 5});
    using Rule = MaxFeatures::Rule;
    options_.max_features.rule = draw_.of({Rule::automatic, Rule::all, Rule::sqrt, Rule::count});
    options_.max_features.count = std::min<Index>(2, data_.cols());
    options_.max_depth = draw_.of<Index>({0, 0, 5});
    options_.min_samples_leaf = draw_.of<Index>({1, 1, 4});
    options_.min_samples_split = draw_.of<Index>({2, 2, 7});
    options_.bootstrap = draw_.flip();
    if (draw_.flip()) options_.max_samples = {.rule = MaxSamples::Rule::fraction, .fraction = 0.6};
    options_.seed = draw_.bits() >> 1;
    if (kind == ForestKind::random_forest && draw_.flip()) {
      options_.splitter = TreeSplitter::histogram;
      options_.max_bins = draw_.of<Index>({2, 9, 255});
    }
    // Where every row is drawn by every tree there is nothing to judge, which a fit refuses.
    options_.oob_score =
        kept_.size() > 20 && (options_.bootstrap || !(options_.max_samples == MaxSamples{}));
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto model = fit(engine, data_, options_);
    add_model(out, model);
    for (std::size_t t = 0; t < model.trees.trees.size(); ++t) {
      const EnsembleTree<T>& tree = model.trees.trees[t];
      const std::string name = "tree" + std::to_string(t) + "/";
      out.add(name + "feature", tree.feature);
      out.add(name + "threshold", tree.threshold);
      out.add(name + "left", tree.left);
      out.add(name + "right", tree.right);
      out.add(name + "flags", tree.flags);
      out.add(name + "cover", tree.cover);
      out.add(name + "value", tree.value);
    }
  }

  void judge(Judge& judge) const override {
    const auto draws = tree::RowDraws{
        static_cast<Index>(kept_.size()),
        options_.max_samples.of(static_cast<Index>(kept_.size()), static_cast<Index>(kept_.size())),
        options_.bootstrap, options_.seed, 0};
    for (Index t = 0; t < options_.trees; ++t) {
      std::vector<double> counts(static_cast<std::size_t>(data_.rows()), 0.0);
      if (draws.drawn()) {
        const tree::RowsOfTree rows(draws, static_cast<std::uint64_t>(t));
        for (Index i = 0; i < draws.draws; ++i) {
          counts[static_cast<std::size_t>(kept_[static_cast<std::size_t>(rows(i))])] += 1;
        }
      } else {
        for (const Index row : kept_) counts[static_cast<std::size_t>(row)] = 1;
      }
      judge_tree(judge, "tree" + std::to_string(t) + "/", counts,
                 factors_of_classes(draws, counts));
    }
  }

 private:
  struct Tree {
    const std::vector<std::int32_t>& feature;
    const std::vector<T>& threshold;
    const std::vector<std::int32_t>& left;
    const std::vector<std::int32_t>& right;
    const std::vector<std::uint8_t>& flags;
    const std::vector<double>& cover;
    const std::vector<T>& value;
    Tree(const Outputs& outputs, const std::string& name)
        : feature(outputs.get<std::int32_t>(name + "feature")),
          threshold(outputs.get<T>(name + "threshold")),
          left(outputs.get<std::int32_t>(name + "left")),
          right(outputs.get<std::int32_t>(name + "right")),
          flags(outputs.get<std::uint8_t>(name + "flags")),
          cover(outputs.get<double>(name + "cover")),
          value(outputs.get<T>(name + "value")) {}
  };

  void judge_tree(Judge& judge, const std::string& name, const std::vector<double>& counts,
                  const std::map<T, long double>& factors) const {
    const Tree a(judge.got, name);
    const Tree b(judge.reference, name);
    struct Pair {
      std::int32_t a;
      std::int32_t b;
      std::vector<Index> rows;
    };
    std::vector<Pair> stack{{0, 0, {}}};
    for (Index i = 0; i < data_.rows(); ++i) {
      if (counts[static_cast<std::size_t>(i)] > 0) stack[0].rows.push_back(i);
    }
    const double root = static_cast<double>(impurity(stack[0].rows, counts, factors));
    const std::size_t width = a.value.size() / a.feature.size();
    while (!stack.empty()) {
      const Pair at = std::move(stack.back());
      stack.pop_back();
      const auto node_a = static_cast<std::size_t>(at.a);
      const auto node_b = static_cast<std::size_t>(at.b);
      judge.compare(name + "cover", at.a, Tolerance::exact, a.cover[node_a], b.cover[node_b], 0);
      for (std::size_t k = 0; k < width; ++k) {
        judge.compare(name + "value", at.a, Tolerance::exact,
                      static_cast<double>(a.value[node_a * width + k]),
                      static_cast<double>(b.value[node_b * width + k]), 0);
      }
      const bool leaf = a.feature[node_a] < 0;
      judge.compare(name + "leaf", at.a, Tolerance::exact, leaf ? 1 : 0,
                    b.feature[node_b] < 0 ? 1 : 0, 0);
      if (leaf || b.feature[node_b] < 0) continue;
      const auto [left_a, right_a] = sides(a, node_a, at.rows);
      const auto [left_b, right_b] = sides(b, node_b, at.rows);
      if (left_a == left_b) {
        if (a.feature[node_a] == b.feature[node_b]) {
          judge.compare(name + "threshold", at.a, Tolerance::exact,
                        static_cast<double>(a.threshold[node_a]),
                        static_cast<double>(b.threshold[node_b]), 0);
        }
        stack.push_back({a.left[node_a], b.left[node_b], left_a});
        stack.push_back({a.right[node_a], b.right[node_b], right_a});
        continue;
      }
      // As the decision tree's: 64 roundings, and 2^-40 for fixed point, of the largest merit.
      const double merit_a = static_cast<double>(impurity(left_a, counts, factors) +
                                                 impurity(right_a, counts, factors));
      const double merit_b = static_cast<double>(impurity(left_b, counts, factors) +
                                                 impurity(right_b, counts, factors));
      const double weight = a.cover[0];
      const double largest = options_.task == TaskChoice::regression
                                 ? root
                                 : weight * std::log2(static_cast<double>(at.rows.size()) + 2);
      const double bound = (64 * unit_roundoff<double> + 0x1p-40) * largest + weight * 0x1p-1000;
      judge.choice(name + "split", at.a, merit_a, merit_b, std::abs(merit_a - merit_b), bound);
    }
  }

  [[nodiscard]] std::pair<std::vector<Index>, std::vector<Index>> sides(
      const Tree& tree, std::size_t node, const std::vector<Index>& rows) const {
    std::pair<std::vector<Index>, std::vector<Index>> parts;
    for (const Index i : rows) {
      const T v = data_.features(i, tree.feature[node]);
      const bool left =
          std::isnan(v) ? (tree.flags[node] & tree_missing_left) != 0 : v <= tree.threshold[node];
      (left ? parts.first : parts.second).push_back(i);
    }
    return parts;
  }

  // What the weights of rows are multiplied by, by the target; empty: 1 each.
  [[nodiscard]] std::map<T, long double> factors_of_classes(
      tree::RowDraws draws, const std::vector<double>& counts) const {
    using Rule = ClassWeights::Rule;
    std::map<T, long double> factors;
    if (options_.class_weight.rule == Rule::balanced) {
      for (const Index i : kept_) factors[data_.target[static_cast<std::size_t>(i)]] += 1;
      std::map<T, long double> all;
      for (const T y : data_.target) all[y] += 0;
      for (auto& [y, count] : factors) {
        count =
            static_cast<long double>(kept_.size()) / (static_cast<long double>(all.size()) * count);
      }
    } else if (options_.class_weight.rule == Rule::balanced_subsample) {
      std::map<T, std::int64_t> drawn;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        drawn[data_.target[i]] += static_cast<std::int64_t>(counts[i]);
      }
      std::vector<std::int64_t> of_classes;
      for (const auto& [y, count] : drawn) of_classes.push_back(count);
      draws.balance_bits = tree::balance_bits_for(draws.draws);
      const auto units = tree::balancing_factors(draws, of_classes);
      std::size_t c = 0;
      for (const auto& [y, count] : drawn) {
        factors[y] = std::ldexp(static_cast<long double>(units[c++]), -draws.balance_bits);
      }
    }
    return factors;
  }

  // Weight times impurity of some rows, by the definition.
  [[nodiscard]] long double impurity(const std::vector<Index>& rows,
                                     const std::vector<double>& counts,
                                     const std::map<T, long double>& factors) const {
    std::map<T, long double> weight_of;
    long double total = 0;
    long double mean = 0;
    for (const Index i : rows) {
      const auto at = static_cast<std::size_t>(i);
      const T y = data_.target[at];
      long double w = static_cast<long double>(weight_of_row(i)) * counts[at];
      if (!factors.empty()) w *= factors.at(y);
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
      if (options_.criterion == TreeCriterion::entropy) {
        sum -= share * std::log2(share);
      } else if (options_.criterion == TreeCriterion::gini) {
        sum += share * (1 - share);
      } else {
        sum += share * distance * distance;
      }
    }
    return total * sum;
  }
  [[nodiscard]] double weight_of_row(Index i) const { return weight_of(data_, i); }

  Draw draw_;
  Dataset<T> data_;
  std::vector<Index> kept_;  // rows of weight > 0
  ForestOptions<kind> options_;
};

}  // namespace tandem::agree
