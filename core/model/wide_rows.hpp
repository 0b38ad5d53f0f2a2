// Rows that become so wide when they are prepared that they are prepared a part at a time.
#pragma once

#include <algorithm>

#include "tandem/core/types.hpp"

namespace tandem {

inline constexpr Index wide_block_bytes = Index{64} << 20;

// Whether transforms make far more columns of the rows, as indicators of many categories are, than
// there would be need to hold.
template <Real T>
[[nodiscard]] constexpr bool is_wide(Index rows, Index raw_cols, Index prepared_cols) {
  return prepared_cols > 2 * raw_cols &&
         rows > wide_block_bytes / (prepared_cols * static_cast<Index>(sizeof(T)));
}

}  // namespace tandem
