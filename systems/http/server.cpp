#include "systems/http/server.hpp"

#include <pthread.h>

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <ctime>

#include "systems/http/connection.hpp"

namespace tandem::http {
namespace {

constexpr milliseconds tick{250};

}  // namespace

Server::Implementation::Implementation(ServerOptions server_options, Router server_router,
                                       Log& server_log, Metrics& server_metrics)
    : options(std::move(server_options)),
      router(std::move(server_router)),
      log(server_log),
      metrics(server_metrics) {
  in_flight = &metrics.gauge("tandem_http_requests_in_flight", "Requests that wait for an answer");
  for (const Route& route : router.routes()) {
    auto& counted = *route_metrics.emplace_back(std::make_unique<RouteMetrics>());
    counted.seconds =
        &metrics.histogram("tandem_http_request_duration_seconds",
                           "Time from the first byte of a request until its answer is written",
                           latency_bounds(), {{"method", route.method}, {"route", route.pattern}});
  }
  metrics.before_reading(
      [this, &open = metrics.gauge("tandem_http_connections", "Open connections")] {
        open.set(connections.load());
      });
}

void Server::Implementation::start() {
  const std::string place = options.endpoint.address + ":" + std::to_string(options.endpoint.port);
  for (int i = 0; i < options.threads; ++i) loops.push_back(std::make_unique<Loop>());
  Failure failure;
  const auto address = asio::ip::make_address(options.endpoint.address, failure);
  if (failure) {
    throw InputError(place + ": expected an IP address, such as 127.0.0.1 or 0.0.0.0, and a port");
  }
  acceptor = std::make_unique<tcp::acceptor>(loops.front()->io);
  accept_again = std::make_unique<asio::steady_timer>(loops.front()->io);
  const tcp::endpoint endpoint(address, options.endpoint.port);
  acceptor->open(endpoint.protocol(), failure);
  if (!failure) acceptor->set_option(tcp::acceptor::reuse_address(true), failure);
  if (!failure) acceptor->bind(endpoint, failure);
  if (!failure) acceptor->listen(4096, failure);
  if (failure) {
    throw InputError("cannot listen on " + place + ": " + failure.message() +
                     "; choose another address or port");
  }
  options.endpoint.port = acceptor->local_endpoint().port();
  accept();
  for (auto& loop : loops) {
    on_tick(*loop);
    loop->thread = std::thread([&io = loop->io] {
      (void)::pthread_setname_np(::pthread_self(), "http");  // as top and /proc show it
      io.run();
    });
  }
}

Server::Implementation::Loop& Server::Implementation::emptiest() {
  return **std::min_element(loops.begin(), loops.end(),
                            [](const auto& a, const auto& b) { return a->count < b->count; });
}

void Server::Implementation::accept() {
  Loop& loop = emptiest();
  acceptor->async_accept(loop.io, [this, &loop](const Failure& failure, tcp::socket socket) {
    if (stopping) return;
    if (failure) {
      // Out of files, mostly. Those that are open go on meanwhile.
      count_refusal("accept");
      accept_again->expires_after(milliseconds(100));
      accept_again->async_wait([this](const Failure& ended) {
        if (!ended && !stopping) accept();
      });
      return;
    }
    accepted(loop, std::move(socket));
    accept();
  });
}

void Server::Implementation::accepted(Loop& loop, tcp::socket socket) {
  Failure failure;
  const auto peer = socket.remote_endpoint(failure);
  if (failure) return;
  std::string client = peer.address().to_string();
  bool refused = connections >= options.connections;
  if (!refused) {
    const std::lock_guard<std::mutex> lock(mutex);
    int& of_client = clients[client];
    refused = of_client >= options.connections_per_client;
    if (!refused) {
      ++of_client;
      ++connections;
      ++loop.count;
    }
  }
  if (refused) {
    count_refusal("connections");
    constexpr std::string_view full =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
        "Content-Length: 0\r\n\r\n";
    socket.non_blocking(true, failure);
    (void)socket.write_some(asio::buffer(full.data(), full.size()), failure);
    return;
  }
  socket.set_option(tcp::no_delay(true), failure);
  asio::dispatch(
      loop.io, [this, &loop, socket = std::move(socket), client = std::move(client)]() mutable {
        std::make_shared<Connection>(*this, loop, std::move(socket), std::move(client))->read();
      });
}

void Server::Implementation::closed(Loop& loop, const std::string& client) {
  const std::lock_guard<std::mutex> lock(mutex);
  const auto found = clients.find(client);
  if (--found->second == 0) clients.erase(found);
  --loop.count;
  if (--connections == 0) all_closed.notify_all();
}

void Server::Implementation::on_tick(Loop& loop) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 40> text{};
  loop.date.assign(text.data(),
                   std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts));
  const auto at = Clock::now();
  // A connection may end, and leave the list, while it is looked at.
  for (auto it = loop.connections.begin(); it != loop.connections.end();) {
    Connection& connection = **it;
    ++it;
    connection.on_tick(at);
  }
  loop.timer.expires_after(tick);
  loop.timer.async_wait([this, &loop](const Failure& failure) {
    if (!failure) on_tick(loop);
  });
}

