#include "systems/http/service.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>

namespace tandem::http {
namespace {

sigset_t service_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  return set;
}

void call_and_log(const std::function<void()>& hook, const char* event, Log& log) {
  if (!hook) return;
  try {
    hook();
  } catch (const std::exception& error) {
    log.write(LogLevel::error, event, {{"error", std::string_view(error.what())}});
  }
}

}  // namespace

ServiceSignals::ServiceSignals() {
  const sigset_t set = service_signals();
  (void)::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int ServiceSignals::wait(std::chrono::milliseconds timeout) {
  const sigset_t set = service_signals();
  timespec patience{};
  patience.tv_sec = timeout.count() / 1000;
  patience.tv_nsec = timeout.count() % 1000 * 1'000'000;
  const int number = ::sigtimedwait(&set, nullptr, &patience);
  return number > 0 ? number : 0;
}

StopWhileReading::StopWhileReading(ServiceSignals& signals, Log& log)
    : thread_([this, &signals, &log] {
        while (!read_) {
          const int signal = signals.wait(std::chrono::milliseconds(20));
          if (signal != SIGINT && signal != SIGTERM) continue;
          if (read_) {
            // It stands for the server, which asks for it next.
            (void)::kill(::getpid(), signal);
            return;
          }
          log.write(LogLevel::warning, "stopped before it answered");
          std::_Exit(130);
        }
      }) {}

StopWhileReading::~StopWhileReading() {
  read_ = true;
  thread_.join();
}

int run_service(Server& server, ServiceSignals& signals, const ServiceHooks& hooks, Log& log,
                std::chrono::milliseconds patience) {
  server.start();
  const std::string url = server.endpoint().url();
  log.write(LogLevel::info, "started", {{"url", std::string_view(url)}});
  if (hooks.ready) hooks.ready(url);
  for (;;) {
    const int number = signals.wait(hooks.moment);
    if (number == SIGHUP) {
      log.write(LogLevel::info, "reload");
      call_and_log(hooks.reload, "reload failed", log);
    } else if (number != 0) {
      break;
    }
    call_and_log(hooks.every_moment, "a periodic task failed", log);
  }
  log.write(LogLevel::info, "stopping");
  call_and_log(hooks.before_stop, "a task before the stop failed", log);
  const bool whole = server.stop(patience);
  log.write(whole ? LogLevel::info : LogLevel::error, "stopped", {{"everything answered", whole}});
  return whole ? 0 : 1;
}

}  // namespace tandem::http
