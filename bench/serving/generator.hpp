// An open-loop load generator for HTTP/1.1: requests are sent when they are due, whether or not
// earlier ones have been answered, and a latency is counted from the time a request was due. A
// closed loop, which waits for an answer before it asks again, asks less where the server is slow
// and so does not see how long others would have waited (Schroeder, Wierman and Harchol-Balter,
// "Open Versus Closed: A Cautionary Tale", NSDI 2006).
//
// One thread, one request at a time on a connection, no pipelining. A request that is due while all
// connections are taken is sent when one comes free, and its latency has that wait in it. A server
// that goes away is tried again, so that the load outlasts what is done to the server.
#pragma once

#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "requests.hpp"

namespace tandem::bench {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

enum class Gaps {
  poisson,  // requests of many clients that know nothing of each other
  even,
  closed,  // the next when the one before is answered: to compare with tools that do so
};

struct Load {
  std::string host = "127.0.0.1";
  int port = 0;
  std::vector<std::string> expected;  // bodies that an answer of status 200 may have; empty: any
  double rate = 1000;  // requests per second; of no meaning where the gaps are closed
  double seconds = 5;
  int connections = 64;
  Gaps gaps = Gaps::poisson;
  double patience = 10;  // seconds from the time a request is due until it counts as failed
  double bin = 0.02;     // seconds; of Outcome::answered_in and failed_in
};

struct Outcome {
  double start = 0;    // of the steady clock, in seconds
  double elapsed = 0;  // until the last answer, in seconds
  std::size_t asked = 0;
  std::vector<double> latencies;         // of all answers, in seconds
  std::map<int, std::size_t> statuses;   // answers by their status
  std::vector<std::size_t> of_expected;  // answers of each body in Load::expected
  std::size_t wrong = 0;                 // answers of status 200 with none of them
  std::string first_wrong;               // the body of one
  std::size_t broken = 0;                // the connection ended before the answer had come
  std::size_t late = 0;                  // no answer, or no connection, within the patience
  std::vector<std::uint32_t>
      answered_in{};                       // with 200 and no wrong body, by the time they were due
  std::vector<std::uint32_t> failed_in{};  // all others
};

class Generator {
 public:
  // Throws std::runtime_error where the address is none.
  Generator(const Load& load, Requests requests);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  // Connects, and sends until the time is over and all is answered or given up.
  [[nodiscard]] Outcome run();

 private:
  enum class State { closed, connecting, idle, busy };
  struct Connection {
    int socket = -1;
    State state = State::closed;
    std::string in;
    Time due{};    // of the request under way
    Time again{};  // when a closed one is tried
  };

  void open(Connection& connection, Time now);
  void close(Connection& connection, Time now);
  void send(Connection& connection, Time due);
  void handle(Connection& connection, std::uint32_t events, Time now);
  void read(Connection& connection, Time now);
  void answered(Connection& connection, std::size_t head_end, Time now);
  void give_up_the_late(Time now);
  void wait(Time until);
  void count(Time due, bool good);

  Load load_;
  Requests requests_;
  sockaddr_in address_{};
  int epoll_;
  std::vector<Connection> connections_;
  std::vector<Connection*> idle_;
  std::deque<Time> backlog_;  // the times at which requests were due that wait for a connection
  Outcome outcome_;
  Time start_{};
  std::size_t busy_ = 0;
};

}  // namespace tandem::bench
