// Agreement of decision trees: whole trees, node by node, and the leaves that rows end in.
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "agree/case.hpp"
#include "agree/fits.hpp"
#include "agree/tree_cases.hpp"
#include "core/steps.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "tandem/tree/decision_tree.hpp"
#include "tandem/tree/pruning.hpp"

namespace tandem::agree {
namespace {

// A tree as a case's outputs have it.
template <Real T>
struct TreeOutputs {
  const std::vector<std::int32_t>& feature;
  const std::vector<T>& threshold;
  const std::vector<std::int64_t>& left;
  const std::vector<std::int64_t>& right;
  const std::vector<std::uint8_t>& sides;  // of missing values: not 0 is left

  explicit TreeOutputs(const Outputs& outputs, const std::string& prefix = "")
      : feature(outputs.get<std::int32_t>(prefix + "feature")),
        threshold(outputs.get<T>(prefix + "threshold")),
        left(outputs.get<std::int64_t>(prefix + "left")),
        right(outputs.get<std::int64_t>(prefix + "right")),
        sides(outputs.get<std::uint8_t>(prefix + "missing_left")) {}
  [[nodiscard]] bool missing_left(std::size_t node) const { return sides[node] != 0; }
};

// The outputs that a tree consists of; `prefix` tells two trees of one case apart.
template <Real T>
void add_tree(Outputs& out, const std::string& prefix, const DecisionTreeModel<T>& model) {
  const auto& nodes = model.nodes;
  out.add(prefix + "feature", nodes.feature);
  out.add(prefix + "threshold", nodes.threshold);
  out.add(prefix + "left", nodes.left);
  out.add(prefix + "right", nodes.right);
  out.add(prefix + "missing_left", nodes.missing_left);
  out.add(prefix + "rows", nodes.rows);
  out.add(prefix + "weight", nodes.weight);
  out.add(prefix + "impurity", nodes.impurity);
  out.add(prefix + "values", model.values.values());
}

// Rows and options that a case draws.
// `deep`: trees of few rows to their leaves; else of many rows, two levels.
template <Real T, bool deep>
class DrawnRows : public Case {
 public:
  explicit DrawnRows(const Key& key)
      : draw_(key.seed, 31), training_(make_tree_training<T>(key, draw_)) {
    options_.task = training_.classifies ? TaskChoice::classification : TaskChoice::regression;
    options_.criterion = training_.criterion;
    if (training_.classifies && draw_.below(4) == 0) {
      options_.class_weight.rule = ClassWeights::Rule::balanced;
    }
    using Rule = MaxFeatures::Rule;
    options_.max_features.rule = draw_.of({Rule::all, Rule::all, Rule::sqrt, Rule::count});
    options_.max_features.count = std::min<Index>(2, training_.data.cols());
    options_.max_depth = deep ? draw_.of<Index>({0, 0, 5}) : 2;
    options_.min_samples_leaf = draw_.of<Index>({1, 1, 4});
    options_.min_samples_split = draw_.of<Index>({2, 2, 7});
    options_.seed = draw_.bits() >> 1;
  }

 protected:
  Draw draw_;
  TreeTraining<T> training_;
  DecisionTreeOptions options_;
};

template <Real T, bool deep>
class TreeCase : public DrawnRows<T, deep> {
 public:
  using DrawnRows<T, deep>::DrawnRows;

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    add_tree(out, "", fit(engine, training_.data, options_));
    out.add("leaves", leaves_of(engine, follow != nullptr ? *follow : out));
  }

