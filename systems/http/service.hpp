// The life of a service's program: signals, log, tokens, one line once it answers, SIGHUP, the
// stop.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "systems/http/server.hpp"

namespace tandem::http {

// SIGTERM, SIGINT and SIGHUP reach wait() from now on, and nothing else: to be made before any
// other thread is, for threads inherit it.
class ServiceSignals {
 public:
  ServiceSignals();
  // The signal that has come, or 0 after `timeout`.
  [[nodiscard]] int wait(std::chrono::milliseconds timeout);
};

// What every service is told alike.
struct ProgramOptions {
  ServerOptions http;
  std::string tokens;  // a file; empty: everybody may do everything
  std::string log;     // a file; empty: standard error
  LogLevel log_level = LogLevel::info;
  std::chrono::milliseconds patience{30'000};  // for what is under way when it is stopped
};

struct ServiceHooks {
  std::function<void(const std::string& url)> ready;  // it answers: to be said on standard output
  // SIGHUP, once the log is opened anew and the tokens are read; what it throws is logged.
  std::function<void()> reload;
  std::function<void(const Tokens&)> tokens;  // others that ask for them are told the new ones
  std::function<void()> every_moment;         // each `moment`; what it throws is logged
  std::chrono::milliseconds moment{500};
  std::function<void()> before_stop;  // the server is still answering
};

// A service's program from its first to its last moment. It is made before everything that belongs
// to the service, so that it is gone after it, and the server with it: whoever may still hold a
// request ends before. Between its construction and run(), while the service reads what it is made
// of, a signal to stop ends the process with status 130 where it does not get ready within a
// second: nothing was acknowledged yet. A reload that is asked for meanwhile is done once it
// serves.
class ServiceProgram {
 public:
  // Opens the log and reads the tokens. Throws InputError and SystemError as Log and Tokens do.
  explicit ServiceProgram(ProgramOptions options);
  ~ServiceProgram();
  ServiceProgram(const ServiceProgram&) = delete;
  ServiceProgram& operator=(const ServiceProgram&) = delete;

  [[nodiscard]] Log& log() noexcept { return log_; }
  [[nodiscard]] Metrics& metrics() noexcept { return metrics_; }
  [[nodiscard]] const Tokens& tokens() const noexcept { return tokens_; }
  // Warns where other machines reach this address, or the server's own, and no tokens are asked
  // for.
  void warn_where_open(const Endpoint& endpoint);

  // Serves and returns once a signal has stopped it: 0 where everything under way was answered, 1
  // where the patience ran out first. Throws InputError where the address cannot be taken.
  [[nodiscard]] int run(Router router, const ServiceHooks& hooks);

 private:
  class StopBeforeReady;
  void reload(const ServiceHooks& hooks);

  ProgramOptions options_;
  ServiceSignals signals_;
  Log log_;
  Metrics metrics_;
  Tokens tokens_;
  std::unique_ptr<StopBeforeReady> before_ready_;
  std::optional<Server> server_;
};

}  // namespace tandem::http
