#include "tandem/tree/random_forest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "core/data/base_margin.hpp"
#include "core/parallel.hpp"
#include "core/steps.hpp"
#include "core/tree/binning_steps.hpp"
#include "core/tree/forest_trees.hpp"
#include "core/tree/random_forest_steps.hpp"
#include "core/tree/training_rows.hpp"
#include "core/watched_fit.hpp"
#include "tandem/core/buffer.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/numerics.hpp"
#include "tandem/core/stop_scope.hpp"
#include "tandem/tree/binned_table.hpp"

namespace tandem {
namespace tree {
namespace {

template <ForestKind kind>
DecisionTreeOptions options_of_trees(const ForestOptions<kind>& options) {
  DecisionTreeOptions of_trees;
  of_trees.task = options.task;
  of_trees.criterion = options.criterion;
  of_trees.max_depth = options.max_depth;
  of_trees.min_samples_split = options.min_samples_split;
  of_trees.min_samples_leaf = options.min_samples_leaf;
  of_trees.min_impurity_decrease = options.min_impurity_decrease;
  of_trees.max_features = options.max_features;
  // What each tree balances by itself is none of the rows'.
  if (options.class_weight.rule != ClassWeights::Rule::balanced_subsample) {
    of_trees.class_weight = options.class_weight;
  }
  of_trees.seed = options.seed;
  return of_trees;
}

template <Real T, ForestKind kind>
class ForestFit {
 public:
  ForestFit(Engine& engine, const DatasetView<T>& data, const ForestOptions<kind>& options,
            RunControl& control)
      : engine_(engine), data_(data), options_(options), control_(control) {
    DecisionTreeOptions of_trees = options_of_trees(options);
    using Rule = MaxFeatures::Rule;
    if (of_trees.max_features.rule == Rule::automatic &&
        of_trees.task_for(data) == Task::classification) {
      of_trees.max_features.rule = Rule::sqrt;
    }
    training_ = prepare_rows(data, of_trees);
    draws_ = {training_.rows, options.max_samples.of(training_.rows, training_.rows),
              options.bootstrap, options.seed, 0};
    if (options.oob_score && !draws_.drawn()) {
      throw InputError(option("oob_score") +
                       " needs rows that a tree has not drawn; every tree has them all without " +
                       option("bootstrap") + " and with all of " + option("max_samples"));
    }
    settle_rules();
    if (options.class_weight.rule == ClassWeights::Rule::balanced_subsample) balance_trees();
    outputs_ = training_.rules.classes > 0 ? training_.rules.classes : 1;
    model_.criterion = training_.rules.criterion;
    model_.class_names = training_.classes;
    model_.trees.features = data.cols();
    model_.trees.outputs = outputs_;
    model_.trees.base.assign(static_cast<std::size_t>(outputs_), T{0});
  }

  ForestModel<T, kind> run() {
    // One upload.
    Buffer<T> x(engine_, training_.rows * data_.cols(), Placement::rows);
    x.upload({training_.x, static_cast<std::size_t>(x.size())});
    if (options_.splitter == TreeSplitter::histogram) bin(x);
    const auto labels = to_engine(engine_, training_.labels);
    const auto target = to_engine(engine_, training_.target);
    const auto weights = to_engine(engine_, training_.weights);
    const auto row_weights = to_engine(engine_, training_.row_weights);
    Buffer<std::int64_t> sums(engine_, target.size());
    Buffer<std::int64_t> squares(engine_, target.size());
    make_steps<DecisionTreeSteps, T>(engine_)->encode_target(training_.code, target, row_weights,
                                                             sums, squares);
    const auto steps = make_steps<RandomForestSteps, T>(engine_);
    steps->prepare({training_.rows, data_.cols(), &x, &labels, &target, &weights, &sums, &squares},
                   training_.rules, draws_,
                   options_.splitter == TreeSplitter::histogram ? &bins_ : nullptr);
    if (options_.oob_score) {
      oob_sums_ = Buffer<T>(engine_, training_.rows * outputs_);
      oob_votes_ = Buffer<std::uint32_t>(engine_, training_.rows);
      oob_sums_.fill_zero();
      oob_votes_.fill_zero();
    }
    resume();
    const Index at_once = std::min<Index>(steps->trees_at_once(), options_.trees);
    Buffer<std::uint32_t> counts(engine_, at_once * training_.rows);
    const Index before = done();
    WatchedFit watched(static_cast<double>(options_.trees - before));
    while (done() < options_.trees) {
      const Index first = done();
      const Index trees = std::min(at_once, options_.trees - first);
      watched.begin_loop(static_cast<double>(trees));
      steps->draw(first, trees, counts);
      std::vector<GrownSubtree<T>> grown(static_cast<std::size_t>(trees));
      steps->grow(first, counts, grown);
      add_trees(grown);
      if (options_.oob_score) {
        const auto on_engine = tree::to_engine(engine_, trees_from(first));
        steps->add_out_of_bag(on_engine, counts, x, training_.rows, oob_sums_, oob_votes_);
        engine_.wait();  // on_engine ends here
      }
      watched.done_at(static_cast<double>(done() - before));
      end_iteration(control_, Progress{"tree", done(), options_.trees, {}, 0},
                    [&] { return state(); });
    }
    if (options_.oob_score) judge_out_of_bag();
    TrainingLog& log = model_.log;
    log.iterations = done();
    log.converged = true;
    log.stopped_because = "all trees were grown";
    return std::move(model_);
  }

