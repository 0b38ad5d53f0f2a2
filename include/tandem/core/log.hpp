// Messages to the person at the terminal: standard error, through spdlog. Standard output belongs
// to results.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tandem::log {

enum class Level { debug, info, warning, error, off };

void set_level(Level level) noexcept;
// How the names of options are written that messages mark by option(): see Error::spelled(). As
// the library calls them, where nothing is set. To be set before other threads write messages.
void set_spelling(std::function<std::string(std::string_view)> spell);
void debug(std::string_view message);
void info(std::string_view message);
void warning(std::string_view message);
void error(std::string_view message);

}  // namespace tandem::log
