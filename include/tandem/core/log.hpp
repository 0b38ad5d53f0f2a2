// Messages to the person at the terminal: standard error, through spdlog. Standard output belongs
// to results.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "tandem/core/export.hpp"

namespace tandem::log {

enum class Level { debug, info, warning, error, off };

TANDEM_API void set_level(Level level) noexcept;
[[nodiscard]] TANDEM_API Level level() noexcept;
// How the names of options are written that messages mark by option(): see Error::spelled(). As
// the library calls them, where nothing is set. To be set before other threads write messages.
TANDEM_API void set_spelling(std::function<std::string(std::string_view)> spell);
// Where messages of the level that is set, or above, go in place of standard error; nothing: there
// again. Called from any thread, one message at a time per thread; it must not throw. To be set
// before other threads write messages.
TANDEM_API void set_sink(std::function<void(Level, std::string_view)> sink);
TANDEM_API void debug(std::string_view message);
TANDEM_API void info(std::string_view message);
TANDEM_API void warning(std::string_view message);
TANDEM_API void error(std::string_view message);

}  // namespace tandem::log
