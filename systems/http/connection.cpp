#include "systems/http/connection.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/write.hpp>

#include "tandem/config.hpp"
#include "tandem/core/text.hpp"

namespace tandem::http {
namespace {

constexpr std::size_t body_buffer = 64 << 10;
constexpr std::size_t largest_buffer = 256 << 10;
constexpr milliseconds linger{2'000};
// The time in which a request that was sent before the client could know of a stop still arrives.
constexpr milliseconds grace{200};
constexpr std::size_t most_discarded = 1 << 20;

}  // namespace

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

}  // namespace tandem::http