  void judge(Judge& judge) const override {
    // Both engines have to grow one and the same tree.
    judge.exact("leaves");
    const TreeOutputs<T> a(judge.got);
    const TreeOutputs<T> b(judge.reference);
    const Dataset<T>& data = training_.data;
    std::vector<Index> rows;
    std::map<T, long double> class_weight;
    for (Index i = 0; i < data.rows(); ++i) {
      if (weight_of(data, i) > 0) rows.push_back(i);
      class_weight[data.target[static_cast<std::size_t>(i)]] += 1;
    }
    const bool balanced = options_.class_weight.rule == ClassWeights::Rule::balanced;
    for (auto& [y, count] : class_weight) {
      count = balanced ? static_cast<long double>(data.rows()) /
                             (static_cast<long double>(class_weight.size()) * count)
                       : 1.0L;
    }
    const auto weight = [&](Index i) {
      return static_cast<long double>(weight_of(data, i)) *
             class_weight.at(data.target[static_cast<std::size_t>(i)]);
    };
    judge_trees(
        judge, "", training_, std::move(rows), a, b, judge.got.get<double>("weight")[0],
        [&](std::size_t node_a, std::size_t node_b) { same_node(judge, node_a, node_b); },
        [&](const std::vector<Index>& of_node) {
          return weighted_impurity(data, options_.criterion, of_node, weight);
        });
  }

 private:
  [[nodiscard]] std::vector<std::int64_t> leaves_of(Engine& engine, const Outputs& outputs) const {
    const TreeOutputs<T> nodes(outputs);
    tree::TreeOnEngine<T> on_engine;
    on_engine.feature = to_engine(engine, nodes.feature);
    on_engine.threshold = to_engine(engine, nodes.threshold);
    std::vector<std::int64_t> right = nodes.right;
    for (auto& child : right) child = std::max<std::int64_t>(child, 0);
    on_engine.right = to_engine(engine, right);
    on_engine.missing_left = to_engine(engine, nodes.sides);
    Buffer<T> x(engine, training_.data.features.size(), Placement::rows);
    x.upload(training_.data.features.values());
    Buffer<std::int64_t> leaf(engine, training_.data.rows());
    const auto steps = make_steps<tree::DecisionTreeSteps, T>(engine);
    steps->find_leaves(on_engine, x, training_.data.rows(), training_.data.cols(), leaf);
    return leaf.to_host();
  }

  // Statistics are integers, made into doubles by one function: the same rows, the same numbers.
  static void same_node(Judge& judge, std::size_t at_a, std::size_t at_b) {
    const auto a = static_cast<Index>(at_a);
    judge.compare("rows", a, Tolerance::exact,
                  static_cast<double>(judge.got.get<std::int64_t>("rows")[at_a]),
                  static_cast<double>(judge.reference.get<std::int64_t>("rows")[at_b]), 0);
    for (const char* name : {"weight", "impurity"}) {
      judge.compare(name, a, Tolerance::exact, judge.got.get<double>(name)[at_a],
                    judge.reference.get<double>(name)[at_b], 0);
    }
    const auto& got = judge.got.get<double>("values");
    const auto& expected = judge.reference.get<double>("values");
    const std::size_t width = got.size() / judge.got.get<double>("weight").size();
    for (std::size_t k = 0; k < width; ++k) {
      judge.compare("values", a, Tolerance::exact, got[at_a * width + k],
                    expected[at_b * width + k], 0);
    }
  }

  using DrawnRows<T, deep>::options_;
  using DrawnRows<T, deep>::training_;
};

template <Real T>
class SplitCase final : public TreeCase<T, false> {
  using TreeCase<T, false>::TreeCase;
};
template <Real T>
class FitCase final : public TreeCase<T, true> {
  using TreeCase<T, true>::TreeCase;
};

// A tree that is grown whole, its pruning path, and the same data fitted with ccp_alpha, drawn from
// that path: at its steps and between them. The reference judges the engine's tree by the least
// cost of all trees that can be cut from it, found by recursion over both choices at every node,
// and where it grows the same whole tree itself, by the tree that it prunes.
template <Real T>
class PruneCase final : public DrawnRows<T, true> {
 public:
  explicit PruneCase(const Key& key) : DrawnRows<T, true>(key) {
    options_.max_depth = 0;
    at_step_ = draw_.flip();
    place_ = draw_.uniform();
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const auto whole = fit(engine, training_.data, options_);
    add_tree(out, "whole ", whole);
    DecisionTreeOptions options = options_;
    if (follow != nullptr) {
      options.ccp_alpha = follow->number("alpha");
      const Grown grown(*follow);
      out.add("least cost", least_costs(grown, follow->template get<double>("path alpha")));
      out.add("least cost of the tree", least_cost(grown, 0, options.ccp_alpha).first);
    } else {
      const PruningPath path = pruning_path(whole);
      options.ccp_alpha = alpha_of(path);
      std::vector<double> cost;
      for (std::size_t i = 0; i < path.size(); ++i) {
        cost.push_back(path.impurities[i] + path.alphas[i] * static_cast<double>(path.leaves[i]));
      }
      out.add("path alpha", path.alphas);
      out.add("path leaves", path.leaves);
      out.add("least cost", std::move(cost));
    }
    out.add("alpha", options.ccp_alpha);
    const auto kept = fit(engine, training_.data, options);
    add_tree(out, "", kept);
    if (follow == nullptr) out.add("least cost of the tree", cost_of(kept, options.ccp_alpha));
  }

