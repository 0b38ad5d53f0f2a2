#include "tandem/tree/decision_tree.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "core/data/base_margin.hpp"
#include "core/steps.hpp"
#include "core/tree/decision_tree_steps.hpp"
#include "core/tree/grow_by_impurity.hpp"
#include "core/tree/growth.hpp"
#include "core/tree/split_gain.hpp"
#include "core/tree/training_rows.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/tree/pruning.hpp"

namespace tandem {
namespace tree {
namespace {

std::string why_it_stopped(const DecisionTreeOptions& options, Index nodes, bool all_pure,
                           bool at_max_depth) {
  if (nodes == 1 && all_pure) return "the target has a single value";
  if (all_pure) return "every leaf is pure";
  if (at_max_depth) return "the depth allowed was reached";
  const bool limited = options.min_samples_split > 2 || options.min_samples_leaf > 1 ||
                       options.min_impurity_decrease > 0;
  if (limited) return "no leaf can be split within the options";
  if (nodes == 1) return "every feature is constant";
  return "rows that still differ in target are equal in every feature";
}

}  // namespace
}  // namespace tree

using namespace tree;  // NOLINT(google-build-using-namespace): the file's own parts

void DecisionTreeOptions::visit(OptionVisitor& visitor) {
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  visitor.choice("task", task,
                 "what to predict; auto classifies texts and whole numbers of at most 20 values");
  visitor.choice("criterion", criterion,
                 "impurity that splits lower; auto is gini or squared-error, by task");
  visitor.integer("max_depth", max_depth, "most splits between the root and a leaf; 0 is no limit",
                  0, no_limit);
  visitor.integer("min_samples_split", min_samples_split, "fewest rows that a node is split with",
                  2, no_limit);
  visitor.integer("min_samples_leaf", min_samples_leaf, "fewest rows of a leaf", 1, no_limit);
  visitor.real("min_impurity_decrease", min_impurity_decrease,
               "least decrease of the whole tree's impurity that is worth a split", 0,
               std::numeric_limits<double>::max());
  visitor.real("ccp_alpha", ccp_alpha,
               "prune to the tree of least impurity plus this much per leaf; 0 does not; tandem "
               "prune finds a good one",
               0, std::numeric_limits<double>::max());
  visitor.written(
      "max_features", max_features,
      "features looked at per node: all, sqrt, log2, a count, or a fraction such as 0.3",
      "all|sqrt|N");
  visitor.written("class_weight", class_weight,
                  "none, balanced, or weights by class such as yes=2,no=1", "TEXT");
  visitor.seed(seed);
}

void DecisionTreeOptions::check() const {
  if (task == TaskChoice::automatic) return;
  (void)tree::resolve_criterion(
      criterion, task == TaskChoice::classification ? Task::classification : Task::regression);
}

template <Real T>
Task DecisionTreeOptions::task_for(const DatasetView<T>& data) const {
  if (!data.has_target()) {
    throw InputError(data.source + ": has no target column; name one with " + option("target"));
  }
  if (task == TaskChoice::classification) return Task::classification;
  if (task == TaskChoice::regression) {
    require_numeric_target(data);
    return Task::regression;
  }
  if (data.target_column().categorical()) return Task::classification;
  if (criterion == TreeCriterion::squared_error) return Task::regression;
  if (criterion != TreeCriterion::automatic) return Task::classification;
  return task_of_target(data);
}

template <Real T>
DecisionTreeModel<T> fit(Engine& engine, const DatasetView<T>& data,
                         const DecisionTreeOptions& options,
                         const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  const DatasetView<T>& train = setting.data();
  RunControl& control = setting.control();
  require_dense(train, "a decision tree");
  refuse_base_margin(train, "a decision tree");
  check_options(options);
  const TrainingRows<T> training = prepare_rows(train, options);
  const SplitRules& rules = training.rules;

  // One upload.
  Buffer<T> x(engine, training.rows * train.cols(), Placement::rows);
  x.upload({training.x, static_cast<std::size_t>(x.size())});
  const auto labels = to_engine(engine, training.labels);
  const auto target = to_engine(engine, training.target);
  const auto weights = to_engine(engine, training.weights);
  const auto row_weights = to_engine(engine, training.row_weights);
  Buffer<std::int64_t> sums(engine, target.size());
  Buffer<std::int64_t> squares(engine, target.size());
  const auto steps = make_steps<DecisionTreeSteps, T>(engine);
  steps->encode_target(training.code, target, row_weights, sums, squares);
  steps->prepare({training.rows, train.cols(), &x, &labels, &target, &weights, &sums, &squares},
                 rules);

  GrowByImpurity<T> by(*steps, training, train.cols());
  Growth<T> growth(by, training.statistics);
  growth.grow(control);

  // Number the nodes depth first and read their statistics as numbers.
  const auto& built = growth.nodes();
  const std::vector<Index> order = depth_first(built);
  std::vector<Index> position(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) {
    position[static_cast<std::size_t>(order[i])] = static_cast<Index>(i);
  }
  DecisionTreeModel<T> model;
  model.criterion = rules.criterion;
  model.feature_count = train.cols();
  model.class_names = training.classes;
  const Index value_cols = rules.classes > 0 ? rules.classes : 1;
  model.values = Matrix<double>(static_cast<Index>(order.size()), value_cols);
  auto& nodes = model.nodes;
  bool all_pure = true;
  bool at_max_depth = false;
  Index deepest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    const BuiltNode<T>& node = built[static_cast<std::size_t>(order[i])];
    const std::int64_t* statistics = growth.statistics(order[i]);
    const bool leaf = node.feature < 0;
    nodes.feature.push_back(node.feature);
    nodes.threshold.push_back(leaf ? T{0} : node.threshold);
    nodes.left.push_back(leaf ? -1 : position[static_cast<std::size_t>(node.left)]);
    nodes.right.push_back(leaf ? -1 : position[static_cast<std::size_t>(node.right)]);
    nodes.missing_left.push_back(!leaf && node.missing_left ? 1 : 0);
    nodes.rows.push_back(node.rows);
    const double weight = static_cast<double>(node_weight(rules, statistics)) * rules.weight_unit;
    nodes.weight.push_back(weight);
    const double node_impurity = node.rows == 1 ? 0.0 : impurity(rules, statistics);
    nodes.impurity.push_back(node_impurity);
    const auto row = static_cast<Index>(i);
    if (rules.classes > 0) {
      for (std::int32_t c = 0; c < rules.classes; ++c) {
        model.values(row, c) = static_cast<double>(statistics[c]) * rules.weight_unit;
      }
    } else {
      model.values(row, 0) =
          training.code.centre + static_cast<double>(statistics[1]) * rules.sum_unit / weight;
    }
    if (leaf && node.rows > 1 && node_impurity > 0) {
      all_pure = false;
      at_max_depth = at_max_depth || (rules.max_depth > 0 && node.depth >= rules.max_depth);
    }
    deepest = std::max(deepest, node.depth);
  }
  auto& nodes_per_level = model.log.history["nodes"];
  nodes_per_level.assign(static_cast<std::size_t>(deepest) + 1, 0);
  for (const auto& node : built) nodes_per_level[static_cast<std::size_t>(node.depth)] += 1;
  model.log.iterations = deepest;
  model.log.converged = true;
  model.log.stopped_because = why_it_stopped(options, nodes.size(), all_pure, at_max_depth);
  if (options.ccp_alpha > 0) return pruned(model, options.ccp_alpha);
  return model;
}

template Task DecisionTreeOptions::task_for(const DatasetView<float>&) const;
template Task DecisionTreeOptions::task_for(const DatasetView<double>&) const;
template DecisionTreeModel<float> fit(Engine&, const DatasetView<float>&,
                                      const DecisionTreeOptions&, const FitContext<float>&);
template DecisionTreeModel<double> fit(Engine&, const DatasetView<double>&,
                                       const DecisionTreeOptions&, const FitContext<double>&);

}  // namespace tandem
