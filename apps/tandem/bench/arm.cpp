#include "tandem/bench/arm.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include "tandem/control.hpp"
#include "tandem/core/error.hpp"
#include "tandem/core/temporary_files.hpp"

namespace tandem::program {
namespace {

// Both ends are closed in children that other code starts.
std::array<int, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw SystemError(std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  return ends;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

std::string name_of(const std::string& assignment) {
  return assignment.substr(0, assignment.find('='));
}

}  // namespace

Arm::Arm(std::string name, std::vector<std::string> command, std::vector<std::string> environment)
    : name_(std::move(name)) {
  for (char** one = ::environ; *one != nullptr; ++one) {
    const std::string variable = name_of(*one);
    const bool replaced =
        std::any_of(environment.begin(), environment.end(),
                    [&](const std::string& other) { return name_of(other) == variable; });
    if (!replaced) environment.emplace_back(*one);
  }
  std::string log = "/tmp/tandem-bench-XXXXXX";
  const int log_file = ::mkostemp(log.data(), O_CLOEXEC);
  if (log_file < 0) throw SystemError(std::string("/tmp: ") + std::strerror(errno));
  log_ = log;
  const auto in = make_pipe();
  const auto out = make_pipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, log_file, STDERR_FILENO);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  // A group of its own: Ctrl-C is this program's to hear, which then ends the arms.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  auto arguments = pointers(command);
  auto variables = pointers(environment);
  pid_t child = 0;
  const int error = ::posix_spawnp(&child, arguments[0], &actions, &attributes, arguments.data(),
                                   variables.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  ::close(in[0]);
  ::close(out[1]);
  ::close(log_file);
  to_ = in[1];
  from_ = out[0];
  if (error != 0) {
    ::close(to_);
    ::close(from_);
    ::unlink(log_.c_str());
    throw ArmFailure{command[0] + " cannot be run: " + std::strerror(error), true};
  }
  child_ = child;
}

void Arm::end(double seconds) {
  ::close(to_);
  to_ = -1;
  const Stopwatch watch;
  int status = 0;
  for (;;) {
    const pid_t ended = ::waitpid(child_, &status, WNOHANG);
    if (ended == child_) break;
    if (ended < 0 && errno != EINTR)
      throw SystemError(std::string("waitpid: ") + std::strerror(errno));
    check_interrupt();
    if (watch.seconds() > seconds) {
      throw ArmFailure{"has not ended in " + std::to_string(static_cast<long>(seconds)) + " s"};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  child_ = -1;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) throw ArmFailure{"has failed" + last_words()};
}

Arm::~Arm() {
  if (to_ >= 0) ::close(to_);
  ::close(from_);
  if (child_ > 0) {
    ::kill(-child_, SIGKILL);
    while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  ::unlink(log_.c_str());
}

std::string Arm::last_words() const {
  std::ifstream in(log_);
  std::string line;
  std::string last;
  while (std::getline(in, line)) {
    if (!line.empty()) last = line;
  }
  return last.empty() ? "" : ": " + last;
}

nlohmann::json Arm::ask(const nlohmann::json& request, double seconds) {
  const std::string line = request.dump() + "\n";
  for (std::size_t sent = 0; sent < line.size();) {
    const ssize_t wrote = ::write(to_, line.data() + sent, line.size() - sent);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) throw ArmFailure{"has ended" + last_words()};
    sent += static_cast<std::size_t>(wrote);
  }
  const Stopwatch watch;
  for (;;) {
    if (const auto end = unread_.find('\n'); end != std::string::npos) {
      const std::string answer = unread_.substr(0, end);
      unread_.erase(0, end + 1);
      nlohmann::json json = nlohmann::json::parse(answer, nullptr, false);
      if (!json.is_object()) throw ArmFailure{"has answered with '" + answer + "'"};
      if (json.contains("error")) {
        throw ArmFailure{json["error"].get<std::string>(), json.value("missing", false)};
      }
      return json;
    }
    check_interrupt();
    if (watch.seconds() > seconds) {
      throw ArmFailure{"has not answered in " + std::to_string(static_cast<long>(seconds)) + " s"};
    }
    pollfd waiting{from_, POLLIN, 0};
    const int ready = ::poll(&waiting, 1, 100);
    if (ready <= 0) continue;
    std::array<char, 4096> part{};
    const ssize_t got = ::read(from_, part.data(), part.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw ArmFailure{"has ended" + last_words()};
    unread_.append(part.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace tandem::program
