// Forests: what they say of rows, and their file.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>

#include "core/load_enum.hpp"
#include "core/parallel.hpp"
#include "core/tree/ready_trees.hpp"
#include "core/tree/tree_ensemble_json.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/tree/random_forest.hpp"

namespace tandem {

template <Real T, ForestKind kind>
Predictions<T> ForestModel<T, kind>::predictions_of(const Matrix<T>& scores, int threads) const {
  constexpr Index rows_at_once = 1024;
  Predictions<T> result;
  if (task() == Task::regression) {
    result.values = scores.values();
    return result;
  }
  result.labels.resize(static_cast<std::size_t>(scores.rows()));
  result.probabilities = Matrix<T>(scores.rows(), scores.cols());
  parallel_pieces(threads, scores.rows(), rows_at_once, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const auto row = scores.row(i);
      const auto p = result.probabilities.row(i);
      // The shares add up to 1 but for their rounding.
      T sum = 0;
      for (const T share : row) sum += share;
      for (std::size_t k = 0; k < p.size(); ++k) p[k] = row[k] / sum;
      result.labels[static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(std::max_element(p.begin(), p.end()) - p.begin());
    }
  });
  return result;
}

template <Real T, ForestKind kind>
Predictions<T> ForestModel<T, kind>::predict(Engine& engine, MatrixView<const T> x) const {
  return predictions_of(trees.raw_scores(engine, x), engine.threads());
}

template <Real T, ForestKind kind>
std::unique_ptr<ReadyModel<T>> ForestModel<T, kind>::ready_on(Engine& engine) const {
  return tree::ready_trees(engine, trees, [this, &engine](const Matrix<T>& scores) {
    return predictions_of(scores, engine.threads());
  });
}

template <Real T, ForestKind kind>
std::vector<double> ForestModel<T, kind>::importances() const {
  std::vector<double> means(static_cast<std::size_t>(trees.features), 0.0);
  std::vector<double> of_tree(means.size());
  for (const auto& tree : trees.trees) {
    std::fill(of_tree.begin(), of_tree.end(), 0.0);
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] >= 0) of_tree[static_cast<std::size_t>(tree.feature[i])] += tree.gain[i];
    }
    const double total = std::accumulate(of_tree.begin(), of_tree.end(), 0.0);
    if (!(total > 0)) continue;
    for (std::size_t j = 0; j < means.size(); ++j) means[j] += of_tree[j] / total;
  }
  for (double& mean : means) mean /= static_cast<double>(trees.trees.size());
  return means;
}

template <Real T, ForestKind kind>
void ForestModel<T, kind>::save(Archive& archive) const {
  archive.set("criterion", to_string(criterion));
  archive.set("classes", class_names);
  trees.save(archive, "trees");
  if (oob_score) {
    archive.set("oob_score", *oob_score);
    archive.set_matrix("oob_predictions", oob_predictions);
  }
  log.save(archive);
}

template <Real T, ForestKind kind>
ForestModel<T, kind> ForestModel<T, kind>::load(const Archive& archive) {
  ForestModel model;
  model.criterion = load_enum<TreeCriterion>(archive, "criterion");
  if (model.criterion == TreeCriterion::automatic) {
    archive.fail("criterion", "is 'auto', which no model has");
  }
  model.class_names = archive.get_strings("classes");
  model.trees = TreeEnsemble<T>::load(archive, "trees");
  const auto classes = static_cast<Index>(model.class_names.size());
  const bool regresses = model.criterion == TreeCriterion::squared_error;
  if (regresses != (classes == 0)) {
    archive.fail("classes", "has " + std::to_string(classes) + " names, which does not fit " +
                                std::string(to_string(model.criterion)));
  }
  const Index outputs = regresses ? 1 : classes;
  if (model.trees.outputs != outputs) {
    archive.fail("trees", "have " + std::to_string(model.trees.outputs) +
                              " outputs, which does not fit the classes");
  }
  if (model.trees.trees.empty()) archive.fail("trees", "are none; a forest has at least one");
  for (const auto& tree : model.trees.trees) {
    if (tree.output != (outputs > 1 ? all_outputs : 0)) {
      archive.fail("trees", "have one that adds to a single class");
    }
    if (regresses) continue;
    // So that a row's shares have a sum above 0, whichever leaves it ends in.
    for (std::size_t i = 0; i < tree.feature.size(); ++i) {
      if (tree.feature[i] >= 0) continue;
      T sum = 0;
      for (Index k = 0; k < outputs; ++k) {
        const T share =
            tree.value[i * static_cast<std::size_t>(outputs) + static_cast<std::size_t>(k)];
        if (share < 0) archive.fail("trees", "have a leaf with a negative share of a class");
        sum += share;
      }
      if (!(sum > 0)) archive.fail("trees", "have a leaf without a share of any class");
    }
  }
  if (archive.has("oob_score")) {
    model.oob_score = archive.get_double("oob_score");
    if (!std::isfinite(*model.oob_score)) archive.fail("oob_score", "is not finite");
    model.oob_predictions = archive.get_matrix<T>("oob_predictions", -1, outputs);
  }
  model.log = TrainingLog::load(archive);
  return model;
}

template <Real T, ForestKind kind>
std::string ForestModel<T, kind>::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json json = tree::json_of(trees, feature_names);
  json["criterion"] = to_string(criterion);
  if (!class_names.empty()) json["classes"] = class_names;
  json["importances"] = importances();
  if (oob_score) json["oob_score"] = *oob_score;
  return json.dump();
}

template <Real T, ForestKind kind>
std::string ForestModel<T, kind>::to_text(const std::vector<std::string>& feature_names) const {
  Index nodes = 0;
  Index deepest = 0;
  for (const auto& tree : trees.trees) {
    nodes += tree.size();
    deepest = std::max(deepest, tree.depth());
  }
  std::string text = std::to_string(trees.trees.size()) + " trees, " + std::to_string(nodes) +
                     " nodes, at most " + std::to_string(deepest) + " deep; criterion " +
                     std::string(to_string(criterion)) + "\n";
  if (oob_score) {
    text += std::string("out of bag: ") + (task() == Task::classification ? "accuracy " : "R² ") +
            significant(*oob_score, 4) + "\n";
  }
  const auto shares = importances();
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  constexpr std::size_t most_shown = 20;
  text += "importances (share of the decrease of impurity):\n";
  for (std::size_t k = 0; k < std::min(order.size(), most_shown); ++k) {
    if (shares[order[k]] <= 0) break;
    text += "  " + feature_names[order[k]] + "  " + significant(shares[order[k]], 4) + "\n";
  }
  return text + "the first tree; its leaves add their part of the average over all trees:\n" +
         trees.to_text(feature_names, 1);
}

template class ForestModel<float, ForestKind::random_forest>;
template class ForestModel<double, ForestKind::random_forest>;
template class ForestModel<float, ForestKind::extra_trees>;
template class ForestModel<double, ForestKind::extra_trees>;

}  // namespace tandem
