// An open-loop load generator for HTTP: requests are sent when they are due, whether or not earlier
// ones have been answered, and a latency is counted from the time a request was due. A closed loop,
// which waits for an answer before it asks again, asks less where the server is slow and so does
// not see how long others would have waited (Schroeder, Wierman and Harchol-Balter, "Open Versus
// Closed: A Cautionary Tale", NSDI 2006).
//
//   open_loop HOST PORT PATH BODY_FILE RATE SECONDS CONNECTIONS [SERVER_PID] [poisson|even]
//             [FIRST_NUMBER]
//
// A BODY_FILE that ends in .lines has a body per line, which are sent in turn; in each, {{n}}
// stands for the number of the request and {{now}} for its time, as in 2026-01-31T12:00:00.000Z.
//
// One thread; one request at a time on a connection, no pipelining. A request that is due while all
// connections wait is sent when one comes free, and its latency has that wait in it. Prints one
// JSON object: rates, counts by status, latencies in milliseconds, processor time of both sides per
// answer.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <deque>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

double seconds_between(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "open_loop: %s\n", why.c_str());
  std::exit(1);
}

// User and system time of a process, by /proc.
double processor_seconds_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/stat");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto end = text.rfind(')');
  if (end == std::string::npos) return 0;
  std::istringstream fields(text.substr(end + 2));
  std::string field;
  double ticks = 0;
  for (int i = 3; i <= 15 && fields >> field; ++i) {
    if (i >= 14) ticks += std::stod(field);
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double own_processor_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// What is sent, one request after the other.
class Requests {
 public:
  Requests(std::string head, const std::string& content, bool lines, std::string first_number)
      : head_(std::move(head)), number_(std::strtoull(first_number.c_str(), nullptr, 10)) {
    if (!lines) {
      bodies_.push_back({{content, Filled::nothing}});
      return;
    }
    std::istringstream in(content);
    for (std::string line; std::getline(in, line);) {
      if (!line.empty()) bodies_.push_back(pieces_of(line));
    }
    if (bodies_.empty()) fail("there is no body in the file");
  }

  const std::string& next() {
    const auto& pieces = bodies_[number_ % bodies_.size()];
    body_.clear();
    for (const auto& [text, filled] : pieces) {
      body_ += text;
      if (filled == Filled::number) body_ += std::to_string(number_);
      if (filled == Filled::time) append_now();
    }
    ++number_;
    request_ = head_;
    request_ += std::to_string(body_.size());
    request_ += "\r\n\r\n";
    request_ += body_;
    return request_;
  }

 private:
  enum class Filled { nothing, number, time };
  using Pieces = std::vector<std::pair<std::string, Filled>>;

  static Pieces pieces_of(const std::string& line) {
    Pieces pieces;
    for (std::size_t at = 0;;) {
      const std::size_t number = line.find("{{n}}", at);
      const std::size_t time = line.find("{{now}}", at);
      const std::size_t next = std::min(number, time);
      if (next == std::string::npos) {
        pieces.emplace_back(line.substr(at), Filled::nothing);
        return pieces;
      }
      pieces.emplace_back(line.substr(at, next - at),
                          next == number ? Filled::number : Filled::time);
      at = next + (next == number ? 5 : 7);
    }
  }

  void append_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    if (now.tv_sec != second_) {
      second_ = now.tv_sec;
      std::tm parts{};
      ::gmtime_r(&second_, &parts);
      std::array<char, 32> text{};
      second_text_.assign(text.data(),
                          std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts));
    }
    std::array<char, 8> rest{};
    std::snprintf(rest.data(), rest.size(), ".%03dZ", static_cast<int>(now.tv_nsec / 1'000'000));
    body_ += second_text_;
    body_ += rest.data();
  }

  std::string head_;
  std::vector<Pieces> bodies_;
  std::uint64_t number_;
  std::string body_;
  std::string request_;
  std::time_t second_ = 0;
  std::string second_text_;
};

struct Connection {
  int socket = -1;
  std::string in;
  Time due{};
  bool busy = false;
};