  void judge(Judge& judge) const override {
    // Each node is decided once, by a difference of sums over at most all leaves below it: it may
    // be decided against the smaller cost by what the rounding of those sums is. The engine's own
    // cost is such a sum as well.
    const Grown grown(judge.got);
    double all = 0;
    double leaves = 0;
    for (std::size_t i = 0; i < grown.feature.size(); ++i) {
      all += grown.cost(i);
      leaves += grown.feature[i] < 0 ? 1 : 0;
    }
    const auto count = static_cast<double>(grown.feature.size());
    const auto bound = [&](double alpha) {
      return 2 * gamma_bound<double>(static_cast<Index>(leaves) + 8) * (all + alpha * count);
    };
    const auto& alphas = judge.got.get<double>("path alpha");
    judge.within("least cost", Tolerance::reduction,
                 [&](std::size_t i) { return bound(alphas[i]); });
    judge.within("least cost of the tree", Tolerance::reduction, bound(judge.got.number("alpha")));
    same_as_far_as_kept(judge);
    bool same = true;
    for (const char* name : {"feature", "left", "right", "missing_left", "threshold"}) {
      same = same && equal(judge, std::string("whole ") + name);
    }
    if (!same) return;  // a tie was decided otherwise, which the part "fit" judges
    for (const char* prefix : {"whole ", ""}) {
      for (const char* name : {"feature", "threshold", "left", "right", "missing_left", "rows",
                               "weight", "impurity", "values"}) {
        judge.exact(std::string(prefix) + name);
      }
    }
  }

 private:
  struct Grown : TreeOutputs<T> {
    const std::vector<double>& weight;
    const std::vector<double>& impurity;

    explicit Grown(const Outputs& outputs, const std::string& prefix = "whole ")
        : TreeOutputs<T>(outputs, prefix),
          weight(outputs.get<double>(prefix + "weight")),
          impurity(outputs.get<double>(prefix + "impurity")) {}
    [[nodiscard]] double cost(std::size_t i) const { return impurity[i] * (weight[i] / weight[0]); }
  };

  [[nodiscard]] double alpha_of(const PruningPath& path) const {
    // The entry 0 of a path is the whole tree.
    const auto step = static_cast<std::size_t>(place_ * static_cast<double>(path.size()));
    if (step == 0) return path.size() > 1 ? path.alphas[1] / 2 + 1e-300 : 0.01;
    if (at_step_) return path.alphas[step];
    return step + 1 < path.size() ? (path.alphas[step] + path.alphas[step + 1]) / 2
                                  : 2 * path.alphas[step];
  }

  // The least cost of a tree below the node, and the leaves of the smallest one that has it.
  [[nodiscard]] static std::pair<double, Index> least_cost(const Grown& tree, std::int64_t node,
                                                           double alpha) {
    const auto i = static_cast<std::size_t>(node);
    const double as_leaf = tree.cost(i) + alpha;
    if (tree.feature[i] < 0) return {as_leaf, 1};
    const auto left = least_cost(tree, tree.left[i], alpha);
    const auto right = least_cost(tree, tree.right[i], alpha);
    if (as_leaf <= left.first + right.first) return {as_leaf, 1};
    return {left.first + right.first, left.second + right.second};
  }

