// Which algorithms train from rows that do not fit into memory (tandem/core/external_memory.hpp).
#pragma once

#include "tandem/core/export.hpp"
#include "tandem/model/algorithm.hpp"

namespace tandem {

// True where a fit goes over the rows from the first to the last, again and again, as rows on disk
// can be read; false where it takes them in another order or sorts whole columns, which from a disk
// would take a thousand times as long.
[[nodiscard]] TANDEM_API bool trains_out_of_core(const Algorithm& algorithm);

// Throws InputError that names those that do.
TANDEM_API void require_out_of_core(const Algorithm& algorithm);

}  // namespace tandem
