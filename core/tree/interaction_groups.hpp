// Features that may stand together on one path of a tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::tree {

// A group is 1 for each feature in it, 0 for others. All features that a path splits by are in one
// group, at least.
using InteractionGroups = std::vector<std::vector<std::uint8_t>>;

// `text` has groups as "a,b;c" or, as XGBoost and LightGBM write them, "[[0,1],[2]]": members are
// names of features, names of columns whose categories became features "column=category", or
// positions from 0. A feature of no group is one by itself. Nothing for an empty text. Throws
// InputError for what is neither.
[[nodiscard]] InteractionGroups interaction_groups(std::string_view text,
                                                   const std::vector<std::string>& features);

}  // namespace tandem::tree
