// Agreement of decision trees: whole trees, node by node, and the leaves that rows end in.
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "agree/case.hpp"
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
  const std::vector<std::uint8_t>& missing_left;

  explicit TreeOutputs(const Outputs& outputs)
      : feature(outputs.get<std::int32_t>("feature")),
        threshold(outputs.get<T>("threshold")),
        left(outputs.get<std::int64_t>("left")),
        right(outputs.get<std::int64_t>("right")),
        missing_left(outputs.get<std::uint8_t>("missing_left")) {}
};

// `deep`: trees of few rows to their leaves; else of many rows, two levels.
template <Real T, bool deep>
class TreeCase : public Case {
 public:
  explicit TreeCase(const Key& key) : draw_(key.seed, 31) {
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
    switch (draw_.below(4)) {
      case 0: data_.weights = make_weights<T>(rows, draw_); break;
      case 1:
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
    options_.task = classifies ? TaskChoice::classification : TaskChoice::regression;
    if (classifies) {
      options_.criterion = draw_.flip() ? TreeCriterion::entropy : TreeCriterion::gini;
      if (draw_.below(4) == 0) options_.class_weight.rule = ClassWeights::Rule::balanced;
    }
    using Rule = MaxFeatures::Rule;
    options_.max_features.rule = draw_.of({Rule::all, Rule::all, Rule::sqrt, Rule::count});
    options_.max_features.count = std::min<Index>(2, data_.cols());
    options_.max_depth = deep ? draw_.of<Index>({0, 0, 5}) : 2;
    options_.min_samples_leaf = draw_.of<Index>({1, 1, 4});
    options_.min_samples_split = draw_.of<Index>({2, 2, 7});
    options_.seed = draw_.bits() >> 1;
  }

  void run(Engine& engine, const Outputs* follow, Outputs& out) const override {
    const auto model = fit(engine, data_, options_);
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
    struct Pair {
      std::int64_t a;
      std::int64_t b;
      std::vector<Index> rows;
    };
    std::vector<Pair> stack{{0, 0, {}}};
    for (Index i = 0; i < data_.rows(); ++i) {
      if (data_.weights.empty() || data_.weights[static_cast<std::size_t>(i)] > 0) {
        stack[0].rows.push_back(i);
      }
    }
    const double root = static_cast<double>(impurity(stack[0].rows));
    const double weight = judge.got.get<double>("weight")[0];
    while (!stack.empty()) {
      const Pair at = std::move(stack.back());
      stack.pop_back();
      same_node(judge, at.a, at.b);
      const auto node_a = static_cast<std::size_t>(at.a);
      const auto node_b = static_cast<std::size_t>(at.b);
      const bool leaf = a.feature[node_a] < 0;
      judge.compare("leaf", at.a, Tolerance::exact, leaf ? 1 : 0, b.feature[node_b] < 0 ? 1 : 0, 0);
      if (leaf || b.feature[node_b] < 0) continue;
      const auto [left_a, right_a] = sides(a, at.a, at.rows);
      const auto [left_b, right_b] = sides(b, at.b, at.rows);
      if (left_a == left_b) {
        if (a.feature[node_a] == b.feature[node_b]) {
          judge.compare("threshold", at.a, Tolerance::exact,
                        static_cast<double>(a.threshold[node_a]),
                        static_cast<double>(b.threshold[node_b]), 0);
        }
        stack.push_back({a.left[node_a], b.left[node_b], left_a});
        stack.push_back({a.right[node_a], b.right[node_b], right_a});
        continue;
      }
      // Below a tie the trees are not compared. The bound: 64 roundings, and 2^-40 for fixed point,
      // of the largest merit there can be; targets below the smallest unit of fixed point are 0.
      const double merit_a = static_cast<double>(impurity(left_a) + impurity(right_a));
      const double merit_b = static_cast<double>(impurity(left_b) + impurity(right_b));
      const double largest = options_.task == TaskChoice::regression
                                 ? root
                                 : weight * std::log2(static_cast<double>(at.rows.size()) + 2);
      const double bound = (64 * unit_roundoff<double> + 0x1p-40) * largest + weight * 0x1p-1000;
      judge.choice("split", at.a, merit_a, merit_b, std::abs(merit_a - merit_b), bound);
    }
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
    on_engine.missing_left = to_engine(engine, nodes.missing_left);
    Buffer<T> x(engine, data_.features.size(), Placement::rows);
    x.upload(data_.features.values());
    Buffer<std::int64_t> leaf(engine, data_.rows());
    const auto steps = make_steps<tree::DecisionTreeSteps, T>(engine);
    steps->find_leaves(on_engine, x, data_.rows(), data_.cols(), leaf);
    return leaf.to_host();
  }

  // Statistics are integers, made into doubles by one function: the same rows, the same numbers.
  static void same_node(Judge& judge, std::int64_t a, std::int64_t b) {
    const auto at_a = static_cast<std::size_t>(a);
    const auto at_b = static_cast<std::size_t>(b);
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

  [[nodiscard]] std::pair<std::vector<Index>, std::vector<Index>> sides(
      const TreeOutputs<T>& nodes, std::int64_t node, const std::vector<Index>& rows) const {
    const auto at = static_cast<std::size_t>(node);
    std::pair<std::vector<Index>, std::vector<Index>> parts;
    for (const Index i : rows) {
      const T v = data_.features(i, nodes.feature[at]);
      const bool left = std::isnan(v) ? nodes.missing_left[at] != 0 : v <= nodes.threshold[at];
      (left ? parts.first : parts.second).push_back(i);
    }
    return parts;
  }

  // Weight times impurity of some rows, by the definition.
  [[nodiscard]] long double impurity(const std::vector<Index>& rows) const {
    std::map<T, long double> weight_of;
    std::map<T, long double> class_weight;
    if (options_.class_weight.rule == ClassWeights::Rule::balanced) {
      for (const T y : data_.target) class_weight[y] += 1;
      for (auto& [y, count] : class_weight) {
        count = static_cast<long double>(data_.rows()) /
                (static_cast<long double>(class_weight.size()) * count);
      }
    }
    long double total = 0;
    long double mean = 0;
    for (const Index i : rows) {
      const auto at = static_cast<std::size_t>(i);
      const T y = data_.target[at];
      long double w = data_.weights.empty() ? 1.0L : static_cast<long double>(data_.weights[at]);
      if (!class_weight.empty()) w *= class_weight.at(y);
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

  Draw draw_;
  Dataset<T> data_;
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
