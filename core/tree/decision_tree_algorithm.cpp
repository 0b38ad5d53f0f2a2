#include <array>
#include <limits>

#include "tandem/model/algorithm.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem {
namespace {

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

class DecisionTreeAlgorithm final : public Algorithm {
 public:
  [[nodiscard]] std::string_view name() const override { return "decision-tree"; }
  [[nodiscard]] std::string_view summary() const override {
    return "classification or regression tree with exact split search";
  }
  [[nodiscard]] Task task(const Dataset<float>& data) const override {
    return decision_tree_task(data, options_);
  }
  [[nodiscard]] Task task(const Dataset<double>& data) const override {
    return decision_tree_task(data, options_);
  }
  [[nodiscard]] bool accepts_missing() const override { return true; }

  void visit_options(OptionVisitor& visitor) override {
    static constexpr std::array<std::string_view, 3> tasks{"auto", "classification", "regression"};
    static constexpr std::array<std::string_view, 4> criteria{"auto", "entropy", "gini",
                                                              "squared-error"};
    visitor.choice("task", options_.task,
                   "what to predict; auto classifies texts and whole numbers of at most 20 values",
                   tasks);
    visitor.choice("criterion", options_.criterion,
                   "impurity that splits lower; auto is gini or squared-error, by task", criteria);
    visitor.integer("max-depth", options_.max_depth,
                    "most splits between the root and a leaf; 0 is no limit", 0, no_limit);
    visitor.integer("min-samples-split", options_.min_samples_split,
                    "fewest rows that a node is split with", 2, no_limit);
    visitor.integer("min-samples-leaf", options_.min_samples_leaf, "fewest rows of a leaf", 1,
                    no_limit);
    visitor.real("min-impurity-decrease", options_.min_impurity_decrease,
                 "least decrease of the whole tree's impurity that is worth a split", 0,
                 std::numeric_limits<double>::max());
    visitor.text(
        "max-features", options_.max_features,
        "features looked at per node: all, sqrt, log2, a count, or a fraction such as 0.3");
    visitor.text("class-weight", options_.class_weight,
                 "none, balanced, or weights by class such as yes=2,no=1");
  }
  void check_options() const override { check_decision_tree_options(options_); }
  void set_seed(std::uint64_t seed) override { options_.seed = seed; }

  [[nodiscard]] std::unique_ptr<Model<float>> fit(Engine& engine, const Dataset<float>& train,
                                                  const Dataset<float>* /*validation*/,
                                                  RunControl& control) const override {
    return std::make_unique<DecisionTreeModel<float>>(
        fit_decision_tree(engine, train, options_, control));
  }
  [[nodiscard]] std::unique_ptr<Model<double>> fit(Engine& engine, const Dataset<double>& train,
                                                   const Dataset<double>* /*validation*/,
                                                   RunControl& control) const override {
    return std::make_unique<DecisionTreeModel<double>>(
        fit_decision_tree(engine, train, options_, control));
  }
  [[nodiscard]] std::unique_ptr<Model<float>> load(const Archive& archive,
                                                   std::type_identity<float>) const override {
    return std::make_unique<DecisionTreeModel<float>>(DecisionTreeModel<float>::load(archive));
  }
  [[nodiscard]] std::unique_ptr<Model<double>> load(const Archive& archive,
                                                    std::type_identity<double>) const override {
    return std::make_unique<DecisionTreeModel<double>>(DecisionTreeModel<double>::load(archive));
  }

 private:
  DecisionTreeOptions options_;
};

}  // namespace

std::unique_ptr<Algorithm> make_decision_tree_algorithm();
std::unique_ptr<Algorithm> make_decision_tree_algorithm() {
  return std::make_unique<DecisionTreeAlgorithm>();
}

}  // namespace tandem