void Server::Implementation::check_role(const Route& route, std::string_view authorization) {
  if (route.role == Role::none) return;
  std::shared_ptr<const Tokens> current;
  {
    const std::lock_guard<std::mutex> lock(mutex);
    current = tokens;
  }
  if (current->open()) return;
  const Token* token = current->find(authorization);
  if (token == nullptr) {
    throw HttpError(401,
                    "expected the header Authorization: Bearer TOKEN with a token of this "
                    "server");
  }
  if (token->role < route.role) {
    throw HttpError(403, "expected a token with the role " + std::string(to_string(route.role)));
  }
}

void Server::Implementation::count(const Route* route, Clock::time_point arrived, int status) {
  if (route != nullptr) {
    const auto index = static_cast<std::size_t>(route - router.routes().data());
    route_metrics[index]->seconds->observe(
        std::chrono::duration<double>(Clock::now() - arrived).count());
  }
  const auto place = static_cast<std::size_t>(std::clamp(status, 0, 599));
  auto& counter = by_status[place];
  Counter* known = counter.load(std::memory_order_acquire);
  if (known == nullptr) {
    known = &metrics.counter("tandem_http_responses_total", "Answers by their status",
                             {{"code", std::to_string(place)}});
    counter.store(known, std::memory_order_release);
  }
  known->add();
}

void Server::Implementation::count_refusal(const char* reason) {
  metrics
      .counter("tandem_http_refused_total",
               "Requests and connections that no handler has seen, or that it answered too late",
               {{"reason", reason}})
      .add();
}

bool Server::Implementation::stop(milliseconds patience) {
  if (loops.empty() || stopping.exchange(true)) return true;
  asio::dispatch(loops.front()->io, [this] {
    Failure ignored;
    acceptor->close(ignored);
    accept_again->cancel();
  });
  for (auto& loop : loops) {
    asio::dispatch(loop->io, [&loop] {
      for (Connection* connection : loop->connections) connection->on_stop();
    });
  }
  bool whole = false;
  {
    std::unique_lock<std::mutex> lock(mutex);
    whole = all_closed.wait_for(lock, patience, [this] { return connections == 0; });
  }
  for (auto& loop : loops) loop->io.stop();
  // Where the address could not be taken, no thread was made.
  for (auto& loop : loops) {
    if (loop->thread.joinable()) loop->thread.join();
  }
  return whole;
}

Server::Server(ServerOptions options, Router router, Log& log, Metrics& metrics)
    : implementation_(
          std::make_unique<Implementation>(std::move(options), std::move(router), log, metrics)) {}

Server::~Server() { (void)stop(milliseconds(0)); }

void Server::start() { implementation_->start(); }

const Endpoint& Server::endpoint() const noexcept { return implementation_->options.endpoint; }

void Server::set_tokens(Tokens tokens) {
  auto fresh = std::make_shared<const Tokens>(std::move(tokens));
  const std::lock_guard<std::mutex> lock(implementation_->mutex);
  implementation_->tokens = std::move(fresh);
}

bool Server::stop(milliseconds patience) { return implementation_->stop(patience); }

}  // namespace tandem::http
