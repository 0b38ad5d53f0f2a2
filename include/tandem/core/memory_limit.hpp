// How much memory the process may ask for at one go.
#pragma once

#include "tandem/core/export.hpp"
#include "tandem/core/types.hpp"

namespace tandem {

// From now on work that would take more than this many bytes of the host's memory at one go is
// refused with an InputError before it begins, also where more is available; 0: whatever is
// available may be taken. To be set before other threads work.
TANDEM_API void set_memory_limit(Index bytes) noexcept;

}  // namespace tandem
