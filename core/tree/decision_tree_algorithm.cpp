#include <array>
#include <limits>

#include "core/model/typed_algorithm.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem {
namespace {

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

class DecisionTreeAlgorithm final : public TypedAlgorithm<DecisionTreeAlgorithm> {
 public:
  [[nodiscard]] std::string_view name() const override { return "decision-tree"; }
  [[nodiscard]] std::string_view summary() const override {
    return "classification or regression tree with exact split search";
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

  template <Real T>
  [[nodiscard]] Task task_of(const Dataset<T>& data) const {
    return decision_tree_task(data, options_);
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> fit_model(Engine& engine, const Dataset<T>& train,
                                                    const Dataset<T>* /*validation*/,
                                                    RunControl& control) const {
    return std::make_unique<DecisionTreeModel<T>>(
        fit_decision_tree(engine, train, options_, control));
  }
  template <Real T>
  [[nodiscard]] std::unique_ptr<Model<T>> load_model(const Archive& archive,
                                                     std::type_identity<T> /*type*/) const {
    return std::make_unique<DecisionTreeModel<T>>(DecisionTreeModel<T>::load(archive));
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
