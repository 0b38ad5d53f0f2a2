// Agreement of random forests: draws, out-of-bag sums, and whole forests.
#include <vector>

#include "agree/forest_cases.hpp"
#include "core/steps.hpp"

namespace tandem::agree {
namespace {

// The rows that trees draw, and what small trees add up for the others.
template <Real T>
class DrawCase final : public Case {
 public:
  explicit DrawCase(const Key& key) : draw_(key.seed, 72) {
    x_ = make_features<T>(key.kind, key.rows, draw_.between(1, 5), draw_);
    const Index rows = x_.rows();
    draws_ = {rows, draw_.of({rows, draw_.between(1, rows)}), draw_.flip(), draw_.bits() >> 1};
    first_ = draw_.below(1000);
    trees_.features = x_.cols();
    trees_.outputs = draw_.of<Index>({1, 1, 3});
    trees_.base.assign(static_cast<std::size_t>(trees_.outputs), T{0});
    const Index count = draw_.between(1, 5);
    for (Index t = 0; t < count; ++t) {
      EnsembleTree<T> tree;
      tree.output = trees_.outputs > 1 ? all_outputs : 0;
      const auto leaf = [&] {
        std::vector<T> values(static_cast<std::size_t>(trees_.outputs));
        for (T& value : values) value = static_cast<T>(draw_.uniform(-1, 1));
        return tree.add_leaf(values, 1);
      };
      Index node = leaf();
      for (Index depth = draw_.below(6); depth > 0; --depth) {
        const Index left = leaf();
        const Index right = leaf();
        const auto feature = static_cast<std::int32_t>(draw_.below(x_.cols()));
        tree.split(node, feature, x_(draw_.below(rows), feature), left, right, draw_.flip(), 1);
        node = draw_.flip() ? left : right;
      }
      trees_.trees.push_back(std::move(tree));
    }
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto steps = make_steps<tree::RandomForestSteps, T>(engine);
    const Buffer<T> x = to_engine(engine, x_.values());
    steps->prepare({x_.rows(), x_.cols(), &x}, rules_, draws_, nullptr);
    const auto count = static_cast<Index>(trees_.trees.size());
    Buffer<std::uint32_t> counts(engine, count * x_.rows());
    steps->draw(first_, count, counts);
    out.add("counts", integers(counts));
    Buffer<T> sums(engine, x_.rows() * trees_.outputs);
    Buffer<std::uint32_t> votes(engine, x_.rows());
    sums.fill_zero();
    votes.fill_zero();
    const auto on_engine = tree::to_engine(engine, trees_);
    steps->add_out_of_bag(on_engine, counts, x, x_.rows(), sums, votes);
    out.add("sums", sums);
    out.add("votes", integers(votes));
  }

  void judge(Judge& judge) const override {
    judge.exact("counts");
    judge.exact("sums");
    judge.exact("votes");
  }

 private:
  static std::vector<std::int64_t> integers(const Buffer<std::uint32_t>& buffer) {
    const std::vector<std::uint32_t> values = buffer.to_host();
    return {values.begin(), values.end()};
  }

  Draw draw_;
  Matrix<T> x_;
  tree::SplitRules rules_;  // of no target: nothing is grown
  tree::RowDraws draws_;
  Index first_ = 0;
  TreeEnsemble<T> trees_;
};

template <Real T>
class FitCase final : public ForestFitCase<T, ForestKind::random_forest> {
  using ForestFitCase<T, ForestKind::random_forest>::ForestFitCase;
};

}  // namespace

Agreement make_random_forest_agreement() {
  return {part<DrawCase>("draw", "rows that trees draw, and out-of-bag sums", {"random_forest"},
                         "exact"),
          part<FitCase>("fit", "forests of up to five trees, by value or bin, node by node",
                        {"random_forest", "decision_tree", "tree_ensemble", "binning"},
                        "nodes exact; splits tie-aware: (64u + 2^-40)·W·(largest impurity)", 257)};
}

}  // namespace tandem::agree
