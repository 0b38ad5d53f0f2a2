#include "systems/http/server.hpp"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <ctime>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "core/text.hpp"
#include "tandem/config.hpp"

namespace tandem::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;
using Failure = boost::system::error_code;

constexpr std::size_t first_buffer = 4 << 10;
constexpr std::size_t body_buffer = 64 << 10;
constexpr std::size_t largest_buffer = 256 << 10;
constexpr milliseconds tick{250};
constexpr milliseconds linger{2'000};
// The time in which a request that was sent before the client could know of a stop still arrives.
constexpr milliseconds grace{200};
constexpr std::size_t most_discarded = 1 << 20;

class Connection;

// What the server counts of one route.
struct RouteMetrics {
  Histogram* seconds = nullptr;
};

}  // namespace

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

namespace {

using Implementation = Server::Implementation;

// A request on its way through a handler. It is owned by whoever will answer it.
class Answering final : public Exchange {
 public:
  explicit Answering(std::shared_ptr<Connection> connection);
  ~Answering() override;
  void send(Response response) override;
  [[nodiscard]] bool wanted() const override;

 private:
  std::shared_ptr<Connection> connection_;
  std::atomic<bool> answered_{false};
};

// All members but open() are for the loop's thread.
class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Implementation& server, Implementation::Loop& loop, tcp::socket socket,
             std::string client);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void read();
  // The answer of the request that is under way.
  void answer(Response response);
  void on_tick(Clock::time_point now);
  void on_stop();
  [[nodiscard]] Implementation::Loop& loop() noexcept { return loop_; }
  [[nodiscard]] Implementation& server() noexcept { return server_; }
  [[nodiscard]] bool open() const noexcept { return open_.load(std::memory_order_relaxed); }

 private:
  enum class Phase { idle, head, body, answering, writing, lingering, closed };

  void wait_for_request();
  void parse();
  [[nodiscard]] bool accept_head();
  [[nodiscard]] bool account_body();
  void release_body();
  void hand_over();
  // Answers without a handler and ends the connection, whose further bytes nobody can make sense
  // of.
  void refuse(Response response);
  void write(const Response& response);
  void written(const Failure& failure);
  void linger_on();
  void discard();
  void close();
  // Sends as much of the answer as the socket takes at once.
  void close_with(std::string_view answer);

  Implementation& server_;
  Implementation::Loop& loop_;
  tcp::socket socket_;
  std::string client_;
  RequestReader reader_;
  std::list<Connection*>::iterator place_;
  std::string in_ = std::string(first_buffer, '\0');
  std::size_t begin_ = 0;  // in_[begin_, end_) has come and is not parsed yet
  std::size_t end_ = 0;
  std::string head_;  // of the answer that is being written
  std::string body_;
  Phase phase_ = Phase::idle;
  Clock::time_point due_{};
  Clock::time_point arrived_{};
  Clock::time_point head_end_{};
  const Route* route_ = nullptr;  // of the request under way
  std::weak_ptr<Answering> exchange_;
  bool keep_alive_ = true;
  bool without_body_ = false;  // HEAD
  std::atomic<bool> open_{true};
  std::size_t accounted_ = 0;  // bytes of Implementation::buffered
  std::size_t discarded_ = 0;
};

// --- exchanges ----------------------------------------------------------------------------------

