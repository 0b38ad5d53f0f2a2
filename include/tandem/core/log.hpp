// Messages to the person at the terminal: standard error, through spdlog. Standard output belongs
// to results.
#pragma once

#include <string_view>

namespace tandem::log {

enum class Level { debug, info, warning, error, off };

void set_level(Level level) noexcept;
void debug(std::string_view message);
void info(std::string_view message);
void warning(std::string_view message);
void error(std::string_view message);

}  // namespace tandem::log
