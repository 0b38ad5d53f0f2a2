// Agreement of gradient boosting: binning, every step on the same integers, and whole fits.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "agree/case.hpp"
#include "agree/fits.hpp"
#include "core/rows_on_engine.hpp"
#include "core/steps.hpp"
#include "core/tree/binning_steps.hpp"
#include "core/tree/gradient_boosting_steps.hpp"
#include "core/tree/ranking_steps.hpp"
#include "tandem/tree/binned_table.hpp"
#include "tandem/tree/gradient_boosting.hpp"

namespace tandem::agree {
namespace {

using namespace tree;  // NOLINT(google-build-using-namespace): the steps of one algorithm

template <Real T>
Matrix<T> features_with_gaps(const Key& key, Index columns, Draw& draw) {
  Matrix<T> x = make_features<T>(key.kind, key.rows, columns, draw);
  const double missing = draw.of({0.0, 0.0, 0.2});
  for (T& value : x.values()) {
    if (draw.uniform() < missing) value = std::numeric_limits<T>::quiet_NaN();
  }
  return x;
}

template <Real T>
class BinCase final : public Case {
 public:
  explicit BinCase(const Key& key)
      : draw_(key.seed, 61), x_(features_with_gaps<T>(key, draw_.between(1, 40), draw_)) {
    if (draw_.flip()) weights_ = make_weights<T>(x_.rows(), draw_);
    max_bins_ = draw_.of<Index>({2, 3, 16, 64, 255, 256, 1000});
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto cuts =
        make_bin_cuts(x_.view(), std::span<const T>(weights_), max_bins_, engine.threads());
    out.add("thresholds", cuts.thresholds);
    const Buffer<T> x = rows_on_engine(engine, x_.view(), Placement::rows);
    const int bin_bytes = cuts.bin_bytes();
    Buffer<std::uint8_t> by_row(engine, x_.rows() * binned_stride(x_.cols()) * bin_bytes);
    Buffer<std::uint8_t> by_column(engine, x_.size() * bin_bytes);
    make_steps<BinningSteps, T>(engine)->bin_rows(to_engine(engine, cuts), x, x_.rows(), by_row,
                                                  by_column);
    out.add("by row", by_row);
    out.add("by column", by_column);
  }
  void judge(Judge& judge) const override {
    judge.exact("thresholds");
    judge.exact("by row");
    judge.exact("by column");
  }

 private:
  Draw draw_;
  Matrix<T> x_;
  std::vector<T> weights_;
  Index max_bins_ = 255;
};

// Gradients, their ranges and the loss, for all objectives.
template <Real T>
class GradientCase final : public Case {
 public:
  explicit GradientCase(const Key& key) : draw_(key.seed, 62), rows_(key.rows) {
    loss_.kind =
        draw_.of({BoostingLoss::squared_error, BoostingLoss::huber, BoostingLoss::logistic,
                  BoostingLoss::softmax, BoostingLoss::poisson, BoostingLoss::gamma,
                  BoostingLoss::tweedie, BoostingLoss::absolute_error, BoostingLoss::quantile});
    loss_.outputs = loss_.kind == BoostingLoss::softmax ? draw_.between(1, 9) : 1;
    loss_.parameter = loss_.kind == BoostingLoss::tweedie ? static_cast<T>(1.3) : static_cast<T>(2);
    if (loss_.kind == BoostingLoss::quantile) loss_.parameter = static_cast<T>(0.3);
    for (Index e = 0; e < rows_ * loss_.outputs; ++e) {
      scores_.push_back(static_cast<T>(draw_.uniform(-6, 6)));
    }
    for (Index i = 0; i < rows_; ++i) {
      double y = draw_.uniform(-8, 8);
      if (loss_.kind == BoostingLoss::logistic) y = static_cast<double>(draw_.below(2));
      if (loss_.kind == BoostingLoss::softmax) y = static_cast<double>(draw_.below(loss_.outputs));
      if (loss_.kind == BoostingLoss::poisson) y = static_cast<double>(draw_.below(9));
      if (loss_.kind == BoostingLoss::gamma) y = draw_.uniform(0.1, 20);
      if (loss_.kind == BoostingLoss::tweedie) y = draw_.flip() ? 0 : draw_.uniform(0, 9);
      target_.push_back(static_cast<T>(y));
    }
    if (draw_.flip()) weights_ = make_weights<T>(rows_, draw_);
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    // One feature of one bin: the steps ask for a table.
    Buffer<std::uint8_t> by_row(engine, rows_ * 4);
    Buffer<std::uint8_t> by_column(engine, rows_ + column_padding);
    by_row.fill_zero();
    by_column.fill_zero();
    const auto target = to_engine(engine, target_);
    const auto weights = to_engine(engine, weights_);
    const auto scores = to_engine(engine, scores_);
    const std::vector<std::int32_t> bins{1};
    const std::vector<std::uint8_t> missing{0};
    const auto steps = make_steps<GradientBoostingSteps, T>(engine);
    steps->prepare({rows_, 1, 4, &by_row, &by_column, &target, &weights, bins, missing, {}},
                   loss_.outputs, 3);
    std::vector<GradientRange> ranges(static_cast<std::size_t>(loss_.outputs));
    steps->compute_gradients(loss_, scores, ranges);
    std::vector<double> most;
    for (const auto& range : ranges) {
      most.push_back(range.most_gradient);
      most.push_back(range.most_hessian);
    }
    out.add("most", most);
    // The gradients by their fixed-point sums, with one packing for all engines.
    const bool unit = unit_hessian(loss_.kind) && weights_.empty();
    std::vector<double> sums;
    for (Index k = 0; k < loss_.outputs; ++k) {
      const GradientPacking packing = packing_for({largest(), largest()}, rows_, unit, true);
      const PackedSums of_output = steps->pack(k, packing, {});
      sums.push_back(static_cast<double>(of_output.g) / packing.gradient_scale);
      sums.push_back(static_cast<double>(of_output.h) / packing.hessian_scale);
    }
    out.add("sums", sums);
    out.add("loss", steps->total_loss(loss_, scores, target, weights, rows_));
  }

