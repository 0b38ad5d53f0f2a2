#include "tandem/tree/isolation_forest.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/data/base_margin.hpp"
#include "core/parallel.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/forest_trees.hpp"
#include "core/tree/random_forest_steps.hpp"
#include "core/tree/ready_trees.hpp"
#include "core/tree/tree_ensemble_json.hpp"
#include "core/tree/tree_ensemble_steps.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/math.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/core/text.hpp"

namespace tandem {

double mean_isolation_depth(double rows) {
  constexpr double euler = 0.57721566490153286061;
  if (rows <= 1) return 0;
  if (rows <= 2) return 1;
  return 2 * (math::log(rows - 1) + euler) - 2 * (rows - 1) / rows;
}

namespace tree {
namespace {

constexpr Index most_rows = (Index{1} << 31) - 1;

template <Real T>
class IsolationFit {
 public:
  IsolationFit(Engine& engine, const DatasetView<T>& data, const IsolationForestOptions& options,
               RunControl& control)
      : engine_(engine), options_(options), control_(control) {
    if (data.cols() == 0)
      throw InputError(
          data.source +
          ": has no feature columns to train on; leave at least one beside the target");
    if (data.rows() > most_rows) {
      throw InputError(data.source + ": " + std::to_string(data.rows()) +
                       " rows; an isolation forest takes at most " + std::to_string(most_rows));
    }
    require_finite(data, false, true);
    x_ = data.features;
    keep_rows(data);
    if (x_.rows < 2) {
      throw InputError(data.source + ": has " + std::to_string(x_.rows) +
                       " rows of weight above 0; an isolation forest needs at least 2");
    }
    constexpr Index usual_draws = 256;
    draws_ = {x_.rows, options.max_samples.of(x_.rows, usual_draws), options.bootstrap,
              options.seed};
    if (draws_.draws < 2) {
      throw InputError(option("max_samples") + " makes 1 row of a tree's " +
                       std::to_string(x_.rows) + "; expected at least 2");
    }
    rules_.criterion = TreeCriterion::gini;  // of one class: every cut is as good
    rules_.classes = 1;
    rules_.total_weight = draws_.draws;
    rules_.most_weight = draws_.draws;
    rules_.max_depth = options.max_depth;
    if (rules_.max_depth == 0) {
      rules_.max_depth =
          static_cast<Index>(std::bit_width(static_cast<std::uint64_t>(draws_.draws - 1)));
    }
    rules_.features_per_node = 1;
    rules_.seed = options.seed;
    rules_.random_thresholds = true;
    rules_.without_target = true;
    model_.draws = draws_.draws;
    model_.trees.features = x_.cols;
    model_.trees.outputs = 1;
    model_.trees.base = {T{0}};
  }

  IsolationForestModel<T> run() {
    // One upload.
    const Buffer<T> x = rows_on_engine(engine_, x_, Placement::rows);
    Buffer<std::int32_t> labels(engine_, x_.rows);
    labels.fill_zero();
    const Buffer<T> no_target(engine_, 0);
    const Buffer<std::int64_t> none(engine_, 0);
    const auto steps = make_steps<RandomForestSteps, T>(engine_);
    steps->prepare({x_.rows, x_.cols, &x, &labels, &no_target, &none, &none, &none}, rules_, draws_,
                   nullptr);
    resume();
    const Index at_once = std::min<Index>(steps->trees_at_once(), options_.trees);
    Buffer<std::uint32_t> counts(engine_, at_once * x_.rows);
    while (done() < options_.trees) {
      const Index first = done();
      const Index trees = std::min(at_once, options_.trees - first);
      steps->draw(first, trees, counts);
      std::vector<GrownSubtree<T>> grown(static_cast<std::size_t>(trees));
      steps->grow(first, counts, grown);
      for (const auto& tree : grown) add_tree(tree);
      end_iteration(control_, Progress{"tree", done(), options_.trees, {}, 0},
                    [&] { return state(); });
    }
    if (options_.contamination > 0) settle_threshold(x);
    TrainingLog& log = model_.log;
    log.iterations = done();
    log.converged = true;
    log.stopped_because = "all trees were grown";
    return std::move(model_);
  }

