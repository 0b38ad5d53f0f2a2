// Agreement of decision trees: whole trees, node by node, and the leaves that rows end in.
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "agree/fits.hpp"
#include "agree/tree_cases.hpp"
#include "core/steps.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "tandem/tree/decision_tree.hpp"

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

  explicit TreeOutputs(const Outputs& outputs)
      : feature(outputs.get<std::int32_t>("feature")),
        threshold(outputs.get<T>("threshold")),
        left(outputs.get<std::int64_t>("left")),
        right(outputs.get<std::int64_t>("right")),
        sides(outputs.get<std::uint8_t>("missing_left")) {}
  [[nodiscard]] bool missing_left(std::size_t node) const { return sides[node] != 0; }
};

// `deep`: trees of few rows to their leaves; else of many rows, two levels.
template <Real T, bool deep>
class TreeCase : public Case {
 public:
  explicit TreeCase(const Key& key)
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

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const auto model = fit(engine, training_.data, options_);
    const auto& nodes = model.nodes;
    out.add("feature", nodes.feature);
    out.add("threshold", nodes.threshold);
    out.add("left", nodes.left);
    out.add("right", nodes.right);
    out.add("missing_left", nodes.missing_left);
    out.add("rows", nodes.rows);
    out.add("weight", nodes.weight);
    out.add("impurity", nodes.impurity);
    out.add("values", model.values.values());
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

  Draw draw_;
  TreeTraining<T> training_;
  DecisionTreeOptions options_;
};

template <Real T>
class SplitCase final : public TreeCase<T, false> {
  using TreeCase<T, false>::TreeCase;
};
template <Real T>
class FitCase final : public TreeCase<T, true> {
  using TreeCase<T, true>::TreeCase;
};

}  // namespace

Agreement make_decision_tree_agreement() {
  const char* bound = "nodes exact; splits tie-aware: (64u + 2^-40)·W·(largest impurity)";
  return {part<SplitCase>("split", "sorting, the splits of two levels, and leaves of rows",
                          {"decision_tree"}, bound),
          part<FitCase>("fit", "trees grown to their leaves, node by node, and leaves of rows",
                        {"decision_tree"}, bound, 257)};
}

}  // namespace tandem::agree
