#include "tandem/tree/pruning_choice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "core/json_text.hpp"
#include "core/model/stop_only.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/data/split.hpp"
#include "tandem/model/pipeline.hpp"

namespace tandem {
namespace {

template <Real T>
const DecisionTreeModel<T>& tree_of(const Pipeline<T>& pipeline) {
  return dynamic_cast<const DecisionTreeModel<T>&>(*pipeline.model);
}

// Entries of the path to try: all, or `most` of them, evenly in log(leaves). First and last are
// among them.
std::vector<std::size_t> entries_to_try(const PruningPath& path, Index most) {
  std::vector<std::size_t> all;
  const std::size_t last = path.size() - 1;
  if (static_cast<Index>(path.size()) <= most) {
    for (std::size_t i = 0; i <= last; ++i) all.push_back(i);
    return all;
  }
  const double from = std::log(static_cast<double>(path.leaves.front()));
  const double to = std::log(static_cast<double>(path.leaves.back()));
  std::size_t i = 0;
  for (Index k = 0; k < most; ++k) {
    const double share = static_cast<double>(k) / static_cast<double>(most - 1);
    const double wanted = from + share * (to - from);
    while (i < last && std::log(static_cast<double>(path.leaves[i])) > wanted + 1e-9) ++i;
    if (all.empty() || all.back() != i) all.push_back(i);
  }
  if (all.back() != last) all.push_back(last);
  return all;
}

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json(nullptr);
}

}  // namespace

double PruningChoice::alpha() const {
  const std::size_t entry = tried[chosen];
  if (entry == 0) return 0;
  // Any number of the interval makes this tree of all rows; its middle is not at the mercy of
  // rounding.
  return entry + 1 < path.size() ? std::sqrt(path.alphas[entry]) * std::sqrt(path.alphas[entry + 1])
                                 : path.alphas[entry];
}

template <Real T>
PruningChoice choose_pruning(const PipelineOptions& asked, const Dataset<T>& data,
                             const PruningOptions& options, Engine& engine, RunControl& control) {
  const StopScope scope(&control);
  if (asked.algorithm().name() != "decision-tree") {
    throw InputError("pruning is for decision-tree, and " + std::string(asked.algorithm().name()) +
                     " is another algorithm; limit its growth by its own options");
  }
  if (options.most < 2) throw InputError(option("most") + " is less than 2");
  PruningChoice choice;
  PipelineOptions pipeline = asked;
  pipeline.set("predictor.ccp_alpha", 0.0);
  choice.task = pipeline.algorithm().task(data);
  pipeline.decide_task(choice.task);
  choice.metric = options.metric.empty() ? std::string(usual_metric(choice.task)) : options.metric;
  choice.better = better_direction(choice.metric, choice.task);

  const ValidationOptions& validation = options.validation;
  std::vector<Folds> repeats;
  if (data.has_groups()) {
    repeats =
        repeated_group_k_fold(data.groups, validation.folds, validation.repeats, validation.seed);
  } else if (validation.stratified && choice.task == Task::classification) {
    repeats = repeated_stratified_k_fold(encode_classes(data).labels, validation.folds,
                                         validation.repeats, validation.seed);
  } else {
    repeats = repeated_k_fold(data.rows(), validation.folds, validation.repeats, validation.seed);
  }

  const Index total = validation.folds * validation.repeats + 1;
  {
    StopOnly stop(control);
    const Pipeline<T> whole = fit_pipeline(engine, data, pipeline, {.control = &stop});
    choice.path = pruning_path(tree_of(whole));
  }
  control.report({"tree", 1, total, "", 0});
  choice.tried = entries_to_try(choice.path, options.most);
  for (const std::size_t entry : choice.tried) {
    const auto& alphas = choice.path.alphas;
    choice.alphas.push_back(entry == 0 ? 0
                            : entry + 1 < alphas.size()
                                ? std::sqrt(alphas[entry]) * std::sqrt(alphas[entry + 1])
                                : std::numeric_limits<double>::infinity());
  }

  std::vector<std::vector<double>> scores(choice.tried.size());
  Index done = 1;
  for (const Folds& folds : repeats) {
    for (Index f = 0; f < folds.count; ++f) {
      const Split split = folds.split(f);
      StopOnly stop(control);
      Pipeline<T> fitted =
          fit_pipeline(engine, select_rows(data, split.train), pipeline, {.control = &stop});
      const DecisionTreeModel<T> grown = tree_of(fitted);
      const Dataset<T> test =
          fitted.transforms.transform(select_rows(data, split.test), engine.threads());
      Index leaves = 0;
      double score = 0;
      for (std::size_t i = 0; i < choice.tried.size(); ++i) {
        if (control.stop_requested())
          throw Interrupted("stopped because an interrupt was received");
        DecisionTreeModel<T> tree = pruned(grown, choice.alphas[i]);
        // Trees of one path that have as many leaves are the same.
        if (tree.leaves() != leaves) {
          leaves = tree.leaves();
          fitted.model = std::make_unique<DecisionTreeModel<T>>(std::move(tree));
          score =
              fitted.evaluate_prepared(engine, test, {.curves = false}).metrics.at(choice.metric);
        }
        scores[i].push_back(score);
      }
      control.report({"tree", ++done, total, "", 0});
    }
  }
  for (const auto& values : scores) {
    choice.scores.push_back(estimate(values, validation.confidence,
                                     1.0 / static_cast<double>(validation.folds - 1),
                                     metric_bounds(choice.metric)));
  }
  // Higher is better from here on.
  const double sign = choice.better == Direction::higher ? 1 : -1;
  const auto value = [&](std::size_t i) { return sign * choice.scores[i].mean; };
  for (std::size_t i = 1; i < choice.scores.size(); ++i) {
    if (std::isnan(value(choice.best)) || value(i) >= value(choice.best)) choice.best = i;
  }
  choice.chosen = choice.best;
  if (options.rule == PruningRule::one_error) {
    const Estimate& best = choice.scores[choice.best];
    const double error = best.deviation / std::sqrt(static_cast<double>(best.count));
    for (std::size_t i = choice.best + 1; i < choice.scores.size(); ++i) {
      if (value(i) >= value(choice.best) - error) choice.chosen = i;
    }
  }
  return choice;
}

std::string to_json(const PruningChoice& choice) {
  nlohmann::json json;
  json["task"] = to_string(choice.task);
  json["metric"] = choice.metric;
  json["better"] = choice.better == Direction::higher ? "higher" : "lower";
  json["path"] = {{"alphas", choice.path.alphas},
                  {"impurities", choice.path.impurities},
                  {"leaves", choice.path.leaves}};
  json["candidates"] = nlohmann::json::array();
  for (std::size_t i = 0; i < choice.tried.size(); ++i) {
    json["candidates"].push_back({{"entry", choice.tried[i]},
                                  {"alpha", number(choice.alphas[i])},
                                  {"leaves", choice.path.leaves[choice.tried[i]]},
                                  {"score", nlohmann::json::parse(to_json(choice.scores[i]))}});
  }
  json["best"] = choice.best;
  json["chosen"] = choice.chosen;
  json["ccp_alpha"] = choice.alpha();
  return json_text(json);
}

template PruningChoice choose_pruning(const PipelineOptions&, const Dataset<float>&,
                                      const PruningOptions&, Engine&, RunControl&);
template PruningChoice choose_pruning(const PipelineOptions&, const Dataset<double>&,
                                      const PruningOptions&, Engine&, RunControl&);

}  // namespace tandem
