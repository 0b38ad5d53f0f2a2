#include "generator.hpp"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace tandem::bench {
namespace {

constexpr std::chrono::milliseconds reconnect_after{10};
constexpr std::chrono::milliseconds look_for_the_late{10};

double seconds_between(Time from, Time to) {
  return std::chrono::duration<double>(to - from).count();
}

std::chrono::nanoseconds nanoseconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

// The value of a header in the head of an answer; empty where there is none. `name` in lower case.
std::string_view header(std::string_view head, std::string_view name) {
  for (auto line = head.find("\r\n"); line != std::string_view::npos && line + 2 < head.size();
       line = head.find("\r\n", line + 2)) {
    const std::string_view rest = head.substr(line + 2);
    if (rest.size() <= name.size() || rest[name.size()] != ':') continue;
    const bool same =
        std::equal(name.begin(), name.end(), rest.begin(),
                   [](char a, unsigned char b) { return a == static_cast<char>(std::tolower(b)); });
    if (!same) continue;
    std::string_view value = rest.substr(name.size() + 1, rest.find("\r\n") - name.size() - 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    return value;
  }
  return {};
}

}  // namespace

Generator::Generator(const Load& load, Requests requests)
    : load_(load), requests_(std::move(requests)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  address_.sin_family = AF_INET;
  address_.sin_port = htons(static_cast<std::uint16_t>(load_.port));
  if (::inet_pton(AF_INET, load_.host.c_str(), &address_.sin_addr) != 1) {
    throw std::runtime_error(load_.host + ": expected an IPv4 address");
  }
  connections_.resize(static_cast<std::size_t>(load_.connections));
  outcome_.of_expected.resize(load_.expected.size());
}

Generator::~Generator() {
  for (const Connection& connection : connections_) {
    if (connection.socket >= 0) ::close(connection.socket);
  }
  ::close(epoll_);
}

Outcome Generator::run() {
  for (Connection& connection : connections_) open(connection, Clock::now());
  std::mt19937_64 random(1);
  std::exponential_distribution<double> gap(load_.rate);
  start_ = Clock::now();
  const Time end = start_ + nanoseconds(load_.seconds);
  Time late_looked_at = start_;
  double at = 0;
  Time next = start_;
  bool more = true;
  while (more || busy_ > 0 || !backlog_.empty()) {
    const Time now = Clock::now();
    if (load_.gaps == Gaps::closed) {
      more = now < end;
      while (more && !idle_.empty()) {
        ++outcome_.asked;
        Connection& connection = *idle_.back();
        idle_.pop_back();
        send(connection, now);
      }
    }
    while (load_.gaps != Gaps::closed && more && next <= now) {
      backlog_.push_back(next);
      ++outcome_.asked;
      at += load_.gaps == Gaps::poisson ? gap(random) : 1 / load_.rate;
      next = start_ + nanoseconds(at);
      more = next < end;
    }
    while (!backlog_.empty() && !idle_.empty()) {
      Connection& connection = *idle_.back();
      idle_.pop_back();
      const Time due = backlog_.front();
      backlog_.pop_front();
      send(connection, due);
    }
    if (now - late_looked_at > look_for_the_late) {
      give_up_the_late(now);
      late_looked_at = now;
    }
    const Time look_again = now + look_for_the_late;
    wait(more && load_.gaps != Gaps::closed ? std::min(next, look_again) : look_again);
  }
  outcome_.elapsed = seconds_between(start_, Clock::now());
  outcome_.start = std::chrono::duration<double>(start_.time_since_epoch()).count();
  return std::move(outcome_);
}

void Generator::open(Connection& connection, Time now) {
  connection.in.clear();
  connection.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  epoll_event event{};
  event.data.ptr = &connection;
  if (::connect(connection.socket, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) ==
      0) {
    connection.state = State::idle;
    idle_.push_back(&connection);
    event.events = EPOLLIN;
  } else if (errno == EINPROGRESS) {
    connection.state = State::connecting;
    event.events = EPOLLOUT;
  } else {
    close(connection, now);
    return;
  }
  ::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event);
}

// What was under way has been counted by the caller.
void Generator::close(Connection& connection, Time now) {
  if (connection.state == State::idle) {
    idle_.erase(std::find(idle_.begin(), idle_.end(), &connection));
  }
  if (connection.state == State::busy) --busy_;
  if (connection.socket >= 0) ::close(connection.socket);
  connection.socket = -1;
  connection.state = State::closed;
  connection.again = now + reconnect_after;
}

