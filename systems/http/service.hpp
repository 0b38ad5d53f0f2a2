// The life of a server program: one line once it answers, SIGHUP, SIGTERM and SIGINT.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
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

// While it lives, SIGTERM and SIGINT end the process at once, with status 130: for the minutes that
// reading a state may take, where nobody asks whether to go on. What the process has acknowledged
// must be safe from a kill, as it is with a journal.
class StopWhileReading {
 public:
  StopWhileReading(ServiceSignals& signals, Log& log);
  ~StopWhileReading();
  StopWhileReading(const StopWhileReading&) = delete;
  StopWhileReading& operator=(const StopWhileReading&) = delete;

 private:
  std::atomic<bool> read_{false};
  std::thread thread_;
};

struct ServiceHooks {
  std::function<void(const std::string& url)> ready;  // it answers: to be said on standard output
  std::function<void()> reload;                       // SIGHUP; what it throws is logged
  std::function<void()> every_moment;                 // each `moment`; the same
  std::chrono::milliseconds moment{500};
  std::function<void()> before_stop;  // the server is still answering
};

// Starts the server and returns once a signal has stopped it: 0 where everything under way was
// answered, 1 where `patience` ran out first.
[[nodiscard]] int run_service(Server& server, ServiceSignals& signals, const ServiceHooks& hooks,
                              Log& log, std::chrono::milliseconds patience);

}  // namespace tandem::http
