// Agreement of predictions with trees: scores and leaves of random ensembles.
#include <cmath>
#include <limits>
#include <numeric>

#include "agree/case.hpp"
#include "tandem/tree/tree_ensemble.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class PredictCase final : public Case {
 public:
  explicit PredictCase(const Key& key) : draw_(key.seed, 57) {
    x_ = make_features<T>(key.kind, key.rows, draw_.between(1, 9), draw_);
    trees_.features = x_.cols();
    trees_.outputs = draw_.of<Index>({1, 1, 2, 5});
    for (Index k = 0; k < trees_.outputs; ++k) {
      trees_.base.push_back(static_cast<T>(draw_.uniform(-1, 1)));
    }
    const Index count = draw_.of<Index>({0, 1, 3, 20, 41});
    const bool whole = draw_.below(4) == 0;
    const bool awkward = draw_.below(3) == 0;
    for (Index t = 0; t < count; ++t) {
      trees_.trees.push_back(grow(draw_.of<Index>({0, 1, 3, 6, 14}), whole && draw_.flip(), awkward,
                                  static_cast<std::int32_t>(draw_.below(trees_.outputs))));
    }
    const double missing = draw_.of({0.0, 0.0, 0.2});
    for (T& value : x_.values()) {
      if (draw_.uniform() < missing) value = std::numeric_limits<T>::quiet_NaN();
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    out.add("scores", trees_.raw_scores(engine, x_.view()).values());
    out.add("leaves", trees_.leaves(engine, x_.view()).values());
    // What a few rows get must not depend on their number.
    const Index few = std::min<Index>(x_.rows(), 3);
    out.add("few", trees_.raw_scores(engine, x_.view().rows_from(x_.rows() - few, few)).values());
  }

  void judge(Judge& judge) const override {
    judge.exact("leaves");
    const auto& leaves = judge.reference.template get<std::int32_t>("leaves");
    const auto count = trees_.trees.size();
    // A chain of additions in T against one in double.
    std::vector<double> bound(static_cast<std::size_t>(x_.rows() * trees_.outputs), 0.0);
    const auto outputs = static_cast<std::size_t>(trees_.outputs);
    for (std::size_t i = 0; i < static_cast<std::size_t>(x_.rows()); ++i) {
      for (std::size_t k = 0; k < outputs; ++k) {
        double magnitudes = std::abs(static_cast<double>(trees_.base[k]));
        for (std::size_t t = 0; t < count; ++t) {
          const auto& tree = trees_.trees[t];
          const auto leaf = static_cast<std::size_t>(leaves[i * count + t]);
          if (tree.output == all_outputs)
            magnitudes += std::abs(static_cast<double>(tree.value[leaf * outputs + k]));
          else if (static_cast<std::size_t>(tree.output) == k)
            magnitudes += std::abs(static_cast<double>(tree.value[leaf]));
        }
        bound[i * outputs + k] =
            (gamma_bound<T>(static_cast<Index>(count) + 1) +
             gamma_bound<double>(static_cast<Index>(count) + 1) + unit_roundoff<T>)*magnitudes;
      }
    }
    judge.within("scores", Tolerance::reduction, [&](std::size_t e) { return bound[e]; });
    const std::size_t shift = bound.size() - judge.got.template get<T>("few").size();
    judge.within("few", Tolerance::reduction, [&](std::size_t e) { return bound[shift + e]; });
  }

 private:
  // A random tree whose thresholds are values of the data.
  EnsembleTree<T> grow(Index depth, bool vector_leaves, bool awkward, std::int32_t output) {
    EnsembleTree<T> tree;
    tree.output = vector_leaves ? all_outputs : output;
    const auto width = static_cast<std::size_t>(tree.width(trees_.outputs));
    const auto leaf = [&] {
      std::vector<T> values(width);
      for (T& value : values) value = static_cast<T>(draw_.uniform(-1, 1));
      return tree.add_leaf(values, 1);
    };
    leaf();
    std::vector<std::pair<Index, Index>> open{{0, 0}};
    while (!open.empty() && tree.size() < 400) {
      const auto [node, at_depth] = open.back();
      open.pop_back();
      if (at_depth >= depth || (at_depth > 2 && draw_.below(3) == 0)) continue;
      const auto feature = static_cast<std::int32_t>(draw_.below(x_.cols()));
      const Index left = leaf();
      const Index right = leaf();
      const bool missing_left = draw_.flip();
      if (awkward && draw_.below(3) == 0) {
        std::vector<std::int32_t> categories;
        for (std::int32_t c = 0; c < 70; ++c) {
          if (draw_.flip()) categories.push_back(c);
        }
        tree.split_by_category(node, feature, categories, left, right, missing_left, 1);
      } else {
        tree.split(node, feature, x_(draw_.below(x_.rows()), feature), left, right, missing_left,
                   1);
        if (awkward && draw_.flip()) {
          tree.flags[static_cast<std::size_t>(node)] |= tree_zero_is_missing;
        }
      }
      open.emplace_back(left, at_depth + 1);
      open.emplace_back(right, at_depth + 1);
    }
    return tree;
  }

  Draw draw_;
  Matrix<T> x_;
  TreeEnsemble<T> trees_;
};

}  // namespace

Agreement make_tree_ensemble_agreement() {
  return {part<PredictCase>("predict", "scores and leaves of rows in up to 41 random trees",
                            {"tree_ensemble"}, "leaves exact; scores γ(t + 1)·Σ|leaf|")};
}

}  // namespace tandem::agree
