#include "systems/http/log.hpp"

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <system_error>

#include "core/json_text.hpp"
#include "tandem/core/error.hpp"

namespace tandem::http {
namespace {

std::string time_text() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::string result(text.data(), length);
  const std::string digits = std::to_string(1000 + ms);
  return result + "." + digits.substr(1) + "Z";
}

// Throws InputError where a file is there that is no log: lines would be added to somebody's data.
void require_log(const std::string& path) {
  std::error_code ignored;
  if (path.empty() || !std::filesystem::is_regular_file(path, ignored)) return;
  std::ifstream file(path, std::ios::binary);
  constexpr std::string_view begin = "{\"time\":\"";
  std::string found(begin.size(), '\0');
  file.read(found.data(), static_cast<std::streamsize>(found.size()));
  found.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (found.empty() || found == begin) return;
  throw InputError(path +
                   ": exists, and is no log, whose lines begin with the time; choose another name "
                   "for the log");
}

}  // namespace

struct Log::Sink {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;

  void open(const std::string& path) {
    std::shared_ptr<spdlog::sinks::sink> sink;
    try {
      if (path.empty()) {
        sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
      } else {
        sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path, false);
      }
    } catch (const spdlog::spdlog_ex& error) {
      throw SystemError("cannot write the log " + path + ": " + error.what());
    }
    auto made = std::make_shared<spdlog::logger>("tandem", sink);
    made->set_pattern("%v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::info);
    const std::lock_guard<std::mutex> lock(mutex);
    logger = std::move(made);
  }
};

Log::Log(const std::string& path, LogLevel level)
    : path_(path), level_(level), sink_(std::make_unique<Sink>()) {
  require_log(path_);
  sink_->open(path_);
}

Log::~Log() = default;

void Log::reopen() { sink_->open(path_); }

void Log::write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!writes(level)) return;
  // Ordered: time, level and event come first in every line.
  nlohmann::ordered_json line{{"time", time_text()}, {"level", to_string(level)}, {"event", event}};
  for (const LogField& field : fields) {
    std::visit([&](const auto& value) { line[std::string(field.name)] = value; }, field.value);
  }
  const std::string text =
      line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  std::shared_ptr<spdlog::logger> logger;
  {
    const std::lock_guard<std::mutex> lock(sink_->mutex);
    logger = sink_->logger;
  }
  logger->log(level >= LogLevel::info ? spdlog::level::info : spdlog::level::debug, text);
}

}  // namespace tandem::http