class Generator {
 public:
  Generator(const std::string& host, int port, Requests requests, int connections)
      : requests_(std::move(requests)), epoll_(::epoll_create1(0)) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<std::uint16_t>(port));
    if (::inet_pton(AF_INET, host.c_str(), &address_.sin_addr) != 1) fail("no address: " + host);
    connections_.resize(static_cast<std::size_t>(connections));
    for (Connection& connection : connections_) open(connection);
  }

  void run(double rate, double seconds, bool poisson) {
    std::mt19937_64 random(1);
    std::exponential_distribution<double> gap(rate);
    const Time start = Clock::now();
    const Time end = start + std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
    double at = 0;
    Time next = start;
    bool more = true;
    while (more || waiting_ > 0 || !backlog_.empty()) {
      const Time now = Clock::now();
      while (more && next <= now) {
        backlog_.push_back(next);
        at += poisson ? gap(random) : 1 / rate;
        next = start + std::chrono::nanoseconds(static_cast<std::int64_t>(at * 1e9));
        more = next < end;
      }
      while (!backlog_.empty() && !idle_.empty()) send();
      if (seconds_between(end, now) > 10) break;  // the server does not answer any more
      receive(more ? next : now + std::chrono::milliseconds(100));
    }
    elapsed_ = seconds_between(start, Clock::now());
  }

  void report(double rate, double own, double server) {
    std::sort(latencies_.begin(), latencies_.end());
    const auto quantile = [&](double share) {
      if (latencies_.empty()) return 0.0;
      const auto index = static_cast<std::size_t>(share * static_cast<double>(latencies_.size()));
      return 1e3 * latencies_[std::min(index, latencies_.size() - 1)];
    };
    const auto answered = static_cast<double>(std::max<std::size_t>(latencies_.size(), 1));
    std::printf(
        "{\"asked_per_second\": %.0f, \"answered_per_second\": %.0f, \"answered\": %zu, "
        "\"unanswered\": %zu, \"broken\": %zu, \"p50_ms\": %.3f, \"p90_ms\": %.3f, "
        "\"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, "
        "\"generator_us_per_answer\": %.2f, \"server_us_per_answer\": %.2f, \"status\": {",
        rate, static_cast<double>(latencies_.size()) / elapsed_, latencies_.size(),
        waiting_ + backlog_.size(), broken_, quantile(0.5), quantile(0.9), quantile(0.99),
        quantile(0.999), quantile(1), 1e6 * own / answered, 1e6 * server / answered);
    bool first = true;
    for (const auto& [status, count] : statuses_) {
      std::printf("%s\"%d\": %zu", first ? "" : ", ", status, count);
      first = false;
    }
    std::printf("}}\n");
  }

  [[nodiscard]] bool whole() const { return waiting_ == 0 && backlog_.empty() && broken_ == 0; }

 private:
  void open(Connection& connection) {
    connection.socket = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(connection.socket, reinterpret_cast<const sockaddr*>(&address_),
                  sizeof address_) != 0) {
      fail(std::string("cannot connect: ") + std::strerror(errno));
    }
    const int yes = 1;
    ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    ::fcntl(connection.socket, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &connection;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
    connection.in.clear();
    connection.busy = false;
    idle_.push_back(&connection);
  }

  void send() {
    Connection& connection = *idle_.back();
    idle_.pop_back();
    connection.due = backlog_.front();
    backlog_.pop_front();
    connection.busy = true;
    ++waiting_;
    // The request is shorter than an empty socket's buffer.
    const std::string& request = requests_.next();
    if (::send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(request.size())) {
      lose(connection);
    }
  }

  void lose(Connection& connection) {
    if (connection.busy) {
      ++broken_;
      --waiting_;
    } else {
      idle_.erase(std::find(idle_.begin(), idle_.end(), &connection));
    }
    ::close(connection.socket);
    open(connection);
  }

  void receive(Time until) {
    std::array<epoll_event, 256> events{};
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - Clock::now());
    timespec patience{};
    const std::int64_t ns = std::max<std::int64_t>(left.count(), 0);
    patience.tv_sec = ns / 1'000'000'000;
    patience.tv_nsec = ns % 1'000'000'000;
    const int count =
        ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &patience, nullptr);
    for (int i = 0; i < count; ++i)
      read(*static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr));
  }

  void read(Connection& connection) {
    std::array<char, 16384> buffer;
    const ssize_t bytes = ::recv(connection.socket, buffer.data(), buffer.size(), 0);
    if (bytes <= 0) {
      if (bytes < 0 && errno == EAGAIN) return;
      lose(connection);
      return;
    }
    connection.in.append(buffer.data(), static_cast<std::size_t>(bytes));
    const auto end = connection.in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const auto at = connection.in.find("Content-Length: ");
    if (at == std::string::npos || at > end) fail("an answer has no Content-Length");
    const auto length = std::strtoul(connection.in.c_str() + at + 16, nullptr, 10);
    if (connection.in.size() < end + 4 + length) return;
    ++statuses_[std::atoi(connection.in.c_str() + 9)];
    latencies_.push_back(seconds_between(connection.due, Clock::now()));
    const bool closes = connection.in.find("Connection: close") < end;
    connection.in.clear();
    connection.busy = false;
    --waiting_;
    idle_.push_back(&connection);
    if (closes) lose(connection);
  }

  Requests requests_;
  int epoll_;
  sockaddr_in address_{};
  std::vector<Connection> connections_;
  std::vector<Connection*> idle_;
  std::deque<Time> backlog_;  // the times at which requests were due that wait for a connection
  std::vector<double> latencies_;
  std::map<int, std::size_t> statuses_;
  std::size_t waiting_ = 0;
  std::size_t broken_ = 0;
  double elapsed_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) {
    fail(
        "usage: HOST PORT PATH BODY_FILE RATE SECONDS CONNECTIONS [SERVER_PID] [poisson|even] "
        "[FIRST_NUMBER]");
  }
  std::ifstream file(argv[4], std::ios::binary);
  if (!file) fail(std::string("cannot read ") + argv[4]);
  const std::string body{std::istreambuf_iterator<char>(file), {}};
  const std::string head = std::string("POST ") + argv[3] + " HTTP/1.1\r\nHost: " + argv[1] +
                           "\r\nContent-Type: application/json\r\nContent-Length: ";
  const bool lines = std::string_view(argv[4]).ends_with(".lines");
  const double rate = std::atof(argv[5]);
  const double seconds = std::atof(argv[6]);
  if (!(rate > 0) || !(seconds > 0)) fail("expected a rate and seconds above 0");
  const std::string pid = argc > 8 ? argv[8] : "";
  const bool poisson = argc <= 9 || std::strcmp(argv[9], "even") != 0;
  Generator generator(argv[1], std::atoi(argv[2]),
                      Requests(head, body, lines, argc > 10 ? argv[10] : "0"),
                      std::max(1, std::atoi(argv[7])));
  const double own = own_processor_seconds();
  const double server = pid.empty() ? 0 : processor_seconds_of(pid);
  generator.run(rate, seconds, poisson);
  generator.report(rate, own_processor_seconds() - own,
                   pid.empty() ? 0 : processor_seconds_of(pid) - server);
  return generator.whole() ? 0 : 1;
}
