// Subtrees level by level, all of them together, by steps that search and split nodes.
#pragma once

#include <span>

#include "core/tree/decision_tree_steps.hpp"

namespace tandem::tree {

// As DecisionTreeSteps::grow_subtrees, for engines that have no better way.
template <Real T>
void grow_by_levels(DecisionTreeSteps<T>& steps, const SplitRules& rules,
                    std::span<const OpenNode> nodes, std::span<GrownSubtree<T>> subtrees);

}  // namespace tandem::tree