  void judge(Judge& judge) const override {
    // A score below 16 in magnitude times at most 1 is rounded once before an exponential, whose
    // own error is below 1 unit; a handful of operations follow, and each weight is one. With Σ of
    // the magnitudes at most n·largest():
    const double each =
        (16 * 12 + 40 + 4 * static_cast<double>(loss_.outputs)) * unit_roundoff<T> * largest();
    judge.within("most", Tolerance::elementwise, each);
    const double n = static_cast<double>(rows_);
    judge.within("sums", Tolerance::reduction,
                 n * (each + 2 * std::ldexp(largest(), -40) + unit_roundoff<T> * largest()));
    judge.within(
        "loss", Tolerance::reduction,
        n * (each + long_sum_bound(rows_) * largest() + gamma_bound<double>(rows_) * largest()));
  }

 private:
  // No gradient, Hessian or loss is above this: weights are at most 2, |s| <= 6, y at most 20.
  [[nodiscard]] double largest() const { return 2 * 20 * std::exp(6.0) * 4; }

  Draw draw_;
  Index rows_;
  LossRules<T> loss_;
  std::vector<T> scores_;
  std::vector<T> target_;
  std::vector<T> weights_;
};

// Gradients of ranking and the quality of rankings, of queries of up to 200 rows with ties.
template <Real T>
class RankCase final : public Case {
 public:
  explicit RankCase(const Key& key) : draw_(key.seed, 65) {
    rules_.kind = draw_.of({RankingLoss::ndcg, RankingLoss::map, RankingLoss::pairwise});
    rules_.truncation = draw_.of<Index>({1, 5, 30, 1000});
    rules_.normalize = draw_.flip();
    starts_.push_back(0);
    while (starts_.back() < key.rows) {
      const Index rows = draw_.of<Index>({1, 2, draw_.between(1, 200)});
      starts_.push_back(std::min(key.rows, starts_.back() + rows));
    }
    const Index most = rules_.kind == RankingLoss::map ? 2 : draw_.of<Index>({1, 2, 5});
    const bool ties = draw_.below(3) == 0;
    for (Index i = 0; i < key.rows; ++i) {
      target_.push_back(static_cast<T>(draw_.below(most)));
      scores_.push_back(
          static_cast<T>(ties ? static_cast<double>(draw_.below(3)) - 1 : draw_.uniform(-4, 4)));
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto queries = ranking_queries(engine, std::span<const Index>(starts_),
                                         std::span<const T>(target_), rules_);
    const auto scores = to_engine(engine, scores_);
    const auto target = to_engine(engine, target_);
    Buffer<T> gradients(engine, scores.size());
    Buffer<T> hessians(engine, scores.size());
    Buffer<double> quality(engine, queries.queries);
    const auto steps = make_steps<RankingSteps, T>(engine);
    steps->compute_gradients(rules_, queries, scores, target, gradients, hessians);
    steps->measure(rules_, queries, scores, target, quality);
    out.add("gradients", gradients);
    out.add("hessians", hessians);
    out.add("quality", quality);
  }

  void judge(Judge& judge) const override {
    // Up to 200 pairs of a row, each Δ at most 16 (a gain of 15 over a best of 1, differences of
    // places below 1), divided by 0.01 at the least, and times log2(1 + Σ)/Σ <= 1.45; each is off
    // by 64 roundings in double of that, for the difference of two places may cancel. Then one of
    // T.
    const double pairs = 200 * 16 * 100 * 1.45 * 64 * unit_roundoff<double>;
    for (const char* name : {"gradients", "hessians"}) {
      const auto& expected = judge.reference.template get<T>(name);
      judge.within(name, Tolerance::reduction, [&](std::size_t i) {
        return pairs + 2 * unit_roundoff<T> * std::abs(static_cast<double>(expected[i]));
      });
    }
    judge.within("quality", Tolerance::reduction, gamma_bound<double>(300));
  }

 private:
  Draw draw_;
  RankingRules rules_;
  std::vector<Index> starts_;
  std::vector<T> target_;
  std::vector<T> scores_;
};

// One tree by hand: words, histograms, cuts, partitions, leaves, on integers that do not depend on
// the engine.
template <Real T>
class TreeStepsCase final : public Case {
 public:
  explicit TreeStepsCase(const Key& key)
      : draw_(key.seed, 63), x_(features_with_gaps<T>(key, draw_.between(1, 20), draw_)) {
    for (Index i = 0; i < x_.rows(); ++i) target_.push_back(static_cast<T>(draw_.uniform(-1, 1)));
    if (draw_.flip()) weights_ = make_weights<T>(x_.rows(), draw_);
    cuts_ = make_bin_cuts(x_.view(), std::span<const T>(),
                          draw_.of<Index>({2, 16, 64, 100, 255, 300, 4096}), 1);
    for (Index j = 0; j < x_.cols(); ++j) {
      bins_.push_back(static_cast<std::int32_t>(cuts_.bins(j)));
      directions_.push_back(static_cast<std::int8_t>(draw_.between(-1, 1)));
    }
    wide_ = draw_.below(3) == 0;
    sample_.share = draw_.of({1.0, 1.0, 0.6});
    sample_.seed = draw_.bits();
    goss_ = x_.rows() > 0 && sample_.share < 1 && draw_.flip();
    rules_.lambda = draw_.of({0.0, 1.0});
    rules_.alpha = draw_.of({0.0, 0.0, 0.1});
    rules_.max_delta_step = draw_.of({0.0, 0.0, 0.3});
    rules_.monotone = draw_.below(3) == 0;
    for (Index j = 0; j < x_.cols(); ++j) allowed_.push_back(draw_.below(4) > 0 ? 1 : 0);
    if (draw_.flip()) allowed_.clear();
    if (draw_.flip()) {
      for (Index j = 0; j < x_.cols(); ++j) {
        kinds_.push_back(
            draw_.of({BinKind::numbers, BinKind::categories, BinKind::categories_and_rest}));
      }
    }
    rules_.categories = {draw_.of<std::int32_t>({0, 4, 40}), draw_.of<std::int32_t>({1, 5, 32}),
                         draw_.of({0.0, 1.0, 10.0}), draw_.of({0.0, 10.0})};
    quantile_ = draw_.of({0.5, 0.5, 0.1, 0.97});
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const Index n = x_.rows();
    const Index stride = binned_stride(x_.cols());
    const Buffer<T> x = rows_on_engine(engine, x_.view(), Placement::rows);
    const int bin_bytes = cuts_.bin_bytes();
    Buffer<std::uint8_t> by_row(engine, n * stride * bin_bytes);
    Buffer<std::uint8_t> by_column(engine, x_.size() * bin_bytes + column_padding);
    make_steps<BinningSteps, T>(engine)->bin_rows(to_engine(engine, cuts_), x, n, by_row,
                                                  by_column);
    const auto target = to_engine(engine, target_);
    const auto weights = to_engine(engine, weights_);
    const auto steps = make_steps<GradientBoostingSteps, T>(engine);
    const BoostingData<T> data{n,       x_.cols(), stride, &by_row,       &by_column,
                               &target, &weights,  bins_,  cuts_.missing, directions_,
                               kinds_,  bin_bytes};
    const Index set_words = data.set_words();
    steps->prepare(data, 1, 8);
    // The squared error at 0: gradients are −w·y, exactly.
    Buffer<T> scores(engine, n);
    scores.fill_zero();
    GradientRange range;
    steps->compute_gradients({BoostingLoss::squared_error, T{0}, 1}, scores, {&range, 1});
    out.add("range", std::vector<double>{range.most_gradient, range.most_hessian});
    RowSample sample = sample_;
    if (goss_) {
      const GradientRank rank = steps->rank_gradients(0, (n + 4) / 5);
      out.add("rank", std::vector<double>{rank.magnitude, static_cast<double>(rank.above)});
      sample.kept_above = rank.magnitude;
      sample.weight = 2.5;
      range.most_gradient *= sample.weight;
      range.most_hessian *= sample.weight;
    }
    const GradientPacking packing = packing_for(range, n, weights_.empty() && !goss_, wide_);
    const PackedSums sums = steps->pack(0, packing, sample);
    std::vector<std::int64_t> integers{sums.rows, sums.g, sums.h, sums.magnitudes};
    GainRules rules = rules_;
    rules.gradient_unit = 1 / packing.gradient_scale;
    rules.hessian_unit = 1 / packing.hessian_scale;

    struct Node {
      Index begin;
      Index rows;
      std::int32_t side;
      std::int32_t slot;
      std::int64_t g;
      std::int64_t h;
    };
    std::vector<Node> level{{0, sums.rows, 0, 0, sums.g, sums.h}};
    std::vector<double> scores_of_splits;
    std::vector<LeafRange<T>> leaves;
    if (sums.rows > 0) {
      const HistogramTask root{0, sums.rows, 0, 0, -1};
      steps->build_histograms({&root, 1});
    }
    std::int32_t free_slot = 1;
    for (int depth = 0; depth < 3 && !level.empty() && sums.rows > 0; ++depth) {
      std::vector<SplitQuery> queries;
      std::vector<std::uint8_t> allowed;
      for (const Node& node : level) {
        queries.push_back({node.slot, node.g, node.h, {}});
        allowed.insert(allowed.end(), allowed_.begin(), allowed_.end());
      }
      std::vector<HistogramSplit> splits(level.size());
      std::vector<std::uint32_t> sets(level.size() * static_cast<std::size_t>(set_words));
      steps->find_splits(rules, queries, allowed, splits, sets);
      std::vector<SplitTask> tasks;
      std::vector<Node> parents;
      std::vector<HistogramSplit> made;
      for (std::size_t k = 0; k < level.size(); ++k) {
        const HistogramSplit& split = splits[k];
        scores_of_splits.push_back(split.sum);
        for (const std::int64_t integer :
             {static_cast<std::int64_t>(split.feature), static_cast<std::int64_t>(split.bin),
              static_cast<std::int64_t>(split.missing_left), split.left_g, split.left_h}) {
          integers.push_back(integer);
        }
        if (split.feature < 0) {
          leaves.push_back(
              {level[k].begin, level[k].rows, level[k].side, static_cast<T>(leaves.size() + 1)});
          continue;
        }
        const auto at = static_cast<std::size_t>(split.feature);
        const bool by_set = !kinds_.empty() && kinds_[at] != BinKind::numbers;
        tasks.push_back({level[k].begin, level[k].rows, level[k].side, split.feature, split.bin,
                         split.missing_left != 0 ? bins_[at] : -1,
                         by_set ? static_cast<std::int32_t>(k) : -1});
        parents.push_back(level[k]);
        made.push_back(split);
      }
      std::vector<Index> left(tasks.size());
      integers.insert(integers.end(), sets.begin(), sets.end());
      if (!tasks.empty()) steps->apply_splits(tasks, sets, left);
      std::vector<Node> next;
      std::vector<HistogramTask> builds;
      for (std::size_t k = 0; k < tasks.size(); ++k) {
        integers.push_back(left[k]);
        const Node& parent = parents[k];
        const Node one{parent.begin, left[k],        1 - parent.side,
                       free_slot++,  made[k].left_g, made[k].left_h};
        const Node other{parent.begin + left[k], parent.rows - left[k],
                         1 - parent.side,        parent.slot,
                         parent.g - one.g,       parent.h - one.h};
        builds.push_back({one.begin, one.rows, one.side, one.slot, parent.slot});
        next.push_back(one);
        next.push_back(other);
      }
      if (!builds.empty() && depth < 2) steps->build_histograms(builds);
      level = std::move(next);
    }
    for (const Node& node : level) {
      leaves.push_back({node.begin, node.rows, node.side, static_cast<T>(leaves.size() + 1)});
    }
    std::vector<T> quantiles(leaves.size());
    double heaviest = 1;
    for (const T weight : weights_) heaviest = std::max(heaviest, static_cast<double>(weight));
    steps->leaf_quantiles(
        leaves, {quantile_, std::ldexp(1.0, 30) / std::exp2(std::ceil(std::log2(heaviest)))}, 0,
        scores, quantiles);
    out.add("quantiles", quantiles);
    steps->add_leaves(leaves, 0, scores);
    out.add("integers", integers);
    out.add("sums of scores", scores_of_splits);
    out.add("leaf numbers", scores);
  }

