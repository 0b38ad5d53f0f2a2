// A Redis of our own, of Debian's package redis-server, on a free port of the loopback; and the
// forwarder of tests/serving before it, which delays and cuts.
#pragma once

#include <arpa/inet.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace tandem::broker::test {

// A child that ends with this process, whatever happens to it.
class Child {
 public:
  explicit Child(const std::vector<std::string>& words) {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
      throw std::runtime_error("no pipe");
    }
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      (void)::prctl(PR_SET_PDEATHSIG, SIGKILL);
      (void)::dup2(in[0], 0);
      (void)::dup2(out[1], 1);
      (void)::execvp(arguments[0], arguments.data());
      ::_exit(127);
    }
    (void)::close(in[0]);
    (void)::close(out[1]);
    in_ = ::fdopen(in[1], "w");
    out_ = ::fdopen(out[0], "r");
  }
  ~Child() {
    (void)std::fclose(in_);
    end(SIGKILL);
    (void)std::fclose(out_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void signal(int number) const { (void)::kill(pid_, number); }
  void end(int number) {
    if (pid_ < 0) return;
    (void)::kill(pid_, number);
    (void)::kill(pid_, SIGCONT);
    (void)::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  // A line to its standard input, and one from its standard output.
  [[nodiscard]] std::string say(const std::string& line) {
    (void)std::fputs((line + "\n").c_str(), in_);
    (void)std::fflush(in_);
    return hear();
  }
  [[nodiscard]] std::string hear() {
    std::array<char, 256> line{};
    if (std::fgets(line.data(), line.size(), out_) == nullptr) return {};
    std::string text(line.data());
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

 private:
  pid_t pid_ = -1;
  std::FILE* in_ = nullptr;
  std::FILE* out_ = nullptr;
};

inline std::uint16_t free_port() {
  const int one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  (void)::bind(one, reinterpret_cast<const sockaddr*>(&address), size);
  (void)::getsockname(one, reinterpret_cast<sockaddr*>(&address), &size);
  (void)::close(one);
  return ::ntohs(address.sin_port);
}

class RedisProcess {
 public:
  [[nodiscard]] static bool installed() {
    return std::system("command -v redis-server >/dev/null 2>&1") == 0;
  }
  explicit RedisProcess(std::vector<std::string> settings = {}) : settings_(std::move(settings)) {
    start();
  }
  void start() {
    std::vector<std::string> words{
        "redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1", "--save",   "",
        "--appendonly", "no",     "--daemonize",         "no",     "--logfile", "/dev/null"};
    words.insert(words.end(), settings_.begin(), settings_.end());
    child_ = std::make_unique<Child>(words);
  }
  void end() { child_.reset(); }
  void signal(int number) const { child_->signal(number); }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  std::vector<std::string> settings_;
  std::uint16_t port_ = free_port();
  std::unique_ptr<Child> child_;
};

// Commands: "delay SECONDS", "silent", "pass", "cut".
class ForwarderProcess {
 public:
  explicit ForwarderProcess(std::uint16_t to)
      : child_({"python3", TANDEM_DATA_DIR "/../tests/serving/forwarder.py", "127.0.0.1:0",
                "127.0.0.1:" + std::to_string(to)}) {
    port_ = static_cast<std::uint16_t>(std::atoi(child_.hear().c_str()));
  }
  void say(const std::string& command) {
    if (child_.say(command) != "done") throw std::runtime_error("the forwarder refused " + command);
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  Child child_;
  std::uint16_t port_ = 0;
};

}  // namespace tandem::broker::test
