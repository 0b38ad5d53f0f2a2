// Agreement of isolation forests: whole forests, node by node, and scores.
#include <cmath>
#include <limits>
#include <string>

#include "agree/case.hpp"
#include "agree/fits.hpp"
#include "tandem/tree/isolation_forest.hpp"

namespace tandem::agree {
namespace {

// Nothing is judged by numbers in a fit, so that all engines grow the same trees.
template <Real T>
class FitCase final : public Case {
 public:
  explicit FitCase(const Key& key) : draw_(key.seed, 73) {
    data_.source = "generated";
    data_.features =
        make_features<T>(key.kind, std::max<Index>(key.rows, 2), draw_.between(1, 8), draw_);
    // One row is refused, which every engine does alike.
    data_.columns = numbered_columns(data_.cols());
    const double missing = draw_.of({0.0, 0.0, 0.2});
    for (T& value : data_.features.values()) {
      if (draw_.uniform() < missing) value = std::numeric_limits<T>::quiet_NaN();
    }
    options_.trees = draw_.of<Index>({1, 3, 8});
    options_.bootstrap = draw_.flip();
    options_.max_samples.rule = draw_.flip() ? MaxSamples::Rule::automatic : MaxSamples::Rule::all;
    options_.max_depth = draw_.of<Index>({0, 0, 3});
    options_.contamination = draw_.of({0.0, 0.1});
    options_.seed = draw_.bits() >> 1;
  }

  void run(Engine& engine, const Outputs* /*follow*/, Outputs& out) const override {
    const auto model = fit(engine, data_, options_);
    add_model(out, model);
    out.add("lengths", model.trees.raw_scores(engine, data_.features.view()).values());
    for (std::size_t t = 0; t < model.trees.trees.size(); ++t) {
      const EnsembleTree<T>& tree = model.trees.trees[t];
      const std::string name = "tree" + std::to_string(t) + "/";
      out.add(name + "feature", tree.feature);
      out.add(name + "threshold", tree.threshold);
      out.add(name + "left", tree.left);
      out.add(name + "right", tree.right);
      out.add(name + "flags", tree.flags);
      out.add(name + "cover", tree.cover);
      out.add(name + "value", tree.value);
    }
  }

  void judge(Judge& judge) const override {
    for (Index t = 0; t < options_.trees; ++t) {
      for (const char* what :
           {"feature", "threshold", "left", "right", "flags", "cover", "value"}) {
        judge.exact("tree" + std::to_string(t) + "/" + what);
      }
    }
    // A chain of additions in T against one in double; lengths are at most the depth and c(n).
    const double longest = 64;
    judge.within("lengths", Tolerance::reduction,
                 (gamma_bound<T>(options_.trees + 1) + gamma_bound<double>(options_.trees + 1) +
                  unit_roundoff<T>)*longest);
  }

 private:
  Draw draw_;
  Dataset<T> data_;
  IsolationForestOptions options_;
};

}  // namespace

Agreement make_isolation_forest_agreement() {
  return {part<FitCase>("fit", "forests of up to eight trees, node by node, and lengths of paths",
                        {"random_forest", "decision_tree", "tree_ensemble"},
                        "trees exact; lengths γ(t + 1)·64")};
}

}  // namespace tandem::agree