Answering::Answering(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {
  connection_->server().in_flight->add(1);
}

Answering::~Answering() {
  if (!answered_) send(error_response(500, "the request was dropped without an answer"));
}

void Answering::send(Response response) {
  if (answered_.exchange(true)) return;
  connection_->server().in_flight->add(-1);
  if (request.trace.given)
    response.headers.emplace_back("traceparent", request.trace.traceparent());
  asio::dispatch(connection_->loop().io,
                 [connection = connection_, sent = std::move(response)]() mutable {
                   connection->answer(std::move(sent));
                 });
}

bool Answering::wanted() const { return !answered_ && connection_->open(); }

// --- connections --------------------------------------------------------------------------------

Connection::Connection(Implementation& server, Implementation::Loop& loop, tcp::socket socket,
                       std::string client)
    : server_(server),
      loop_(loop),
      socket_(std::move(socket)),
      client_(std::move(client)),
      reader_(server.options.limits) {
  place_ = loop_.connections.insert(loop_.connections.end(), this);
  wait_for_request();
}

void Connection::wait_for_request() {
  phase_ = Phase::idle;
  due_ = Clock::now() + (server_.stopping ? grace : server_.options.idle);
  // Memory that a large request or answer took is not kept for the small ones.
  if (in_.size() > first_buffer && begin_ == end_) in_ = std::string(first_buffer, '\0');
  if (body_.capacity() > body_buffer) body_ = {};
}

void Connection::read() {
  if (phase_ == Phase::closed) return;
  if (begin_ == end_) begin_ = end_ = 0;
  if (phase_ == Phase::body && in_.size() < body_buffer) in_.resize(body_buffer);
  if (end_ == in_.size()) {
    if (begin_ > 0) {
      std::copy(in_.data() + begin_, in_.data() + end_, in_.data());
      end_ -= begin_;
      begin_ = 0;
    } else if (in_.size() < std::max(largest_buffer, server_.options.limits.head * 2)) {
      in_.resize(in_.size() * 2);
    }
  }
  // A head is parsed once all of it stands in the buffer; of a body the parser takes any part.
  socket_.async_read_some(asio::buffer(in_.data() + end_, in_.size() - end_),
                          [self = shared_from_this()](const Failure& failure, std::size_t bytes) {
                            if (failure || self->phase_ == Phase::closed) {
                              self->close();
                              return;
                            }
                            self->end_ += bytes;
                            self->parse();
                          });
}

void Connection::parse() {
  for (;;) {
    if (phase_ == Phase::idle && begin_ < end_) {
      phase_ = Phase::head;
      arrived_ = Clock::now();
      due_ = arrived_ + server_.options.head;
    }
    const bool had_head = reader_.head_done();
    const std::size_t taken = reader_.feed(std::string_view(in_.data() + begin_, end_ - begin_));
    begin_ += taken;
    if (const auto& refusal = reader_.refusal()) {
      server_.count_refusal("malformed");
      refuse(error_response(refusal->status, refusal->message));
      return;
    }
    if (!had_head && reader_.head_done() && !accept_head()) return;
    if (reader_.complete()) {
      hand_over();
      return;
    }
    if (phase_ == Phase::body && !account_body()) return;
    if (taken == 0 || begin_ == end_) break;
  }
  read();
}

// The route and the token are known before the body comes. False where the request was refused.
bool Connection::accept_head() {
  phase_ = Phase::body;
  head_end_ = Clock::now();
  due_ = head_end_ + server_.options.body;
  keep_alive_ = reader_.keep_alive();
  Request& request = reader_.request();
  without_body_ = request.method == "HEAD";
  route_ = nullptr;
  try {
    const Route& route = server_.router.find(request);
    route_ = &route;
    server_.check_role(route, reader_.header("authorization"));
  } catch (const HttpError& error) {
    server_.count_refusal(error.status == 401 || error.status == 403 ? "token" : "route");
    Response response = response_of_exception();
    if (error.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
    if (reader_.complete()) {
      // Nothing of the request is left to come, so that the connection may go on.
      phase_ = Phase::answering;
      answer(std::move(response));
    } else {
      refuse(std::move(response));
    }
    return false;
  }
  if (reader_.expects_continue() && !reader_.complete() && begin_ == end_) {
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    Failure ignored;
    (void)socket_.write_some(asio::buffer(go_on.data(), go_on.size()), ignored);
  }
  return true;
}

bool Connection::account_body() {
  const std::size_t bytes = reader_.body_bytes();
  server_.buffered += bytes - accounted_;
  accounted_ = bytes;
  // A second for every 64 KiB: who sends slower than that is not waited for.
  due_ = head_end_ + server_.options.body + milliseconds(bytes / 66);
  if (server_.buffered <= server_.options.buffered) return true;
  server_.count_refusal("memory");
  refuse(error_response(503,
                        "the bodies of the requests under way take all the memory that there "
                        "is for them; try again later",
                        1));
  return false;
}

void Connection::release_body() {
  server_.buffered -= accounted_;
  accounted_ = 0;
}

void Connection::hand_over() {
  auto exchange = std::make_shared<Answering>(shared_from_this());
  phase_ = Phase::answering;
  if (!reader_.take(exchange->request)) {
    const Refusal refusal = *reader_.refusal();
    exchange->send(error_response(refusal.status, refusal.message));
    return;
  }
  exchange->request.client = client_;
  exchange->request.arrived = arrived_;
  due_ = Clock::now() + server_.options.answer;
  exchange->request.deadline = due_;
  exchange_ = exchange;
  const ExchangePtr handed = std::move(exchange);
  try {
    route_->handler(handed);
  } catch (...) {
    handed->send(response_of_exception());
  }
}

void Connection::answer(Response response) {
  if (phase_ != Phase::answering) return;
  exchange_.reset();
  server_.count(route_, arrived_, response.status);
  const LogLevel level = response.status >= 500 ? LogLevel::warning : LogLevel::debug;
  if (server_.log.writes(level)) {
    server_.log.write(
        level, "answered",
        {{"status", std::int64_t{response.status}},
         {"route", route_ != nullptr ? std::string_view(route_->pattern) : "none"},
         {"client", std::string_view(client_)},
         {"seconds", std::chrono::duration<double>(Clock::now() - arrived_).count()}});
  }
  if (server_.stopping) keep_alive_ = false;
  write(response);
  body_ = std::move(response.body);
  const bool body = !without_body_ && !body_.empty();
  const std::array<asio::const_buffer, 2> parts{
      asio::buffer(head_), asio::buffer(body_.data(), body ? body_.size() : 0)};
  asio::async_write(socket_, parts,
                    [self = shared_from_this()](const Failure& failure, std::size_t /*bytes*/) {
                      self->written(failure);
                    });
}

void Connection::refuse(Response response) {
  keep_alive_ = false;
  phase_ = Phase::answering;
  answer(std::move(response));
}

void Connection::write(const Response& response) {
  phase_ = Phase::writing;
  due_ = Clock::now() + server_.options.write;
  head_ = "HTTP/1.1 ";
  append_shortest(head_, response.status);
  head_ += ' ';
  head_ += reason_phrase(response.status);
  head_ += "\r\nServer: tandem/" TANDEM_VERSION "\r\nDate: ";
  head_ += loop_.date;
  const auto add = [&](std::string_view name, std::string_view value) {
    head_ += "\r\n";
    head_ += name;
    head_ += ": ";
    // A line feed in a value would begin a header of its own.
    for (const char c : value) head_ += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  };
  if (!response.body.empty()) add("Content-Type", response.content_type);
  for (const auto& [name, value] : response.headers) add(name, value);
  head_ += "\r\nContent-Length: ";
  append_shortest(head_, response.body.size());
  if (!keep_alive_) head_ += "\r\nConnection: close";
  head_ += "\r\n\r\n";
}

void Connection::written(const Failure& failure) {
  if (phase_ == Phase::closed) return;
  release_body();
  if (failure) {
    close();
    return;
  }
  if (!keep_alive_) {
    linger_on();
    return;
  }
  reader_.reset();
  wait_for_request();
  if (begin_ < end_) {
    parse();
  } else {
    read();
  }
}

// A socket that is closed while bytes of the client are unread resets the connection, and the
// client loses the answer: it is told that no more comes, and has a moment to close by itself.
void Connection::linger_on() {
  phase_ = Phase::lingering;
  due_ = Clock::now() + linger;
  Failure ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  discard();
}

void Connection::discard() {
  socket_.async_read_some(asio::buffer(in_),
                          [self = shared_from_this()](const Failure& failure, std::size_t bytes) {
                            self->discarded_ += bytes;
                            if (failure || self->discarded_ > most_discarded) {
                              self->close();
                            } else if (self->phase_ == Phase::lingering) {
                              self->discard();
                            }
                          });
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  phase_ = Phase::closed;
  open_ = false;
  Failure ignored;
  socket_.close(ignored);
  release_body();
  loop_.connections.erase(place_);
  server_.closed(loop_, client_);
}

void Connection::close_with(std::string_view answer) {
  Failure ignored;
  socket_.non_blocking(true, ignored);
  (void)socket_.write_some(asio::buffer(answer.data(), answer.size()), ignored);
  close();
}

void Connection::on_tick(Clock::time_point now) {
  if (now < due_) return;
  switch (phase_) {
    case Phase::head:
    case Phase::body:
      server_.count_refusal("slow");
      close_with("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    case Phase::answering:
      if (const auto exchange = exchange_.lock()) {
        server_.count_refusal("deadline");
        exchange->send(error_response(504, "no answer within the time that there is for one", 1));
      }
      return;
    case Phase::idle:
    case Phase::writing:
    case Phase::lingering: close(); return;
    case Phase::closed: return;
  }
}

void Connection::on_stop() {
  if (phase_ == Phase::idle) due_ = Clock::now() + grace;
}

}  // namespace

// --- the server ---------------------------------------------------------------------------------

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

// --- the interface ------------------------------------------------------------------------------

Endpoint Endpoint::parse(std::string_view text) {
  Endpoint endpoint;
  std::string_view port = text;
  const auto colon = text.rfind(':');
  if (colon != std::string_view::npos) {
    port = text.substr(colon + 1);
    std::string_view address = text.substr(0, colon);
    if (address.starts_with('[') && address.ends_with(']')) {
      address = address.substr(1, address.size() - 2);
    }
    if (!address.empty()) endpoint.address = std::string(address);
  }
  Failure failure;
  (void)asio::ip::make_address(endpoint.address, failure);
  if (failure || !read_number(port, endpoint.port)) {
    throw InputError("'" + std::string(text) +
                     "': expected ADDRESS:PORT, such as 127.0.0.1:8000; port 0 is any free one");
  }
  return endpoint;
}

std::string Endpoint::url() const {
  const bool bracketed = address.find(':') != std::string::npos;
  return "http://" + (bracketed ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

bool Endpoint::loopback() const {
  Failure failure;
  const auto parsed = asio::ip::make_address(address, failure);
  return !failure && parsed.is_loopback();
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

void raise_file_limit() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  (void)::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace tandem::http
