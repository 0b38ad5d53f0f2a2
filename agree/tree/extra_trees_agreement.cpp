// Agreement of extremely randomized trees: whole forests.
#include "agree/forest_cases.hpp"

namespace tandem::agree {
namespace {

template <Real T>
class FitCase final : public ForestFitCase<T, ForestKind::extra_trees> {
  using ForestFitCase<T, ForestKind::extra_trees>::ForestFitCase;
};

}  // namespace

Agreement make_extra_trees_agreement() {
  return {part<FitCase>("fit", "forests of up to five trees, node by node",
                        {"random_forest", "decision_tree", "tree_ensemble"},
                        "nodes exact; splits tie-aware: (64u + 2^-40)·W·(largest impurity)", 257)};
}

}  // namespace tandem::agree
