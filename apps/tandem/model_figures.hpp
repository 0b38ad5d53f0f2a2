// Pictures of what a model holds: trees, bars of importances.
#pragma once

#include <string>
#include <vector>

#include "tandem/model/pipeline.hpp"
#include "tandem/report/plot.hpp"
#include "tandem/tree/decision_tree.hpp"

namespace tandem::program {

// An <svg> of the tree from the root at the left, down to `depth` splits: in each node the question
// or the answer, its rows, and a bar with the shares of the classes.
template <Real T>
[[nodiscard]] std::string tree_svg(const DecisionTreeModel<T>& tree,
                                   const std::vector<std::string>& feature_names, Index depth);

// What the colours of those bars mean: a line of squares, each with the name of its class.
[[nodiscard]] std::string class_key_html(const std::vector<std::string>& class_names);

// The largest entries by absolute value as bars with their names, at most `most`, the largest
// first. As HTML, so that names of any length wrap. Negative ones are drawn in another colour.
[[nodiscard]] std::string bars_html(const std::vector<std::string>& names,
                                    const std::vector<double>& values, std::size_t most);

}  // namespace tandem::program