 private:
  // Makes the bins from all rows, as they weigh, and puts the rows into them. Where nobody will ask
  // for the values any more, they are let go.
  void bin(Buffer<T>& x) {
    const Index cols = data_.cols();
    const std::vector<T> weights(training_.weights.begin(), training_.weights.end());
    cuts_ = make_bin_cuts({training_.x, training_.rows, cols, cols}, std::span<const T>(weights),
                          options_.max_bins, engine_.threads());
    cuts_there_ = tree::to_engine(engine_, cuts_);
    bins_.stride = binned_stride(cols);
    by_row_ = Buffer<std::uint8_t>(engine_, training_.rows * bins_.stride);
    by_column_ = Buffer<std::uint8_t>(engine_, training_.rows * cols);
    bins_.by_row = &by_row_;
    bins_.by_column = &by_column_;
    std::vector<std::uint8_t> known_bins;
    for (Index j = 0; j < cols; ++j) known_bins.push_back(static_cast<std::uint8_t>(cuts_.bins(j)));
    known_bins_ = tandem::to_engine(engine_, known_bins);
    bins_.known_bins = &known_bins_;
    make_steps<BinningSteps, T>(engine_)->bin_rows(cuts_there_, x, training_.rows, by_row_,
                                                   by_column_);
    engine_.wait();
    if (!options_.oob_score) x = {};
  }

  // Thresholds between numbers of bins become those between the bins: that of the last bin which is
  // not above it. The threshold of a cut between known and missing values stays.
  void translate_thresholds(GrownSubtree<T>& grown) const {
    if (options_.splitter == TreeSplitter::exact) return;
    for (GrownNode<T>& node : grown.nodes) {
      if (node.feature < 0 || node.threshold == std::numeric_limits<T>::max()) continue;
      node.threshold = cuts_.of(node.feature)[static_cast<std::size_t>(node.threshold)];
    }
  }

  // What changes where a tree has other rows than the data: how much a node can weigh.
  void settle_rules() {
    SplitRules& rules = training_.rules;
    rules.random_thresholds = kind == ForestKind::extra_trees;
    if (!draws_.drawn()) return;
    const std::int64_t heaviest = heaviest_row();
    const double share = static_cast<double>(draws_.draws) / static_cast<double>(training_.rows);
    // Below 2^62 as the sum of all rows is (prepare_rows): draws are no more than rows.
    rules.most_weight = draws_.replace ? draws_.draws * heaviest : rules.total_weight;
    rules.total_weight =
        std::max<std::int64_t>(1, std::llround(static_cast<double>(rules.total_weight) * share));
    if (rules.classes > 0) {
      rules.entropy_scale = entropy_scale_for(
          static_cast<double>(rules.most_weight) * rules.weight_unit, rules.classes);
    }
  }