 private:
  void keep_rows(const DatasetView<T>& data) {
    if (!data.has_weights()) return;
    std::vector<Index> kept;
    for (Index i = 0; i < data.rows(); ++i) {
      const T weight = data.weights[static_cast<std::size_t>(i)];
      if (weight != T{0} && weight != T{1}) {
        throw InputError(
            data.source + ": row " + std::to_string(i + 1) +
            ": an isolation forest counts rows, as the length of a path is that of a "
            "search among so many, so that a sample weight is 0 or 1; leave the weights "
            "out, or repeat the rows that should count more");
      }
      if (weight != T{0}) kept.push_back(i);
    }
    if (static_cast<Index>(kept.size()) == data.rows()) return;
    selected_.reserve(kept.size() * static_cast<std::size_t>(data.cols()));
    for (const Index row : kept) {
      const auto from = data.features.row(row);
      selected_.insert(selected_.end(), from.begin(), from.end());
    }
    x_ = {selected_.data(), static_cast<Index>(kept.size()), data.cols(), data.cols()};
  }

  [[nodiscard]] Index done() const { return static_cast<Index>(model_.trees.trees.size()); }

  void add_tree(const GrownSubtree<T>& grown) {
    const double trees = static_cast<double>(options_.trees);
    EnsembleTree<T> tree = ensemble_tree_of(
        grown, rules_, 1,
        [&](const std::int64_t* statistics, const GrownNode<T>& node, std::span<T> values) {
          const double length = static_cast<double>(node.depth) +
                                mean_isolation_depth(static_cast<double>(statistics[0]));
          values[0] = static_cast<T>(length / trees);
        });
    model_.log.history["leaves"].push_back(static_cast<double>(tree.leaves()));
    model_.trees.trees.push_back(std::move(tree));
  }

  // The score that the given share of the training rows exceeds: a quantile by linear
  // interpolation.
  void settle_threshold(const Buffer<T>& x) {
    const auto on_engine = tree::to_engine(engine_, model_.trees);
    const auto steps = make_steps<TreeEnsembleSteps, T>(engine_);
    Buffer<T> sums(engine_, x_.rows);
    steps->set_base(on_engine, x_.rows, sums);
    steps->add_trees(on_engine, 0, on_engine.trees, x, x_.rows, sums);
    std::vector<T> scores =
        model_.predictions_of(Matrix<T>(x_.rows, 1, sums.to_host()), engine_.threads()).values;
    std::sort(scores.begin(), scores.end());
    const double place = (1 - options_.contamination) * static_cast<double>(scores.size() - 1);
    const auto below = static_cast<std::size_t>(place);
    const auto low = static_cast<double>(scores[below]);
    const auto high = static_cast<double>(scores[std::min(below + 1, scores.size() - 1)]);
    model_.threshold = low + (high - low) * (place - static_cast<double>(below));
  }

  [[nodiscard]] Archive state() const {
    Archive archive;
    archive.set("rows", x_.rows);
    archive.set("draws", draws_.draws);
    archive.set("trees_wanted", options_.trees);
    model_.trees.save(archive);
    model_.log.save(archive);
    return archive;
  }

  void resume() {
    const Archive* state = control_.resume_state();
    if (state == nullptr) return;
    (void)state->get_int("rows", x_.rows, x_.rows);
    (void)state->get_int("draws", draws_.draws, draws_.draws);
    (void)state->get_int("trees_wanted", options_.trees, options_.trees);
    TreeEnsemble<T> trees = TreeEnsemble<T>::load(*state);
    if (trees.features != x_.cols || trees.outputs != 1 || trees.base != model_.trees.base ||
        static_cast<Index>(trees.trees.size()) > options_.trees) {
      state->fail("trees", "are of a fit of other data or options");
    }
    model_.trees = std::move(trees);
    model_.log = TrainingLog::load(*state);
  }

