#include "core/model/algorithm_of.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem {

std::unique_ptr<Algorithm> make_decision_tree_algorithm();

std::unique_ptr<Algorithm> make_decision_tree_algorithm() {
  return algorithm_of<DecisionTreeOptions, DecisionTreeModel>(
      {.name = "decision-tree",
       .summary = "classification or regression tree with exact split search",
       .accepts_missing = true});
}

}  // namespace tandem