void Generator::send(Connection& connection, Time due) {
  connection.due = due;
  connection.state = State::busy;
  ++busy_;
  // A request is shorter than the empty buffer of a socket.
  const std::string& request = requests_.next();
  if (::send(connection.socket, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    ++outcome_.broken;
    count(due, false);
    close(connection, Clock::now());
  }
}

void Generator::wait(Time until) {
  std::array<epoll_event, 256> events{};
  const std::int64_t ns = std::max<std::int64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(until - Clock::now()).count(), 0);
  timespec patience{};
  patience.tv_sec = ns / 1'000'000'000;
  patience.tv_nsec = ns % 1'000'000'000;
  const int count =
      ::epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &patience, nullptr);
  if (count <= 0) return;
  const Time now = Clock::now();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    handle(*static_cast<Connection*>(event.data.ptr), event.events, now);
  }
}

void Generator::handle(Connection& connection, std::uint32_t events, Time now) {
  if (connection.state == State::closed) return;
  if (connection.state != State::connecting) {
    read(connection, now);
    return;
  }
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    close(connection, now);
    return;
  }
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &connection;
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, connection.socket, &event);
  connection.state = State::idle;
  idle_.push_back(&connection);
}

void Generator::read(Connection& connection, Time now) {
  std::array<char, 16384> buffer;
  const ssize_t bytes = ::recv(connection.socket, buffer.data(), buffer.size(), 0);
  if (bytes <= 0) {
    if (bytes < 0 && errno == EAGAIN) return;
    if (connection.state == State::busy) {
      ++outcome_.broken;
      count(connection.due, false);
    }
    close(connection, now);
    return;
  }
  connection.in.append(buffer.data(), static_cast<std::size_t>(bytes));
  const auto head_end = connection.in.find("\r\n\r\n");
  if (head_end != std::string::npos) answered(connection, head_end, now);
}

void Generator::answered(Connection& connection, std::size_t head_end, Time now) {
  const std::string_view head = std::string_view(connection.in).substr(0, head_end + 2);
  const std::string_view length_text = header(head, "content-length");
  if (length_text.empty()) throw std::runtime_error("an answer has no Content-Length");
  const auto length = std::strtoul(std::string(length_text).c_str(), nullptr, 10);
  if (connection.in.size() < head_end + 4 + length) return;
  const std::string_view body = std::string_view(connection.in).substr(head_end + 4, length);
  if (connection.state != State::busy) {
    // Nobody has asked: the server is about to close, as with 408.
    close(connection, now);
    return;
  }
  const int status = head.size() > 12 ? std::atoi(connection.in.c_str() + 9) : 0;
  ++outcome_.statuses[status];
  outcome_.latencies.push_back(seconds_between(connection.due, now));
  bool good = status == 200;
  if (good && !load_.expected.empty()) {
    const auto found = std::find(load_.expected.begin(), load_.expected.end(), body);
    if (found == load_.expected.end()) {
      good = false;
      if (outcome_.wrong++ == 0) outcome_.first_wrong = std::string(body);
    } else {
      ++outcome_.of_expected[static_cast<std::size_t>(found - load_.expected.begin())];
    }
  }
  count(connection.due, good);
  const std::string_view connection_header = header(head, "connection");
  const bool closes =
      connection_header.starts_with("close") || connection_header.starts_with("Close");
  --busy_;
  connection.in.clear();
  connection.state = State::idle;
  idle_.push_back(&connection);
  if (closes) {
    close(connection, now);
    connection.again = now;
  }
}

// Requests whose patience is over; closed connections are tried again.
void Generator::give_up_the_late(Time now) {
  const auto patience = nanoseconds(load_.patience);
  while (!backlog_.empty() && now - backlog_.front() > patience) {
    ++outcome_.late;
    count(backlog_.front(), false);
    backlog_.pop_front();
  }
  for (Connection& connection : connections_) {
    if (connection.state == State::busy && now - connection.due > patience) {
      ++outcome_.late;
      count(connection.due, false);
      close(connection, now);
    }
    if (connection.state == State::closed && now >= connection.again) open(connection, now);
  }
}

void Generator::count(Time due, bool good) {
  auto& bins = good ? outcome_.answered_in : outcome_.failed_in;
  const auto bin = static_cast<std::size_t>(seconds_between(start_, due) / load_.bin);
  if (bins.size() <= bin) bins.resize(bin + 1);
  ++bins[bin];
}

}  // namespace tandem::bench
