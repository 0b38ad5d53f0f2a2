// One socket of the server: its requests one after the other, each with its time. Private to
// systems/http.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "systems/http/server_implementation.hpp"

namespace tandem::http {

using Implementation = Server::Implementation;

// The memory that a connection without a request has.
inline constexpr std::size_t first_buffer = 4 << 10;

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

}  // namespace tandem::http
