// Boosted trees: what they say of rows, and their file.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>

#include "core/load_enum.hpp"
#include "core/model/log_odds.hpp"
#include "core/model/ready_by.hpp"
#include "core/parallel.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/boosting_loss.hpp"
#include "core/tree/tree_ensemble_json.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/text.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem {

template <Real T>
Predictions<T> GradientBoostingModel<T>::predictions_of(const Matrix<T>& scores,
                                                        int threads) const {
  constexpr Index rows_at_once = 1024;
  const auto rows = static_cast<std::size_t>(scores.rows());
  Predictions<T> result;
  switch (objective) {
    case BoostingObjective::squared_error:
    case BoostingObjective::huber:
    case BoostingObjective::absolute_error:
    case BoostingObjective::quantile:
    case BoostingObjective::rank_ndcg:
    case BoostingObjective::rank_map:
    case BoostingObjective::rank_pairwise: result.values = scores.values(); return result;
    case BoostingObjective::poisson:
    case BoostingObjective::gamma:
    case BoostingObjective::tweedie:
      result.values.resize(rows);
      parallel_pieces(threads, scores.rows(), rows_at_once, [&](Piece piece) {
        for (Index i = piece.begin; i < piece.end; ++i) {
          result.values[static_cast<std::size_t>(i)] = math::exp(scores(i, 0));
        }
      });
      return result;
    case BoostingObjective::logistic:
    case BoostingObjective::softmax:
    case BoostingObjective::automatic: break;
  }
  const auto classes = static_cast<Index>(class_names.size());
  result.labels.resize(rows);
  result.probabilities = Matrix<T>(scores.rows(), classes);
  parallel_pieces(threads, scores.rows(), rows_at_once, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const auto p = result.probabilities.row(i);
      if (objective == BoostingObjective::logistic) {
        // 1 / (1 + e^s) and 1 / (1 + e^−s): neither is a difference of nearly equal numbers. Where
        // the target had one class only, there is no other to be probable.
        p[0] = classes == 1 ? T{1} : math::sigmoid(-scores(i, 0));
        if (classes == 2) p[1] = math::sigmoid(scores(i, 0));
      } else {
        const T* row = scores.row(i).data();
        const T largest = tree::largest_score(row, classes);
        T sum = 0;
        for (Index k = 0; k < classes; ++k) {
          p[static_cast<std::size_t>(k)] = math::exp(row[k] - largest);
          sum += p[static_cast<std::size_t>(k)];
        }
        for (T& share : p) share /= sum;
      }
      result.labels[static_cast<std::size_t>(i)] =
          static_cast<std::int32_t>(std::max_element(p.begin(), p.end()) - p.begin());
    }
  });
  return result;
}

template <Real T>
Predictions<T> GradientBoostingModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return predictions_of(trees.raw_scores(engine, x), engine.threads());
}

// The trees stand on the engine, so that a call brings rows and takes scores.
template <Real T>
std::unique_ptr<ReadyModel<T>> GradientBoostingModel<T>::ready_on(Engine& engine) const {
  return ready_by<T>(
      [this, &engine, on_engine = tree::to_engine(engine, trees),
       steps = make_steps<tree::TreeEnsembleSteps, T>(engine)](MatrixView<const T> x) {
        trees.check_columns(x.cols);
        Matrix<T> scores(x.rows, trees.outputs);
        if (x.rows > 0) {
          Buffer<T> sums(engine, scores.size());
          steps->set_base(on_engine, x.rows, sums);
          const Buffer<T> rows = rows_on_engine(engine, x, Placement::rows);
          steps->add_trees(on_engine, 0, on_engine.trees, rows, x.rows, sums);
          sums.download(scores.values());
        }
        return predictions_of(scores, engine.threads());
      });
}

template <Real T>
Matrix<double> GradientBoostingModel<T>::margins(Engine& engine, MatrixView<const T> x) const {
  return margins_of(trees.raw_scores(engine, x));
}

template <Real T>
Matrix<double> GradientBoostingModel<T>::margins_of(const Matrix<T>& scores) const {
  if (objective == BoostingObjective::logistic && class_names.size() == 2) {
    return log_odds_of_sigmoid(std::span<const T>(scores.values()));
  }
  Matrix<double> odds(scores.rows(), scores.cols());
  std::copy(scores.values().begin(), scores.values().end(), odds.values().begin());
  if (objective != BoostingObjective::softmax) return odds;
  for (Index i = 0; i < odds.rows(); ++i) log_odds_of_softmax(odds.row(i));
  return odds;
}

template <Real T>
std::vector<double> GradientBoostingModel<T>::importances() const {
  auto shares = trees.importances(ImportanceKind::total_gain);
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (total > 0) {
    for (double& share : shares) share /= total;
  }
  return shares;
}

template <Real T>
void GradientBoostingModel<T>::save(Archive& archive) const {
  archive.set("objective", to_string(objective));
  archive.set("classes", class_names);
  trees.save(archive, "trees");
  log.save(archive);
}

template <Real T>
GradientBoostingModel<T> GradientBoostingModel<T>::load(const Archive& archive) {
  GradientBoostingModel model;
  model.objective = load_enum<BoostingObjective>(archive, "objective");
  if (model.objective == BoostingObjective::automatic) {
    archive.fail("objective", "is 'auto', which no model has");
  }
  model.class_names = archive.get_strings("classes");
  model.trees = TreeEnsemble<T>::load(archive, "trees");
  const auto classes = static_cast<Index>(model.class_names.size());
  const bool logistic = model.objective == BoostingObjective::logistic;
  const bool softmax = model.objective == BoostingObjective::softmax;
  if (logistic ? classes < 1 || classes > 2 : softmax ? classes < 1 : classes != 0) {
    archive.fail("classes", "has " + std::to_string(classes) + " names, which does not fit " +
                                std::string(to_string(model.objective)));
  }
  if (model.trees.outputs != (softmax ? classes : 1)) {
    archive.fail("trees", "have " + std::to_string(model.trees.outputs) +
                              " outputs, which does not fit the classes");
  }
  model.log = TrainingLog::load(archive);
  return model;
}

template <Real T>
std::string GradientBoostingModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json json = tree::json_of(trees, feature_names);
  json["objective"] = to_string(objective);
  if (!class_names.empty()) json["classes"] = class_names;
  json["importances"] = importances();
  return json.dump();
}

template <Real T>
std::string GradientBoostingModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  Index nodes = 0;
  Index deepest = 0;
  for (const auto& tree : trees.trees) {
    nodes += tree.size();
    deepest = std::max(deepest, tree.depth());
  }
  std::string text = std::to_string(trees.trees.size()) + " trees, " + std::to_string(nodes) +
                     " nodes, at most " + std::to_string(deepest) + " deep; objective " +
                     std::string(to_string(objective)) + "\n";
  const auto shares = importances();
  std::vector<std::size_t> order(shares.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return shares[a] > shares[b]; });
  constexpr std::size_t most_shown = 20;
  text += "importances (share of the gain):\n";
  for (std::size_t k = 0; k < std::min(order.size(), most_shown); ++k) {
    if (shares[order[k]] <= 0) break;
    text += "  " + feature_names[order[k]] + "  " + significant(shares[order[k]], 4) + "\n";
  }
  return text + trees.to_text(feature_names, 1);
}

template class GradientBoostingModel<float>;
template class GradientBoostingModel<double>;

}  // namespace tandem
