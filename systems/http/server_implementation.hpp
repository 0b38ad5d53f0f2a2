// What the server and its connections share. Private to systems/http.
#pragma once

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "systems/http/server.hpp"

namespace tandem::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using Failure = boost::system::error_code;

class Connection;

// What the server counts of one route.
struct RouteMetrics {
  Histogram* seconds = nullptr;
};

struct Server::Implementation {
  // One thread and the connections that it serves.
  struct Loop {
    std::list<Connection*> connections;  // that are open; of this loop's thread alone
    std::atomic<int> count{0};
    std::string date;  // as a header has it; anew at each tick
    asio::io_context io{1};
    asio::steady_timer timer{io};
    std::thread thread;
  };

  Implementation(ServerOptions server_options, Router server_router, Log& server_log,
                 Metrics& server_metrics);
  void start();
  void accept();
  void accepted(Loop& loop, tcp::socket socket);
  void on_tick(Loop& loop);
  bool stop(milliseconds patience);
  void closed(Loop& loop, const std::string& client);
  // Throws HttpError where the token in the header does not allow the route.
  void check_role(const Route& route, std::string_view authorization);
  // Of an answer; `route` is null where the request has none.
  void count(const Route* route, Clock::time_point arrived, int status);
  void count_refusal(const char* reason);
  [[nodiscard]] Loop& emptiest();

  ServerOptions options;
  Router router;
  Log& log;
  Metrics& metrics;
  std::atomic<bool> stopping{false};
  std::atomic<int> connections{0};
  std::atomic<std::size_t> buffered{0};
  std::mutex mutex;
  std::condition_variable all_closed;
  std::unordered_map<std::string, int> clients;  // connections of each address
  std::shared_ptr<const Tokens> tokens = std::make_shared<Tokens>();
  std::vector<std::unique_ptr<RouteMetrics>> route_metrics;  // as router.routes()
  std::array<std::atomic<Counter*>, 600> by_status{};
  Gauge* in_flight = nullptr;
  // Destroyed first, with the connections that are left, which use what stands above.
  std::vector<std::unique_ptr<Loop>> loops;
  std::unique_ptr<tcp::acceptor> acceptor;
  std::unique_ptr<asio::steady_timer> accept_again;
};

}  // namespace tandem::http