  void judge(Judge& judge) const override {
    judge.exact("range");
    if (goss_) judge.exact("rank");
    judge.exact("integers");
    judge.exact("sums of scores");
    judge.exact("quantiles");
    judge.exact("leaf numbers");
  }

 private:
  Draw draw_;
  Matrix<T> x_;
  std::vector<T> target_;
  std::vector<T> weights_;
  BinCuts<T> cuts_;
  std::vector<std::int32_t> bins_;
  std::vector<std::int8_t> directions_;
  std::vector<std::uint8_t> allowed_;
  std::vector<BinKind> kinds_;
  RowSample sample_;
  GainRules rules_;
  bool wide_ = false;
  bool goss_ = false;
  double quantile_ = 0.5;
};

// A whole fit. The reference computes gradients in double, so that its trees may part from the
// others' at near ties; what is judged is that raw scores of the model, by its own trees, are the
// chain of the leaves that rows reach, and that both fits come to about the same loss.
template <Real T>
class FitCase final : public Case {
 public:
  explicit FitCase(const Key& key) : draw_(key.seed, 64) {
    data_.source = "generated";
    data_.features = features_with_gaps<T>(key, draw_.between(1, 8), draw_);
    data_.columns = numbered_columns(data_.cols());
    data_.target_column.name = "y";
    options_.objective = draw_.of({BoostingObjective::squared_error, BoostingObjective::huber,
                                   BoostingObjective::logistic, BoostingObjective::softmax,
                                   BoostingObjective::poisson, BoostingObjective::gamma,
                                   BoostingObjective::tweedie, BoostingObjective::absolute_error,
                                   BoostingObjective::quantile, BoostingObjective::rank_ndcg,
                                   BoostingObjective::rank_map, BoostingObjective::rank_pairwise});
    const bool logistic = options_.objective == BoostingObjective::logistic;
    if (logistic || options_.objective == BoostingObjective::softmax) {
      Matrix<T> known = data_.features;
      for (T& value : known.values()) value = value == value ? value : T{0};
      const Index classes = logistic ? 2 : draw_.between(2, 5);
      for (const auto label : make_labels(known, classes, draw_)) {
        data_.target.push_back(static_cast<T>(label));
      }
    } else {
      const bool map = options_.objective == BoostingObjective::rank_map;
      for (Index i = 0; i < data_.rows(); ++i) {
        data_.target.push_back(static_cast<T>(map ? draw_.below(2) : draw_.below(6) + 1));
      }
    }
    Index query = 0;
    for (Index i = 0; i < data_.rows(); ++i) {
      if (draw_.below(20) == 0) ++query;
      data_.groups.push_back(query);
    }
    if (draw_.below(3) == 0) {
      for (Index i = 0; i < data_.rows(); ++i) {
        data_.weights.push_back(static_cast<T>(draw_.uniform(0.1, 3)));
      }
    }
    options_.rounds = draw_.between(0, 4);
    options_.max_depth = draw_.of<Index>({0, 1, 3, 6});
    options_.max_leaves = draw_.of<Index>({0, 2, 7, 20});
    options_.grow_policy =
        options_.max_leaves > 0 && draw_.flip() ? GrowPolicy::lossguide : GrowPolicy::depthwise;
    options_.max_bins = draw_.of<Index>({2, 32, 255, 900});
    options_.min_child_weight = draw_.of({0.0, 1.0});
    options_.reg_alpha = draw_.of({0.0, 0.0, 0.5});
    options_.subsample = draw_.of({1.0, 1.0, 0.7});
    if (options_.subsample == 1 && draw_.below(3) == 0 &&
        options_.objective != BoostingObjective::absolute_error &&
        options_.objective != BoostingObjective::quantile) {
      options_.sampling_method = SamplingMethod::goss;
      options_.learning_rate = 0.9;  // from the second round
      options_.top_rate = draw_.of({0.0, 0.2, 0.5});
    }
    options_.colsample_bytree = draw_.of({1.0, 0.6});
    options_.colsample_bylevel = draw_.of({1.0, 0.6});
    options_.colsample_bynode = draw_.of({1.0, 0.6});
    options_.seed = draw_.bits() >> 1;
    if (draw_.flip()) make_categories();
    if (data_.cols() >= 3 && draw_.below(4) == 0) options_.interaction_constraints = "0,1;1,2";
    if (data_.rows() >= 50 && draw_.below(3) == 0) {
      const bool classes = logistic || options_.objective == BoostingObjective::softmax;
      options_.validation_fraction = 0.3;
      if (draw_.flip()) options_.eval_metric = classes ? "log_loss" : "mae";
      options_.patience = draw_.of<Index>({0, 1});
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto model = fit(engine, data_, options_);
    add_model(out, model);
    out.add("scores", model.trees.raw_scores(engine, data_.features.view()).values());
  }

  void judge(Judge& judge) const override {
    // Structure is compared bit by bit between cpu and the CUDA half, which are judged alike; with
    // the reference only what no near tie can change.
    judge.exact("trees/features");
    const auto& base = judge.got.template get<T>("trees/base");
    const auto& expected = judge.reference.template get<T>("trees/base");
    for (std::size_t k = 0; k < base.size(); ++k) {
      judge.compare("base", static_cast<Index>(k), Tolerance::exact, static_cast<double>(base[k]),
                    static_cast<double>(expected[k]), 0);
    }
  }

 private:
  // Some columns become codes of categories: more than there are bins, too.
  void make_categories() {
    for (Index j = 0; j < data_.cols(); ++j) {
      const Index count = draw_.of<Index>({0, 1, 3, 20, 300, 5000});
      auto& categories = data_.columns[static_cast<std::size_t>(j)].categories;
      for (Index c = 0; c < count; ++c) categories.push_back("c" + std::to_string(c));
      for (Index i = 0; count > 0 && i < data_.rows(); ++i) {
        T& value = data_.features(i, j);
        // Two draws, so that some categories have more rows than others.
        if (value == value) value = static_cast<T>(draw_.below(1 + draw_.below(count)));
      }
    }
    options_.max_cat_bins = draw_.of<Index>({255, 280, 65535});
    options_.max_cat_to_onehot = draw_.of<Index>({0, 4, 400});
    options_.max_cat_threshold = draw_.of<Index>({1, 32, 400});
    options_.cat_smooth = draw_.of({1.0, 10.0});
    options_.cat_l2 = draw_.of({0.0, 10.0});
  }

  Draw draw_;
  Dataset<T> data_;
  GradientBoostingOptions options_;
};

}  // namespace

Agreement make_gradient_boosting_agreement() {
  return {part<BinCase>("bin", "thresholds by the quantile sketch, and the bins of rows",
                        {"binning"}, "exact"),
          over_many_blocks(part<GradientCase>(
              "gradients", "gradients, Hessians and losses of all objectives",
              {"gradient_boosting"}, "192u and 40 roundings of the largest term; L(n) for losses")),
          part<RankCase>("rank", "gradients and quality of rankings", {"ranking"},
                         "64 roundings of the largest pair, 200 pairs"),
          part<TreeStepsCase>(
              "tree", "histograms, cuts and partitions of three levels, on one set of integers",
              {"gradient_boosting", "binning"}, "exact"),
          part<FitCase>("fit", "boosted trees; base scores against the reference",
                        {"gradient_boosting", "binning", "tree_ensemble"},
                        "exact between cpu and cuda; the reference's base scores", 257)};
}

}  // namespace tandem::agree
