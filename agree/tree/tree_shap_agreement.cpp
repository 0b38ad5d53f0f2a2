// Agreement of Shapley values of random trees.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "agree/case.hpp"
#include "tandem/tree/tree_shap.hpp"

namespace tandem::agree {
namespace {

// Trees with covers, and rows with missing values.
template <Real T>
class ShapCase : public Case {
 public:
  ShapCase(const Key& key, Index most_features, Index deepest) : draw_(key.seed, 58) {
    x_ = make_features<T>(key.kind, std::min<Index>(key.rows, 65), draw_.between(1, most_features),
                          draw_);
    trees_.features = x_.cols();
    trees_.outputs = draw_.of<Index>({1, 1, 3});
    for (Index k = 0; k < trees_.outputs; ++k) {
      trees_.base.push_back(static_cast<T>(draw_.uniform(-1, 1)));
    }
    const Index count = draw_.of<Index>({0, 1, 2, 5});
    const bool whole = draw_.below(3) == 0;
    const bool awkward = draw_.below(3) == 0;
    for (Index t = 0; t < count; ++t) {
      trees_.trees.push_back(grow(std::min(deepest, draw_.of<Index>({0, 1, 3, 6, 20})), whole,
                                  awkward, static_cast<std::int32_t>(draw_.below(trees_.outputs))));
    }
    const double missing = draw_.of({0.0, 0.2});
    for (T& value : x_.values()) {
      if (draw_.uniform() < missing) value = std::numeric_limits<T>::quiet_NaN();
    }
  }

 protected:
  // What a value may be off by. For a known set of other features, a feature changes what a tree
  // expects by twice its largest leaf at most; a path's sum has no cancellation and loses (m + q)
  // roundings, 8m² where a node of the rule near an end of [0, 1] is off by one of 1.
  [[nodiscard]] double bound() const {
    double sum = 0;
    Index paths = 0;
    for (const auto& tree : trees_.trees) {
      double largest = 0;
      for (const T value : tree.value) {
        largest = std::max(largest, std::abs(static_cast<double>(value)));
      }
      sum += 2 * largest;
      paths += tree.leaves();
    }
    const Index m = x_.cols();
    return gamma_bound<double>(2 * paths + 8 * m * m + 64) * sum;
  }

  Draw draw_;
  Matrix<T> x_;
  TreeEnsemble<T> trees_;

 private:
  EnsembleTree<T> grow(Index depth, bool vector_leaves, bool awkward, std::int32_t output) {
    EnsembleTree<T> tree;
    tree.output = vector_leaves ? all_outputs : output;
    std::vector<T> values(static_cast<std::size_t>(tree.width(trees_.outputs)));
    const auto leaf = [&](double cover) {
      for (T& value : values) value = static_cast<T>(draw_.uniform(-1, 1));
      return tree.add_leaf(values, cover);
    };
    leaf(1000);
    std::vector<std::pair<Index, Index>> open{{0, 0}};
    while (!open.empty() && tree.size() < 120) {
      const auto [node, at_depth] = open.back();
      open.pop_back();
      if (at_depth >= depth || (at_depth > 2 && draw_.below(4) == 0)) continue;
      const auto feature = static_cast<std::int32_t>(draw_.below(x_.cols()));
      const double cover = tree.cover[static_cast<std::size_t>(node)];
      const double share = draw_.of({0.0, 0.5, draw_.uniform(), draw_.uniform()});
      const Index left = leaf(share * cover);
      const Index right = leaf(cover - share * cover);
      const bool missing_left = draw_.flip();
      if (awkward && draw_.below(3) == 0) {
        std::vector<std::int32_t> categories;
        for (std::int32_t c = 0; c < 70; ++c) {
          if (draw_.flip()) categories.push_back(c);
        }
        tree.split_by_category(node, feature, categories, left, right, missing_left, 1);
      } else {
        T threshold = x_(draw_.below(x_.rows()), feature);
        if (threshold != threshold) threshold = 0;
        tree.split(node, feature, threshold, left, right, missing_left, 1);
        if (awkward && draw_.flip()) {
          tree.flags[static_cast<std::size_t>(node)] |= tree_zero_is_missing;
        }
      }
      open.emplace_back(left, at_depth + 1);
      open.emplace_back(right, at_depth + 1);
    }
    return tree;
  }
};

template <Real T>
class ValuesCase final : public ShapCase<T> {
 public:
  explicit ValuesCase(const Key& key) : ShapCase<T>(key, 24, 20) {}

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const ShapValues found = shap_values(engine, this->trees_, this->x_.view());
    out.add("expected", found.expected);
    out.add("values", found.values.values());
  }

  void judge(Judge& judge) const override {
    judge.exact("expected");
    judge.within("values", Tolerance::reduction, this->bound());
  }
};

template <Real T>
class InteractionsCase final : public ShapCase<T> {
 public:
  explicit InteractionsCase(const Key& key) : ShapCase<T>(key, 9, 6) {}

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const ShapInteractions found = shap_interactions(engine, this->trees_, this->x_.view());
    out.add("expected", found.expected);
    out.add("interactions", found.values.values());
  }

  void judge(Judge& judge) const override {
    judge.exact("expected");
    // A diagonal value is a Shapley value less a row of pairs, each of twice a value's magnitude.
    judge.within("interactions", Tolerance::reduction,
                 2 * static_cast<double>(this->x_.cols() + 1) * this->bound());
  }
};

}  // namespace

Agreement make_tree_shap_agreement() {
  return {part<ValuesCase>("values", "Shapley values of rows in up to 5 random trees",
                           {"tree_shap"}, "γ₅₃(2 paths + 8m² + 64)·2Σ max|leaf|"),
          part<InteractionsCase>("interactions", "Shapley values of pairs", {"tree_shap"},
                                 "that of values, 2(features + 1) times")};
}

}  // namespace tandem::agree
