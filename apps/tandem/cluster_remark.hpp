// What the program says of clusters whose rows have weights.
#pragma once

#include <string_view>

namespace tandem::program {

inline constexpr std::string_view clusters_count_rows =
    "calinski_harabasz, davies_bouldin and silhouette count each row once, whatever its weight; "
    "the inertia is that of the weighted rows";

}  // namespace tandem::program