  // What changes where each tree's classes weigh alike.
  void balance_trees() {
    SplitRules& rules = training_.rules;
    if (rules.classes == 0) {
      throw InputError(option("class_weight") +
                       " is for classification, and this forest regresses; use none");
    }
    std::int64_t heaviest = heaviest_row();
    // Weights of no more than 40 bits in a tree leave room for the factors.
    int spare = 0;
    while ((heaviest >> spare) >= (std::int64_t{1} << 40) / draws_.draws && heaviest >> spare > 1) {
      ++spare;
    }
    if (spare > 0) {
      const std::int64_t half = std::int64_t{1} << (spare - 1);
      std::fill(training_.statistics.begin(), training_.statistics.end(), 0);
      rules.total_weight = 0;
      for (std::size_t i = 0; i < training_.weights.size(); ++i) {
        std::int64_t& weight = training_.weights[i];
        weight = std::max<std::int64_t>(1, (weight + half) >> spare);
        training_.statistics[static_cast<std::size_t>(training_.labels[i])] += weight;
        rules.total_weight += weight;
      }
      const double share = static_cast<double>(draws_.draws) / static_cast<double>(training_.rows);
      rules.total_weight = std::llround(static_cast<double>(rules.total_weight) * share);
      heaviest = heaviest_row();
    }
    draws_.balance_bits = balance_bits_for(draws_.draws);
    // A tree's factors add up to its draws, but for their roundings.
    const std::int64_t unit = std::int64_t{1} << draws_.balance_bits;
    rules.most_weight = draws_.draws * heaviest * (unit + 1);
    rules.total_weight *= unit;
    rules.weight_unit = std::ldexp(rules.weight_unit, spare - draws_.balance_bits);
    rules.entropy_scale = entropy_scale_for(
        static_cast<double>(rules.most_weight) * rules.weight_unit, rules.classes);
  }

  [[nodiscard]] std::int64_t heaviest_row() const {
    return training_.weights.empty()
               ? 1
               : *std::max_element(training_.weights.begin(), training_.weights.end());
  }

  [[nodiscard]] Index done() const { return static_cast<Index>(model_.trees.trees.size()); }

  void add_trees(std::vector<GrownSubtree<T>>& grown) {
    std::vector<EnsembleTree<T>> trees(grown.size());
    parallel_for(engine_.threads(), static_cast<Index>(grown.size()), [&](Index t) {
      const auto at = static_cast<std::size_t>(t);
      translate_thresholds(grown[at]);
      trees[at] = tree_of(grown[at]);
    });
    for (EnsembleTree<T>& tree : trees) {
      model_.log.history["leaves"].push_back(static_cast<double>(tree.leaves()));
      model_.trees.trees.push_back(std::move(tree));
    }
  }

  [[nodiscard]] EnsembleTree<T> tree_of(const GrownSubtree<T>& grown) const {
    const SplitRules& rules = training_.rules;
    const double trees = static_cast<double>(options_.trees);
    return ensemble_tree_of(
        grown, rules, outputs_,
        [&](const std::int64_t* statistics, const GrownNode<T>&, std::span<T> values) {
          const double weight = static_cast<double>(node_weight(rules, statistics));
          if (rules.classes == 0) {
            const double mean = training_.code.centre + static_cast<double>(statistics[1]) *
                                                            rules.sum_unit /
                                                            (weight * rules.weight_unit);
            values[0] = static_cast<T>(mean / trees);
            return;
          }
          for (std::int32_t c = 0; c < rules.classes; ++c) {
            values[static_cast<std::size_t>(c)] =
                static_cast<T>(static_cast<double>(statistics[c]) / weight / trees);
          }
        });
  }

  [[nodiscard]] TreeEnsemble<T> trees_from(Index first) const {
    TreeEnsemble<T> part;
    part.features = model_.trees.features;
    part.outputs = outputs_;
    part.base = model_.trees.base;
    part.trees.assign(model_.trees.trees.begin() + first, model_.trees.trees.end());
    return part;
  }

