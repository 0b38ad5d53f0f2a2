#include "tandem/core/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <utility>

#include "tandem/core/error.hpp"
#include "tandem/core/quiet_log.hpp"
#include "tandem/core/visible.hpp"

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

// Leaked like the logger.
std::function<std::string(std::string_view)>& spelling() {
  static auto* const instance = new std::function<std::string(std::string_view)>(
      [](std::string_view name) { return std::string(name); });
  return *instance;
}

std::string spelled(std::string_view message) {
  return visible(Error(std::string(message)).spelled(spelling()));
}

// Leaked like the logger.
std::function<void(Level, std::string_view)>& chosen_sink() {
  static auto* const instance = new std::function<void(Level, std::string_view)>;
  return *instance;
}

// What the calling thread writes at least.
thread_local Level least_of_thread = Level::debug;

void write(Level level, spdlog::level::level_enum spdlog_level, std::string_view message) {
  if (level < least_of_thread || !logger().should_log(spdlog_level)) return;
  if (const auto& sink = chosen_sink()) {
    sink(level, spelled(message));
  } else {
    logger().log(spdlog_level, "{}", spelled(message));
  }
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

Level level() noexcept {
  switch (logger().level()) {
    case spdlog::level::trace:
    case spdlog::level::debug: return Level::debug;
    case spdlog::level::info: return Level::info;
    case spdlog::level::warn: return Level::warning;
    case spdlog::level::err:
    case spdlog::level::critical: return Level::error;
    default: return Level::off;
  }
}

QuietThread::QuietThread(Level least) noexcept : outer_(least_of_thread) {
  if (least > least_of_thread) least_of_thread = least;
}

QuietThread::~QuietThread() { least_of_thread = outer_; }

void set_spelling(std::function<std::string(std::string_view)> spell) {
  spelling() = std::move(spell);
}

void set_sink(std::function<void(Level, std::string_view)> sink) {
  chosen_sink() = std::move(sink);
}

void debug(std::string_view message) { write(Level::debug, spdlog::level::debug, message); }
void info(std::string_view message) { write(Level::info, spdlog::level::info, message); }
void warning(std::string_view message) { write(Level::warning, spdlog::level::warn, message); }
void error(std::string_view message) { write(Level::error, spdlog::level::err, message); }

}  // namespace tandem::log