  Engine& engine_;
  const IsolationForestOptions& options_;
  RunControl& control_;
  MatrixView<const T> x_;
  std::vector<T> selected_;  // where rows were left out
  RowDraws draws_;
  SplitRules rules_;
  IsolationForestModel<T> model_;
};

}  // namespace
}  // namespace tree

void IsolationForestOptions::visit(OptionVisitor& visitor) {
  visitor.integer({"trees", {"n_estimators", "num_trees", "n_trees"}}, trees, "trees of the forest",
                  1, 1000000);
  visitor.written("max_samples", max_samples,
                  "rows that each tree draws: auto (256 at most), all, a count, or a fraction such "
                  "as 0.5",
                  "auto|all|N");
  visitor.flag("bootstrap", bootstrap, "draw each tree's rows with replacement");
  visitor.integer("max_depth", max_depth,
                  "most cuts between the root and a leaf; 0 is log2 of the rows drawn", 0,
                  std::numeric_limits<std::int32_t>::max());
  visitor.real("contamination", contamination,
               "share of the training rows that are taken to be outliers; 0 is a score above 0.5",
               0, 0.5);
  visitor.seed(seed);
}

template <Real T>
IsolationForestModel<T> fit(Engine& engine, const DatasetView<T>& data,
                            const IsolationForestOptions& options,
                            const FitContext<std::type_identity_t<T>>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  require_dense(setting.data(), "an isolation forest");
  refuse_base_margin(setting.data(), "an isolation forest");
  check_options(options);
  return tree::IsolationFit<T>(engine, setting.data(), options, setting.control()).run();
}

// --- the model -----------------------------------------------------------------------------------

template <Real T>
Predictions<T> IsolationForestModel<T>::predictions_of(const Matrix<T>& lengths,
                                                       int threads) const {
  constexpr Index rows_at_once = 1024;
  constexpr double ln2 = 0x1.62e42fefa39efp-1;
  const double scale = -ln2 / mean_isolation_depth(static_cast<double>(draws));
  Predictions<T> result;
  result.labels.resize(static_cast<std::size_t>(lengths.rows()));
  result.values.resize(result.labels.size());
  parallel_pieces(threads, lengths.rows(), rows_at_once, [&](Piece piece) {
    for (Index i = piece.begin; i < piece.end; ++i) {
      const auto at = static_cast<std::size_t>(i);
      const T score = static_cast<T>(math::exp(static_cast<double>(lengths(i, 0)) * scale));
      result.values[at] = score;
      result.labels[at] = static_cast<double>(score) > threshold ? 1 : 0;
    }
  });
  return result;
}

template <Real T>
Predictions<T> IsolationForestModel<T>::predict(Engine& engine, MatrixView<const T> x) const {
  return predictions_of(trees.raw_scores(engine, x), engine.threads());
}

template <Real T>
std::unique_ptr<ReadyModel<T>> IsolationForestModel<T>::ready_on(Engine& engine) const {
  return tree::ready_trees(engine, trees, [this, &engine](const Matrix<T>& lengths) {
    return predictions_of(lengths, engine.threads());
  });
}

template <Real T>
void IsolationForestModel<T>::save(Archive& archive) const {
  archive.set("draws", draws);
  archive.set("threshold", threshold);
  trees.save(archive, "trees");
  log.save(archive);
}

template <Real T>
IsolationForestModel<T> IsolationForestModel<T>::load(const Archive& archive) {
  IsolationForestModel model;
  model.draws = archive.get_int("draws", 2, tree::most_rows);
  model.threshold = archive.get_double("threshold");
  if (!(model.threshold >= 0 && model.threshold <= 1)) {
    archive.fail("threshold", "is not a score from 0 to 1");
  }
  model.trees = TreeEnsemble<T>::load(archive, "trees");
  if (model.trees.trees.empty()) archive.fail("trees", "are none; a forest has at least one");
  if (model.trees.outputs != 1) archive.fail("trees", "have several outputs");
  for (const auto& tree : model.trees.trees) {
    for (const T length : tree.value) {
      if (length < 0) archive.fail("trees", "have a path of negative length");
    }
  }
  model.log = TrainingLog::load(archive);
  return model;
}

template <Real T>
std::string IsolationForestModel<T>::to_json(const std::vector<std::string>& feature_names) const {
  nlohmann::json json = tree::json_of(trees, feature_names);
  json["draws"] = draws;
  json["threshold"] = threshold;
  return json.dump();
}

template <Real T>
std::string IsolationForestModel<T>::to_text(const std::vector<std::string>& feature_names) const {
  return std::to_string(trees.trees.size()) + " trees of " + std::to_string(draws) +
         " rows; rows that score above " + significant(threshold, 4) + " are outliers\n" +
         "the first tree; its leaves add their part of the mean length of paths:\n" +
         trees.to_text(feature_names, 1);
}

template class IsolationForestModel<float>;
template class IsolationForestModel<double>;
template IsolationForestModel<float> fit(Engine&, const DatasetView<float>&,
                                         const IsolationForestOptions&, const FitContext<float>&);
template IsolationForestModel<double> fit(Engine&, const DatasetView<double>&,
                                          const IsolationForestOptions&, const FitContext<double>&);

}  // namespace tandem
