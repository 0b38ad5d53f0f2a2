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
#include "agree/tree_cases.hpp"
#include "core/tree/random_forest_steps.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem::agree {

// A forest, node by node.
template <Real T, ForestKind kind>
class ForestFitCase : public Case {
 public:
  explicit ForestFitCase(const Key& key)
      : draw_(key.seed, 71), training_(make_tree_training<T>(key, draw_)) {
    const Dataset<T>& data = training_.data;
    for (Index i = 0; i < data.rows(); ++i) {
      if (data.weights.empty() || data.weights[static_cast<std::size_t>(i)] > 0) {
        kept_.push_back(i);
      }
    }
    options_.task = training_.classifies ? TaskChoice::classification : TaskChoice::regression;
    options_.criterion = training_.criterion;
    if (training_.classifies) {
      using Rule = ClassWeights::Rule;
      options_.class_weight.rule =
          draw_.of({Rule::none, Rule::none, Rule::none, Rule::balanced, Rule::balanced_subsample});
      // Weights of many bits are rounded before they are balanced, which judge() does not do.
      if (training_.fractional && options_.class_weight.rule == Rule::balanced_subsample) {
        options_.class_weight.rule = Rule::balanced;
      }
    }
    options_.trees = draw_.of<Index>({1, 2, 5});
    using Rule = MaxFeatures::Rule;
    options_.max_features.rule = draw_.of({Rule::automatic, Rule::all, Rule::sqrt, Rule::count});
    options_.max_features.count = std::min<Index>(2, data.cols());
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
    const auto model = fit(engine, training_.data, options_);
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
      std::vector<double> counts(static_cast<std::size_t>(training_.data.rows()), 0.0);
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
    [[nodiscard]] bool missing_left(std::size_t node) const {
      return (flags[node] & tree_missing_left) != 0;
    }
  };

  void judge_tree(Judge& judge, const std::string& name, const std::vector<double>& counts,
                  const std::map<T, long double>& factors) const {
    const Tree a(judge.got, name);
    const Tree b(judge.reference, name);
    std::vector<Index> rows;
    for (const Index i : kept_) {
      if (counts[static_cast<std::size_t>(i)] > 0) rows.push_back(i);
    }
    const std::size_t width = a.value.size() / a.feature.size();
    const auto same_node = [&](std::size_t node_a, std::size_t node_b) {
      const auto number = static_cast<Index>(node_a);
      judge.compare(name + "cover", number, Tolerance::exact, a.cover[node_a], b.cover[node_b], 0);
      for (std::size_t k = 0; k < width; ++k) {
        judge.compare(name + "value", number, Tolerance::exact,
                      static_cast<double>(a.value[node_a * width + k]),
                      static_cast<double>(b.value[node_b * width + k]), 0);
      }
    };
    const auto weight = [&](Index i) {
      const auto at = static_cast<std::size_t>(i);
      const auto own = static_cast<long double>(weight_of(training_.data, i)) * counts[at];
      return factors.empty() ? own : own * factors.at(training_.data.target[at]);
    };
    judge_trees(judge, name, training_, std::move(rows), a, b, a.cover[0], same_node,
                [&](const std::vector<Index>& of_node) {
                  return weighted_impurity(training_.data, options_.criterion, of_node, weight);
                });
  }

  // What the weights of rows are multiplied by, by the target; empty: 1 each.
  [[nodiscard]] std::map<T, long double> factors_of_classes(
      tree::RowDraws draws, const std::vector<double>& counts) const {
    using Rule = ClassWeights::Rule;
    std::map<T, long double> factors;
    if (options_.class_weight.rule == Rule::balanced) {
      for (const Index i : kept_) factors[training_.data.target[static_cast<std::size_t>(i)]] += 1;
      std::map<T, long double> all;
      for (const T y : training_.data.target) all[y] += 0;
      for (auto& [y, count] : factors) {
        count =
            static_cast<long double>(kept_.size()) / (static_cast<long double>(all.size()) * count);
      }
    } else if (options_.class_weight.rule == Rule::balanced_subsample) {
      std::map<T, std::int64_t> drawn;
      for (std::size_t i = 0; i < counts.size(); ++i) {
        drawn[training_.data.target[i]] += static_cast<std::int64_t>(counts[i]);
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

  Draw draw_;
  TreeTraining<T> training_;
  std::vector<Index> kept_;  // rows of weight > 0
  ForestOptions<kind> options_;
};

}  // namespace tandem::agree