  // Means of the trees that vote, by row of the data; and how good they are.
  void judge_out_of_bag() {
    const std::vector<T> sums = oob_sums_.to_host();
    const std::vector<std::uint32_t> votes = oob_votes_.to_host();
    model_.oob_predictions = Matrix<T>(data_.rows(), outputs_);
    std::fill(model_.oob_predictions.values().begin(), model_.oob_predictions.values().end(),
              std::numeric_limits<T>::quiet_NaN());
    std::vector<Index> judged;  // of the rows trained on
    Index right = 0;
    for (Index i = 0; i < training_.rows; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (votes[at] == 0) continue;
      judged.push_back(i);
      const auto row = model_.oob_predictions.row(row_of_data(i));
      const double scale = static_cast<double>(options_.trees) / votes[at];
      for (Index k = 0; k < outputs_; ++k) {
        row[static_cast<std::size_t>(k)] = static_cast<T>(
            static_cast<double>(sums[static_cast<std::size_t>(i * outputs_ + k)]) * scale);
      }
      if (training_.rules.classes == 0) continue;
      const auto label = std::max_element(row.begin(), row.end()) - row.begin();
      right += label == training_.labels[at] ? 1 : 0;
    }
    if (judged.empty()) {
      throw InputError(option("oob_score") + ": every tree has drawn every row; grow more " +
                       option("trees") + " or lower " + option("max_samples"));
    }
    const auto count = static_cast<Index>(judged.size());
    double score = static_cast<double>(right) / static_cast<double>(count);
    if (training_.rules.classes == 0) {
      const auto y = [&](Index k) {
        return static_cast<double>(
            training_.target[static_cast<std::size_t>(judged[static_cast<std::size_t>(k)])]);
      };
      const double mean = long_sum(count, y) / static_cast<double>(count);
      const double spread = long_sum(count, [&](Index k) { return (y(k) - mean) * (y(k) - mean); });
      const double error = long_sum(count, [&](Index k) {
        const double p = static_cast<double>(
            model_.oob_predictions(row_of_data(judged[static_cast<std::size_t>(k)]), 0));
        return (y(k) - p) * (y(k) - p);
      });
      // As the metric R² has it where the target is constant.
      score = spread > 0 ? 1 - error / spread : error > 0 ? 0.0 : 1.0;
    }
    model_.oob_score = score;
  }

  [[nodiscard]] Index row_of_data(Index i) const {
    return training_.kept.empty() ? i : training_.kept[static_cast<std::size_t>(i)];
  }

  [[nodiscard]] Archive state() const {
    Archive archive;
    archive.set("rows", training_.rows);
    archive.set("draws", draws_.draws);
    archive.set("trees_wanted", options_.trees);
    archive.set_tensor("statistics", training_.statistics);
    model_.trees.save(archive);
    model_.log.save(archive);
    if (options_.oob_score) {
      archive.set_tensor("oob_sums", oob_sums_.to_host());
      const std::vector<std::uint32_t> votes = oob_votes_.to_host();
      archive.set_tensor("oob_votes", std::vector<std::int64_t>(votes.begin(), votes.end()));
    }
    return archive;
  }

  void resume() {
    const Archive* state = control_.resume_state();
    if (state == nullptr) return;
    (void)state->get_int("rows", training_.rows, training_.rows);
    (void)state->get_int("draws", draws_.draws, draws_.draws);
    (void)state->get_int("trees_wanted", options_.trees, options_.trees);
    TreeEnsemble<T> trees = TreeEnsemble<T>::load(*state);
    if (state->get_tensor<std::int64_t>("statistics") != training_.statistics ||
        trees.features != model_.trees.features || trees.outputs != outputs_ ||
        trees.base != model_.trees.base ||
        static_cast<Index>(trees.trees.size()) > options_.trees) {
      state->fail("statistics", "are of a fit of other data or options");
    }
    for (const auto& tree : trees.trees) {
      if (tree.output != (outputs_ > 1 ? all_outputs : 0)) {
        state->fail("trees", "are not those of a forest");
      }
    }
    model_.trees = std::move(trees);
    model_.log = TrainingLog::load(*state);
    if (options_.oob_score) {
      oob_sums_.upload(state->get_tensor<T>("oob_sums", oob_sums_.size()));
      std::vector<std::uint32_t> votes;
      for (const auto count : state->get_tensor<std::int64_t>("oob_votes", oob_votes_.size())) {
        if (count < 0 || count > done()) state->fail("oob_votes", "are not of these trees");
        votes.push_back(static_cast<std::uint32_t>(count));
      }
      oob_votes_.upload(votes);
    }
  }

