// Structured logs: one JSON object per line, through spdlog.
//
//   {"time":"2026-01-31T12:00:00.123Z","level":"info","event":"promoted","model":"iris","version":2}
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "tandem/core/names.hpp"

namespace tandem::http {

enum class LogLevel { debug, info, warning, error, off };

}  // namespace tandem::http

namespace tandem {
template <>
inline constexpr std::array<std::string_view, 5> enum_names<http::LogLevel>{
    "debug", "info", "warning", "error", "off"};
}  // namespace tandem

namespace tandem::http {

struct LogField {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, double, bool> value;
};

// Several threads may write to one log.
class Log {
 public:
  // Appends to the file; standard error where `path` is empty. Throws SystemError where it cannot
  // be written.
  explicit Log(const std::string& path = {}, LogLevel level = LogLevel::info);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
  [[nodiscard]] bool writes(LogLevel level) const noexcept { return level >= level_; }
  // Opens the file anew, for those who rotate it.
  void reopen();

 private:
  struct Sink;
  std::string path_;
  LogLevel level_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace tandem::http
