#include "tandem/core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

namespace tandem::log {
namespace {

spdlog::logger& logger() {
  // Leaked on purpose: messages may come from destructors of other statics.
  static const auto* const instance = [] {
    auto sink = std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
    auto* made = new std::shared_ptr<spdlog::logger>(
        std::make_shared<spdlog::logger>("tandem", std::move(sink)));
    (*made)->set_pattern("%^%l%$: %v");
    (*made)->set_level(spdlog::level::info);
    return made;
  }();
  return **instance;
}

}  // namespace

void set_level(Level level) noexcept {
  switch (level) {
    case Level::debug: return logger().set_level(spdlog::level::debug);
    case Level::info: return logger().set_level(spdlog::level::info);
    case Level::warning: return logger().set_level(spdlog::level::warn);
    case Level::error: return logger().set_level(spdlog::level::err);
    case Level::off: return logger().set_level(spdlog::level::off);
  }
}

void debug(std::string_view message) { logger().debug("{}", message); }
void info(std::string_view message) { logger().info("{}", message); }
void warning(std::string_view message) { logger().warn("{}", message); }
void error(std::string_view message) { logger().error("{}", message); }

}  // namespace tandem::log
