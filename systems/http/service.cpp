#include "systems/http/service.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <utility>

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

Tokens read_tokens(const std::string& path) { return path.empty() ? Tokens() : Tokens::read(path); }

// Lets what a service waits for later end the process at once while it lives.
class SignalsUnblocked {
 public:
  SignalsUnblocked() {
    const sigset_t set = service_signals();
    (void)::pthread_sigmask(SIG_UNBLOCK, &set, &before_);
  }
  SignalsUnblocked(const SignalsUnblocked&) = delete;
  SignalsUnblocked& operator=(const SignalsUnblocked&) = delete;
  ~SignalsUnblocked() { (void)::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

Log open_log(const ProgramOptions& options) {
  // A pipe is opened when somebody reads it, which may be never.
  std::optional<SignalsUnblocked> waiting;
  std::error_code none;
  if (std::filesystem::is_fifo(options.log, none)) waiting.emplace();
  return Log(options.log, options.log_level);
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

// Reading models and logs may take minutes, and asks nobody whether to go on. What is over within a
// second of the signal stops as a service that runs does.
class ServiceProgram::StopBeforeReady {
  using Clock = std::chrono::steady_clock;

 public:
  StopBeforeReady(ServiceSignals& signals, Log& log)
      : thread_([this, &signals, &log] {
          Clock::time_point end;  // of the patience with what was asked to stop
          while (!ready_) {
            const int number = signals.wait(std::chrono::milliseconds(20));
            const bool again = number != 0 && number != SIGHUP && later_ != 0 && later_ != SIGHUP;
            if (number != 0 && (number != SIGHUP || later_ == 0)) later_ = number;
            if (later_ == 0 || later_ == SIGHUP) continue;
            if (end == Clock::time_point()) end = Clock::now() + std::chrono::seconds(1);
            if (!ready_ && (again || Clock::now() > end)) {
              log.write(LogLevel::warning, "stopped before it answered");
              std::_Exit(130);
            }
          }
        }) {}
  ~StopBeforeReady() {
    ready_ = true;
    thread_.join();
    // It stands for the server, which asks for it next.
    if (later_ != 0) (void)::kill(::getpid(), later_);
  }
  StopBeforeReady(const StopBeforeReady&) = delete;
  StopBeforeReady& operator=(const StopBeforeReady&) = delete;

 private:
  std::atomic<bool> ready_{false};
  int later_ = 0;
  std::thread thread_;
};

ServiceProgram::ServiceProgram(ProgramOptions options)
    : options_(std::move(options)),
      log_(open_log(options_)),
      before_ready_(std::make_unique<StopBeforeReady>(signals_, log_)) {
  // Tokens may come by a pipe that nobody writes to.
  tokens_ = read_tokens(options_.tokens);
  raise_file_limit();
}

ServiceProgram::~ServiceProgram() = default;

void ServiceProgram::warn_where_open(const Endpoint& endpoint) {
  if (endpoint.loopback() || !options_.tokens.empty()) return;
  log_.write(LogLevel::warning, "other machines may ask for everything: no tokens are asked for",
             {{"address", std::string_view(endpoint.address)}});
}

// What is wrong with the tokens leaves those that there are, and keeps nothing else from being
// read.
void ServiceProgram::reload(const ServiceHooks& hooks) {
  log_.write(LogLevel::info, "reload");
  const auto reload_tokens = [&] {
    log_.reopen();
    if (options_.tokens.empty()) return;
    tokens_ = Tokens::read(options_.tokens);
    server_->set_tokens(tokens_);
    if (hooks.tokens) hooks.tokens(tokens_);
  };
  call_and_log(reload_tokens, "reload failed", log_);
  call_and_log(hooks.reload, "reload failed", log_);
}

int ServiceProgram::run(Router router, const ServiceHooks& hooks) {
  server_.emplace(options_.http, std::move(router), log_, metrics_);
  server_->set_tokens(tokens_);
  warn_where_open(options_.http.endpoint);
  before_ready_.reset();
  server_->start();
  const std::string url = server_->endpoint().url();
  log_.write(LogLevel::info, "started", {{"url", std::string_view(url)}});
  if (hooks.ready) hooks.ready(url);
  for (;;) {
    const int number = signals_.wait(hooks.moment);
    if (number == SIGHUP) {
      reload(hooks);
    } else if (number != 0) {
      break;
    }
    call_and_log(hooks.every_moment, "a periodic task failed", log_);
  }
  log_.write(LogLevel::info, "stopping");
  call_and_log(hooks.before_stop, "a task before the stop failed", log_);
  const bool whole = server_->stop(options_.patience);
  log_.write(whole ? LogLevel::info : LogLevel::error, "stopped", {{"everything answered", whole}});
  return whole ? 0 : 1;
}

}  // namespace tandem::http
