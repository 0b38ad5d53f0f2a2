// Trees as JSON, for models that put more beside them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "tandem/tree/tree_ensemble.hpp"

namespace tandem::tree {

// The JSON of TreeEnsemble::to_json(). Throws InputError where there is not one name per feature.
template <Real T>
[[nodiscard]] nlohmann::json json_of(const TreeEnsemble<T>& ensemble,
                                     const std::vector<std::string>& feature_names);

}  // namespace tandem::tree
