// The temporary files under which Tandem writes before it renames them.
#pragma once

#include "tandem/core/export.hpp"

namespace tandem {

// Removes the temporary files of writes in progress. For a program that ends itself in a signal's
// handler: only async-signal-safe functions are called.
TANDEM_API void remove_temporary_files() noexcept;

}  // namespace tandem