  [[nodiscard]] static std::vector<double> least_costs(const Grown& tree,
                                                       const std::vector<double>& alphas) {
    std::vector<double> costs;
    for (const double alpha : alphas) costs.push_back(least_cost(tree, 0, alpha).first);
    return costs;
  }

  [[nodiscard]] static double cost_of(const DecisionTreeModel<T>& tree, double alpha) {
    double cost = 0;
    for (std::size_t i = 0; i < tree.nodes.feature.size(); ++i) {
      if (tree.nodes.feature[i] >= 0) continue;
      cost += tree.nodes.impurity[i] * (tree.nodes.weight[i] / tree.nodes.weight[0]) + alpha;
    }
    return cost;
  }

  template <class V>
  [[nodiscard]] static bool equal_values(const Judge& judge, const std::string& name) {
    return judge.got.get<V>(name) == judge.reference.get<V>(name);
  }
  [[nodiscard]] static bool equal(const Judge& judge, const std::string& name) {
    if (name.ends_with("feature")) return equal_values<std::int32_t>(judge, name);
    if (name.ends_with("threshold")) return equal_values<T>(judge, name);
    if (name.ends_with("missing_left")) return equal_values<std::uint8_t>(judge, name);
    return equal_values<std::int64_t>(judge, name);
  }

  // Each node of the pruned tree is the node of the whole one at that place, or a leaf instead.
  void same_as_far_as_kept(Judge& judge) const {
    const Grown whole(judge.got);
    const Grown kept(judge.got, "");
    const auto& all_rows = judge.got.get<std::int64_t>("whole rows");
    const auto& rows = judge.got.get<std::int64_t>("rows");
    std::vector<std::pair<std::int64_t, std::int64_t>> stack{{0, 0}};
    Index reached = 0;
    while (!stack.empty()) {
      const auto at = stack.back();
      stack.pop_back();
      ++reached;
      const auto a = static_cast<std::size_t>(at.first);
      const auto b = static_cast<std::size_t>(at.second);
      const auto same = [&](const char* what, double value, double expected) {
        judge.compare(what, at.first, Tolerance::exact, value, expected, 0);
      };
      same("rows", static_cast<double>(rows[a]), static_cast<double>(all_rows[b]));
      same("weight", kept.weight[a], whole.weight[b]);
      same("impurity", kept.impurity[a], whole.impurity[b]);
      if (kept.feature[a] < 0) continue;
      same("feature", kept.feature[a], whole.feature[b]);
      if (whole.feature[b] < 0) continue;
      same("threshold", static_cast<double>(kept.threshold[a]),
           static_cast<double>(whole.threshold[b]));
      same("missing_left", kept.sides[a], whole.sides[b]);
      stack.push_back({kept.left[a], whole.left[b]});
      stack.push_back({kept.right[a], whole.right[b]});
    }
    judge.compare("number of nodes", 0, Tolerance::exact, static_cast<double>(reached),
                  static_cast<double>(kept.feature.size()), 0);
  }

  using DrawnRows<T, true>::draw_;
  using DrawnRows<T, true>::training_;
  using DrawnRows<T, true>::options_;
  bool at_step_ = false;
  double place_ = 0;  // of the path, in [0, 1)
};

}  // namespace

Agreement make_decision_tree_agreement() {
  const char* bound = "nodes exact; splits tie-aware: (64u + 2^-40)·W·(largest impurity)";
  return {part<SplitCase>("split", "sorting, the splits of two levels, and leaves of rows",
                          {"decision_tree"}, bound),
          part<FitCase>("fit", "trees grown to their leaves, node by node, and leaves of rows",
                        {"decision_tree"}, bound, 257),
          part<PruneCase>("prune", "the pruning path, and trees fitted with ccp_alpha",
                          {"decision_tree"},
                          "nodes exact; costs: 2γ(leaves+8)·(costs of all nodes)", 257)};
}

}  // namespace tandem::agree
