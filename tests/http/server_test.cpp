// The server over real sockets: answers, order, refusals, timeouts, limits, the stop.
#include "systems/http/server.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "systems/http/background.hpp"

namespace tandem::http {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A client that says what it likes.
class Client {
 public:
  explicit Client(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Client() { ::close(socket_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  [[nodiscard]] bool connected() const { return connected_; }
  void send(const std::string& bytes) {
    (void)!::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  // One answer, by its Content-Length; what there is where the server closes before.
  std::string receive() {
    while (true) {
      const auto end = in_.find("\r\n\r\n");
      if (end != std::string::npos) {
        const auto at = in_.find("Content-Length: ");
        const std::size_t length = at < end ? std::stoul(in_.substr(at + 16)) : 0;
        if (in_.size() >= end + 4 + length) {
          std::string answer = in_.substr(0, end + 4 + length);
          in_.erase(0, answer.size());
          return answer;
        }
      }
      if (!more()) return std::exchange(in_, {});
    }
  }
  // All until the server closes.
  std::string receive_all() {
    while (more()) {
    }
    return std::exchange(in_, {});
  }

 private:
  bool more() {
    std::array<char, 4096> buffer{};
    const ssize_t bytes = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (bytes <= 0) return false;
    in_.append(buffer.data(), static_cast<std::size_t>(bytes));
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::string in_;
};

class Running : public ::testing::Test {
 protected:
  Running() : log_("", LogLevel::off) {
    router_.add("GET", "/hello", Role::none, [](const ExchangePtr& exchange) {
      exchange->send({.status = 200, .content_type = "text/plain", .headers = {}, .body = "hello"});
    });
    router_.add("POST", "/echo", Role::predict, [](const ExchangePtr& exchange) {
      exchange->send({.status = 200,
                      .content_type = "text/plain",
                      .headers = {},
                      .body = exchange->request.body});
    });
    router_.add("GET", "/slow", Role::none, [this](const ExchangePtr& exchange) {
      background_.answer(exchange, [] {
        std::this_thread::sleep_for(milliseconds(400));
        return Response{.status = 200, .content_type = "text/plain", .headers = {}, .body = "slow"};
      });
    });
    router_.add("GET", "/dropped", Role::none, [](const ExchangePtr&) {});
    router_.add("GET", "/kept", Role::none,
                [this](const ExchangePtr& exchange) { kept_ = exchange; });
    router_.add("GET", "/thrown", Role::none,
                [](const ExchangePtr&) { throw InputError("not like that"); });
    router_.add("POST", "/admin", Role::admin, [](const ExchangePtr& exchange) {
      exchange->send({.status = 200, .content_type = "text/plain", .headers = {}, .body = "done"});
    });
  }
  void start() {
    server_ = std::make_unique<Server>(options_, router_, log_, metrics_);
    server_->start();
    port_ = server_->endpoint().port;
  }
  [[nodiscard]] std::string ask(const std::string& request) const {
    Client client(port_);
    client.send(request);
    return client.receive();
  }

  ServerOptions options_;
  Router router_;
  Log log_;
  Metrics metrics_;
  Background background_;
  ExchangePtr kept_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

const std::string get_hello = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_F(Running, AnswersOverOneConnectionInOrder) {
  start();
  Client client(port_);
  client.send(get_hello + "GET /slow HTTP/1.1\r\n\r\n" + get_hello);
  EXPECT_THAT(client.receive(), HasSubstr("\r\n\r\nhello"));
  EXPECT_THAT(client.receive(), HasSubstr("\r\n\r\nslow"));
  EXPECT_THAT(client.receive(), HasSubstr("\r\n\r\nhello"));
  client.send("HEAD /hello HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string head = client.receive_all();
  EXPECT_THAT(head, HasSubstr("Content-Length: 5"));
  EXPECT_THAT(head, ::testing::EndsWith("\r\n\r\n"));
}

TEST_F(Running, TellsWhatIsWrong) {
  start();
  EXPECT_THAT(ask("GET /nothing HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask("POST /hello HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(ask("nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask("GET /dropped HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(ask("GET /thrown HTTP/1.1\r\n\r\n"), HasSubstr("{\"error\":\"not like that\"}"));
  EXPECT_THAT(ask("GET /thrown HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(Running, PassesTheTraceOn) {
  start();
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  EXPECT_THAT(
      ask("GET /hello HTTP/1.1\r\ntraceparent: 00-" + trace + "-00f067aa0ba902b7-01\r\n\r\n"),
      HasSubstr("traceparent: 00-" + trace + "-"));
  EXPECT_THAT(ask(get_hello), ::testing::Not(HasSubstr("traceparent")));
}

TEST_F(Running, AsksForTokensBeforeTheBody) {
  start();
  server_->set_tokens(
      Tokens::parse("predict 0123456789abcdef\nadmin fedcba9876543210\n", "tokens"));
  const std::string length = "Content-Length: 1000000\r\n";
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\n" + length + "\r\n"), StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\n\r\n"), HasSubstr("WWW-Authenticate: Bearer"));
  EXPECT_THAT(ask("POST /admin HTTP/1.1\r\nAuthorization: Bearer 0123456789abcdef\r\n\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(ask("POST /admin HTTP/1.1\r\nAuthorization: Bearer fedcba9876543210\r\n\r\n"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nAuthorization: Bearer 0123456789abcdef\r\n"
                  "Content-Length: 2\r\n\r\nhi"),
              HasSubstr("\r\n\r\nhi"));
  EXPECT_THAT(ask(get_hello), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Running, RefusesBodiesThatAreTooLargeBeforeTheyCome) {
  options_.limits.body = 1000;
  start();
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nContent-Length: 1073741824\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(ask("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n"),
              StartsWith("HTTP/1.1 413 "));
  Client client(port_);
  client.send("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_THAT(client.receive(), StartsWith("HTTP/1.1 100 Continue\r\n"));
  client.send("body");
  EXPECT_THAT(client.receive(), HasSubstr("\r\n\r\nbody"));
}

TEST_F(Running, HasMemoryForAllBodiesTogetherOnly) {
  options_.buffered = 100'000;
  start();
  Client first(port_);
  first.send("POST /echo HTTP/1.1\r\nContent-Length: 90001\r\n\r\n" + std::string(90'000, 'x'));
  std::this_thread::sleep_for(milliseconds(100));
  Client second(port_);
  second.send("POST /echo HTTP/1.1\r\nContent-Length: 20001\r\n\r\n" + std::string(20'000, 'x'));
  EXPECT_THAT(second.receive(), StartsWith("HTTP/1.1 503 "));
  first.send("x");
  EXPECT_THAT(first.receive(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(
      ask("POST /echo HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + std::string(20'000, 'x')),
      StartsWith("HTTP/1.1 200 "));
}

TEST_F(Running, EndsWhoSendsTooSlowly) {
  options_.head = milliseconds(300);
  options_.body = milliseconds(300);
  options_.idle = milliseconds(600);
  start();
  Client head(port_);
  Client body(port_);
  Client idle(port_);
  head.send("GET /hello HTT");
  body.send("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel");
  EXPECT_THAT(head.receive_all(), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(body.receive_all(), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(idle.receive_all(), "");
}

TEST_F(Running, AnswersForAHandlerThatDoesNot) {
  options_.answer = milliseconds(300);
  start();
  EXPECT_THAT(ask("GET /kept HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 504 "));
  EXPECT_FALSE(kept_->wanted());
  kept_->send({});  // too late, and nothing happens
  kept_.reset();
  EXPECT_THAT(ask(get_hello), StartsWith("HTTP/1.1 200 "));
}

TEST_F(Running, LimitsConnections) {
  options_.connections_per_client = 2;
  start();
  Client one(port_);
  Client two(port_);
  one.send(get_hello);
  two.send(get_hello);
  EXPECT_THAT(one.receive(), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(two.receive(), StartsWith("HTTP/1.1 200 "));
  Client three(port_);
  EXPECT_THAT(three.receive(), StartsWith("HTTP/1.1 503 "));
}

TEST_F(Running, StopsWhenWhatIsUnderWayIsAnswered) {
  options_.threads = 2;
  start();
  Client slow(port_);
  Client idle(port_);
  Client late(port_);
  idle.send(get_hello);
  EXPECT_THAT(idle.receive(), StartsWith("HTTP/1.1 200 "));
  slow.send("GET /slow HTTP/1.1\r\n\r\n");
  std::this_thread::sleep_for(milliseconds(100));
  std::atomic<bool> whole{false};
  std::thread stopper([&] { whole = server_->stop(milliseconds(10'000)); });
  std::this_thread::sleep_for(milliseconds(30));
  // Sent before the client could know.
  late.send(get_hello);
  EXPECT_THAT(late.receive(), HasSubstr("Connection: close"));
  const std::string answer = slow.receive_all();
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_EQ(idle.receive_all(), "");
  stopper.join();
  EXPECT_TRUE(whole);
  EXPECT_FALSE(Client(port_).connected());
}

TEST_F(Running, ManyConnectionsAtOnce) {
  options_.threads = 2;
  start();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Client client(port_);
      for (int i = 0; i < 200; ++i) {
        const std::string body = std::to_string(t) + "-" + std::to_string(i);
        client.send("POST /echo HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) +
                    "\r\n\r\n" + body);
        if (!client.receive().ends_with("\r\n\r\n" + body)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_THAT(metrics_.text(), HasSubstr("tandem_http_responses_total{code=\"200\"} 800"));
}

TEST(Endpoint, IsReadFromText) {
  EXPECT_EQ(Endpoint::parse("127.0.0.1:80").url(), "http://127.0.0.1:80");
  EXPECT_EQ(Endpoint::parse("[::1]:80").url(), "http://[::1]:80");
  EXPECT_EQ(Endpoint::parse(":80").address, "127.0.0.1");
  EXPECT_EQ(Endpoint::parse("80").port, 80);
  EXPECT_TRUE(Endpoint::parse("80").loopback());
  EXPECT_FALSE(Endpoint::parse("0.0.0.0:80").loopback());
  for (const char* bad : {"", "x", "1.2.3.4", "1.2.3.4:70000", "localhost:80", "1.2.3.4:-1"}) {
    EXPECT_THROW((void)Endpoint::parse(bad), InputError) << bad;
  }
}

}  // namespace
}  // namespace tandem::http