  Engine& engine_;
  const DatasetView<T>& data_;
  const ForestOptions<kind>& options_;
  RunControl& control_;
  TrainingRows<T> training_;
  RowDraws draws_;
  Index outputs_ = 1;
  ForestModel<T, kind> model_;
  Buffer<T> oob_sums_;
  Buffer<std::uint32_t> oob_votes_;
  // Of the histogram splitter.
  BinCuts<T> cuts_;
  CutsOnEngine<T> cuts_there_;
  Buffer<std::uint8_t> known_bins_;
  Buffer<std::uint8_t> by_row_;
  Buffer<std::uint8_t> by_column_;
  BinnedFeatures bins_;
};

template <Real T, ForestKind kind>
ForestModel<T, kind> fit_forest(Engine& engine, const DatasetView<T>& data,
                                const ForestOptions<kind>& options, const FitContext<T>& context) {
  const FitSetting<T> setting(data, context);
  const StopScope stop(context.control);
  require_dense(setting.data(), "a forest");
  refuse_base_margin(setting.data(), "a forest");
  check_options(options);
  return ForestFit<T, kind>(engine, setting.data(), options, setting.control()).run();
}

}  // namespace
}  // namespace tree

template <ForestKind kind>
void ForestOptions<kind>::visit(OptionVisitor& visitor) {
  constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
  visitor.choice("task", task,
                 "what to predict; auto classifies texts and whole numbers of at most 20 values");
  visitor.integer({"trees", {"n_estimators", "num_trees", "n_trees"}}, trees, "trees of the forest",
                  1, 1000000);
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
  visitor.written(
      "max_features", max_features,
      "features looked at per node: auto (sqrt for classes, all for values), all, sqrt, "
      "log2, a count, or a fraction such as 0.3",
      "auto|all|sqrt|N");
  visitor.flag("bootstrap", bootstrap, "draw each tree's rows with replacement");
  visitor.written("max_samples", max_samples,
                  "rows that each tree draws: all, a count, or a fraction such as 0.5", "all|N");
  visitor.written(
      "class_weight", class_weight,
      "none, balanced, balanced_subsample (among each tree's rows), or weights by class "
      "such as yes=2,no=1",
      "TEXT");
  visitor.flag("oob_score", oob_score, "judge the forest by the rows that trees have not drawn");
  if constexpr (kind == ForestKind::random_forest) {
    visitor.choice("splitter", splitter,
                   "exact judges every cut between two values, histogram those between bins");
    visitor.integer({"max_bins", {"max_bins", "max_bin", "n_bins"}}, max_bins,
                    "histogram: bins of a feature's known values, at most", 2, most_byte_bins);
  }
  visitor.seed(seed);
}

template <ForestKind kind>
void ForestOptions<kind>::check() const {
  tree::options_of_trees(*this).check();
  if (kind == ForestKind::extra_trees && splitter != TreeSplitter::exact) {
    throw InputError(option("splitter") +
                     " histogram is for random forests; extra-trees draw one " +
                     "threshold in place of judging cuts");
  }
}

template <ForestKind kind>
template <Real T>
Task ForestOptions<kind>::task_for(const DatasetView<T>& data) const {
  return tree::options_of_trees(*this).task_for(data);
}

template <Real T>
RandomForestModel<T> fit(Engine& engine, const DatasetView<T>& data,
                         const RandomForestOptions& options,
                         const FitContext<std::type_identity_t<T>>& context) {
  return tree::fit_forest(engine, data, options, context);
}
template <Real T>
ExtraTreesModel<T> fit(Engine& engine, const DatasetView<T>& data, const ExtraTreesOptions& options,
                       const FitContext<std::type_identity_t<T>>& context) {
  return tree::fit_forest(engine, data, options, context);
}

template struct ForestOptions<ForestKind::random_forest>;
template struct ForestOptions<ForestKind::extra_trees>;
template Task RandomForestOptions::task_for(const DatasetView<float>&) const;
template Task RandomForestOptions::task_for(const DatasetView<double>&) const;
template Task ExtraTreesOptions::task_for(const DatasetView<float>&) const;
template Task ExtraTreesOptions::task_for(const DatasetView<double>&) const;
template RandomForestModel<float> fit(Engine&, const DatasetView<float>&,
                                      const RandomForestOptions&, const FitContext<float>&);
template RandomForestModel<double> fit(Engine&, const DatasetView<double>&,
                                       const RandomForestOptions&, const FitContext<double>&);
template ExtraTreesModel<float> fit(Engine&, const DatasetView<float>&, const ExtraTreesOptions&,
                                    const FitContext<float>&);
template ExtraTreesModel<double> fit(Engine&, const DatasetView<double>&, const ExtraTreesOptions&,
                                     const FitContext<double>&);

}  // namespace tandem
